"""The values of the masks of known data sets, and the classes that they stand for.

Sources: the label tables of the official HRNet code (branch HRNet-OCR), and of the data sets.
"""

from collections.abc import Callable, Mapping

from hrnet.data.mask_classes import USUAL_IGNORED, MaskClasses
from hrnet.data.mask_file import IGNORED, MaskCodes
from hrnet.data.mask_tables import class_table
from hrnet.errors import InputError

_CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, *range(19, 29), 31, 32, 33)
"""The label id of each of the 19 classes; all others up to 33 are ignored."""

_THINGS = [one for one in range(1, 91) if one not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
COCO_STUFF_IDS = (*_THINGS, *range(92, 183))
"""The COCO id of each of the 171 classes: 80 things and 91 kinds of stuff."""


def _cityscapes() -> Mapping[int, int]:
    ids = dict.fromkeys(range(34), IGNORED)
    return ids | {value: index for index, value in enumerate(_CITYSCAPES_IDS)}


def _plain(count: int) -> Mapping[int, int]:
    return {value: value for value in range(count)}


def _after_zero(count: int) -> Mapping[int, int]:
    """Classes from the value 1; 0 is ignored."""
    return {0: IGNORED} | {value + 1: value for value in range(count)}


def _stuff_10k() -> Mapping[int, int]:
    return {0: IGNORED} | {value: index for index, value in enumerate(COCO_STUFF_IDS)}


def _stuff_164k() -> Mapping[int, int]:
    # Values are ids - 1. Ids without a class occur nowhere.
    return {value - 1: index for index, value in enumerate(COCO_STUFF_IDS)}


KNOWN: Mapping[str, tuple[str, Callable[[], Mapping[int, int]]]] = {
    "cityscapes": ("cityscapes", _cityscapes),
    "cityscapes_train_ids": ("cityscapes", lambda: _plain(19)),
    "ade20k": ("ade20k", lambda: _after_zero(150)),
    "pascal_context60": ("pascal_context60", lambda: _plain(60)),
    "pascal_context59": ("pascal_context59", lambda: _after_zero(59)),
    "lip": ("lip", lambda: _plain(20)),
    "cocostuff10k": ("cocostuff", _stuff_10k),
    "cocostuff164k": ("cocostuff", _stuff_164k),
    "voc": ("voc", lambda: _plain(21)),
}
"""Name of the masks -> table of the classes, and the class of each value. 255 is ignored."""


def class_values(name: str) -> tuple[int, ...]:
    """Return the value of each class in a known data set's masks, as its servers expect them."""
    value_of = {index: value for value, index in known_classes(name).codes.classes.items()}
    return tuple(value_of[index] for index in sorted(value_of) if index != IGNORED)


def known_classes(name: str) -> MaskClasses:
    """Return values and classes of a known data set's masks; InputError for an unknown one."""
    if name not in KNOWN:
        raise InputError(f"expected the masks of {', '.join(KNOWN)}, got {name:.60}")
    table, values = KNOWN[name]
    classes = class_table(table)
    codes = {USUAL_IGNORED: IGNORED, **values()}
    return MaskClasses(classes.names, MaskCodes(codes), classes.colors, classes.mirror_pairs)
