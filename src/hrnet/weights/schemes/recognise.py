"""The network of a state dict, recognised by its names and shapes alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from torch import Tensor

from hrnet.errors import InputError, one_line
from hrnet.models import FAMILIES, VARIANTS, hrformer
from hrnet.spec import NetworkOptions, NetworkSpec, first_problem
from hrnet.weights.checkpoint import Misfit, compare, expected_state
from hrnet.weights.schemes import BACKBONES, KEY_MAPS
from hrnet.weights.schemes.hrformer import table_window
from hrnet.weights.schemes.keymap import KeyMap, OtherNetworkError, StateDict, Taken

_WIDTH = "backbone.stages.stage2.module0.exchange.paths.0.1.project.conv.weight"
"""A tensor whose first dimension is the width of the highest stream, in every family."""

_TABLE = "attention.relative_position_bias_table"
_MAX_TRIES = 3
"""Variants that are compared with a file, the nearest in width first."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """The network of a file: its key mapping, its description and its tensors by our names."""

    key_map: KeyMap
    network: NetworkSpec
    taken: Taken


def recognise(
    state: Mapping[str, Tensor],
    source: str,
    options: NetworkOptions | None = None,
    *,
    backbone: bool = False,
) -> Recognised:
    """Find the key mapping and the network of a foreign state dict.

    source: the file's name, for messages. options: what the weights do not show; None there is as
    usual for files of the mapping. backbone: take the backbone alone and leave out the rest.
    Raises InputError, with the nearest variant and the first tensor that differs, where the
    network is not exactly one of `VARIANTS`.
    """
    problems: list[InputError] = []
    nearest: list[tuple[int, InputError]] = []
    for key_map in fitting_key_maps(state, source, backbone=backbone):
        # Rename the tensors; a name without a place excludes the mapping.
        try:
            taken = key_map.from_foreign(state, partial=backbone)
        except OtherNetworkError as error:
            raise InputError(f"{source} is of {error}") from None
        except InputError as error:
            problems.append(error)
            continue
        # Compare names and shapes with those of the family's variants.
        found = _find_variant(key_map, taken, source, options or NetworkOptions())
        if isinstance(found, NetworkSpec):
            return Recognised(key_map, found, taken)
        nearest.append(found)
    if nearest:
        raise min(nearest, key=lambda pair: pair[0])[1]
    raise InputError(
        f"{source}: {problems[0]}; where only its backbone is wanted, load that with new_head"
    )


def fitting_key_maps(
    state: Mapping[str, Tensor], source: str, *, backbone: bool = False
) -> list[KeyMap]:
    """Return the key mappings that a file may have: with a head, or without where none is known.

    backbone: only those without. Raises InputError for files of other networks.
    """
    found = [one for one in KEY_MAPS if one.fits(state) and not backbone]
    found = found or [one for one in BACKBONES if one.fits(state)]
    if not found:
        some = one_line(", ".join(list(state)[:3]))[:200] or "nothing"
        raise InputError(
            f"{source} is not of HRNet, Lite-HRNet or HRFormer as any known project names their "
            f"tensors; it begins with {some}"
        )
    return found


def in_words(network: NetworkSpec) -> str:
    """Describe a network in a few words: "hrnet_w32 for pose, num_outputs 17"."""
    options = network.model_dump(exclude_none=True, exclude={"variant", "task"})
    parts = [f"{network.variant} for {network.task}", *(f"{k} {v}" for k, v in options.items())]
    return ", ".join(parts)


def _find_variant(
    key_map: KeyMap, taken: Taken, source: str, options: NetworkOptions
) -> NetworkSpec | tuple[int, InputError]:
    """Return the network that fits exactly, or the distance of the nearest with its error."""
    if _WIDTH not in taken.state:
        return len(taken.state), InputError(f"{source} is not complete: a stage is missing")
    width = _first_side(taken.state[_WIDTH])
    misfits: list[tuple[int, InputError]] = []
    for variant in _candidates(key_map, width)[:_MAX_TRIES]:
        network = _network(key_map, variant, taken.state, options, source)
        misfit = compare(expected_state(network), taken.state)
        if not misfit.names:
            return network
        error = _misfit_error(key_map, network, taken.state, misfit, source)
        misfits.append((len(misfit.names), error))
    return min(misfits, key=lambda pair: pair[0])


def _candidates(key_map: KeyMap, width: int) -> list[str]:
    """List the variants of a mapping's family, the nearest in width first."""
    # Two names of one body: for pose it is called small_hrnet_w16, and w18_small_v1 otherwise.
    hidden = "hrnet_w18_small_v1" if key_map.task == "pose" else "small_hrnet_w16"
    names = (name for name in FAMILIES[key_map.family].variants if name != hidden)
    return sorted(names, key=lambda name: abs(VARIANTS[name].stages[-1].widths[0] - width))


def _network(
    key_map: KeyMap, variant: str, state: StateDict, options: NetworkOptions, source: str
) -> NetworkSpec:
    """Describe a variant with the options of the mapping, of the caller and of the tensors."""
    settings = key_map.options.model_dump(exclude_none=True)
    settings |= options.model_dump(exclude_none=True, exclude={"head", "window"})
    settings |= _window(variant, state)
    if key_map.output_layer:
        # Without outputs no network fits; the usual number gives the error with the nearest one.
        settings["num_outputs"] = _num_outputs(key_map, state) or None
    try:
        return NetworkSpec(variant=variant, task=key_map.task, **settings)
    except ValidationError as error:
        raise InputError(
            f"{source} is none of the known networks: {first_problem(error)}"
        ) from None


def _num_outputs(key_map: KeyMap, state: StateDict) -> int:
    ours = next(ours for ours, theirs in key_map.rows if theirs == key_map.output_layer)
    rows = _first_side(state[f"{ours.format(0)}.weight"])  # of the first of several layers
    return max(0, rows - key_map.other_outputs)


def _first_side(value: Tensor) -> int:
    """Return the first dimension of a tensor; 0 where it has none, which fits no network."""
    return value.shape[0] if value.dim() else 0


def _window(variant: str, state: StateDict) -> dict[str, int]:
    """Return the side of HRFormer's windows, where it is not the variant's own."""
    config = hrformer.VARIANTS.get(variant)
    table = next((value for name, value in state.items() if name.endswith(_TABLE)), None)
    if config is None or table is None:
        return {}
    window = table_window(table)
    return {} if window == config.window else {"window": window}


def _misfit_error(
    key_map: KeyMap, network: NetworkSpec, state: StateDict, misfit: Misfit, source: str
) -> InputError:
    expected = expected_state(network)
    name = misfit.names[0]
    theirs = _their_name(key_map, name, expected.get(name, state.get(name)))
    if name in misfit.missing:
        problem = f"{theirs} is missing"
    elif name in misfit.unknown:
        problem = f"{theirs} is one too many"
    else:
        problem = f"{theirs} is {list(state[name].shape)} and there {list(expected[name].shape)}"
    return InputError(
        f"{source} is none of the known networks; the nearest is {network.variant} for "
        f"{network.task}, from which {len(misfit.names)} tensors differ: {problem}"
    )


def _their_name(key_map: KeyMap, ours: str, value: Tensor | None) -> str:
    """Return the file's name of a tensor of ours, for messages; our name where it has none."""
    try:
        names: Iterable[str] = key_map.to_foreign({ours: value}) if value is not None else ()
    except (InputError, KeyError):
        names = ()
    return next(iter(names), ours)
