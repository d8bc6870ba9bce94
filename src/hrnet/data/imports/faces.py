"""Faces of 300W, WFLW and AFLW: the tables of HRNet's authors, and WFLW's own lists.

A table has a face a row, after a header: picture, scale, centre x, centre y, and x, y of each
landmark (300W: 68, WFLW: 98). AFLW's have the size of the face's box in pixels behind the scale,
and 19 landmarks. A scale counts in 200 pixels. Source: README and lib/datasets of
https://github.com/HRNet/HRNet-Facial-Landmark-Detection (Sun et al. 2019).

WFLW's lists have a face a line, 207 values: 98 landmarks, left, top, right and bottom of the face's
box, six attributes of 0 or 1, and the picture. Source: README of the annotations of Wu et al. 2018.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.data.coco_file import Floats
from hrnet.data.imports.common import (
    NO_VISIBILITY,
    Imported,
    ImportedPicture,
    ImportedSubject,
    Source,
    cropped_subject,
    shown,
)
from hrnet.data.imports.pictures import PictureFinder
from hrnet.data.imports.tables import table_rows
from hrnet.errors import InputError
from hrnet.files import is_file, read_text
from hrnet.geometry import Size
from hrnet.numbers import text_to_float
from hrnet.skeleton import published_skeleton

_TABLES = {4 + 2 * 68: "300w", 4 + 2 * 98: "wflw", 5 + 2 * 19: "aflw"}
"""Number of columns -> data set."""

_LIST = 207
_ATTRIBUTES = ("pose", "expression", "illumination", "make_up", "occlusion", "blur")
PIXELS_PER_SCALE = 200
_LARGEST_CROP = 1_000_000
"""Pixels of a crop's side; no picture is larger."""


def fits(source: Path) -> bool:
    """Return True for a table or list of faces, by the columns of its first line."""
    suffix = source.suffix.lower()
    if suffix not in (".csv", ".txt") or not is_file(source):
        return False
    first = read_text(source, "labels").lstrip().partition("\n")[0]
    return first.count(",") + 1 in _TABLES if suffix == ".csv" else len(_fields(first)) == _LIST


def read(source: Source) -> Imported:
    """Read the faces of a table (.csv) or of a list of WFLW (.txt).

    A face of a table has the published crop as `crop_box`, of whose sides `padding` 1.25 makes
    those of the official crop, and of AFLW its box size as `normaliser`. A face of a list has its
    box and its attributes. Points are pixels as they stand there.
    Raises InputError with one line for other tables and lists, and for missing pictures.
    """
    is_list = source.path.suffix.lower() == ".txt"
    found = _listed(source) if is_list else _tabled(source)
    skeleton = published_skeleton(found.dataset)
    # Each face that can be read becomes a subject of its picture.
    finder = PictureFinder(source.options.images or source.path.parent)
    subjects: dict[Path, list[ImportedSubject]] = {}
    for number, row in found.rows:
        place = f"{source}, row {number}"
        try:
            name, values = _numbers(place, row, found.picture_at)
            picture = finder.find_once(source, name)
            if picture is None:
                source.leave_out("faces of these pictures")
                continue
            subject = found.make(values, (place, name), picture[1])
            subjects.setdefault(picture[0], []).append(subject)
        except InputError as error:
            source.wrong("faces", str(error))
    finder.expect_all(source)
    source.notes.append(NO_VISIBILITY)
    if is_list:
        source.notes.append(
            "the boxes are those of the list; published figures come of the crops in the tables "
            "of HRNet's authors (face_landmarks_wflw_*.csv)"
        )
    return Imported(
        names=skeleton.names,
        category="face",
        pictures=tuple(ImportedPicture(path, tuple(own)) for path, own in subjects.items()),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs,
        sigmas=skeleton.sigmas,
        inputs=(source.path,),
    )


_Place = tuple[str, str]
"""A line of the source and the picture that it names, for messages."""


@dataclass(frozen=True, slots=True, eq=False)
class _Faces:
    """The faces of a file. rows: number of the line and its fields; make: a subject of them.

    picture_at: column of the picture's name, 0 or -1; the others are numbers.
    """

    dataset: str
    rows: Sequence[tuple[int, Sequence[str]]]
    picture_at: int
    make: Callable[[Floats, _Place, Size], ImportedSubject]


def _tabled(source: Source) -> _Faces:
    header, *rows = table_rows(source.path) or [[]]
    dataset = _TABLES.get(len(header))
    if dataset is None or text_to_float(header[1]) is not None:
        wanted = ", ".join(f"{count} of {name}" for count, name in _TABLES.items())
        raise InputError(
            f"{source}: expected a header and as many columns as the tables of HRNet's authors "
            f"have ({wanted}), got {len(header)} columns and {shown(','.join(header))}; give such "
            "a table"
        )
    return _Faces(
        dataset,
        [row for row in enumerate(rows, 2) if _has_width(source, row, len(header))],
        picture_at=0,
        make=_boxed_face if dataset == "aflw" else _cropped_face,
    )


def _listed(source: Source) -> _Faces:
    lines = enumerate(read_text(source.path, "labels").splitlines(), 1)
    rows = [(number, _fields(line)) for number, line in lines if line.strip()]
    if not any(len(row) == _LIST for _, row in rows):
        raise InputError(
            f"{source}: expected lines of {_LIST} values as in WFLW's lists "
            f"list_98pt_rect_attr_train.txt and so on, got {shown(rows[0][1] if rows else '')}"
        )
    rows = [row for row in rows if _has_width(source, row, _LIST)]
    return _Faces("wflw", rows, picture_at=-1, make=_listed_face)


def _fields(line: str) -> list[str]:
    """Return the values of a line of a list; the last one, a picture's name, may hold spaces."""
    return line.split(maxsplit=_LIST - 1)


def _has_width(source: Source, row: tuple[int, Sequence[str]], width: int) -> bool:
    """Return whether a row has its columns; count one that has others."""
    number, fields = row
    if len(fields) != width:
        expected = f"expected {width} columns, got {len(fields)}"
        source.wrong("rows", f"{source}, row {number}: {expected}")
    return len(fields) == width


def _numbers(place: str, row: Sequence[str], picture_at: int) -> tuple[str, Floats]:
    """Return the picture's name of a row, and all else as numbers."""
    fields = list(row)
    name = fields.pop(picture_at)
    values = [text_to_float(field.strip()) for field in fields]
    if None in values:
        wrong = fields[values.index(None)]
        raise InputError(f"{place}: expected numbers beside the picture, got {shown(wrong)}")
    return name.strip(), np.array(values, dtype=np.float64)


def labelled(points: Floats) -> Floats:
    """Return points (K, 2) as triples (K, 3), all visible."""
    return np.column_stack([points, np.full(len(points), 2.0)])


def _cropped_face(
    values: Floats, place: _Place, size: Size, extra: dict[str, object] | None = None
) -> ImportedSubject:
    """Make a face of scale, centre and points."""
    side = PIXELS_PER_SCALE * float(values[0])
    if not 0 < side <= _LARGEST_CROP:
        raise InputError(
            f"{place[0]}: expected a scale above 0 and up to {_LARGEST_CROP / PIXELS_PER_SCALE:g}, "
            f"got {values[0]:g}"
        )
    left, top = (values[1:3] - side / 2).tolist()
    points = labelled(values[3:].reshape(-1, 2))
    return cropped_subject(points, (left, top, side, side), place, size, extra or {})


def _boxed_face(values: Floats, place: _Place, size: Size) -> ImportedSubject:
    """Make a face of scale, box size, centre and points."""
    box_size = float(values[1])
    if box_size <= 0:
        raise InputError(f"{place[0]}: expected a box size above 0, got {box_size:g}")
    return _cropped_face(np.delete(values, 1), place, size, {"normaliser": box_size})


def _listed_face(values: Floats, place: _Place, size: Size) -> ImportedSubject:
    """Make a face of points, a box by its corners, and attributes."""
    points, (left, top, right, bottom), marks = np.split(values, (2 * 98, 2 * 98 + 4))
    if min(right - left, bottom - top) <= 0:
        raise InputError(
            f"{place[0]}: expected a box with an area, got {shown(values[196:200].tolist())}"
        )
    attributes = {name: bool(mark) for name, mark in zip(_ATTRIBUTES, marks, strict=True)}
    box = (float(left), float(top), float(right - left), float(bottom - top))
    return ImportedSubject(labelled(points.reshape(-1, 2)), box, {"attributes": attributes})
