"""Networks with weights, from any file: ours, one of a known project, or published by name."""

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch

from hrnet.errors import InputError
from hrnet.models import Network, build_network, family_of
from hrnet.spec import NetworkOptions
from hrnet.weights.catalog import find_checkpoint
from hrnet.weights.checkpoint import as_checkpoint, compare, fill
from hrnet.weights.files.unwrap import expect_whole
from hrnet.weights.schemes import BACKBONES
from hrnet.weights.schemes.keymap import NEW_HEAD, Dropped, StateDict, Taken, drop_lower_rows
from hrnet.weights.schemes.recognise import fitting_key_maps, in_words, recognise
from hrnet.weights.source import open_source, read_raw

_BACKBONE = "backbone."
_PRESENCE = "presence."
_BACKBONE_FORM = ("strided_padding", "exchange", "upsampling", "window")
_FORM = (*_BACKBONE_FORM, "align_corners")
"""Options that leave names and shapes as they are, of the backbone and of the whole network."""

_STEM = "backbone.stem."
_TABLE = "relative_position_bias_table"

_USUAL = {"strided_padding": "symmetric", "exchange": "official"}
"""The values of options that are not given, where they are the same for every network."""

_NO_PRESENCE = "the network has none, see its option presence"


def load_network(source: str | PathLike[str], *, device: str | torch.device = "cpu") -> Network:
    """Load a network with its weights, in eval mode, described by its `.spec`.

    source: a file of ours or of any known project, the folder of a run, the name of published
    weights, or hf://organisation/name. Options that weights do not show are as in the catalogue, or
    usual for files of that project; `convert_file` takes them as arguments.
    Raises InputError for a file that is not exactly a network that can be built.
    """
    opened = open_source(_find(source))
    network = build_network(opened.network)
    fill(network, opened.state, opened.name)
    return network.eval().to(device)


def load_weights(
    model: Network, source: str | PathLike[str], *, new_head: bool = False
) -> tuple[str, ...]:
    """Put the weights of a file into a network, all of them or none.

    source: as for `load_network`. new_head: take the backbone alone, from a network for any task,
        and leave the head as it is; every tensor of the backbone must be there. Paths of the last
        exchange to the lower streams, which pose networks lack, are left out where the model has
        none, and stay as they are where the file has none. HRFormer's position tables stay as they
        are where the file's are of windows of another size.

    Weights of 3 channels are adapted to a network of others: each channel of the first convolution
    becomes the sum over the three, divided by the number of channels.

    A file without a presence part leaves that of the network as it is; one that the network does
    not have is left out. All other tensors must fit.

    Returns what was left out or added, one line each. Raises InputError where the weights do not
    fit; the network is then as it was.
    """
    path = _find(source)
    taken = _backbone(model, path) if new_head else _whole(model, path)
    fill(model, taken.state, str(path))
    return (
        *(f"{part.count} x {part.what} left out: {part.reason}" for part in taken.dropped),
        *(f"{made} made" for made in taken.made),
    )


def _find(source: str | PathLike[str]) -> Path:
    return find_checkpoint(source if isinstance(source, str) else Path(source))


def _whole(model: Network, path: Path) -> Taken:
    """Return all of a file's tensors by the model's names."""
    raw, header = read_raw(path)
    own = as_checkpoint(raw.state, header)
    if own is not None:
        _expect_form(model, own.network, path, _FORM)
        return _fit_presence(model, _fit_channels(model, Taken(own.state), path))
    # Try the mappings of the model's own family and task; its config may be none of the variants.
    for key_map in fitting_key_maps(raw.state, str(path)):
        if (key_map.family, key_map.task) == (family_of(model.spec.variant), model.spec.task):
            taken = _fit_channels(model, key_map.from_foreign(raw.state), path)
            taken = _fit_presence(model, taken)
            if not compare(model.state_dict(), taken.state).names:
                _expect_form(model, key_map.options, path, _FORM)
                expect_whole(key_map.task, raw.dropped, str(path))
                return replace(taken, dropped=(*raw.dropped, *taken.dropped))
    # Nothing fits: name the network that the file holds.
    found = recognise(raw.state, str(path)).network
    raise InputError(
        f"{path} holds {in_words(found)}, but the network is {in_words(model.spec)}; "
        "new_head takes its backbone alone, where that is the same"
    )


def _fit_presence(model: Network, taken: Taken) -> Taken:
    """Return tensors with the presence part that the network has: the file's, its own, or none."""
    own = {name: value for name, value in model.state_dict().items() if name.startswith(_PRESENCE)}
    there = {name for name in taken.state if name.startswith(_PRESENCE)}
    if own and not there:
        made = (*taken.made, "a new presence part, which these weights do not have")
        return replace(taken, state={**taken.state, **own}, made=made)
    if there and not own:
        rest = {name: value for name, value in taken.state.items() if name not in there}
        left = Dropped("tensors of the presence part", len(there), _NO_PRESENCE)
        return replace(taken, state=rest, dropped=(*taken.dropped, left))
    return taken


def _backbone(model: Network, path: Path) -> Taken:
    """Return the tensors of a file's backbone, with the model's own head."""
    raw, header = read_raw(path)
    own = as_checkpoint(raw.state, header)
    if own is None:
        taken = _foreign_backbone(model, raw.state, path)
    else:
        _expect_form(model, own.network, path)
        taken = _own_backbone(own.state)
    taken = _fit_tables(model, _fit_channels(model, taken, path))
    # Leave out the exchange's paths to lower streams where the model has none of them.
    there = model.state_dict()
    higher, lower = drop_lower_rows(taken.state)
    unneeded = not (taken.state.keys() - higher.keys()) & there.keys()
    head = {name: value for name, value in there.items() if not name.startswith(_BACKBONE)}
    # Keep the model's own paths where the file has none of them.
    own_paths = there.keys() - drop_lower_rows(there)[0].keys()
    if own_paths & taken.state.keys():
        own_paths = set()
    paths = {name: there[name] for name in own_paths}
    new = (f"{len(paths)} tensors of the last exchange's paths to the lower streams",)
    return Taken(
        {**head, **paths, **(higher if unneeded else taken.state)},
        dropped=(*raw.dropped, *taken.dropped, *(lower if unneeded else ())),
        made=(*taken.made, *(new if paths else ())),
    )


def _fit_channels(model: Network, taken: Taken, path: Path) -> Taken:
    """Return tensors with a first convolution for the model's channels, made of one for RGB.

    w'[c] = (w[red] + w[green] + w[blue]) / C: equal channels give what the three gave for them, and
    one channel what its RGB copy gave. InputError where the file has other channels than 3.
    """
    wanted = model.spec.num_channels
    own = model.state_dict()
    name = next(
        (
            name
            for name, value in taken.state.items()
            if name.startswith(_STEM) and name in own and _differ_in_channels(own[name], value)
        ),
        None,
    )
    if name is None:
        return taken
    weight = taken.state[name]
    if weight.shape[1] != 3:
        raise InputError(
            f"{path} holds weights for in_channels {weight.shape[1]}, but this network has "
            f"{wanted}; only weights for 3 are adapted"
        )
    each = weight.float().sum(dim=1, keepdim=True) / wanted
    state = {**taken.state, name: each.repeat(1, wanted, 1, 1)}
    made = f"a first layer for {wanted} channels, each the sum of red, green and blue / {wanted},"
    if wanted == 1:
        made = "a first layer for 1 channel, the sum of red, green and blue,"
    return replace(taken, state=state, made=(*taken.made, made))


def _differ_in_channels(own: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two kernels (out, in, h, w) differ in their input channels alone."""
    if own.ndim != 4 or other.ndim != 4 or own.shape == other.shape:
        return False
    return own.shape[0] == other.shape[0] and own.shape[2:] == other.shape[2:]


def _fit_tables(model: Network, taken: Taken) -> Taken:
    """Return tensors with the model's own position tables where those of a file do not fit."""
    own = {
        name: value
        for name, value in model.state_dict().items()
        if name.endswith(_TABLE) and name in taken.state and taken.state[name].shape != value.shape
    }
    if not own:
        return taken
    made = (*taken.made, f"{len(own)} new position tables, for windows of another size")
    return replace(taken, state={**taken.state, **own}, made=made)


def _own_backbone(state: StateDict) -> Taken:
    backbone = {name: value for name, value in state.items() if name.startswith(_BACKBONE)}
    count = len(state) - len(backbone)
    return Taken(backbone, dropped=(Dropped("tensors of the head", count, NEW_HEAD),))


def _foreign_backbone(model: Network, state: StateDict, path: Path) -> Taken:
    family = family_of(model.spec.variant)
    fitting = [one for one in BACKBONES if one.fits(state)]
    key_map = next((one for one in fitting if one.family == family), None)
    if key_map is None:
        held = fitting[0].family if fitting else "no backbone of a known family"
        raise InputError(f"{path} holds {held}, but the network is {in_words(model.spec)}")
    _expect_form(model, key_map.options, path)
    return key_map.from_foreign(state, partial=True)


def _expect_form(
    model: Network, trained: NetworkOptions, path: Path, names: Sequence[str] = _BACKBONE_FORM
) -> None:
    """Raise InputError where network and weights differ in an option that changes no shape.

    Names and shapes are alike then, and the outputs would be another network's.
    """
    for name in names:
        own, theirs = (
            value if (value := getattr(one, name)) is not None else _USUAL.get(name)
            for one in (model.spec, trained)
        )
        if own is not None and theirs is not None and own != theirs:
            raise InputError(
                f"{path} holds weights of a network with {name} {theirs}, but this one has {own}; "
                f"create it with options={{{name!r}: {theirs!r}}}"
            )
