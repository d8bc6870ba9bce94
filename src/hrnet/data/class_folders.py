"""Read image classification data: a folder a class, or a list of pictures with their classes.

    folder:  ROOT/CLASS/... as ImageNet; classes are sorted by name, as by torchvision's ImageFolder
    list:    a CSV or text file, see `hrnet.data.class_lists`

ROOT may hold its parts, train/ and val/, as folders or lists; `find_parts` finds them.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hrnet.data.class_dataset import LONGEST_NAME, MOST_CLASSES, ClassDataset, SampleList
from hrnet.data.class_lists import LIST_SUFFIXES, Labelled, read_list
from hrnet.data.findings import Findings
from hrnet.data.source import DataSource
from hrnet.errors import InputError, printable
from hrnet.files import exists, is_file, is_folder, resolve
from hrnet.images import SUFFIXES

TRAIN_NAMES: Final = ("train", "training")
VAL_NAMES: Final = ("val", "validation", "valid", "test")
"""Names of the parts within a folder, in the order in which they are looked for."""


def holds_classes(path: Path) -> bool:
    """Return True for a path that looks like classification data: a folder or a list."""
    return is_folder(path) or path.suffix.lower() in LIST_SUFFIXES


def find_parts(root: Path) -> tuple[Path, Path | None]:
    """Return the training part of data and their validation part, None where there is none.

    A part is a folder with a folder a class, or a list such as train.csv. Where `root` holds no
    training part it is one part itself.
    """
    train = _part(root, TRAIN_NAMES) if is_folder(root) else None
    return (root, None) if train is None else (train, _part(root, VAL_NAMES))


def _part(root: Path, names: Sequence[str]) -> Path | None:
    """Return the part in `root` that has the first of these names, whatever its case."""
    try:
        entries = {entry.name.casefold(): entry for entry in root.iterdir()}
    except OSError:  # which the reader reports
        return None
    for name in names:
        # A folder `train` that holds pictures alone is a class: of vehicles, perhaps.
        if name in entries and _holds_folders(entries[name]):
            return entries[name]
        for suffix in LIST_SUFFIXES:
            found = entries.get(f"{name}{suffix}")
            if found is not None and is_file(found):
                return found
    return None


def _holds_folders(folder: Path) -> bool:
    try:
        return any(is_folder(one) and not one.name.startswith(".") for one in folder.iterdir())
    except (OSError, ValueError):
        return False


def read_classes(source: DataSource, findings: Findings | None = None) -> ClassDataset:
    """Read one part of data: a folder or a list of labelled pictures.

    source: its images are the folder that a list's paths are relative to; None takes the list's
    own. findings: collects all errors, for a check; without it the first one is raised.
    Raises InputError for anything else than such data, and without `findings` for data without two
    classes, missing pictures, or pictures of two classes.
    """
    path, images = source.path, source.images
    findings = Findings(strict=True, path=path) if findings is None else findings
    if source.boxes is not None or source.category is not None:
        raise InputError(f"{path}: expected no boxes and no category for classes; leave them out")
    # A folder holds its pictures; those of a list may be elsewhere.
    folder = path if is_folder(path) else images or path.parent
    if not is_folder(path):
        labelled, names = read_list(path, folder, findings)
    elif images is not None:
        raise InputError(f"{path} is a folder of classes and holds its images; leave out --images")
    else:
        labelled, names = _read_folder(path, findings), ()
    # Number the classes in the order of their names.
    class_names = _check_names(labelled, names, findings)
    index = {name: place for place, name in enumerate(class_names)}
    indices = [index[one.class_name] for one in labelled]
    samples = SampleList(folder, [one.name for one in labelled], indices, class_names)
    return ClassDataset(path, class_names, samples, findings.notes)


_HIDDEN = "hidden files and folders"
_OTHER = "files of no kind that is read"
_BESIDE = "pictures beside the folders of the classes"
_NOWHERE = "links that lead nowhere, instead of to a class"
_LINK = "links to folders within a class, or to a folder above"
_EMPTY = "folders without a picture"
_DANGLING = "pictures that are broken links or no files"
_UNREADABLE = "folders that cannot be read"
_LEFT_OUT = (_HIDDEN, _OTHER, _BESIDE, _NOWHERE, _LINK, _EMPTY)
"""Kinds of entries that are no pictures of a class; the others are errors."""

_Kinds = defaultdict[str, list[str]]


def _read_folder(root: Path, findings: Findings) -> list[Labelled]:
    """Return the pictures of all classes, sorted, and note all other entries."""
    train, val = find_parts(root)
    if train != root:
        parts = train.name if val is None else f"{train.name} and {val.name}"
        raise InputError(f"{root} holds the parts {parts} of a data set; name one of them")
    kinds: _Kinds = defaultdict(list)
    labelled = []
    above = {resolve(root), *resolve(root).parents}
    # A class may be a link, to put a data set together; below it no link is followed.
    for entry in _entries(root, "", kinds):
        if entry.is_symlink() and not exists(Path(entry)):
            kinds[_NOWHERE].append(entry.name)  # perhaps a whole class
        elif entry.name.startswith(".") or not is_folder(Path(entry)):
            kind = _kind(entry)
            kinds[_BESIDE if kind == "picture" else kind].append(entry.name)
        elif entry.is_symlink() and resolve(Path(entry)) in above:
            kinds[_LINK].append(entry.name)
        else:
            pictures = _pictures_below(root, entry.name, kinds)
            labelled += [Labelled(one, entry.name) for one in pictures]
            kinds[_EMPTY] += [] if pictures else [entry.name]
    findings.error(_UNREADABLE, kinds[_UNREADABLE], "correct their permissions")
    findings.error(_DANGLING, kinds[_DANGLING], "training would stop; remove or mend the links")
    for kind in _LEFT_OUT:
        findings.warning(kind, kinds[kind], "left out")
    return labelled


def _pictures_below(root: Path, name: str, kinds: _Kinds) -> list[str]:
    """Return the pictures in `root/name` and its folders as paths within root, sorted."""
    pictures, folders = [], [name]
    for folder in folders:  # it grows on the way
        for entry in _entries(root, folder, kinds):
            inner, kind = f"{folder}/{entry.name}", _kind(entry)
            if kind == "folder":
                folders.append(inner)
            elif kind == "picture":
                pictures.append(inner)
            else:
                kinds[kind].append(inner)
    return sorted(pictures)


def _entries(root: Path, folder: str, kinds: _Kinds) -> list[os.DirEntry[str]]:
    """List a folder by name; scandir, since a path for each of a million entries is slow."""
    try:
        with os.scandir(root / folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        kinds[_UNREADABLE].append(f"{folder or root}: {error.strerror}")
        return []


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.name.startswith("."):
        return _HIDDEN
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    if entry.name[entry.name.rfind(".") :].lower() in SUFFIXES:
        # Only for links the system has to be asked again.
        is_there = entry.is_file(follow_symlinks=False) or is_file(Path(entry))
        return "picture" if is_there else _DANGLING
    return _LINK if entry.is_symlink() and is_folder(Path(entry)) else _OTHER


def _check_names(
    labelled: Sequence[Labelled], names: tuple[str, ...], findings: Findings
) -> tuple[str, ...]:
    """Return the given names, or those in use, sorted; note odd ones."""
    # Two classes with pictures are the least that a network can learn.
    counts = Counter(one.class_name for one in labelled)
    names = names or tuple(sorted(counts))
    if len(counts) < 2:
        found = f"found 1 ({next(iter(counts))})" if counts else "found none"
        hint = "put the pictures of each class into a folder of its own, or give a list"
        findings.state("error", "expected pictures of at least two classes", found, hint)
    if len(names) > MOST_CLASSES:
        hint = "take fewer"
        findings.state("error", f"expected at most {MOST_CLASSES} classes", f"{len(names)}", hint)
    findings.error(
        f"class names of over {LONGEST_NAME} letters, or of spaces alone",
        [repr(name) for name in names if len(name) > LONGEST_NAME or not name.strip()],
        "rename them",
    )
    findings.warning(
        "classes without a picture",
        [name for name in names if not counts[name]],
        "a network cannot learn them",
    )
    findings.warning(
        "class names with control characters or spaces at an end",
        [repr(name) for name in names if printable(name) != name or name.strip() != name],
        "rename them, since other tools change them",
    )
    folded = Counter(name.casefold().strip() for name in names)
    findings.warning(
        "class names that differ in case or spaces alone",
        [name for name in names if folded[name.casefold().strip()] > 1],
        "give them one name if they are one class",
    )
    return names
