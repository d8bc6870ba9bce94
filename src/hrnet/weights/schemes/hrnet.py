"""Names of the official HRNet repositories: pose, classification, segmentation, OCR, detection.

Source of their names: state dictionaries of the official code of Sun et al. 2019 and Wang et al.
2020. The backbone is named alike in all of them and in what was derived from them; timm's HRNet has
the names of the classification repository throughout.
"""

from hrnet.weights.schemes.keymap import NameRule, conv_norm

HRNET_BODY = "stage2.0.branches.0.0.conv1.weight"
"""A tensor that every HRNet has, and no other family."""


def block(ours: str, theirs: str, num_convs: int) -> list[NameRule]:
    """Rows of a residual block: convN and bnN are neighbours there, inside convN here."""
    return [
        row
        for n in range(1, num_convs + 1)
        for row in conv_norm(f"{ours}.conv{n}", f"{theirs}.conv{n}", f"{theirs}.bn{n}")
    ]


def numbered(ours: str, theirs: str) -> list[NameRule]:
    """Rows of a convolution and its norm, numbers 0 and 1 of a Sequential there."""
    return conv_norm(ours, f"{theirs}.0", f"{theirs}.1")


def nested(ours: str, theirs: str, first: int = 0) -> list[NameRule]:
    """Rows as `numbered`, where norm and activation are a Sequential of their own."""
    return conv_norm(ours, f"{theirs}.{first}", f"{theirs}.{first + 1}.0")


def _stage(number: int) -> list[NameRule]:
    """Rows of stage 2, 3 or 4. The transition to stage 2 is their transition1, and so on."""
    ours, theirs = f"backbone.stages.stage{number}", f"stage{number}"
    move, new = f"transition{number - 1}", number - 1
    paths = f"{ours}.module{{}}.exchange.paths.{{}}.{{}}"
    fuse = f"{theirs}.{{}}.fuse_layers.{{}}.{{}}"
    return [
        *block(f"{ours}.module{{}}.streams.{{}}.{{}}", f"{theirs}.{{}}.branches.{{}}.{{}}", 2),
        *numbered(f"{paths}.project", fuse),  # up: one convolution
        *numbered(f"{paths}.{{}}", f"{fuse}.{{}}"),  # down: a chain of convolutions
        *numbered(f"{ours}.transition.{new}", f"{move}.{new}.0"),  # the new stream: a chain of one
        *(numbered(f"{ours}.transition.0", f"{move}.0") if number == 2 else ()),
    ]


STEM: tuple[NameRule, ...] = (
    *(row for n in (1, 2) for row in conv_norm(f"backbone.stem.{n - 1}", f"conv{n}", f"bn{n}")),
    *block("backbone.stem.2.{}", "layer1.{}", 3),
    *numbered("backbone.stem.2.{}.shortcut", "layer1.{}.downsample"),
)
"""The stem, which HRFormer shares."""

BACKBONE: tuple[NameRule, ...] = (*STEM, *(row for number in (2, 3, 4) for row in _stage(number)))
"""The backbone of every variant and task."""

POSE: tuple[NameRule, ...] = (("head.conv", "final_layer"),)

_INCREASE = (
    *block("head.increase.{}", "incre_modules.{}.0", 3),
    *numbered("head.increase.{}.shortcut", "incre_modules.{}.0.downsample"),
    *numbered("head.final", "final_layer"),
    ("head.classifier", "classifier"),
)

CLASSIFICATION: tuple[NameRule, ...] = (
    *_INCREASE,
    *numbered("head.down.{}", "downsamp_modules.{}"),
)

CLASSIFICATION_DEPTHWISE: tuple[NameRule, ...] = (
    *_INCREASE,
    *numbered("head.down.{}.0", "downsamp_modules.{}"),
    *conv_norm("head.down.{}.1", "downsamp_modules.{}.2", "downsamp_modules.{}.3"),
)
"""HRFormer's head, with a depthwise and a 1x1 convolution in each step."""

SEGMENTATION: tuple[NameRule, ...] = (
    *numbered("head.fuse", "last_layer"),
    ("head.classifier", "last_layer.3"),
)

FACE: tuple[NameRule, ...] = (
    *numbered("head.fuse", "head"),
    ("head.classifier", "head.3"),
)

_CONTEXT = "ocr_distri_head.object_context_block"

CONTEXT: tuple[NameRule, ...] = (
    *nested("head.context.query.0", f"{_CONTEXT}.f_pixel"),
    *nested("head.context.query.1", f"{_CONTEXT}.f_pixel", 2),
    *nested("head.context.key.0", f"{_CONTEXT}.f_object"),
    *nested("head.context.key.1", f"{_CONTEXT}.f_object", 2),
    *nested("head.context.value.0", f"{_CONTEXT}.f_down"),
    *nested("head.context.out.0", f"{_CONTEXT}.f_up"),
    *nested("head.join", "ocr_distri_head.conv_bn_dropout"),
    ("head.classifier", "cls_head"),
)
"""The part of the OCR head that HRFormer shares."""

OCR: tuple[NameRule, ...] = (
    *numbered("head.aux.fuse", "aux_head"),
    ("head.aux.classifier", "aux_head.3"),
    *numbered("head.pixels", "conv3x3_ocr"),
    *CONTEXT,
)
