"""Imported boxes as the entries of a COCO instance file."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hrnet.data.findings import first_of
from hrnet.data.imports.common import Box, ImportedBox, ImportedBoxes, ImportedPicture, Source
from hrnet.data.imports.entries import Entries, sized
from hrnet.errors import InputError
from hrnet.geometry import Size

_CUT_PX = 1.0
"""A box that loses more than this at the edge of its picture is counted; less is rounding."""

_Cut = tuple[ImportedBox, Box]


def box_entries(source: Source, imported: ImportedBoxes) -> Entries:
    """Make the entries of a source's boxes, cut at the edges of their pictures.

    Boxes of other classes than the wanted one, and without an area within the picture, are counted.
    Raises InputError where no box is left.
    """
    # The classes that are wanted, then the boxes of each picture that can be read.
    names = _names(source, imported)
    pictures: list[tuple[ImportedPicture, Size]] = []
    kept: list[list[_Cut]] = []
    for picture, size in sized(source, imported.pictures):
        cut = [(one, _cut(one.box_xywh, size)) for one in _wanted(source, picture, names)]
        kept.append([(one, box) for one, box in cut if box is not None])
        pictures.append((picture, size))
        source.leave_out(
            "boxes without an area within their picture",
            picture.path.name,
            len(cut) - len(kept[-1]),
        )
    if not any(kept):
        raise source.nothing_left(
            f"{source}: no box with an area within its picture, so nothing can be done"
        )
    return Entries(
        kind="boxes",
        names=names,
        pictures=pictures,
        categories=[{"id": number, "name": name} for number, name in enumerate(names, 1)],
        annotations=list(_annotations(kept, names)),
        notes=tuple(_notes(names, pictures, kept)),
    )


def _names(source: Source, imported: ImportedBoxes) -> tuple[str, ...]:
    """Return the names of the classes, each once, or the wanted one."""
    used = dict.fromkeys(one.class_name for own in imported.pictures for one in own.boxes)
    names = tuple(dict.fromkeys([*imported.class_names, *used]))
    wanted = source.options.category
    if wanted is None:
        return names
    if wanted not in names:
        raise InputError(
            f"{source}: expected boxes of class {wanted:.60}, found {first_of(names) or 'none'}"
        )
    return (wanted,)


def _wanted(
    source: Source, picture: ImportedPicture, names: Sequence[str]
) -> Iterator[ImportedBox]:
    for box in picture.boxes:
        if box.class_name in names:
            yield box
        else:
            source.leave_out("boxes of other classes", box.class_name)


def _cut(box: Box, size: Size) -> Box | None:
    """Cut a box at the edges of its picture; None where no area is left."""
    left, top, width, height = box
    right, bottom = min(left + width, size[1]), min(top + height, size[0])
    inner = [max(left, 0.0), max(top, 0.0)]
    inner += [right - inner[0], bottom - inner[1]]
    # Of a box within the picture the numbers stay as they are.
    given = [float(number) for number in box]
    inner = [a if abs(a - b) < 1e-9 else b for a, b in zip(given, inner, strict=True)]
    # COCO's reader takes no box of no area; the file holds six decimals.
    return inner if round(inner[2], 6) > 0 and round(inner[3], 6) > 0 else None


def _annotations(
    kept: Sequence[Sequence[_Cut]], names: Sequence[str]
) -> Iterator[Mapping[str, object]]:
    """Annotations in the pictures' order; ids count from 1."""
    ids = {name: number for number, name in enumerate(names, 1)}
    number = 0
    for image_id, own in enumerate(kept, 1):
        for one, box in own:
            number += 1
            area = sum(map(_area, one.polygons))
            outline = [[round(value, 6) for value in polygon] for polygon in one.polygons]
            yield {
                "id": number,
                "image_id": image_id,
                "category_id": ids[one.class_name],
                "bbox": [round(value, 6) for value in box],
                "area": round(area or box[2] * box[3], 6) or 1e-6,
                "iscrowd": 0,
                **({"segmentation": outline} if outline else {}),
                **({"ignore": 1} if one.ignore else {}),
                **one.extra,
            }


def _area(polygon: Sequence[float]) -> float:
    """Return the area within a polygon, by the shoelace formula."""
    points = np.array(polygon, np.float64).reshape(-1, 2)
    after = np.roll(points, -1, axis=0)
    return float(abs((points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]).sum()) / 2)


def _notes(
    names: Sequence[str],
    pictures: Sequence[tuple[ImportedPicture, Size]],
    kept: Sequence[Sequence[_Cut]],
) -> Iterator[str]:
    """Sentences on boxes that were cut, and on pictures and classes without boxes."""
    boxes = [pair for own in kept for pair in own]
    cut = [
        picture.path.name
        for (picture, _), own in zip(pictures, kept, strict=True)
        for one, box in own
        if np.abs(np.subtract(one.box_xywh, box)).max() > _CUT_PX
    ]
    if cut:
        yield (
            f"{len(cut)} of {len(boxes)} boxes reach beyond their picture and were cut at its edge "
            f"({first_of(cut)})"
        )
    ignored = sum(one.ignore for one, _ in boxes)
    if ignored:
        yield (
            f"{ignored} of {len(boxes)} boxes are marked as difficult: they are regions to ignore "
            "(`ignore: 1`)"
        )
    empty = [one.path.name for (one, _), own in zip(pictures, kept, strict=True) if not own]
    if empty:
        yield f"{len(empty)} of {len(pictures)} pictures have no box ({first_of(empty)})"
    used = {one.class_name for one, _ in boxes}
    if never := [name for name in names if name not in used]:
        yield f"{len(never)} of {len(names)} classes have no box ({first_of(never)})"
