"""Label Studio's JSON export: keypoints in percent of the picture, joined by a rectangle.

Source of the layout: labelstud.io, "Label Studio JSON format" and the tags KeyPointLabels and
RectangleLabels. A keypoint belongs to the rectangle that its parentID or a relation names, else to
the only rectangle around it; without rectangles a task is one subject. Each annotation of a task
is of another annotator, whose id (completed_by) is kept. Keypoints have no visibility: all count
as visible. Exports without keypoints are read by `labelstudio_boxes`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.data.coco_file import Json
from hrnet.data.imports import mpii, wholebody
from hrnet.data.imports.common import (
    NO_VISIBILITY,
    Box,
    Imported,
    ImportedBoxes,
    ImportedPicture,
    ImportedSubject,
    Source,
    chosen_one,
    mentions,
    name_of,
)
from hrnet.data.imports.labelstudio_boxes import read_boxes
from hrnet.data.imports.labelstudio_file import (
    annotations_of,
    find_pictures,
    label_of,
    listed,
    tasks_in,
)
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.numbers import to_float

OPTIONS = frozenset({"names", "category"})
_BOXES = ("rectanglelabels", "rectangle")
_POINTS = "keypointlabels"


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A subject in percent of its picture: keypoint label -> (x, y), box (xywh)."""

    marks: Mapping[str, Sequence[float]]
    box: Box | None
    label: str | None
    annotator: str | None


def fits(source: Path) -> bool:
    """Return True for a JSON file, but for those of others; the rest is seen in reading."""
    return source.suffix.lower() == ".json" and not mentions(source, mpii.MARK, wholebody.MARK)


def read(source: Source) -> Imported | ImportedBoxes:
    """Read a JSON export (not JSON-MIN): keypoints where there are any, else boxes."""
    # The tasks that have annotations.
    tasks = []
    for place, task in tasks_in(source):
        annotations = list(annotations_of(source, place, task))
        if annotations:
            tasks.append((place, task, annotations))
        else:
            source.leave_out("tasks without an annotation")
    if not any(_has_keypoints(one) for _, _, annotations in tasks for _, one in annotations):
        return read_boxes(source, tasks)
    # Their subjects, of one label.
    labelled = [
        (place, task, [s for where, one in annotations for s in _subjects(source, where, one)])
        for place, task, annotations in tasks
    ]
    everybody = [subject for _, _, subjects in labelled for subject in subjects]
    if not everybody:
        raise source.nothing_left(f"{source}: expected tasks with keypointlabels, found none")
    options, labels = source.options, sorted({one.label for one in everybody if one.label})
    category = chosen_one(source, "label of rectangles", labels or ["subject"], options.category)
    for label, count in Counter(s.label for s in everybody).items():
        if label not in (None, category):
            source.leave_out("subjects of other labels", f"{count} {label}", count)
    taken = [
        (place, task, [s for s in subjects if s.label in (None, category)])
        for place, task, subjects in labelled
    ]
    # Their keypoints and pictures.
    names = _names(source, [one for _, _, subjects in taken for one in subjects])
    pictures = _pictures(source, taken, names)
    source.notes.append(NO_VISIBILITY)
    if options.names is None:
        source.notes.append(
            "keypoints are in the order in which they occur first; give --names for another"
        )
    return Imported(names, category, pictures, inputs=(source.path,))


def _has_keypoints(annotation: Json) -> bool:
    regions = annotation.get("result")
    return isinstance(regions, list) and any(
        isinstance(one, dict) and one.get("type") == _POINTS for one in regions
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Regions:
    """The regions of one annotation.

    boxes: (x, y, width, height) in percent of each rectangle by its id, None where it is wrong.
    parents: id of a region -> id of the rectangle that a relation joins it to.
    """

    points: Sequence[Json]
    rectangles: Mapping[str, Json]
    boxes: Mapping[str, Box | None]
    parents: Mapping[str, str]


def _regions(source: Source, where: str, annotation: Json) -> _Regions:
    """Sort the regions by their kind; count those that are no keypoints and no rectangles."""
    # Rectangles by their id, or by a stand-in where it is missing or there twice.
    regions = listed(source, f"{where}: expected a list of regions", annotation, "result")
    rectangles: dict[str, Json] = {}
    parents: dict[str, str] = {}
    for count, region in enumerate(regions):
        if region.get("type") in _BOXES:
            key = name_of(region.get("id"))
            rectangles[key if key and key not in rectangles else f"{key} no. {count}"] = region
    # Relations join a keypoint to a rectangle, in either direction.
    for region in regions:
        kind = name_of(region.get("type")) or "without a type"
        if kind == "relation":
            ends = name_of(region.get("from_id")), name_of(region.get("to_id"))
            for child, parent in (ends, ends[::-1]):
                if child and parent in rectangles:
                    parents.setdefault(child, parent)
        elif kind not in (*_BOXES, _POINTS):
            source.leave_out("regions of other kinds", kind)
    # A rectangle with wrong numbers stays an owner, so that its keypoints go with it.
    keys = ("x", "y", "width", "height")
    boxes = {key: _percent(source, where, one, keys) for key, one in rectangles.items()}
    return _Regions([r for r in regions if r.get("type") == _POINTS], rectangles, boxes, parents)


def _subjects(source: Source, where: str, annotation: Json) -> Iterator[_Found]:
    # Each keypoint goes to its rectangle.
    regions = _regions(source, where, annotation)
    marks: dict[str | None, dict[str, Sequence[float]]] = {
        key: {} for key in regions.rectangles or [None]
    }
    who = annotation.get("completed_by")
    annotator = name_of(who.get("id") if isinstance(who, dict) else who) or None
    twice = set()
    for region in regions.points:
        point = _percent(source, where, region, ("x", "y"))
        label = None if point is None else label_of(source, where, region, _POINTS)
        if point is None or label is None:
            continue
        try:
            owner = _owner(where, region, point, regions)
        except InputError as error:
            source.wrong("keypoints", str(error))
            continue
        if label in marks[owner]:
            twice.add(owner)
            line = f"{where} has {label:.80} twice in one subject; draw a rectangle around each"
            source.wrong("subjects", line)
        marks[owner][label] = point
    # Each rectangle with keypoints is a subject.
    for key, own in marks.items():
        if not own:
            source.leave_out("rectangles without a keypoint", count=int(key is not None))
        if not own or key in twice:
            continue
        if key is None:  # the only subject of an annotation without rectangles
            yield _Found(own, None, None, annotator)
            continue
        region, box, label = regions.rectangles[key], regions.boxes[key], None
        if region.get("type") == "rectanglelabels":
            label = label_of(source, where, region, "rectanglelabels")
            box = None if label is None else box
        if box is not None:
            yield _Found(own, box, label, annotator)


def _percent(source: Source, where: str, region: Json, keys: Sequence[str]) -> list[float] | None:
    """Numbers of a region; None where it has others, or where it is rotated."""
    kind = "keypoints" if region.get("type") == _POINTS else "rectangles, with their keypoints,"
    value = region.get("value")
    values = value if isinstance(value, dict) else {}
    numbers = [to_float(values.get(key)) for key in keys]
    place = f"{where}, region {name_of(region.get('id')) or 'without an id'}"
    good = [one for one in numbers if one is not None]
    if len(good) < len(keys):
        source.wrong(kind, f"{place}: expected numbers {', '.join(keys)} in each region")
        return None
    if region.get("image_rotation") or values.get("rotation"):
        source.wrong(kind, f"{place}: expected pictures and rectangles that are not rotated")
        return None
    return good


def _owner(where: str, region: Json, point: Sequence[float], regions: _Regions) -> str | None:
    """The rectangle of a keypoint; None where the annotation has no rectangles.

    It is the one that the keypoint names, or the only one, or the only one around the keypoint.
    """
    # By its parent or a relation; then by elimination; then by place.
    boxes = regions.boxes
    related = regions.parents.get(name_of(region.get("id")))
    for named in (name_of(region.get("parentID")), related):
        if named in boxes:
            return named
    if len(boxes) <= 1:
        return next(iter(boxes), None)
    inside = [key for key, box in boxes.items() if box is None or _holds(box, point)]
    if len(inside) != 1:
        raise InputError(
            f"{where}: a keypoint is in {len(inside)} rectangles; join each keypoint to its "
            "rectangle as its parent or by a relation"
        )
    return inside[0]


def _holds(box: Box, point: Sequence[float]) -> bool:
    left, top, width, height = box
    return left <= point[0] <= left + width and top <= point[1] <= top + height


def _names(source: Source, subjects: Sequence[_Found]) -> tuple[str, ...]:
    given = source.options.names
    used = dict.fromkeys(label for subject in subjects for label in subject.marks)
    unknown = sorted(set(used) - set(given or used))
    if unknown:
        raise InputError(f"{source}: keypoint labels {unknown} are not in --names; add them there")
    return given or tuple(used)


def _pictures(
    source: Source, tasks: Sequence[tuple[str, Json, Sequence[_Found]]], names: Sequence[str]
) -> tuple[ImportedPicture, ...]:
    # Several tasks may show one picture; it is taken once, with the subjects of all.
    pictures = find_pictures(source, [(place, task) for place, task, _ in tasks])
    found: dict[Path, list[ImportedSubject]] = {}
    for (_, _, subjects), picture in zip(tasks, pictures, strict=True):
        if picture is not None:
            own = found.setdefault(picture[0], [])
            own += [_subject(subject, names, picture[1]) for subject in subjects]
    return tuple(ImportedPicture(path, tuple(own)) for path, own in found.items())


def _subject(found: _Found, names: Sequence[str], size: Size) -> ImportedSubject:
    # Percent of width and height become pixels.
    scale = np.array([size[1], size[0]]) / 100
    triples = np.zeros((len(names), 3))
    for index, name in enumerate(names):
        if name in found.marks:
            triples[index] = [*(np.array(found.marks[name]) * scale), 2]
    box = None if found.box is None else (np.array(found.box) * np.tile(scale, 2)).tolist()
    return ImportedSubject(triples, box, {"annotator": found.annotator} if found.annotator else {})
