"""Label Studio's JSON export: keypoints in percent of the picture, joined by a rectangle.

Source of the layout: labelstud.io, "Label Studio JSON format" and the tags KeyPointLabels and
RectangleLabels. A keypoint belongs to the rectangle that its parentID or a relation names, else to
the only rectangle around it; without rectangles a task is one subject. Each annotation of a task
is of another annotator, whose id (completed_by) is kept. Keypoints have no visibility: all count
as visible.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from hrnet.data.coco_file import Json
from hrnet.data.imports import mpii, wholebody
from hrnet.data.imports.common import (
    NO_VISIBILITY,
    Box,
    Imported,
    ImportedPicture,
    ImportedSubject,
    Source,
    chosen_one,
    mentions,
    name_of,
    shown,
)
from hrnet.data.imports.pictures import PictureFinder
from hrnet.errors import InputError
from hrnet.files import read_json
from hrnet.geometry import Size
from hrnet.images import SUFFIXES
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
    return source.suffix == ".json" and not mentions(source, mpii.MARK, wholebody.MARK)


def read(source: Source) -> Imported:
    """Read a JSON export (not JSON-MIN) of keypoint labels."""
    # The subjects of each task that has annotations.
    labelled: list[tuple[str, Json, list[_Found]]] = []
    for place, task in _tasks(source):
        annotations = list(_annotations(source, place, task))
        if annotations:
            subjects = [s for where, one in annotations for s in _subjects(source, where, one)]
            labelled.append((place, task, subjects))
        else:
            source.leave_out("tasks without an annotation")
    everybody = [subject for _, _, subjects in labelled for subject in subjects]
    if not everybody:
        raise source.nothing_left(f"{source}: expected tasks with keypointlabels, found none")
    # Those of one label.
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


def _tasks(source: Source) -> Iterator[tuple[str, Json]]:
    """Yield the tasks with their places; count other entries."""
    content = read_json(source.path, "Label Studio export")
    if isinstance(content, dict) and "images" in content and "annotations" in content:
        raise InputError(
            f"{source} is in COCO's form already; `hrnet data check` takes it as it is"
        )
    if not isinstance(content, list):
        raise InputError(f"{source}: expected a list of tasks, Label Studio's export as JSON")
    if others := [task for task in content if not isinstance(task, dict)]:
        line = f"{source}: expected a list of tasks, Label Studio's export as JSON"
        source.wrong("tasks", f"{line}, got {shown(others[0])} in it", len(others))
    tasks = [task for task in content if isinstance(task, dict)]
    if bare := [task for task in tasks if "data" not in task]:
        line = f"{source}: expected tasks with data and annotations"
        source.wrong("tasks", f"{line}; export as JSON, not as JSON-MIN", len(bare))
    for count, task in enumerate(tasks, 1):
        if "data" in task:
            yield f"{source}: task {name_of(task.get('id')) or f'no. {count}'}", task


def _annotations(source: Source, place: str, task: Json) -> Iterator[tuple[str, Json]]:
    """The annotations that were not skipped, and their places."""
    line = f"{place}: expected a list of annotations"
    for annotation in _listed(source, line, task, "annotations"):
        if annotation.get("was_cancelled"):
            source.leave_out("annotations that were skipped")
        else:
            yield f"{place}, annotation {name_of(annotation.get('id'))}", annotation
    for key in ("predictions", "drafts"):
        others = task.get(key)
        source.leave_out(key, count=len(others) if isinstance(others, list) else 0)


def _listed(source: Source, line: str, parent: Json, key: str) -> list[Json]:
    """The objects in a list; anything else there is counted, but for null."""
    values, kind = parent.get(key), "regions" if key == "result" else key
    if values is not None and not isinstance(values, list):
        source.wrong(kind, f"{line}, got {shown(values)}")
    entries = values if isinstance(values, list) else []
    if others := [entry for entry in entries if not isinstance(entry, dict)]:
        source.wrong(kind, f"{line}, got {shown(others[0])} in it", len(others))
    return [entry for entry in entries if isinstance(entry, dict)]


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
    regions = _listed(source, f"{where}: expected a list of regions", annotation, "result")
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
        label = None if point is None else _label(source, where, region, _POINTS)
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
            label = _label(source, where, region, "rectanglelabels")
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


def _label(source: Source, where: str, region: Json, kind: str) -> str | None:
    value = region.get("value")
    labels = value.get(kind) if isinstance(value, dict) else None
    names = [name_of(label) for label in labels] if isinstance(labels, list) else []
    if not names or not names[0]:
        line = f"{where}: expected a label for each region, one has none; label it"
        source.wrong("regions", line)
        return None
    source.leave_out("further labels of a region", names[0], len(names) - 1)
    return names[0]


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
    finder = PictureFinder(source.options.images or source.path.parent)
    found: dict[Path, list[ImportedSubject]] = {}
    for place, task, subjects in tasks:
        pictures = list(_file_names(task))
        if not pictures:
            line = f"{place}: expected the picture of {place.rpartition(': ')[2]} in its data"
            source.wrong("tasks", line)
            continue
        source.leave_out("further pictures of a task", place, len(pictures) - 1)
        picture = finder.find_readable(source, *pictures[0])
        if picture is not None:
            own = found.setdefault(picture[0], [])
            own += [_subject(subject, names, picture[1]) for subject in subjects]
    finder.expect_all(source)
    if not found:
        raise source.nothing_left(f"{source}: expected pictures, found none")
    if len(found) < len(tasks):
        source.notes.append(
            f"{len(tasks)} tasks have {len(found)} pictures; each picture is there once"
        )
    return tuple(ImportedPicture(path, tuple(own)) for path, own in found.items())


def _file_names(task: Json) -> Iterator[list[str]]:
    """Paths of each picture of a task, from its address, without the prefix of an upload.

    /data/upload/3/1a2b3c4d-cat.jpg, /data/local-files/?d=pets/cat.jpg, s3://bucket/pets/cat.jpg
    """
    data = task["data"]
    for text in data.values() if isinstance(data, dict) else ():
        if not isinstance(text, str):
            continue
        try:
            parts = urlsplit(text)
        except ValueError:  # an address with broken brackets
            continue
        place = parse_qs(parts.query).get("d", [unquote(parts.path)])[0].lstrip("/")
        if Path(place).suffix.lower() in SUFFIXES:
            name = Path(place).name
            uploaded = re.match(r"(data/)?upload/", place)
            yield [name, re.sub(r"^[0-9a-f]{8}-", "", name)] if uploaded else [place]


def _subject(found: _Found, names: Sequence[str], size: Size) -> ImportedSubject:
    # Percent of width and height become pixels.
    scale = np.array([size[1], size[0]]) / 100
    triples = np.zeros((len(names), 3))
    for index, name in enumerate(names):
        if name in found.marks:
            triples[index] = [*(np.array(found.marks[name]) * scale), 2]
    box = None if found.box is None else (np.array(found.box) * np.tile(scale, 2)).tolist()
    return ImportedSubject(triples, box, {"annotator": found.annotator} if found.annotator else {})
