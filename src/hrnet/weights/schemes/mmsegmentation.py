"""The files of mmsegmentation: HRNet with its `FCNHead`, and the cascade with its `OCRHead`.

Both heads build a convolution with norm as a ConvModule, which then has no bias.
"""

from dataclasses import replace

from hrnet.spec import NetworkOptions
from hrnet.weights.schemes import hrnet
from hrnet.weights.schemes.hrnet import HRNET_BODY
from hrnet.weights.schemes.keymap import KeyMap, conv_module, prefixed

_BACKBONE = prefixed(hrnet.BACKBONE, "backbone.")
_CONTEXT = "decode_head.1.object_context_block"


_FCN = KeyMap(
    "mmsegmentation",
    "mmsegmentation",
    "hrnet",
    "segmentation",
    rows=(
        *_BACKBONE,
        *conv_module("head.fuse", "decode_head.convs.0"),
        ("head.classifier", "decode_head.conv_seg"),
    ),
    required_keys=(f"backbone.{HRNET_BODY}", "decode_head.conv_seg.weight"),
    output_layer="decode_head.conv_seg",
    options=NetworkOptions(align_corners=False),
    bias_free=("head.fuse",),
    ignored_prefixes=(("data_preprocessor.", "the normalisation of pixels"),),
)

_OCR = replace(
    _FCN,
    rows=(
        *_BACKBONE,
        *conv_module("head.aux.fuse", "decode_head.0.convs.0"),
        ("head.aux.classifier", "decode_head.0.conv_seg"),
        *conv_module("head.pixels", "decode_head.1.bottleneck"),
        *conv_module("head.context.query.{}", f"{_CONTEXT}.query_project.{{}}"),
        *conv_module("head.context.key.{}", f"{_CONTEXT}.key_project.{{}}"),
        *conv_module("head.context.value.0", f"{_CONTEXT}.value_project"),
        *conv_module("head.context.out.0", f"{_CONTEXT}.out_project"),
        *conv_module("head.join", f"{_CONTEXT}.bottleneck"),
        ("head.classifier", "decode_head.1.conv_seg"),
    ),
    required_keys=(f"backbone.{HRNET_BODY}", "decode_head.1.conv_seg.weight"),
    output_layer="decode_head.1.conv_seg",
    options=NetworkOptions(head="ocr", align_corners=False),
    bias_free=("head.aux.fuse", "head.pixels"),
)

KEY_MAPS: tuple[KeyMap, ...] = (_FCN, _OCR)
