"""Foreign names of weights to ours and back: one table a naming scheme, read in both directions."""

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from hrnet.errors import InputError
from hrnet.models import family_of, usual_head
from hrnet.spec import NetworkSpec
from hrnet.weights.schemes import (
    backbones,
    deeplabcut,
    mmdetection,
    mmpose,
    mmpretrain,
    mmsegmentation,
    official,
)
from hrnet.weights.schemes.form import OFFICIAL, Form, Row, State

FORMS: tuple[Form, ...] = (
    *official.FORMS,
    *mmpose.FORMS,
    *mmsegmentation.FORMS,
    *mmdetection.FORMS,
    *mmpretrain.FORMS,
    *deeplabcut.FORMS,
)
"""Networks with a head. A file is of the first form that fits it."""

BACKBONES: tuple[Form, ...] = backbones.FORMS
"""Backbones without a head, or with one that is not ours."""


def find_form(spec: NetworkSpec, scheme: str = OFFICIAL) -> Form:
    """Find how a scheme writes a network; InputError names the schemes that do."""
    forms = list(_forms_of(spec))
    found = next((form for form in forms if form.scheme == scheme), None)
    if found is None:
        known = ", ".join(dict.fromkeys(form.scheme for form in forms)) or "none"
        raise InputError(
            f"no files of {scheme!r} hold {spec.variant} for {spec.task}"
            f"{f' with head {spec.head}' if spec.head else ''}; schemes that do: {known}"
        )
    return found


def _forms_of(spec: NetworkSpec) -> Iterator[Form]:
    default = usual_head(spec.task)
    for form in (*FORMS, *BACKBONES):
        same_head = (form.options.head or default) == (spec.head or default)
        if form.family == family_of(spec.variant) and form.task == spec.task and same_head:
            yield form


def official_rows(spec: NetworkSpec) -> Sequence[Row]:
    """The table of our names and those of the repository that first published the network."""
    return find_form(spec).rows


def to_upstream(state: Mapping[str, Tensor], spec: NetworkSpec, scheme: str) -> State:
    """Write a state dictionary of ours with the names of a scheme, such as "mmpose 1.x".

    Where their layers have no bias before a norm, ours goes into the norm's running mean, which
    computes the same. Raises InputError where the scheme has no such network.
    """
    return find_form(spec, scheme).give(state)


def from_upstream(state: Mapping[str, Tensor], spec: NetworkSpec, scheme: str) -> State:
    """Read a state dictionary with the names of a scheme; InputError names what has no place."""
    return find_form(spec, scheme).take(state).state


def to_official(state: Mapping[str, Tensor], spec: NetworkSpec) -> State:
    """Write a state dictionary with the names of the repository that first published it."""
    return to_upstream(state, spec, OFFICIAL)


def from_official(state: Mapping[str, Tensor], spec: NetworkSpec) -> State:
    """Read a state dictionary with the names of the repository that first published it."""
    return from_upstream(state, spec, OFFICIAL)
