"""The files of mmdetection: HRNet with its `HRFPN` and detectors, of all major versions."""

from dataclasses import replace

from hrnet.weights.schemes.detectors import Lineage, key_maps
from hrnet.weights.schemes.keymap import KeyMap

_NOW = Lineage(
    "mmdetection",
    "mmdetection",
    reduce="reduction_conv.conv",
    smooth="fpn_convs.{}.conv",
    regions="roi_head.",
    point_prefix="conv_",
    legacy=False,
)

_EARLY = Lineage(
    "mmdetection 1.x",
    "mmdetection before 2.0",
    reduce="reduction_conv.conv",
    smooth="fpn_conv.{}",
    regions="",
    point_prefix="fcos_",
    legacy=True,
)

_LATE = replace(_EARLY, smooth=_NOW.smooth)
"""The last files before 2.0, with the pyramid of 2.0."""

KEY_MAPS: tuple[KeyMap, ...] = (
    *(one for one in key_maps(_LATE) if one.output_layer),
    *key_maps(_NOW),
    *key_maps(_EARLY),
)
