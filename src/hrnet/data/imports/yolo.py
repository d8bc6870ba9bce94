"""YOLO labels: one text file for each picture, one line for each subject or box.

A line of keypoints is: class, centre x, centre y, width, height, then x, y (and visibility) of each
keypoint, all relative to the picture's size. Source of the layout:
docs.ultralytics.com/datasets/pose. In files without visibility a keypoint at (0, 0) or with a
negative number is taken as not labelled. Other lines are read by `yolo_boxes`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.imports import yolo_files
from hrnet.data.imports.common import (
    Imported,
    ImportedBoxes,
    ImportedPicture,
    ImportedSubject,
    Source,
    keypoint_names,
    name_of,
    shown,
)
from hrnet.data.imports.pictures import picture_size
from hrnet.data.imports.yolo_boxes import read_boxes
from hrnet.data.imports.yolo_lines import (
    BOX_COLUMNS,
    FARTHEST,
    LINES,
    RELATIVE,
    LabelLine,
    class_names,
    hold_keypoints,
    read_lines,
)
from hrnet.errors import InputError
from hrnet.files import is_file
from hrnet.geometry import Size
from hrnet.numbers import to_int

OPTIONS = frozenset({"names", "category", "part", "likelihood"})
_MOST_KEYPOINTS = 10_000


@dataclass(frozen=True, slots=True)
class _Layout:
    """Number of keypoints, of values for each (2 or 3), and the names of the classes."""

    keypoints: int
    values: int
    classes: Mapping[int, str]

    def class_name(self, index: int) -> str:
        """The name of a class, or its number where it has no name."""
        return self.classes.get(index, str(index))


def fits(source: Path) -> bool:
    """Return True for a data.yaml or obj.data, or a folder with one or with label files."""
    return yolo_files.holds_labels(source)


def read(source: Source) -> Imported | ImportedBoxes:
    """Read a data.yaml, a folder that holds one, or a folder of pictures and label files.

    Keypoints are read where `hold_keypoints` finds some, else boxes.
    """
    # Pictures and label files, by the settings or by the folders.
    options = source.options
    yaml = source.path if is_file(source.path) else yolo_files.settings_in(source.path)
    settings = yolo_files.read_settings(yaml) if yaml is not None else {}
    found = yolo_files.find(source, yaml, settings)
    if not found.parts:
        wanted = f"part {options.part}" if options.part else "pictures"
        raise source.nothing_left(
            f"{source}: expected {wanted} with labels, found none; check the folders"
        )
    # Their lines, and the names of the classes.
    lines = {picture: read_lines(source, label) for picture, label in found.labels.items()}
    names_file = yolo_files.names_file(source.path)
    classes = class_names(source, settings, names_file)
    files = [file for file in (yaml, names_file) if file is not None]
    inputs = (*files, *found.lists, *found.labels.values())
    if not hold_keypoints(source, settings, [row for those in lines.values() for row in those]):
        return read_boxes(source, found, lines, classes, inputs)
    # The lines that have the number of values that most have, or that the settings give.
    rows = {picture: _of_subjects(source, those) for picture, those in lines.items()}
    layout = _layout(source, settings, [row for those in rows.values() for row in those], classes)
    rows = {picture: _fitting(source, those, layout) for picture, those in rows.items()}
    # The classes that are wanted, and the names of the keypoints.
    taken = _taken(source, layout, rows)
    names = options.names or _names_in(source, settings, taken)
    source.notes += _notes(source, settings, found, layout, names=names, several=len(taken) > 1)
    what = "kpt_names" if options.names is None else "--names"
    return Imported(
        names=keypoint_names(names, layout.keypoints, source, what),
        category=" or ".join(map(layout.class_name, taken)),
        pictures=tuple(_pictures(source, found.parts, rows, layout, taken)),
        flip_pairs=_flip_pairs(source, settings.get("flip_idx"), layout.keypoints),
        inputs=inputs,
    )


def _of_subjects(source: Source, lines: Iterable[LabelLine]) -> list[LabelLine]:
    """The lines that have a box and keypoints; others are counted."""
    good = []
    for row in lines:
        if row.width <= 0:
            row.wrong(source, "a class, a box of four numbers and keypoints")
        elif np.abs(row.values[1:BOX_COLUMNS]).max() > FARTHEST:
            row.wrong(source, RELATIVE)
        else:
            good.append(row)
    return good


def _layout(
    source: Source,
    settings: Mapping[str, object],
    rows: Sequence[LabelLine],
    classes: Mapping[int, str],
) -> _Layout:
    """K and values for each keypoint, of kpt_shape or else of the lines."""
    if not rows:
        raise source.nothing_left(
            f"{source}: expected label files with subjects, found none in labels/"
        )
    # kpt_shape is [K, 2 or 3]; without it the lines decide.
    shape = settings.get("kpt_shape") or _shape_of(rows)
    keypoints, values = map(
        to_int, shape if isinstance(shape, list) and len(shape) == 2 else [0, 0]
    )
    if keypoints is None or values not in (2, 3) or not 1 <= keypoints <= _MOST_KEYPOINTS:
        raise InputError(f"{source}: expected kpt_shape as [keypoints, 2 or 3], got {shown(shape)}")
    return _Layout(keypoints, values, classes)


def _shape_of(rows: Sequence[LabelLine]) -> list[int]:
    """The shape that most lines have."""
    # Three values each if every third one could be a visibility, else two.
    (width, _), *_ = Counter(row.width for row in rows).most_common(1)
    marks = np.array([row.values[7::3] for row in rows if row.width == width])
    three = width % 3 == 0 and bool(np.isin(marks, (0, 1, 2)).all())
    return [width // 3, 3] if three else [width // 2, 2]


def _fitting(source: Source, rows: Iterable[LabelLine], layout: _Layout) -> list[LabelLine]:
    """The rows that have the numbers of their keypoints."""
    fitting = []
    for row in rows:
        if row.width == layout.keypoints * layout.values:
            fitting.append(row)
            continue
        source.wrong(
            LINES,
            f"{row.place}: expected {layout.keypoints} keypoints of {layout.values} numbers each, "
            f"got {row.width} numbers; correct kpt_shape or the labels",
        )
    return fitting


def _taken(source: Source, layout: _Layout, rows: Mapping[Path, Sequence[LabelLine]]) -> list[int]:
    """The classes that are imported: those that occur, or the one that is wanted."""
    wanted = source.options.category
    used = Counter(row.class_index for those in rows.values() for row in those)
    if not used:
        raise source.nothing_left(f"{source}: expected label files with subjects, found none")
    taken = [one for one in sorted(used) if wanted in (None, layout.class_name(one))]
    if not taken:
        listed = ", ".join(map(layout.class_name, sorted(used)[:20]))
        raise InputError(f"{source}: expected subjects of class {wanted}, found {listed}")
    for index, count in used.items():
        if index not in taken:
            name = layout.class_name(index)
            source.leave_out("subjects of other classes", f"{count} {name}", count)
    return taken


def _names_in(
    source: Source, settings: Mapping[str, object], taken: Sequence[int]
) -> tuple[str, ...] | None:
    """Keypoint names of kpt_names: a list, or a list for each class."""
    names = settings.get("kpt_names")
    if isinstance(names, dict):
        lists = [names.get(one) for one in taken]
        if any(one != lists[0] for one in lists):
            raise InputError(
                f"{source}: expected the same kpt_names for all classes; take one with --category"
            )
        names = lists[0]
    if not isinstance(names, list):
        return None
    if not all(map(name_of, names)):
        raise InputError(f"{source}: expected a list of names in kpt_names, got {shown(names)}")
    return tuple(map(name_of, names))


def _flip_pairs(source: Source, order: object, count: int) -> tuple[tuple[int, int], ...] | None:
    """Pairs from flip_idx, where entry k is the keypoint that k becomes in a mirrored picture."""
    if order is None:
        return None
    places = [to_int(one) for one in order] if isinstance(order, list) else []
    known = [one for one in places if one is not None]
    if len(known) != len(places) or sorted(known) != list(range(count)):
        raise InputError(f"{source}: expected flip_idx as the numbers 0..{count - 1} in some order")
    if any(known[known[k]] != k for k in range(count)):
        raise InputError(f"{source}: expected flip_idx to exchange pairs, got {shown(order)}")
    return tuple((k, known[k]) for k in range(count) if k < known[k])


def _pictures(
    source: Source,
    parts: Mapping[Path, str],
    rows: Mapping[Path, Sequence[LabelLine]],
    layout: _Layout,
    taken: Sequence[int],
) -> Iterable[ImportedPicture]:
    for path, part in parts.items():
        size = picture_size(path, source)
        if size is None:
            continue
        subjects = []
        for row in rows[path]:
            if row.class_index in taken:
                # Where several classes are taken as one, each subject keeps its own.
                name = layout.class_name(row.class_index)
                extra = {"class": name} if len(taken) > 1 else {}
                subjects.append(_subject(source, row, layout, size, extra))
        yield ImportedPicture(path, tuple(subjects), extra={"part": part} if part else {})


def _subject(
    source: Source, row: LabelLine, layout: _Layout, size: Size, extra: Mapping[str, object]
) -> ImportedSubject:
    # Shares of width and height become pixels; the box is given by its centre.
    scale = np.array([size[1], size[0]])
    center, extent = row.values[1:3] * scale, row.values[3:5] * scale
    box = np.concatenate([center - extent / 2, extent]).tolist()
    values = row.values[BOX_COLUMNS:].reshape(layout.keypoints, layout.values)
    points = values[:, :2]
    if layout.values == 3:
        visibility = _visibility(source, row.place, values[:, 2])
    else:
        visibility = np.where((points >= 0).all(axis=1) & (points > 0).any(axis=1), 2.0, 0.0)
    triples = np.column_stack([points * scale, visibility])
    return ImportedSubject(triples, box, extra)


def _visibility(source: Source, place: str, marks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read 0, 1 or 2 from the line, or from a machine's scores where the user wants those."""
    # Scores are no visibilities: with a limit, those above it count as visible.
    likelihood = source.options.likelihood
    if likelihood is not None:
        below = (marks > 0) & (marks < likelihood)
        source.leave_out(f"keypoints of a score below {likelihood:g}", count=int(below.sum()))
        return np.where((marks >= likelihood) & (marks > 0), 2.0, 0.0)
    good = np.isin(marks, (0, 1, 2))
    for mark in marks[~good]:
        source.wrong(
            "keypoints of unclear visibility",
            f"{place}: expected a visibility of 0, 1 or 2, got {mark:g}; if these are scores of a "
            "machine, give --likelihood",
        )
    return np.where(good, marks, 0.0)


def _notes(
    source: Source,
    settings: Mapping[str, object],
    found: yolo_files.Found,
    layout: _Layout,
    *,
    names: Sequence[str] | None,
    several: bool,
) -> Iterable[str]:
    """Sentences on settings and files that the data set lacks, and on their replacement."""
    if names is None:
        yield "the format has no keypoint names here: they are kp_0, ...; give --names"
    if layout.values == 2:
        yield "the labels have no visibility: all points but those at (0, 0) count as visible"
    if several:
        yield "several classes became one category; each annotation keeps its `class`"
    if not settings.get("kpt_shape"):
        yield (
            f"without kpt_shape the labels were read as {layout.keypoints} keypoints of "
            f"{layout.values} numbers each"
        )
    yield from found.unlabelled("subjects")
