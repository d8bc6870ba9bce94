"""Names of the detectors of mmdetection, and of what was derived from it: one table for each head.

Source of their names: state dictionaries of mmdetection 3.3 and of HRNet-Object-Detection, which is
mmdetection 0.6; names and settings of FCOS before 2.0 are from its code. Files before 2.0 put the
background first among the classes; here, as in later files, it is the last class and has neither
boxes nor masks of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from hrnet.spec import NetworkOptions
from hrnet.weights.schemes import hrnet
from hrnet.weights.schemes.hrnet import HRNET_BODY
from hrnet.weights.schemes.keymap import (
    Dropped,
    KeyMap,
    NameRule,
    StateDict,
    Taken,
    prefixed,
)

_DETECTOR = tuple(
    (f"{part}.", "the detector behind the pyramid, which is no part of this network")
    for part in "rpn_head bbox_head mask_head roi_head semantic_head mask_iou_head".split()
)
"""Parts of files of whole detectors beside backbone and pyramid."""

_PIXELS = ("data_preprocessor.", "the normalisation of pixels")

_USUAL = {"input_size": (800, 1344), "fit": (800, 1333)}
"""The way of a picture into all published detectors."""
_POINT_PIXELS = {
    False: {"channels": "bgr", "mean": (0.406, 0.456, 0.485), "std": (0.225, 0.224, 0.229)},
    True: {
        "channels": "bgr",
        "mean": (102.9801 / 255, 115.9465 / 255, 122.7717 / 255),
        "std": (1 / 255, 1 / 255, 1 / 255),
    },
}
"""`Lineage.legacy` -> the normalisation of FCOS, which is that of another backbone before 2.0."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """The names of one generation of files.

    reduce, smooth: convolutions of the pyramid. regions: prefix of the parts that look into
    regions. point_prefix: of the last layers of FCOS, "" where there is none. legacy: True where
    the background comes first, and with it all conventions of mmdetection before 2.0 hold.
    """

    scheme: str
    writers: str
    reduce: str
    smooth: str
    regions: str
    point_prefix: str
    legacy: bool

    @property
    def conventions(self) -> str:
        """As in the description of a detector."""
        return "legacy" if self.legacy else "plain"


def key_maps(lineage: Lineage) -> tuple[KeyMap, ...]:
    """Return the key mappings of all detectors of one generation, and of the pyramid alone."""
    pyramid = KeyMap(
        lineage.scheme,
        lineage.writers,
        "hrnet",
        "detection",
        rows=_with_pyramid(lineage, "head", ()),
        required_keys=(f"backbone.{HRNET_BODY}", f"neck.{lineage.reduce}.weight", _smooth(lineage)),
        ignored_prefixes=(*_DETECTOR, _PIXELS),
    )
    return (
        _regions(pyramid, lineage, "faster", stage="", masks=False),
        _regions(pyramid, lineage, "mask", stage="", masks=True),
        _regions(pyramid, lineage, "cascade", stage="{}.", masks=False),
        _regions(pyramid, lineage, "cascade_mask", stage="{}.", masks=True),
        *([_fcos(pyramid, lineage)] if lineage.point_prefix else []),
        pyramid,
    )


def _smooth(lineage: Lineage) -> str:
    return f"neck.{lineage.smooth.format(0)}.weight"


def _with_pyramid(lineage: Lineage, place: str, rows: tuple[NameRule, ...]) -> tuple[NameRule, ...]:
    """Return the rows of backbone and pyramid, and those of a head. place: of our pyramid."""
    return (
        *prefixed(hrnet.BACKBONE, "backbone."),
        (f"{place}.reduce", f"neck.{lineage.reduce}"),
        (f"{place}.smooth.{{}}", f"neck.{lineage.smooth}"),
        *rows,
    )


def _detector(
    pyramid: KeyMap,
    lineage: Lineage,
    head: str,
    rows: tuple[NameRule, ...],
    required: tuple[str, ...],
    output_layer: str,
) -> KeyMap:
    """Return the mapping of a whole detector; a file of it has names that its pyramid lacks."""
    return replace(
        pyramid,
        rows=_with_pyramid(lineage, "head.pyramid", rows),
        required_keys=(*pyramid.required_keys, *required),
        output_layer=output_layer,
        options=NetworkOptions(head=head),
        ignored_prefixes=(_PIXELS,),
        facts={**_USUAL, "conventions": lineage.conventions},
    )


def _regions(pyramid: KeyMap, lineage: Lineage, head: str, *, stage: str, masks: bool) -> KeyMap:
    """Return the mapping of a detector of two stages. stage: number in the names of a cascade."""
    box, mask = f"{lineage.regions}bbox_head.{stage}", f"{lineage.regions}mask_head.{stage}"
    ours = "{}" if stage else "0"
    rows: tuple[NameRule, ...] = (
        ("head.proposals.conv", "rpn_head.rpn_conv"),
        ("head.proposals.objectness", "rpn_head.rpn_cls"),
        ("head.proposals.deltas", "rpn_head.rpn_reg"),
        (f"head.boxes.{ours}.hidden.{{}}", f"{box}shared_fcs.{{}}"),
        (f"head.boxes.{ours}.classifier", f"{box}fc_cls"),
        (f"head.boxes.{ours}.deltas", f"{box}fc_reg"),
    )
    mask_rows: tuple[NameRule, ...] = (
        (f"head.masks.{ours}.convs.{{}}", f"{mask}convs.{{}}.conv"),
        (f"head.masks.{ours}.enlarge", f"{mask}upsample"),
        (f"head.masks.{ours}.classifier", f"{mask}conv_logits"),
    )
    required = [f"{box.format(0)}fc_cls.weight", "rpn_head.rpn_cls.weight"]
    required += [f"{mask.format(0)}conv_logits.weight"] if masks else []
    key_map = _detector(
        pyramid,
        lineage,
        head,
        (*rows, *mask_rows) if masks else rows,
        tuple(required),
        f"{box}fc_cls",
    )
    key_map = replace(key_map, other_outputs=1)  # the background
    if not lineage.legacy:
        return key_map
    return replace(
        key_map,
        prepare=background_last,
        finish=background_first(class_agnostic=bool(stage)),
    )


def _fcos(pyramid: KeyMap, lineage: Lineage) -> KeyMap:
    """Return the mapping of FCOS, whose classes have no background and whose images are BGR."""
    last = f"bbox_head.{lineage.point_prefix}"
    rows: tuple[NameRule, ...] = (
        *(
            (f"head.{ours}.{{}}.{our}", f"bbox_head.{theirs}.{{}}.{their}")
            for ours, theirs in (("class_convs", "cls_convs"), ("box_convs", "reg_convs"))
            for our, their in (("conv", "conv"), ("norm", "gn"))
        ),
        ("head.classifier", f"{last}cls"),
        ("head.distances", f"{last}reg"),
        ("head.centreness", f"{last}centerness"),
        ("head.scales.{}", "bbox_head.scales.{}"),
    )
    required = (f"{last}centerness.weight",)
    key_map = _detector(pyramid, lineage, "fcos", rows, required, f"{last}cls")
    return replace(key_map, facts={**key_map.facts, **_POINT_PIXELS[lineage.legacy]})


_LAYER = re.compile(r".*\b(fc_cls|fc_reg|conv_logits)\.(weight|bias)")
_OF_BOX = 4
"""Rows of a box's deltas for each class."""


def _layer(name: str) -> str:
    """Return the kind of a layer that has rows for each class; "" for others."""
    match = _LAYER.fullmatch(name)
    return match[1] if match else ""


def background_last(theirs: Mapping[str, Tensor]) -> Taken:
    """Move class 0, the background, behind the others, and drop the boxes and masks of it."""
    state, count = dict(theirs), 0
    for name, value in theirs.items():
        layer = _layer(name)
        if value.dim() == 0:
            continue
        if layer == "fc_cls":
            state[name] = value.roll(-1, 0)
        elif layer == "conv_logits" or (layer == "fc_reg" and len(value) > _OF_BOX):
            state[name] = value[1 if layer == "conv_logits" else _OF_BOX :]
            count += 1
    what = Dropped("rows of the background", count, "it has no boxes or masks of its own")
    return Taken(state, dropped=(what,) if count else ())


def background_first(*, class_agnostic: bool) -> Callable[[StateDict], StateDict]:
    """Return the inverse of `background_last`; boxes and masks of the background are zeros.

    class_agnostic: the deltas of boxes are for all classes, without the background.
    """

    def move(ours: StateDict) -> StateDict:
        state = dict(ours)
        for name, value in ours.items():
            layer = _layer(name)
            if layer == "fc_cls":
                state[name] = value.roll(1, 0)
            elif layer == "conv_logits" or (layer == "fc_reg" and not class_agnostic):
                rows = 1 if layer == "conv_logits" else _OF_BOX
                state[name] = torch.cat([value.new_zeros(rows, *value.shape[1:]), value])
        return state

    return move
