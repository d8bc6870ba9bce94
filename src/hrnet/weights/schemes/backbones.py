"""Backbones by themselves: files without a head, or what is left where the head is foreign."""

from dataclasses import replace

from hrnet.weights.schemes import deeplabcut, hrformer, hrnet, mmpose
from hrnet.weights.schemes.form import OFFICIAL, Form, prefixed
from hrnet.weights.schemes.litehrnet import OFFICIAL_LITE
from hrnet.weights.schemes.official import (
    HRFORMER_BODY,
    HRNET_BODY,
    LITE_BODY,
    without_index,
)

_HRNET = Form(
    OFFICIAL,
    "a backbone by itself",
    "hrnet",
    "features",
    rows=hrnet.BACKBONE,
    marks=(HRNET_BODY,),
)
_LITE = replace(
    _HRNET,
    family="litehrnet",
    rows=tuple(row for row in OFFICIAL_LITE if row[0].startswith("backbone.")),
    marks=(LITE_BODY,),
)
_HRFORMER = replace(
    _HRNET,
    family="hrformer",
    rows=hrformer.BACKBONE,
    marks=(HRFORMER_BODY,),
    read=without_index(hrformer.join_official),
    write=hrformer.split_official,
)
_HRFORMER_MMPOSE = replace(
    _HRFORMER,
    scheme="mmpose 1.x",
    marks=(mmpose.HRFORMER_BODY,),
    read=without_index(hrformer.join_mmpose),
    write=hrformer.split_mmpose,
)


def _behind(form: Form, prefix: str, scheme: str) -> Form:
    """The same names with a prefix."""
    marks = tuple(prefix + mark for mark in form.marks)
    return replace(form, scheme=scheme, rows=prefixed(form.rows, prefix), marks=marks)


_BARE = (_HRNET, _LITE, _HRFORMER, _HRFORMER_MMPOSE)

FORMS: tuple[Form, ...] = (
    *_BARE,
    *(_behind(form, "backbone.", "mmpose 1.x") for form in _BARE),
    _behind(_HRNET, deeplabcut.PREFIX, "DeepLabCut"),
)
