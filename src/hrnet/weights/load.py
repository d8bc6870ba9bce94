"""Networks with weights, from any file: ours, a foreign one, or a name."""

from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch

from hrnet.errors import InputError
from hrnet.models import Network, build_network, family_of
from hrnet.weights.catalog import find_checkpoint
from hrnet.weights.checkpoint import as_checkpoint
from hrnet.weights.described import in_words
from hrnet.weights.fit import compare, fill
from hrnet.weights.recognise import fitting_forms, recognise
from hrnet.weights.schemes import BACKBONES
from hrnet.weights.schemes.form import NEW_HEAD, Dropped, State, Taken, drop_lower_rows
from hrnet.weights.source import open_source, read_raw
from hrnet.weights.unwrap import expect_whole

_BACKBONE = "backbone."


def load_network(source: str | PathLike[str], *, device: str | torch.device = "cpu") -> Network:
    """Load a network with its weights, in eval mode, described by its `.spec`.

    source: a file of ours or of any known project, the folder of a run, the name of published
    weights, or hf://organisation/name. What weights cannot tell is as the catalogue says, or usual
    for files of that project; `convert_file` takes it as arguments.
    Raises InputError for a file that is not exactly a network that can be built.
    """
    opened = open_source(_find(source))
    network = build_network(opened.spec)
    fill(network, opened.state, opened.name)
    return network.eval().to(device)


def load_weights(
    model: Network, source: str | PathLike[str], *, new_head: bool = False
) -> tuple[str, ...]:
    """Put the weights of a file into a network, all of them or none.

    source: as for `load_network`. new_head: take the backbone alone, from a network for any task,
        and leave the head as it is; every tensor of the backbone must be there. What its head does
        not need of the last exchange is left out.

    Returns what was left out or made up, one line each. Raises InputError where the weights do not
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
    """All of a file's tensors as the model names them."""
    raw = read_raw(path)
    own = as_checkpoint(raw.state, raw.header)
    if own is not None:
        return Taken(own.state)
    for form in fitting_forms(raw.state, str(path)):
        if form.family == family_of(model.spec.variant) and form.task == model.spec.task:
            taken = form.take(raw.state)
            if not compare(model.state_dict(), taken.state).names:
                expect_whole(form.task, raw.dropped, str(path))
                return replace(taken, dropped=(*raw.dropped, *taken.dropped))
    found = recognise(raw.state, str(path)).spec
    raise InputError(
        f"{path} holds {in_words(found)}, but the network is {in_words(model.spec)}; "
        "new_head takes its backbone alone, where that is the same"
    )


def _backbone(model: Network, path: Path) -> Taken:
    """The tensors of a file's backbone, with the model's own head."""
    raw = read_raw(path)
    own = as_checkpoint(raw.state, raw.header)
    state, there = own.state if own else raw.state, model.state_dict()
    taken = _own_backbone(state) if own else _foreign_backbone(model, state, path)
    higher, lower = drop_lower_rows(taken.state)
    unneeded = not (taken.state.keys() - higher.keys()) & there.keys()
    head = {name: value for name, value in there.items() if not name.startswith(_BACKBONE)}
    return Taken(
        {**head, **(higher if unneeded else taken.state)},
        dropped=(*raw.dropped, *taken.dropped, *(lower if unneeded else ())),
        made=taken.made,
    )


def _own_backbone(state: State) -> Taken:
    backbone = {name: value for name, value in state.items() if name.startswith(_BACKBONE)}
    count = len(state) - len(backbone)
    return Taken(backbone, dropped=(Dropped("tensors of the head", count, NEW_HEAD),))


def _foreign_backbone(model: Network, state: State, path: Path) -> Taken:
    family = family_of(model.spec.variant)
    forms = [form for form in BACKBONES if form.fits(state)]
    form = next((form for form in forms if form.family == family), None)
    if form is None:
        held = forms[0].family if forms else "no backbone of a known family"
        raise InputError(f"{path} holds {held}, but the network is {in_words(model.spec)}")
    return form.take_known(state)
