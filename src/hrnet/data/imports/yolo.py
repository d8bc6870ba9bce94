"""YOLO pose labels: one text file for each picture, one line for each subject.

A line is: class, centre x, centre y, width, height, then x, y (and visibility) of each keypoint,
all relative to the picture's size. Source of the layout: docs.ultralytics.com/datasets/pose. In
files without visibility a keypoint at (0, 0) or with a negative number is taken as not labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.imports.common import (
    Imported,
    ImportOptions,
    Picture,
    Subject,
    images_below,
    keypoint_names,
    read_text,
    read_yaml,
)
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.images import read_header

PARTS = ("train", "val", "test")
_BOX_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class _Layout:
    """Number of keypoints, of values for each (2 or 3), and the names of the classes."""

    keypoints: int
    values: int
    classes: dict[int, str]


def fits(source: Path) -> bool:
    """Whether a source looks like YOLO's: a data.yaml with kpt_shape, or a folder with labels."""
    if source.is_dir():
        return (source / "labels").is_dir() or _yaml_in(source) is not None
    return source.suffix in (".yaml", ".yml") and "kpt_shape" in read_text(source)


def read(source: Path, options: ImportOptions) -> Imported:
    """Read a data.yaml, a folder that holds one, or a folder with labels/ and images/."""
    yaml = source if source.is_file() else _yaml_in(source)
    settings = read_yaml(yaml) if yaml is not None else {}
    pictures = _listed(yaml, settings) if yaml is not None else _in_folder(source, options.images)
    pictures = [(part, path) for part, path in pictures if options.part in (None, part)]
    if not pictures:
        wanted = f"part {options.part}" if options.part else "pictures"
        raise InputError(f"{source}: expected {wanted} with labels, found none; check the folders")
    rows = {path: _rows(_label_file(path)) for _, path in pictures}
    layout = _layout(source, settings, rows)
    used = sorted({int(row[0]) for found in rows.values() for row in found})
    taken = _taken(source, layout, used, options.category)
    names = options.names or _names_in(settings, taken)
    return Imported(
        names=keypoint_names(names, layout.keypoints, str(source)),
        category=" or ".join(layout.classes.get(number, str(number)) for number in taken),
        pictures=tuple(_picture(part, path, rows[path], layout, taken) for part, path in pictures),
        flip_pairs=_flip_pairs(source, settings.get("flip_idx"), layout.keypoints),
        notes=_notes(names, layout, taken, options),
    )


def _yaml_in(folder: Path) -> Path | None:
    """The settings file of a data set's folder, if there is one that speaks of keypoints."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        if "kpt_shape" in read_text(path):
            return path
    return None


def _listed(yaml: Path, settings: dict[str, object]) -> list[tuple[str, Path]]:
    """Pairs of part and picture that a data.yaml names: folders, lists in files, or both."""
    found = []
    for part in PARTS:
        entries = settings.get(part) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            place = _place(yaml, settings, str(entry))
            if place.is_dir():
                found += [(part, path) for path in images_below(place)]
            else:
                lines = [line.strip() for line in read_text(place).splitlines()]
                found += [(part, place.parent / line) for line in lines if line]
    missing = [str(path) for _, path in found if not path.is_file()]
    if missing:
        raise InputError(f"{yaml}: {len(missing)} listed pictures do not exist ({missing[0]}, ...)")
    return found


def _place(yaml: Path, settings: dict[str, object], entry: str) -> Path:
    """Where an entry lies: below `path`, or beside the file; some tools write one ../ too many."""
    bases = [yaml.parent / str(settings.get("path") or "."), yaml.parent]
    tries = [base / name for base in bases for name in (entry, entry.removeprefix("../"))]
    for place in tries:
        if place.exists():
            return place
    raise InputError(f"{yaml}: expected pictures in {tries[0]}, which does not exist; correct path")


def _in_folder(source: Path, images: Path | None) -> list[tuple[str, Path]]:
    folder = images or source / "images"
    if not folder.is_dir():
        raise InputError(f"{source}: expected pictures in {folder}; give their folder as --images")
    found = []
    for path in images_below(folder):
        first = path.relative_to(folder).parts[0]
        found.append((first if first in PARTS else "", path))
    return found


def _label_file(picture: Path) -> Path:
    """The labels of a picture: the last folder called images becomes labels."""
    parts = list(picture.parts)
    for place in reversed(range(len(parts) - 1)):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _rows(file: Path) -> list[NDArray[np.float64]]:
    """The lines of a label file as arrays; none where no file says that somebody is there."""
    rows = []
    for number, line in enumerate(read_text(file).splitlines() if file.is_file() else [], 1):
        try:
            row = np.array([float(word) for word in line.split()])
        except ValueError:
            raise InputError(f"{file}, line {number}: expected numbers, got {line:.60}") from None
        if not len(row):
            continue
        if len(row) <= _BOX_COLUMNS or row[0] != int(row[0]) or not np.isfinite(row).all():
            raise InputError(
                f"{file}, line {number}: expected a class, a box of four numbers and keypoints, "
                f"got {line:.60}"
            )
        if np.abs(row[1:_BOX_COLUMNS]).max() > 2:
            raise InputError(
                f"{file}, line {number}: expected a box relative to the picture, 0 to 1, "
                f"got {line:.60}"
            )
        rows.append(row)
    return rows


def _layout(
    source: Path, settings: dict[str, object], rows: dict[Path, list[NDArray[np.float64]]]
) -> _Layout:
    """K and values for each keypoint, of kpt_shape or else of the lines; all lines must agree."""
    columns = {len(row) - _BOX_COLUMNS: path for path, found in rows.items() for row in found}
    if not columns:
        raise InputError(f"{source}: expected label files with subjects, found none in labels/")
    shape = settings.get("kpt_shape")
    if shape is None:
        width = next(iter(columns))
        marks = np.array(
            [row[7::3] for found in rows.values() for row in found if len(row) > width]
        )
        three = width % 3 == 0 and bool(np.isin(marks, (0, 1, 2)).all())
        shape = [width // 3, 3] if three else [width // 2, 2]
    if not (isinstance(shape, list) and len(shape) == 2 and shape[1] in (2, 3)):
        raise InputError(f"{source}: expected kpt_shape as [keypoints, 2 or 3], got {shape!r:.40}")
    for width, path in columns.items():
        if width != shape[0] * shape[1]:
            raise InputError(
                f"{_label_file(path)}: expected {shape[0]} keypoints of {shape[1]} numbers each, "
                f"got {width} numbers; correct kpt_shape or the labels"
            )
    return _Layout(int(shape[0]), int(shape[1]), _classes(settings.get("names")))


def _classes(names: object) -> dict[int, str]:
    """Names of the classes, which are a list or a mapping from their numbers."""
    pairs = list(enumerate(names)) if isinstance(names, list) else []
    if isinstance(names, dict):
        pairs = list(names.items())
    return {int(key): str(name) for key, name in pairs}


def _taken(source: Path, layout: _Layout, used: Sequence[int], wanted: str | None) -> list[int]:
    """The classes that are imported: those that occur, or the one that is wanted."""
    taken = [number for number in used if wanted in (None, layout.classes.get(number, str(number)))]
    if not taken:
        listed = ", ".join(layout.classes.get(number, str(number)) for number in used)
        raise InputError(f"{source}: expected subjects of class {wanted}, found {listed}")
    return taken


def _names_in(settings: dict[str, object], taken: Sequence[int]) -> tuple[str, ...] | None:
    """Keypoint names of kpt_names: a list, or a list for each class."""
    names = settings.get("kpt_names")
    if isinstance(names, dict):
        names = names.get(taken[0])
    return tuple(str(name) for name in names) if isinstance(names, list) else None


def _flip_pairs(source: Path, order: object, count: int) -> tuple[tuple[int, int], ...] | None:
    """Pairs from flip_idx, where entry k is the keypoint that k becomes in a mirrored picture."""
    if order is None:
        return None
    if not isinstance(order, list) or sorted(order) != list(range(count)):
        raise InputError(f"{source}: expected flip_idx as the numbers 0..{count - 1} in some order")
    if any(order[order[k]] != k for k in range(count)):
        raise InputError(f"{source}: expected flip_idx to exchange pairs, got {order!r:.60}")
    return tuple((k, order[k]) for k in range(count) if k < order[k])


def _picture(
    part: str,
    path: Path,
    rows: Sequence[NDArray[np.float64]],
    layout: _Layout,
    taken: Sequence[int],
) -> Picture:
    size = read_header(path).size
    subjects = [_subject(row, layout, size, len(taken) > 1) for row in rows if int(row[0]) in taken]
    return Picture(path, tuple(subjects), extra={"part": part} if part else {})


def _subject(row: NDArray[np.float64], layout: _Layout, size: Size, name_class: bool) -> Subject:
    scale = np.array([size[1], size[0]])
    center, extent = row[1:3] * scale, row[3:5] * scale
    left, top = (center - extent / 2).tolist()
    values = row[_BOX_COLUMNS:].reshape(layout.keypoints, layout.values)
    points = values[:, :2]
    if layout.values == 3:
        visibility = np.clip(np.floor(values[:, 2]), 0, 2)
    else:
        visibility = np.where((points >= 0).all(axis=1) & (points > 0).any(axis=1), 2.0, 0.0)
    triples = np.column_stack([points * scale, visibility])
    extra = {"class": layout.classes.get(int(row[0]), str(int(row[0])))} if name_class else {}
    return Subject(triples, (left, top, float(extent[0]), float(extent[1])), extra)


def _notes(
    names: Sequence[str] | None, layout: _Layout, taken: Sequence[int], options: ImportOptions
) -> tuple[str, ...]:
    notes = []
    if names is None:
        notes.append("the format has no keypoint names here: they are kp_0, ...; give --names")
    if layout.values == 2:
        notes.append(
            "the labels have no visibility: all points but those at (0, 0) count as visible"
        )
    if len(taken) > 1:
        notes.append("several classes became one category; each annotation keeps its `class`")
    if options.part is None:
        notes.append("all parts (train, val, test) are in one file; --part takes one of them")
    return tuple(notes)
