"""COCO panoptic: pictures of segment ids as colours, and a JSON file with the class of each id.

Source: https://cocodataset.org/#format-data, "Panoptic Segmentation". id = red + 256 green +
65536 blue; the class of a pixel is that of its segment, crowds too.
"""

from collections.abc import Mapping
from pathlib import Path

from hrnet.data.findings import Findings
from hrnet.data.mask_classes import MaskClasses
from hrnet.data.mask_dataset import MaskSample
from hrnet.data.mask_file import IGNORED, MOST_CLASSES, MaskCodes
from hrnet.drawing import Color
from hrnet.errors import InputError
from hrnet.files import is_file, read_json
from hrnet.numbers import to_floats, to_int

_LARGEST_ID = (1 << 24) - 1


def read_panoptic(
    file: Path, images: Path, masks: Path, findings: Findings
) -> tuple[list[MaskSample], MaskClasses]:
    """Read the pictures of a panoptic file, with values of its own for each mask."""
    content = read_json(file, "the panoptic annotations")
    if not isinstance(content, Mapping):
        raise InputError(f"{file}: expected a panoptic file of COCO, got {type(content).__name__}")
    # The classes in the order of their ids.
    names: dict[int, str] = {}
    colors: dict[int, Color] = {}
    for one in _entries(content, "categories", file):
        number, name = to_int(one.get("id")), one.get("name")
        if number is None or not isinstance(name, str):
            raise InputError(f"{file}: expected id and name of each category, got {one!r:.80}")
        names[number] = name
        color = to_floats(one.get("color"), 3)
        if color is not None and ((color >= 0) & (color <= 255)).all():
            colors[number] = (int(color[0]), int(color[1]), int(color[2]))
    if not 2 <= len(names) <= MOST_CLASSES or len(set(names.values())) < len(names):
        raise InputError(f"{file}: expected two categories or more, each name once")
    ids = sorted(names)
    index = {number: place for place, number in enumerate(ids)}
    palette = tuple(colors[one] for one in ids) if len(colors) == len(ids) else None
    classes = MaskClasses(tuple(names[one] for one in ids), MaskCodes({}, rgb=True), palette)
    # The pictures by their ids, and the values of each mask.
    pictures = {
        to_int(one.get("id")): str(one.get("file_name"))
        for one in _entries(content, "images", file)
    }
    samples, missing, wrong = [], [], []
    for one in _entries(content, "annotations", file):
        name, mask = pictures.get(to_int(one.get("image_id"))), masks / str(one.get("file_name"))
        codes = _codes(one.get("segments_info"), index)
        if name is None or codes is None:
            wrong.append(str(one.get("file_name"))[:80])
            continue
        gone = [str(path) for path in (images / name, mask) if not is_file(path)]
        missing += gone
        if not gone:
            samples.append(MaskSample(images / name, mask, name, codes))
    findings.error("annotations without a picture, or of broken segments", wrong, "correct them")
    findings.error("files that are missing", missing, "complete the data set")
    return samples, classes


def _entries(content: Mapping[str, object], part: str, file: Path) -> list[Mapping[str, object]]:
    entries = content.get(part)
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        raise InputError(f"{file}: expected a list of objects as {part}")
    return entries


def _codes(segments: object, index: Mapping[int, int]) -> MaskCodes | None:
    """Return the class of each segment's colour; None where a segment has no id or class."""
    if not isinstance(segments, list):
        return None
    classes = {0: IGNORED}
    for one in segments:
        number = to_int(one.get("id")) if isinstance(one, Mapping) else None
        category = to_int(one.get("category_id")) if isinstance(one, Mapping) else None
        if number is None or category is None or category not in index:
            return None
        if not 0 < number <= _LARGEST_ID:
            return None
        # The colour as a mask's value has red first.
        red, green, blue = number & 255, number >> 8 & 255, number >> 16
        classes[(red << 16) + (green << 8) + blue] = index[category]
    return MaskCodes(classes, rgb=True)
