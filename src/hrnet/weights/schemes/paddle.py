"""The files of PaddleDetection (pose) and PaddleSeg: HRNet and Lite-HRNet.

Source of their names: state dictionaries of the code of both projects at the end of 2024. They
count most things from 1. A norm's statistics are `_mean` and `_variance`, and files have no batch
counters.
"""

from collections.abc import Callable
from dataclasses import replace

from hrnet.spec import NetworkOptions
from hrnet.weights.schemes.keymap import (
    KeyMap,
    NameRule,
    OtherNetwork,
    StateDict,
    Taken,
    conv_norm,
    prefixed,
)
from hrnet.weights.schemes.official import LITE_BACKBONE

_STATISTICS = {"_mean": "running_mean", "_variance": "running_var"}
_OURS = {ours: theirs for theirs, ours in _STATISTICS.items()}
_COUNTER = ".num_batches_tracked"

SE = OtherNetwork(".se.squeeze.", "an HRNet with squeeze-and-excitation", in_backbone=True)


def read(linear: str = "") -> Callable[[StateDict], Taken]:
    """Name statistics as torch does, and turn the weight of the linear layer: (in, out) there."""

    def prepare(theirs: StateDict) -> Taken:
        return Taken({_last(k, _STATISTICS): v for k, v in _turned(theirs, linear).items()})

    return prepare


def write(linear: str = "") -> Callable[[StateDict], StateDict]:
    """Undo `read`, without batch counters."""

    def finish(theirs: StateDict) -> StateDict:
        kept = {k: v for k, v in _turned(theirs, linear).items() if not k.endswith(_COUNTER)}
        return {_last(name, _OURS): value for name, value in kept.items()}

    return finish


def _last(name: str, names: dict[str, str]) -> str:
    module, dot, tensor = name.rpartition(".")
    return f"{module}{dot}{names.get(tensor, tensor)}"


def _turned(state: StateDict, linear: str) -> StateDict:
    weight = state.get(f"{linear}.weight")
    if weight is None or weight.dim() != 2:
        return state
    return {**state, f"{linear}.weight": weight.T.contiguous()}


def _backbone(conv: str, norm: str, first_stage: str) -> tuple[NameRule, ...]:
    """Rows of HRNet's backbone; conv, norm: their names within a layer."""

    def layer(ours: str, theirs: str) -> list[NameRule]:
        return conv_norm(ours, f"{theirs}.{conv}", f"{theirs}.{norm}")

    stem, blocks = "backbone.stem", f"la1.{first_stage}_{{+1}}"
    rows = [
        *(row for n in (1, 2) for row in layer(f"{stem}.{n - 1}", f"conv_layer1_{n}")),
        *(row for n in (1, 2, 3) for row in layer(f"{stem}.2.{{}}.conv{n}", f"{blocks}.conv{n}")),
        *layer(f"{stem}.2.{{}}.shortcut", f"{blocks}.conv_down"),
        *layer("backbone.stages.stage2.transition.0", "tr1.transition_tr1_layer_1"),
    ]
    for number in (2, 3, 4):
        # The new stream of a stage comes from transition 1, 2 or 3 there.
        ours, new = f"backbone.stages.stage{number}", number - 1
        rows += layer(f"{ours}.transition.{new}", f"tr{new}.transition_tr{new}_layer_{number}")
        # Modules: blocks of each stream, and the exchange to stream i from stream j.
        module, theirs = f"{ours}.module{{m}}", f"st{number}.stage_st{number}_{{m+1}}"
        block = f"branches_func.bb_st{number}_{{m+1}}_branch_layer_{{i+1}}_{{b+1}}"
        path = f"{theirs}.fuse_func.residual_st{number}_{{m+1}}_layer_{{i+1}}_{{j+1}}"
        for n in (1, 2):
            rows += layer(f"{module}.streams.{{i}}.{{b}}.conv{n}", f"{theirs}.{block}.conv{n}")
        rows += layer(f"{module}.exchange.paths.{{i}}.{{j}}.project", path)
        rows += layer(f"{module}.exchange.paths.{{i}}.{{j}}.{{k}}", f"{path}_{{k+1}}")
    return tuple(rows)


def _lite_backbone() -> tuple[NameRule, ...]:
    """Rows of Lite-HRNet: the official names, but for the norm beside a convolution."""
    return tuple(
        (ours, f"{theirs.removesuffix('.bn')}.norm" if theirs.endswith(".bn") else theirs)
        for ours, theirs in LITE_BACKBONE
    )


_FIRST_BLOCK = "backbone.st2.stage_st2_1.branches_func.bb_st2_1_branch_layer_1_1.conv1"

_HRNET = KeyMap(
    "PaddleDetection",
    "PaddleDetection",
    "hrnet",
    "pose",
    rows=(
        *prefixed(_backbone("conv", "norm", "block_layer2"), "backbone."),
        ("head.conv", "final_conv"),
    ),
    required_keys=(f"{_FIRST_BLOCK}.conv.weight", "final_conv.weight"),
    output_layer="final_conv",
    others=(
        SE,
        OtherNetwork("hrhrnet_head.", "HigherHRNet, which finds all persons of an image at once"),
        OtherNetwork("final_conv_new.", "TinyPose3D, whose keypoints have a depth"),
    ),
    prepare=read(),
    finish=write(),
)

_LITE = replace(
    _HRNET,
    family="litehrnet",
    rows=(*prefixed(_lite_backbone(), "backbone."), ("head.conv", "final_conv")),
    required_keys=("backbone.stem.conv1.norm._mean", "final_conv.weight"),
    options=NetworkOptions(exchange="official"),
)

_SEGMENTATION = replace(
    _HRNET,
    scheme="PaddleSeg",
    writers="PaddleSeg",
    task="segmentation",
    rows=(
        *prefixed(_backbone("_conv", "_batch_norm", "bb_layer2"), "backbone."),
        *conv_norm("head.fuse", "head.conv_1._conv", "head.conv_1._batch_norm"),
        ("head.classifier", "head.cls"),
    ),
    required_keys=(f"{_FIRST_BLOCK}._conv.weight", "head.cls.weight"),
    output_layer="head.cls",
    # Its strided convolutions pad as TensorFlow's, which neither names nor shapes show.
    options=NetworkOptions(align_corners=False, strided_padding="same"),
    others=(SE, OtherNetwork("head.spatial_ocr.", "PaddleSeg's OCRNet")),
)

KEY_MAPS: tuple[KeyMap, ...] = (_HRNET, _LITE, _SEGMENTATION)


def without_head(key_map: KeyMap) -> KeyMap:
    """Return the mapping of the backbone alone."""
    rows = tuple(row for row in key_map.rows if row[0].startswith("backbone."))
    return replace(
        key_map,
        task="features",
        rows=rows,
        required_keys=key_map.required_keys[:1],
        output_layer="",
        bias_free=(),
        options=key_map.options.model_copy(update={"align_corners": None}),
    )


BACKBONES: tuple[KeyMap, ...] = tuple(map(without_head, KEY_MAPS))
