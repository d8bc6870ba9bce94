"""Key mappings of the repositories that first published a network, for each family and task.

Their names are those of `hrnet.py`, `litehrnet.py` and `hrformer.py`; this file adds the prefixes
and the heads. `weights/files/unwrap.py` removes the prefixes `module.` and `model.` of whole files
before.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from torch import Tensor

from hrnet.spec import NetworkOptions
from hrnet.weights.schemes import hrformer, hrnet
from hrnet.weights.schemes.detectors import Lineage, key_maps
from hrnet.weights.schemes.hrnet import HRNET_BODY, nested
from hrnet.weights.schemes.keymap import (
    OFFICIAL,
    Dropped,
    KeyMap,
    NameRule,
    StateDict,
    Taken,
    prefixed,
)
from hrnet.weights.schemes.litehrnet import OFFICIAL_LITE

LITE_BODY = "stem.conv1.conv.weight"
HRFORMER_BODY = "stage2.0.branches.0.0.attn.attn.q_proj.weight"
"""Tensors that every network of a family has, and no other family; HRNet's is `HRNET_BODY`."""

LITE_BACKBONE: tuple[NameRule, ...] = tuple(row for row in OFFICIAL_LITE if row[0] != "head.conv")
"""With the head's separable convolutions, which are part of the backbone there."""

POSE_HEAD = "keypoint_head.final_layer"
"""The layer of mmpose 0.x, on which the official code of two families is built."""


def without_index(
    join: Callable[[Mapping[str, Tensor]], StateDict],
) -> Callable[[Mapping[str, Tensor]], Taken]:
    """Read HRFormer's attention by `join` and report the indices that it leaves out."""

    def read(state: Mapping[str, Tensor]) -> Taken:
        count = sum(name.endswith("relative_position_index") for name in state)
        index = Dropped("relative_position_index", count, "it follows from the window")
        return Taken(join(state), dropped=(index,) if count else ())

    return read


_HRNET = KeyMap(
    OFFICIAL,
    "leoxiaobin/deep-high-resolution-net.pytorch",
    "hrnet",
    "pose",
    rows=(*hrnet.BACKBONE, *hrnet.POSE),
    required_keys=(HRNET_BODY, "final_layer.weight"),
    output_layer="final_layer",
)

_FACE = replace(
    _HRNET,
    writers="HRNet-Facial-Landmark-Detection",
    rows=(*hrnet.BACKBONE, *hrnet.FACE),
    required_keys=(HRNET_BODY, "head.3.weight"),
    output_layer="head.3",
    options=NetworkOptions(head="v2", upsampling="bilinear", align_corners=False),
)

CLASSIFICATION = replace(
    _HRNET,
    writers="HRNet-Image-Classification, timm",
    task="classification",
    rows=(*hrnet.BACKBONE, *hrnet.CLASSIFICATION),
    required_keys=(HRNET_BODY, "classifier.weight"),
    output_layer="classifier",
)

_SEGMENTATION = replace(
    _HRNET,
    writers="HRNet-Semantic-Segmentation",
    task="segmentation",
    rows=(*hrnet.BACKBONE, *hrnet.SEGMENTATION),
    required_keys=(HRNET_BODY, "last_layer.3.weight"),
    output_layer="last_layer.3",
    # Branch HRNet-OCR aligns corners, the other branches do not; the weights are alike.
    options=NetworkOptions(align_corners=True),
)

_OCR = replace(
    _SEGMENTATION,
    writers="HRNet-Semantic-Segmentation, branch HRNet-OCR",
    rows=(*hrnet.BACKBONE, *hrnet.OCR),
    required_keys=(HRNET_BODY, "cls_head.weight"),
    output_layer="cls_head",
    options=NetworkOptions(head="ocr", align_corners=True),
)

_DETECTION = key_maps(
    Lineage(
        OFFICIAL,
        "HRNet-Object-Detection",
        reduce="reduction_conv.0",
        smooth="fpn_conv.{}",
        regions="",
        point_prefix="",
        legacy=True,
    )
)
"""HRNet-Object-Detection is mmdetection 0.6."""

LITE_POSE = KeyMap(
    OFFICIAL,
    "HRNet/Lite-HRNet, mmpose 0.x",
    "litehrnet",
    "pose",
    rows=(*prefixed(LITE_BACKBONE, "backbone."), ("head.conv", POSE_HEAD)),
    required_keys=(f"backbone.{LITE_BODY}", f"{POSE_HEAD}.weight"),
    output_layer=POSE_HEAD,
)

_HRFORMER = KeyMap(
    OFFICIAL,
    "HRNet/HRFormer, classification",
    "hrformer",
    "classification",
    rows=(*hrformer.BACKBONE, *hrnet.CLASSIFICATION_DEPTHWISE),
    required_keys=(HRFORMER_BODY, "classifier.weight"),
    output_layer="classifier",
    prepare=without_index(hrformer.join_official),
    finish=hrformer.split_official,
)

_HRFORMER_POSE = replace(
    _HRFORMER,
    writers="HRNet/HRFormer, pose",
    task="pose",
    rows=(*prefixed(hrformer.BACKBONE, "backbone."), ("head.conv", POSE_HEAD)),
    required_keys=(f"backbone.{HRFORMER_BODY}", f"{POSE_HEAD}.weight"),
    output_layer=POSE_HEAD,
    # Its code keeps the tables and never adds them.
    options=NetworkOptions(relative_position="none"),
)

_HRFORMER_OCR = replace(
    _HRFORMER,
    writers="HRNet/HRFormer, segmentation",
    task="segmentation",
    rows=(
        *prefixed(hrformer.BACKBONE, "backbone."),
        *nested("head.aux.fuse", "aux_head"),
        ("head.aux.classifier", "aux_head.2"),
        *nested("head.pixels", "conv3x3"),
        *hrnet.CONTEXT,
    ),
    required_keys=(f"backbone.{HRFORMER_BODY}", "cls_head.weight"),
    output_layer="cls_head",
    options=NetworkOptions(head="ocr"),
)

KEY_MAPS: tuple[KeyMap, ...] = (
    _HRNET,
    _FACE,
    CLASSIFICATION,
    _SEGMENTATION,
    _OCR,
    *_DETECTION,
    LITE_POSE,
    _HRFORMER,
    _HRFORMER_POSE,
    _HRFORMER_OCR,
    replace(_HRFORMER_OCR, options=NetworkOptions(head="ocr_v3")),
    replace(CLASSIFICATION, scheme="timm", writers="timm"),
)
"""timm's HRNet has the official names; it is listed so that `to_upstream` takes the name."""
