"""Data of other tools, imported where a training starts."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.class_folders import TRAIN_NAMES, VAL_NAMES
from hrnet.data.class_lists import LIST_SUFFIXES
from hrnet.data.imports import FORMATS, faces, mpii
from hrnet.data.imports.common import ImportOptions, mentions
from hrnet.data.imports.run import ImportReport, find_formats, import_annotations
from hrnet.errors import InputError
from hrnet.files import is_file, read_json, resolve, write_text

_TRAIN = (*TRAIN_NAMES, "trainval")
_TASKS = ('"annotations"', mpii.MARK)
"""Texts in JSON lists of other tools."""


@dataclass(frozen=True, slots=True)
class ImportedData:
    """COCO files made of another tool's data.

    images: the folder of the pictures of both. val: None where the source has no such part.
    category: the category that is still to be taken. lines: on what was read and left out.
    """

    data: Path
    val: Path | None
    images: Path
    category: str | None
    lines: tuple[str, ...]


def is_of_another_tool(path: Path) -> bool:
    """Return True for data of another tool; COCO files, and lists and folders of classes are none.

    Raises InputError for data that look like those of several tools.
    """
    suffix = path.suffix.lower()
    if suffix in LIST_SUFFIXES:
        return is_file(path) and faces.fits(path)
    if suffix == ".json" and not _holds_tasks(path):
        return False
    formats = find_formats(path)
    if len(formats) > 1:
        raise InputError(
            f"{path} looks like {' or '.join(formats)}; `hrnet data import --format NAME` makes a "
            "COCO file of it to train on"
        )
    return bool(formats)


def _holds_tasks(path: Path) -> bool:
    """Return whether a JSON file is a list, as other tools write it; COCO's is an object."""
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            start = file.read(100)
    except OSError:  # which the reader of the data describes
        return False
    return start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and mentions(path, *_TASKS)


def import_for_training(
    data: Path, images: Path | None, val: Path | None, folder: Path, category: str | None
) -> ImportedData:
    """Import data of another tool into a run's folder; the same command makes the same files again.

    Where no `val` is given, the parts of the source are taken, if it has those of training and of
    validation. category: as of `import_annotations`, where the tool has some.
    Raises InputError for data that cannot be used, and for a `val` that is of no other tool.
    """
    if val is not None and not is_of_another_tool(val):
        raise InputError(
            f"expected --val of an annotation tool as --data {data} is, got {val}; import both by "
            "`hrnet data import`, or leave --val out"
        )
    # Each source becomes a file.
    name = (find_formats(data) or [""])[0]
    takes_category = "category" in FORMATS[name].options
    options = ImportOptions(
        images=images,
        category=category if takes_category else None,
        extracted=folder / "imported_images",
    )
    first = import_annotations(data, folder / "imported.json", options, force=True)
    lines = _lines(data, first)
    left = None if takes_category else category
    if val is None:
        train, second, about = _write_parts(first, folder)
        return ImportedData(train, second, first.images, left, (*lines, *about))
    other = import_annotations(val, folder / "imported_val.json", options, force=True)
    # Both files name their pictures from one folder.
    root = Path(os.path.commonpath([first.images, other.images]))
    for report in (first, other):
        _rename(report, root)
    return ImportedData(first.out, other.out, root, left, (*lines, *_lines(val, other)))


def _lines(source: Path, report: ImportReport) -> tuple[str, ...]:
    """Describe an import in lines."""
    notes = (f"note: {note}" for note in report.notes)
    return (f"imported {source} to {report.out}: {report.line}", *notes)


def _rename(report: ImportReport, root: Path) -> None:
    """Write a file again, with the names of its pictures from another folder."""
    content = _content(report.out)
    prefix = resolve(report.images).relative_to(root)
    for image in content["images"]:
        image["file_name"] = (prefix / str(image["file_name"])).as_posix()
    write_text(report.out, json.dumps(content, indent=1))


def _write_parts(report: ImportReport, folder: Path) -> tuple[Path, Path | None, tuple[str, ...]]:
    """Write the parts of training and validation as files; the whole file where one is missing."""
    # Names of parts differ in their case.
    names = {part.casefold(): part for part in report.parts}
    train = next((names[one] for one in _TRAIN if one in names), None)
    val = next((names[one] for one in VAL_NAMES if one in names), None)
    if train is None or val is None:
        return report.out, None, ()
    # Each part has all categories, its pictures and their annotations.
    content = _content(report.out)
    files = {train: folder / "imported_train.json", val: folder / "imported_val.json"}
    for part, file in files.items():
        images = [one for one in content["images"] if one.get("part") == part]
        ids = {one["id"] for one in images}
        own = [one for one in content["annotations"] if one["image_id"] in ids]
        write_text(file, json.dumps({**content, "images": images, "annotations": own}, indent=1))
    counts = Counter(str(one.get("part", "no part")) for one in content["images"])
    line = f"parts: {counts.pop(train)} images of {train} to train on, {counts.pop(val)} of {val}"
    left = ", ".join(f"{count} of {part}" for part, count in counts.items())
    return files[train], files[val], (f"{line}{'; left out: ' if left else ''}{left}",)


def _content(file: Path) -> dict[str, list[dict[str, object]]]:
    """Read a file that was just written."""
    content = read_json(file, "annotations")
    assert isinstance(content, dict)
    return content
