"""The files of mmdetection: HRNet with its `HRFPN`, of detectors of any kind."""

from dataclasses import replace

from hrnet.weights.schemes import hrnet
from hrnet.weights.schemes.form import Form, Row, prefixed
from hrnet.weights.schemes.official import DETECTOR, HRNET_BODY


def _rows(smooth: str) -> tuple[Row, ...]:
    return (
        *prefixed(hrnet.BACKBONE, "backbone."),
        ("head.reduce", "neck.reduction_conv.conv"),
        ("head.smooth.{}", f"neck.{smooth}"),
    )


_NOW = Form(
    "mmdetection",
    "mmdetection",
    "hrnet",
    "detection",
    rows=_rows("fpn_convs.{}.conv"),
    marks=(f"backbone.{HRNET_BODY}", "neck.fpn_convs.0.conv.weight"),
    beside=(*DETECTOR, ("data_preprocessor.", "the normalisation of pixels")),
)

_OLD = replace(
    _NOW,
    scheme="mmdetection 1.x",
    writers="mmdetection before 2.0",
    rows=_rows("fpn_conv.{}"),
    marks=(f"backbone.{HRNET_BODY}", "neck.reduction_conv.conv.weight", "neck.fpn_conv.0.weight"),
)

FORMS: tuple[Form, ...] = (_NOW, _OLD)
