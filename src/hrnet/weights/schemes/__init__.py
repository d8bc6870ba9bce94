"""Foreign names of weights to ours and back: one file of key mappings a project."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from hrnet.errors import InputError
from hrnet.models import family_of, usual_head
from hrnet.spec import NetworkOptions, NetworkSpec
from hrnet.weights.schemes import (
    backbones,
    deeplabcut,
    mmdetection,
    mmpose,
    mmpretrain,
    mmsegmentation,
    official,
    paddle,
    paddleclas,
)
from hrnet.weights.schemes.keymap import KeyMap, StateDict

KEY_MAPS: tuple[KeyMap, ...] = (
    *official.KEY_MAPS,
    *mmpose.KEY_MAPS,
    *mmsegmentation.KEY_MAPS,
    *mmdetection.KEY_MAPS,
    *mmpretrain.KEY_MAPS,
    *deeplabcut.KEY_MAPS,
    *paddle.KEY_MAPS,
    *paddleclas.KEY_MAPS,
)
"""Networks with a head. The first mapping that fits a file exactly is its own."""

BACKBONES: tuple[KeyMap, ...] = (
    *backbones.KEY_MAPS,
    *paddle.BACKBONES,
    *paddleclas.BACKBONES,
)
"""Backbones without a head, or with one that is not ours."""


def to_upstream(state: Mapping[str, Tensor], spec: NetworkSpec, scheme: str) -> StateDict:
    """Bring a state dict of ours to the names of a scheme, such as "mmpose 1.x".

    Where their layers have no bias before a norm, ours goes into the norm's running mean, which
    computes the same. Raises InputError where the scheme has no such network.
    """
    return _find_key_map(spec, scheme).to_foreign(state)


def from_upstream(state: Mapping[str, Tensor], spec: NetworkSpec, scheme: str) -> StateDict:
    """Bring a state dict with the names of a scheme to ours; InputError for other names."""
    return _find_key_map(spec, scheme).from_foreign(state).state


def _find_key_map(spec: NetworkSpec, scheme: str) -> KeyMap:
    """Find the mapping of a scheme for a network; InputError lists the schemes that have one."""
    key_maps = list(_key_maps_of(spec))
    found = next((one for one in key_maps if one.scheme == scheme), None)
    if found is None:
        known = ", ".join(dict.fromkeys(one.scheme for one in key_maps)) or "none"
        choices = {"head": spec.head, "strided_padding": spec.strided_padding}
        chosen = " and ".join(f"{name} {value}" for name, value in choices.items() if value)
        raise InputError(
            f"no files of {scheme!r} hold {spec.variant} for {spec.task}"
            f"{f' with {chosen}' if chosen else ''}; schemes that do: {known}"
        )
    return found


def _key_maps_of(spec: NetworkSpec) -> Iterator[KeyMap]:
    default = usual_head(spec.task)
    for one in (*KEY_MAPS, *BACKBONES):
        same_head = (one.options.head or default) == (spec.head or default)
        same_padding = _padding(one.options) == _padding(spec)
        same_kind = one.family == family_of(spec.variant) and one.task == spec.task
        if same_kind and same_head and same_padding:
            yield one


def _padding(options: NetworkOptions) -> str:
    """Return the padding of strided convolutions, which neither names nor shapes show."""
    return options.strided_padding or "symmetric"
