"""Label Studio's JSON export: keypoints in percent of the picture, joined by a rectangle.

Source of the layout: labelstud.io, "Label Studio JSON format" and the tags KeyPointLabels and
RectangleLabels. A keypoint belongs to the rectangle that its parentID or a relation names, else to
the only rectangle around it; without rectangles a task is one subject. Each annotation of a task
is of another annotator, whose id (completed_by) is kept. Keypoints have no visibility: all count
as visible.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from hrnet.data.imports import mpii, wholebody
from hrnet.data.imports.common import (
    Imported,
    ImportOptions,
    Picture,
    PictureFinder,
    Subject,
    chosen_one,
)
from hrnet.errors import InputError
from hrnet.files import read_json
from hrnet.geometry import Size
from hrnet.images import SUFFIXES, read_header

Region = Mapping[str, Any]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A subject in percent of its picture: keypoint label -> (x, y), box (xywh)."""

    marks: Mapping[str, tuple[float, float]]
    box: Box | None
    label: str | None
    annotator: str | None


def fits(source: Path) -> bool:
    """Whether a source is a JSON file, but for those of others; the rest is seen in reading."""
    return source.suffix == ".json" and not mpii.fits(source) and not wholebody.fits(source)


def read(source: Path, options: ImportOptions) -> Imported:
    """Read a JSON export (not JSON-MIN) of keypoint labels."""
    tasks = _tasks(source)
    found = [
        (task, [one for annotation in _annotations(task) for one in _subjects(source, annotation)])
        for task in tasks
    ]
    labelled = [(task, subjects) for task, subjects in found if _annotations(task)]
    if not any(subjects for _, subjects in labelled):
        raise InputError(f"{source}: expected tasks with keypointlabels, found none")
    labels = sorted({s.label for _, subjects in labelled for s in subjects if s.label})
    category = chosen_one(
        str(source), "label of rectangles", labels or ["subject"], options.category
    )
    taken = [
        (task, [s for s in subjects if s.label in (None, category)]) for task, subjects in labelled
    ]
    names = _names(source, [s for _, subjects in taken for s in subjects], options.names)
    left_out = len(tasks) - len(labelled)
    notes = [f"{left_out} tasks without an annotation were left out"] if left_out else []
    notes.append("the format has no visibility: all labelled keypoints count as visible")
    if options.names is None:
        notes.append(
            "keypoints are in the order in which they occur first; give --names for another"
        )
    return Imported(names, category, _pictures(source, taken, names, options), notes=tuple(notes))


def _tasks(source: Path) -> list[Mapping[str, Any]]:
    content = read_json(source, "Label Studio export")
    if isinstance(content, dict) and "images" in content and "annotations" in content:
        raise InputError(
            f"{source} is in COCO's form already; `hrnet data check` takes it as it is"
        )
    if not isinstance(content, list) or not all(isinstance(task, dict) for task in content):
        raise InputError(f"{source}: expected a list of tasks, Label Studio's export as JSON")
    if any("data" not in task for task in content):
        raise InputError(
            f"{source}: expected tasks with data and annotations; export as JSON, not as JSON-MIN"
        )
    return content


def _annotations(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The annotations that were not skipped."""
    return [a for a in task.get("annotations") or [] if not a.get("was_cancelled")]


def _subjects(source: Path, annotation: Mapping[str, Any]) -> list[_Found]:
    regions = [region for region in annotation.get("result") or [] if isinstance(region, dict)]
    where = f"{source}: annotation {annotation.get('id')}"
    points = [r for r in regions if r.get("type") == "keypointlabels"]
    boxes = {
        str(r.get("id")): r for r in regions if r.get("type") in ("rectanglelabels", "rectangle")
    }
    parents = {str(r.get("id")): str(r["parentID"]) for r in points if r.get("parentID")}
    for relation in regions:
        if relation.get("type") == "relation":
            ends = str(relation.get("from_id")), str(relation.get("to_id"))
            for child, parent in (ends, ends[::-1]):
                if parent in boxes:
                    parents.setdefault(child, parent)
    marks: dict[str | None, dict[str, tuple[float, float]]] = {key: {} for key in boxes or [None]}
    for region in points:
        x, y = _percent(where, region, "x", "y")
        named = parents.get(str(region.get("id")))
        owner = named if named in boxes else _around(where, x, y, boxes)
        label = _first_label(where, region, "keypointlabels")
        if label in marks[owner]:
            raise InputError(
                f"{where} has {label} twice in one subject; draw a rectangle around each subject"
            )
        marks[owner][label] = (x, y)
    return [
        _found(where, own, boxes.get(str(key)), annotation) for key, own in marks.items() if own
    ]


def _found(
    where: str,
    marks: Mapping[str, tuple[float, float]],
    region: Region | None,
    annotation: Mapping[str, Any],
) -> _Found:
    who = annotation.get("completed_by")
    who = who.get("id") if isinstance(who, dict) else who
    annotator = None if who is None else str(who)
    if region is None:
        return _Found(marks, None, None, annotator)
    x, y, width, height = _percent(where, region, "x", "y", "width", "height")
    has_label = region.get("type") == "rectanglelabels"
    label = _first_label(where, region, "rectanglelabels") if has_label else None
    return _Found(marks, (x, y, width, height), label, annotator)


def _percent(where: str, region: Region, *keys: str) -> tuple[float, ...]:
    if region.get("image_rotation") or region["value"].get("rotation"):
        raise InputError(f"{where}: expected pictures and rectangles that are not rotated")
    try:
        return tuple(float(region["value"][key]) for key in keys)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where}: expected numbers {', '.join(keys)} in each region") from None


def _first_label(where: str, region: Region, kind: str) -> str:
    labels = region["value"].get(kind)
    if not isinstance(labels, list) or not labels:
        raise InputError(f"{where}: expected a label for each region, one has none; label it")
    return str(labels[0])


def _around(where: str, x: float, y: float, boxes: Mapping[str, Region]) -> str | None:
    """The only rectangle around a keypoint; None where the task has no rectangles."""
    if not boxes:
        return None
    corners = {key: _percent(where, r, "x", "y", "width", "height") for key, r in boxes.items()}
    inside = [
        key
        for key, (left, top, width, height) in corners.items()
        if left <= x <= left + width and top <= y <= top + height
    ]
    if len(boxes) == 1:
        return next(iter(boxes))
    if len(inside) != 1:
        raise InputError(
            f"{where}: a keypoint is in {len(inside)} rectangles; join each keypoint to its "
            "rectangle as its parent or by a relation"
        )
    return inside[0]


def _names(
    source: Path, subjects: Sequence[_Found], given: tuple[str, ...] | None
) -> tuple[str, ...]:
    used = dict.fromkeys(label for subject in subjects for label in subject.marks)
    unknown = sorted(set(used) - set(given or used))
    if unknown:
        raise InputError(f"{source}: keypoint labels {unknown} are not in --names; add them there")
    return given or tuple(used)


def _pictures(
    source: Path,
    tasks: Sequence[tuple[Mapping[str, Any], Sequence[_Found]]],
    names: Sequence[str],
    options: ImportOptions,
) -> tuple[Picture, ...]:
    finder = PictureFinder(options.images or source.parent)
    pictures = []
    for task, subjects in tasks:
        path = finder.find(*_file_names(source, task))
        if path is not None:
            size = read_header(path).size
            pictures.append(Picture(path, tuple(_subject(s, names, size) for s in subjects)))
    finder.expect_all(source)
    return tuple(pictures)


def _file_names(source: Path, task: Mapping[str, Any]) -> list[str]:
    """Where a task's picture may lie, from its address: as it is, and without what uploading added.

    /data/upload/3/1a2b3c4d-cat.jpg, /data/local-files/?d=pets/cat.jpg, s3://bucket/pets/cat.jpg
    """
    data = task["data"]
    texts = [v for v in data.values() if isinstance(v, str)] if isinstance(data, dict) else []
    for text in texts:
        parts = urlsplit(text)
        place = parse_qs(parts.query).get("d", [unquote(parts.path)])[0].lstrip("/")
        if Path(place).suffix.lower() in SUFFIXES:
            name = Path(place).name
            return [place, name, re.sub(r"^[0-9a-f]{8}-", "", name)]
    raise InputError(f"{source}: expected the picture of task {task.get('id')} in its data")


def _subject(found: _Found, names: Sequence[str], size: Size) -> Subject:
    scale = np.array([size[1], size[0]]) / 100
    triples = np.zeros((len(names), 3))
    for index, name in enumerate(names):
        if name in found.marks:
            triples[index] = [*(np.array(found.marks[name]) * scale), 2]
    box: Box | None = None
    if found.box is not None:
        x, y, width, height = (np.array(found.box) * np.tile(scale, 2)).tolist()
        box = (x, y, width, height)
    return Subject(triples, box, {"annotator": found.annotator} if found.annotator else {})
