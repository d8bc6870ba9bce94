"""The pictures and label files of a YOLO data set, by its data.yaml, obj.data or its folders."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hrnet.data.findings import first_of
from hrnet.data.imports.common import Source, shown
from hrnet.data.imports.pictures import FolderSearch
from hrnet.data.imports.yaml_file import read_yaml
from hrnet.errors import InputError
from hrnet.files import exists, is_file, is_folder, read_text, resolve
from hrnet.images import SUFFIXES

PARTS = ("train", "val", "test")
_LONGEST_LIST = 1 << 26
_NAMES = ("classes.txt", "obj.names")
_YAML = (".yaml", ".yml")
_DARKNET, _DARKNET_ROOT = "obj.data", "data/"
"""Darknet's settings, and a folder that its paths begin with, which exports of CVAT lack."""
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

    def unlabelled(self, what: str) -> Iterator[str]:
        """Yield a note on pictures without a label file. what: of which they have none."""
        without = [picture.name for picture, label in self.labels.items() if not is_file(label)]
        if without:
            yield (
                f"{len(without)} pictures have no label file and count as pictures without {what} "
                f"({first_of(without)})"
            )


def holds_labels(path: Path) -> bool:
    """Return True for the settings of a data set, or a folder with some or with label files."""
    if not is_folder(path):
        is_yaml = path.suffix.lower() in _YAML and _is_settings(path)
        return is_yaml or (path.name == _DARKNET and is_file(path))
    if settings_in(path) is not None or _has_texts(path / "labels"):
        return True
    # Pictures and label files may lie side by side, with the names of the classes.
    return names_file(path) is not None and any(
        is_file(one.with_suffix(suffix))
        for one in path.glob("*.txt")
        if one.name not in _NAMES
        for suffix in SUFFIXES
    )


def settings_in(folder: Path) -> Path | None:
    """Return the settings file of a data set's folder, if there is one."""
    files = sorted(one for suffix in _YAML for one in folder.glob(f"*{suffix}"))
    darknet = folder / _DARKNET
    return next((one for one in files if _is_settings(one)), darknet if is_file(darknet) else None)


def read_settings(file: Path) -> dict[str, object]:
    """Read the settings of a data set: YAML, or Darknet's `key = value` in a line each."""
    if file.name != _DARKNET:
        return read_yaml(file)
    pairs = [line.partition("=") for line in read_text(file, "settings").splitlines()]
    given: dict[str, object] = {key.strip(): value.strip() for key, _, value in pairs}
    # Names are in a file of their own, which `names_file` finds.
    parts = {"train": given.get("train"), "val": given.get("valid")}
    return {part: place for part, place in parts.items() if place}


def _is_settings(file: Path) -> bool:
    """Return whether a YAML file names keypoints, or classes and pictures."""
    text = "\n" + read_text(file, "settings")
    return "kpt_shape" in text or ("\nnames:" in text and ("\ntrain:" in text or "\nval:" in text))


def names_file(path: Path) -> Path | None:
    """Return the file with a class name a line that goes with a data set, if there is one."""
    folder = path if is_folder(path) else path.parent
    places = [base / name for base in (folder, folder / "labels") for name in _NAMES]
    return next((one for one in places if is_file(one)), None)


def _has_texts(folder: Path) -> bool:
    return any(name.endswith(".txt") for _, _, names in os.walk(folder) for name in names)


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
        if path.name not in _NAMES:
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
            pictures = [_listed_picture(place, line) for line in lines if line]
            missing += [str(path) for path in pictures if not is_file(path)]
        for path in pictures:
            found.add(part, path, source)
    if missing:
        raise InputError(
            f"{yaml}: {len(missing)} listed pictures do not exist ({missing[0]:.300}, ...)"
        )


def _listed_picture(file: Path, line: str) -> Path:
    tries = [file.parent / line, file.parent / line.removeprefix(_DARKNET_ROOT)]
    return next((one for one in tries if is_file(one)), tries[0])


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

    Some tools write one ../ too many, or a folder that they leave out.
    """
    path = settings.get("path")
    root = yaml.parent / path if isinstance(path, str) else yaml.parent
    bases = [*([images] if images else []), root, yaml.parent]
    names = (entry, entry.removeprefix("../"), entry.removeprefix(_DARKNET_ROOT))
    return [base / name for base in bases for name in names]


def _in_folder(source: Source, found: Found, search: FolderSearch) -> None:
    folder = source.options.images or source.path / "images"
    if source.options.images is None and not is_folder(folder) and names_file(source.path):
        folder = source.path  # pictures and label files side by side
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
