"""The files of mmdetection: HRNet with its `HRFPN`, of detectors of any kind."""

from dataclasses import replace

from hrnet.weights.schemes import hrnet
from hrnet.weights.schemes.keymap import KeyMap, NameRule, prefixed
from hrnet.weights.schemes.official import DETECTOR, HRNET_BODY


def _rows(smooth: str) -> tuple[NameRule, ...]:
    return (
        *prefixed(hrnet.BACKBONE, "backbone."),
        ("head.reduce", "neck.reduction_conv.conv"),
        ("head.smooth.{}", f"neck.{smooth}"),
    )


_NOW = KeyMap(
    "mmdetection",
    "mmdetection",
    "hrnet",
    "detection",
    rows=_rows("fpn_convs.{}.conv"),
    required_keys=(f"backbone.{HRNET_BODY}", "neck.fpn_convs.0.conv.weight"),
    ignored_prefixes=(*DETECTOR, ("data_preprocessor.", "the normalisation of pixels")),
)

_OLD = replace(
    _NOW,
    scheme="mmdetection 1.x",
    writers="mmdetection before 2.0",
    rows=_rows("fpn_conv.{}"),
    required_keys=(
        f"backbone.{HRNET_BODY}",
        "neck.reduction_conv.conv.weight",
        "neck.fpn_conv.0.weight",
    ),
)

KEY_MAPS: tuple[KeyMap, ...] = (_NOW, _OLD)
