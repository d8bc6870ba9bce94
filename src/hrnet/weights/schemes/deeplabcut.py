"""The snapshots of DeepLabCut 3: timm's HRNet without its classification head, and heatmaps.

Only heads that are one 1x1 convolution are ours, as its top-down models have them. Of others, with
transposed convolutions or location refinement, the backbone can be taken.
"""

from hrnet.weights.schemes import hrnet
from hrnet.weights.schemes.hrnet import HRNET_BODY
from hrnet.weights.schemes.keymap import KeyMap, prefixed

PREFIX = "backbone.model."
_LAST = "heads.bodypart.heatmap_head.final_conv"

KEY_MAPS: tuple[KeyMap, ...] = (
    KeyMap(
        "DeepLabCut",
        "DeepLabCut 3",
        "hrnet",
        "pose",
        rows=(*prefixed(hrnet.BACKBONE, PREFIX), ("head.conv", _LAST)),
        required_keys=(PREFIX + HRNET_BODY, f"{_LAST}.weight"),
        output_layer=_LAST,
        lower_rows=True,
    ),
)
