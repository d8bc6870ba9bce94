"""Label Studio's rectangles and polygons without keypoints, in percent of the picture.

Source of the layout: labelstud.io, the tags RectangleLabels and PolygonLabels, and "Object
Detection with Bounding Boxes": x and y are the top left corner, around which `rotation` turns in
degrees clockwise. Of a task with several annotations one is taken, since each holds all objects
again.
"""

from collections.abc import Mapping, Sequence
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
from hrnet.numbers import to_float, to_floats

_KIND = "rectanglelabels"
_POLYGON = "polygonlabels"
_LEAST_POINTS = 3
_SIDES = ("x", "y", "width", "height")

Task = tuple[str, Json, Sequence[tuple[str, Json]]]
"""A task's place, the task, and its annotations with their places."""


@dataclass(frozen=True, slots=True)
class _Rectangle:
    """A rectangle in percent of its picture. degrees: clockwise around its top left corner.

    points: of a polygon, whose rectangle is the one around it.
    """

    label: str
    box: Box
    degrees: float
    points: tuple[tuple[float, float], ...] = ()


def read_boxes(source: Source, tasks: Sequence[Task]) -> ImportedBoxes:
    """Return the rectangles of the tasks as boxes in pixels, the upright ones around turned ones.

    Raises InputError where there is none.
    """
    # The rectangles of one annotation of each task.
    found = [_rectangles(source, *_chosen(source, annotations)) for _, _, annotations in tasks]
    if not any(found):
        raise source.nothing_left(
            f"{source}: expected tasks with keypointlabels, rectanglelabels or polygonlabels, "
            "found none"
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
                ImportedBox(one.label, _in_pixels(one, size), polygons=_outline(one, size))
                for one in own
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
        if kind not in (_KIND, _POLYGON):
            source.leave_out("regions of other kinds", kind)
            continue
        value = region.get("value")
        values = value if isinstance(value, dict) else {}
        if kind == _POLYGON:
            polygon = _polygon(source, where, region, values)
            rectangles += [] if polygon is None else [polygon]
            continue
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


def _polygon(
    source: Source, where: str, region: Json, values: Mapping[str, object]
) -> _Rectangle | None:
    """Read a polygon; None where it cannot be used."""
    listed_points = values.get("points")
    pairs = [to_floats(one, 2) for one in listed_points] if isinstance(listed_points, list) else []
    points = [(float(one[0]), float(one[1])) for one in pairs if one is not None]
    place = f"{where}, region {name_of(region.get('id')) or 'without an id'}"
    if len(points) < len(pairs) or len(points) < _LEAST_POINTS:
        line = "expected three points or more, each of two numbers, in each polygon"
        source.wrong("polygons", f"{place}: {line}")
        return None
    if region.get("image_rotation"):
        source.wrong("polygons", f"{place}: expected pictures that are not rotated")
        return None
    label = label_of(source, where, region, _POLYGON)
    if label is None:
        return None
    low, high = (tuple(map(one, zip(*points, strict=True))) for one in (min, max))
    box = [*low, *(end - start for start, end in zip(low, high, strict=True))]
    return _Rectangle(label, box, 0.0, tuple(points))


def _outline(one: _Rectangle, size: Size) -> tuple[Sequence[float], ...]:
    """Return a polygon in pixels; nothing for a rectangle."""
    scales = (size[1] / 100, size[0] / 100)
    outline = [
        value * scale for point in one.points for value, scale in zip(point, scales, strict=True)
    ]
    return (outline,) if outline else ()


def _in_pixels(one: _Rectangle, size: Size) -> Box:
    """Turn percent of width and height into pixels, and a turned box into the one around it."""
    scales = (size[1] / 100, size[0] / 100) * 2
    left, top, width, height = (a * scale for a, scale in zip(one.box, scales, strict=True))
    if not one.degrees % 360:
        return left, top, width, height
    return enclosing_box(left, top, width, height, (one.degrees, (left, top)))
