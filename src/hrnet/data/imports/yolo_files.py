"""The pictures and label files of a YOLO data set, by its data.yaml or its folders."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hrnet.data.imports.common import Source, shown
from hrnet.data.imports.pictures import FolderSearch
from hrnet.errors import InputError
from hrnet.files import exists, is_file, is_folder, read_text, resolve

PARTS = ("train", "val", "test")
_LONGEST_LIST = 1 << 26
_NO_LABELS = frozenset({"classes.txt", "obj.names"})
_OWN_SUFFIXES = (".txt", ".yaml", ".yml", ".cache")


@dataclass(frozen=True, slots=True)
class Found:
    """The files found: part of each picture, label file of each picture, lists of pictures."""

    parts: dict[Path, str] = field(default_factory=dict)
    labels: dict[Path, Path] = field(default_factory=dict)
    lists: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, part: str, picture: Path, source: Source) -> None:
        """Take a picture once, for the part that names it first."""
        if (place := os.path.normpath(picture)) in self.seen:
            name = f"{part} {picture.name}".strip()
            source.leave_out("pictures that are named a second time", name)
        else:
            self.seen.add(place)
            self.parts[picture] = part
            self.labels[picture] = _label_file(picture)


def settings_in(folder: Path) -> Path | None:
    """Return the settings file of a data set's folder, if there is one with keypoints."""
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        if "kpt_shape" in read_text(path, "settings"):
            return path
    return None


def find(source: Source, yaml: Path | None, settings: Mapping[str, object]) -> Found:
    """Find the pictures of all parts or of one, and count the files that are not read.

    Raises InputError where listed pictures do not exist, and for folders of something else.
    """
    # The settings name the parts; without them the folders do.
    found, search = Found(), FolderSearch()
    if yaml is None:
        _in_folder(source, found, search)
    else:
        _listed(source, found, search, yaml, settings)
    # Count label files without a picture, and files that are neither.
    texts = {path for folder in found.folders for path in _text_files(_label_place(folder))}
    for path in sorted(texts - set(found.labels.values())):
        if path.name not in _NO_LABELS:
            source.leave_out("label files without a picture", path.name)
    search.count_others(source, _OWN_SUFFIXES)
    return found


def _listed(
    source: Source, found: Found, search: FolderSearch, yaml: Path, settings: Mapping[str, object]
) -> None:
    """Find the pictures that a data.yaml names: by folders, by lists in files, or both."""
    missing = []
    for part, place in _places(source, yaml, settings):
        if is_folder(place):
            pictures = search.pictures_below(place)
            found.folders.append(place)
        else:
            found.lists.append(place)
            text = read_text(place, "a list of pictures", _LONGEST_LIST)
            lines = [line.strip() for line in text.splitlines()]
            pictures = [place.parent / line for line in lines if line]
            missing += [str(path) for path in pictures if not is_file(path)]
        for path in pictures:
            found.add(part, path, source)
    if missing:
        raise InputError(
            f"{yaml}: {len(missing)} listed pictures do not exist ({missing[0]:.300}, ...)"
        )


def _places(
    source: Source, yaml: Path, settings: Mapping[str, object]
) -> Iterator[tuple[str, Path]]:
    """Yield each part with each folder or list that it names, once; count missing ones."""
    wanted, seen = source.options.part, set()
    for part in PARTS:
        entries = settings.get(part) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            if not isinstance(entry, str):
                line = f"{yaml}: expected folders or lists in {part}, got {shown(entry)}"
                source.wrong(f"entries of {part}", line)
                continue
            tries = _tries(yaml, settings, entry, source.options.images)
            place = next((one for one in tries if exists(one)), None)
            if place is None:
                line = f"expected pictures in {tries[0]}, which does not exist; correct path"
                source.wrong(f"entries of {part}", f"{yaml}: {line}")
            elif wanted in (None, part) and (key := (part, resolve(place))) not in seen:
                seen.add(key)
                yield part, place


def _tries(
    yaml: Path, settings: Mapping[str, object], entry: str, images: Path | None
) -> list[Path]:
    """List the places of an entry: below --images or `path`, or beside the file.

    Some tools write one ../ too many.
    """
    path = settings.get("path")
    root = yaml.parent / path if isinstance(path, str) else yaml.parent
    bases = [*([images] if images else []), root, yaml.parent]
    return [base / name for base in bases for name in (entry, entry.removeprefix("../"))]


def _in_folder(source: Source, found: Found, search: FolderSearch) -> None:
    folder = source.options.images or source.path / "images"
    if not is_folder(folder):
        raise InputError(f"{source}: expected pictures in {folder}; give their folder as --images")
    found.folders.append(folder)
    for path in search.pictures_below(folder):
        first = path.relative_to(folder).parts[0]
        part = first if first in PARTS else ""
        if source.options.part in (None, part):
            found.add(part, path, source)


def _label_file(picture: Path) -> Path:
    return _label_place(picture.parent) / f"{picture.stem}.txt"


def _label_place(folder: Path) -> Path:
    """Return the folder of the labels of a folder's pictures: its last `images` is `labels`."""
    parts = folder.parts
    if "images" not in parts:
        return folder
    last = len(parts) - 1 - parts[::-1].index("images")
    return Path(*parts[:last], "labels", *parts[last + 1 :])


def _text_files(folder: Path) -> list[Path]:
    walk = os.walk(folder)
    return [Path(base, name) for base, _, names in walk for name in names if name.endswith(".txt")]
