"""Backbones by themselves: files without a head, or what is left where the head is foreign."""

from dataclasses import replace

from hrnet.weights.schemes import deeplabcut, hrformer, hrnet, mmpose
from hrnet.weights.schemes.hrnet import HRNET_BODY
from hrnet.weights.schemes.keymap import OFFICIAL, KeyMap, prefixed
from hrnet.weights.schemes.litehrnet import OFFICIAL_LITE
from hrnet.weights.schemes.official import HRFORMER_BODY, LITE_BODY, without_index

_HRNET = KeyMap(
    OFFICIAL,
    "a backbone by itself",
    "hrnet",
    "features",
    rows=hrnet.BACKBONE,
    required_keys=(HRNET_BODY,),
)
_LITE = replace(
    _HRNET,
    family="litehrnet",
    rows=tuple(row for row in OFFICIAL_LITE if row[0].startswith("backbone.")),
    required_keys=(LITE_BODY,),
)
_HRFORMER = replace(
    _HRNET,
    family="hrformer",
    rows=hrformer.BACKBONE,
    required_keys=(HRFORMER_BODY,),
    prepare=without_index(hrformer.join_official),
    finish=hrformer.split_official,
)
_HRFORMER_MMPOSE = replace(
    _HRFORMER,
    scheme="mmpose 1.x",
    required_keys=(mmpose.HRFORMER_BODY,),
    prepare=without_index(hrformer.join_mmpose),
    finish=hrformer.split_mmpose,
)


def _behind(key_map: KeyMap, prefix: str, scheme: str) -> KeyMap:
    """Put a prefix before the names of a mapping."""
    required = tuple(prefix + name for name in key_map.required_keys)
    rows = prefixed(key_map.rows, prefix)
    return replace(key_map, scheme=scheme, rows=rows, required_keys=required)


_BARE = (_HRNET, _LITE, _HRFORMER, _HRFORMER_MMPOSE)

KEY_MAPS: tuple[KeyMap, ...] = (
    *_BARE,
    *(_behind(one, "backbone.", "mmpose 1.x") for one in _BARE),
    _behind(_HRNET, deeplabcut.PREFIX, "DeepLabCut"),
)
