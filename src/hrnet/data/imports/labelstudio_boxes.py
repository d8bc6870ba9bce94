"""Label Studio's rectangles without keypoints, in percent of the picture.

Source of the layout: labelstud.io, the tag RectangleLabels and "Object Detection with Bounding
Boxes": x and y are the top left corner, around which `rotation` turns in degrees clockwise. Of a
task with several annotations one is taken, since each holds all objects again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.coco_file import Json
from hrnet.data.imports.common import (
    Box,
    ImportedBox,
    ImportedBoxes,
    ImportedPicture,
    Source,
    enclosing_box,
    name_of,
)
from hrnet.data.imports.labelstudio_file import find_pictures, label_of, listed
from hrnet.geometry import Size
from hrnet.numbers import to_float

_KIND = "rectanglelabels"
_SIDES = ("x", "y", "width", "height")

Task = tuple[str, Json, Sequence[tuple[str, Json]]]
"""A task's place, the task, and its annotations with their places."""


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """A rectangle in percent of its picture. degrees: clockwise around its top left corner."""

    label: str
    box: Box
    degrees: float


def read_boxes(source: Source, tasks: Sequence[Task]) -> ImportedBoxes:
    """Return the rectangles of the tasks as boxes in pixels, the upright ones around turned ones.

    Raises InputError where there is none.
    """
    # The rectangles of one annotation of each task.
    found = [_rectangles(source, *_chosen(source, annotations)) for _, _, annotations in tasks]
    if not any(found):
        raise source.nothing_left(
            f"{source}: expected tasks with keypointlabels or rectanglelabels, found none"
        )
    turned = sum(bool(one.degrees % 360) for own in found for one in own)
    if turned:
        source.notes.append(f"{turned} boxes are turned: the upright box around each was taken")
    # Their pictures; one that several tasks show has the boxes of all.
    pictures = find_pictures(source, [(place, task) for place, task, _ in tasks])
    boxes: dict[Path, list[ImportedBox]] = {}
    for picture, own in zip(pictures, found, strict=True):
        if picture is not None:
            path, size = picture
            boxes.setdefault(path, []).extend(
                ImportedBox(one.label, _in_pixels(one, size)) for one in own
            )
    taken = tuple(ImportedPicture(path, boxes=tuple(own)) for path, own in boxes.items())
    names = sorted({one.label for own in found for one in own})
    return ImportedBoxes(tuple(names), taken, (source.path,))


def _chosen(source: Source, annotations: Sequence[tuple[str, Json]]) -> tuple[str, Json]:
    """Return the annotation that is marked as ground truth, else the first; count the others."""
    marked = [one for one in annotations if one[1].get("ground_truth") is True]
    chosen = [*marked, *annotations][0]
    source.leave_out("further annotations of a task", chosen[0], len(annotations) - 1)
    return chosen


def _rectangles(source: Source, where: str, annotation: Json) -> list[_Rectangle]:
    """Read the rectangles of an annotation; regions of other kinds are counted."""
    rectangles = []
    regions = listed(source, f"{where}: expected a list of regions", annotation, "result")
    for region in regions:
        kind = name_of(region.get("type")) or "without a type"
        if kind != _KIND:
            source.leave_out("regions of other kinds", kind)
            continue
        value = region.get("value")
        values = value if isinstance(value, dict) else {}
        given = [to_float(values.get(side)) for side in _SIDES]
        box = [number for number in given if number is not None]
        degrees = to_float(values.get("rotation") or 0)
        place = f"{where}, region {name_of(region.get('id')) or 'without an id'}"
        if len(box) < len(_SIDES) or degrees is None:
            line = f"expected numbers {', '.join(_SIDES)} and perhaps rotation in each region"
            source.wrong("rectangles", f"{place}: {line}")
        elif region.get("image_rotation"):
            source.wrong("rectangles", f"{place}: expected pictures that are not rotated")
        elif label := label_of(source, where, region, _KIND):
            rectangles.append(_Rectangle(label, box, degrees))
    return rectangles


def _in_pixels(one: _Rectangle, size: Size) -> Box:
    """Turn percent of width and height into pixels, and a turned box into the one around it."""
    scales = (size[1] / 100, size[0] / 100) * 2
    left, top, width, height = (a * scale for a, scale in zip(one.box, scales, strict=True))
    if not one.degrees % 360:
        return left, top, width, height
    return enclosing_box(left, top, width, height, (one.degrees, (left, top)))
