"""YOLO labels without keypoints: boxes, and polygons with the boxes around them.

A line of a box is: class, centre x, centre y, width, height. A line of a polygon is: class, then x
and y of each of its points. All are relative to the picture's size. Source of the layouts:
docs.ultralytics.com/datasets/detect and docs.ultralytics.com/datasets/segment.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from hrnet.data.imports.common import ImportedBox, ImportedBoxes, ImportedPicture, Source
from hrnet.data.imports.pictures import picture_size
from hrnet.data.imports.yolo_files import Found
from hrnet.data.imports.yolo_lines import BOX_COLUMNS, FARTHEST, RELATIVE, LabelLine
from hrnet.geometry import Size

_LEAST_POLYGON = 7
"""Values of a class and three points."""


def read_boxes(
    source: Source,
    found: Found,
    lines: Mapping[Path, Sequence[LabelLine]],
    classes: Mapping[int, str],
    inputs: tuple[Path, ...],
) -> ImportedBoxes:
    """Return the boxes of the lines of each picture.

    classes: names by their index; others are called by their index.
    """
    if not any(lines.values()):
        raise source.nothing_left(
            f"{source}: expected label files with boxes or keypoints, found none in labels/"
        )
    pictures = tuple(_pictures(source, found.parts, lines, classes))
    # Choices that the user may want to know of.
    outlines = sum(len(box.polygons) for picture in pictures for box in picture.boxes)
    if outlines:
        source.notes.append(f"{outlines} lines are polygons: each became a mask and the box around")
    source.notes += found.unlabelled("boxes")
    indices = sorted({*classes, *(row.class_index for own in lines.values() for row in own)})
    names = dict.fromkeys(classes.get(index, str(index)) for index in indices)
    return ImportedBoxes(tuple(names), pictures, inputs)


def _pictures(
    source: Source,
    parts: Mapping[Path, str],
    lines: Mapping[Path, Sequence[LabelLine]],
    classes: Mapping[int, str],
) -> Iterator[ImportedPicture]:
    for path, part in parts.items():
        size = picture_size(path, source)
        if size is not None:
            boxes = [_box(source, row, size, classes) for row in lines[path]]
            good = tuple(box for box in boxes if box is not None)
            yield ImportedPicture(path, extra={"part": part} if part else {}, boxes=good)


def _box(
    source: Source, row: LabelLine, size: Size, classes: Mapping[int, str]
) -> ImportedBox | None:
    """The box of a line in pixels; None for a line that is neither a box nor a polygon."""
    count = len(row.values)
    name = classes.get(row.class_index, str(row.class_index))
    if count != BOX_COLUMNS and (count < _LEAST_POLYGON or count % 2 == 0):
        row.wrong(source, "a class and a box of four numbers, or the points of a polygon")
        return None
    if np.abs(row.values[1:]).max() > FARTHEST:
        row.wrong(source, RELATIVE)
        return None
    # Shares of width and height become pixels.
    pairs = row.values[1:].reshape(-1, 2) * (size[1], size[0])
    if count == BOX_COLUMNS:
        center, extent = pairs
        return ImportedBox(name, [*(center - extent / 2).tolist(), *extent.tolist()])
    low, high = pairs.min(axis=0), pairs.max(axis=0)
    box = [*low.tolist(), *(high - low).tolist()]
    return ImportedBox(name, box, polygons=(pairs.ravel().tolist(),))
