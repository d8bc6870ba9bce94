"""Label Studio's JSON export: its tasks, their annotations, regions and pictures.

Source of the layout: labelstud.io, "Label Studio JSON format".
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from hrnet.data.coco_file import Json
from hrnet.data.imports.common import Source, name_of, shown
from hrnet.data.imports.pictures import PictureFinder
from hrnet.errors import InputError
from hrnet.files import read_json
from hrnet.geometry import Size
from hrnet.images import SUFFIXES


def tasks_in(source: Source) -> Iterator[tuple[str, Json]]:
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


def annotations_of(source: Source, place: str, task: Json) -> Iterator[tuple[str, Json]]:
    """Yield the annotations that were not skipped, with their places."""
    line = f"{place}: expected a list of annotations"
    for annotation in listed(source, line, task, "annotations"):
        if annotation.get("was_cancelled"):
            source.leave_out("annotations that were skipped")
        else:
            yield f"{place}, annotation {name_of(annotation.get('id'))}", annotation
    for key in ("predictions", "drafts"):
        others = task.get(key)
        source.leave_out(key, count=len(others) if isinstance(others, list) else 0)


def listed(source: Source, line: str, parent: Json, key: str) -> list[Json]:
    """Return the objects in a list; anything else there is counted, but for null.

    line: of the error, without what is there instead.
    """
    values, kind = parent.get(key), "regions" if key == "result" else key
    if values is not None and not isinstance(values, list):
        source.wrong(kind, f"{line}, got {shown(values)}")
    entries = values if isinstance(values, list) else []
    if others := [entry for entry in entries if not isinstance(entry, dict)]:
        source.wrong(kind, f"{line}, got {shown(others[0])} in it", len(others))
    return [entry for entry in entries if isinstance(entry, dict)]


def label_of(source: Source, where: str, region: Json, kind: str) -> str | None:
    """Return the first label of a region; None where it has none. kind: the key of its labels."""
    value = region.get("value")
    labels = value.get(kind) if isinstance(value, dict) else None
    names = [name_of(label) for label in labels] if isinstance(labels, list) else []
    if not names or not names[0]:
        line = f"{where}: expected a label for each region, one has none; label it"
        source.wrong("regions", line)
        return None
    source.leave_out("further labels of a region", names[0], len(names) - 1)
    return names[0]


def find_pictures(
    source: Source, tasks: Sequence[tuple[str, Json]]
) -> list[tuple[Path, Size] | None]:
    """Return the picture of each task and its size; None where it cannot be read.

    tasks: with their places. Raises InputError where pictures are missing, or all are unreadable.
    """
    finder = PictureFinder(source.options.images or source.path.parent)
    found: list[tuple[Path, Size] | None] = []
    for place, task in tasks:
        pictures = list(_file_names(task))
        if not pictures:
            line = f"{place}: expected the picture of {place.rpartition(': ')[2]} in its data"
            source.wrong("tasks", line)
        source.leave_out("further pictures of a task", place, max(0, len(pictures) - 1))
        found.append(finder.find_readable(source, *pictures[0]) if pictures else None)
    finder.expect_all(source)
    count = len({one[0] for one in found if one is not None})
    if not count:
        raise source.nothing_left(f"{source}: expected pictures, found none")
    if count < len(tasks):
        source.notes.append(f"{len(tasks)} tasks have {count} pictures; each picture is there once")
    return found


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
