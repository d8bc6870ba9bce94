"""The files of mmpretrain, before called mmclassification: HRNet with its `HRFuseScales`.

Its ConvModules have no bias before a norm, where the official layers have one.
"""

from hrnet.weights.schemes import hrnet
from hrnet.weights.schemes.hrnet import HRNET_BODY, block, numbered
from hrnet.weights.schemes.keymap import KeyMap, conv_module, prefixed

KEY_MAPS: tuple[KeyMap, ...] = (
    KeyMap(
        "mmpretrain",
        "mmpretrain, mmclassification",
        "hrnet",
        "classification",
        rows=(
            *prefixed(hrnet.BACKBONE, "backbone."),
            *block("head.increase.{}", "neck.increase_layers.{}.0", 3),
            *numbered("head.increase.{}.shortcut", "neck.increase_layers.{}.0.downsample"),
            *conv_module("head.down.{}", "neck.downsample_layers.{}"),
            *conv_module("head.final", "neck.final_layer"),
            ("head.classifier", "head.fc"),
        ),
        required_keys=(f"backbone.{HRNET_BODY}", "head.fc.weight"),
        output_layer="head.fc",
        bias_free=("head.down.{}", "head.final"),
        ignored_prefixes=(("data_preprocessor.", "the normalisation of pixels"),),
    ),
)
