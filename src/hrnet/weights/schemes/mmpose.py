"""The files of mmpose 0.x and 1.x: backbones with the official names, and heads with its own.

Source of their names: mmpose's backbones `HRNet`, `LiteHRNet` and `HRFormer`, and its top-down
heatmap heads of both major versions.
"""

from dataclasses import replace

from hrnet.spec import NetworkOptions
from hrnet.weights.schemes import hrformer, hrnet
from hrnet.weights.schemes.hrnet import HRNET_BODY
from hrnet.weights.schemes.keymap import KeyMap, NameRule, conv_norm, prefixed
from hrnet.weights.schemes.official import (
    LITE_BACKBONE,
    LITE_BODY,
    POSE_HEAD,
    without_index,
)

HRFORMER_BODY = "stage2.0.branches.0.0.attn.attn.qkv.weight"
"""Queries, keys and values are one layer there, and three in the official files."""

_HRNET = prefixed(hrnet.BACKBONE, "backbone.")
_IGNORED = (("data_preprocessor.", "the normalisation of pixels, which the description holds"),)


def _v2(fuse: tuple[str, str], last: str) -> tuple[NameRule, ...]:
    """The head over all streams, of the models for hands and faces."""
    return (*conv_norm("head.fuse", *fuse), ("head.classifier", last))


_V1_0X = KeyMap(
    "mmpose 0.x",
    "mmpose 0.x",
    "hrnet",
    "pose",
    rows=(*_HRNET, ("head.conv", POSE_HEAD)),
    required_keys=(f"backbone.{HRNET_BODY}", f"{POSE_HEAD}.weight"),
    output_layer=POSE_HEAD,
    ignored_prefixes=_IGNORED,
)

_V2_0X = replace(
    _V1_0X,
    rows=(*_HRNET, *_v2((f"{POSE_HEAD}.0", f"{POSE_HEAD}.1"), f"{POSE_HEAD}.3")),
    required_keys=(f"backbone.{HRNET_BODY}", f"{POSE_HEAD}.3.weight"),
    output_layer=f"{POSE_HEAD}.3",
    options=NetworkOptions(head="v2"),
)

_V2 = replace(
    _V1_0X,
    scheme="mmpose 1.x",
    writers="mmpose 1.x",
    rows=(*_HRNET, *_v2(("head.conv_layers.0", "head.conv_layers.1"), "head.final_layer")),
    required_keys=(
        f"backbone.{HRNET_BODY}",
        "head.conv_layers.0.weight",
        "head.final_layer.weight",
    ),
    output_layer="head.final_layer",
    options=NetworkOptions(head="v2"),
)

_V1 = replace(
    _V2,
    rows=(*_HRNET, ("head.conv", "head.final_layer")),
    required_keys=(f"backbone.{HRNET_BODY}", "head.final_layer.weight"),
    options=NetworkOptions(),
)

_LITE = replace(
    _V1,
    family="litehrnet",
    rows=(*prefixed(LITE_BACKBONE, "backbone."), ("head.conv", "head.final_layer")),
    required_keys=(f"backbone.{LITE_BODY}", "head.final_layer.weight"),
)

_HRFORMER = replace(
    _V1,
    family="hrformer",
    rows=(*prefixed(hrformer.BACKBONE, "backbone."), ("head.conv", "head.final_layer")),
    required_keys=(f"backbone.{HRFORMER_BODY}", "head.final_layer.weight"),
    options=NetworkOptions(relative_position="table"),
    prepare=without_index(hrformer.join_mmpose),
    finish=hrformer.split_mmpose,
)

KEY_MAPS: tuple[KeyMap, ...] = (_V1_0X, _V2_0X, _V2, _V1, _LITE, _HRFORMER)
"""V2 of 1.x stands before V1, whose required keys it has too."""
