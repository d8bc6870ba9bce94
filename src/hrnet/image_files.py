"""Find the image files that a user names: files, folders and patterns."""

import glob
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from hrnet.errors import InputError
from hrnet.files import exists, is_file, is_folder, resolve
from hrnet.images import SUFFIXES, refuse_address

ARRAYS = frozenset({".npy"})
"""Suffixes of arrays, which a search finds where it is asked for them."""

_FEW = 4


class FoundImages(NamedTuple):
    """The result of `find_images`.

    errors: one for each source without an image or that cannot be used.
    left_out: files in searched folders without an image suffix, and subfolders not searched.
    """

    paths: list[Path]
    errors: list[InputError]
    left_out: list[Path]


def find_images(
    sources: Sequence[str | PathLike[str]], *, recursive: bool = False, arrays: bool = False
) -> FoundImages:
    """Expand files, folders and glob patterns to image paths, without repeats, in a fixed order.

    A folder stands for its files with one of `SUFFIXES`, sorted by name; with `recursive` also for
    those in its subfolders, and with `arrays` for those of `ARRAYS`. Hidden files are skipped. A
    file given by name is not checked: reading it raises the error.
    """
    paths: dict[Path, Path] = {}  # resolved -> as given
    errors: list[InputError] = []
    left_out: dict[Path, None] = {}
    suffixes = SUFFIXES | ARRAYS if arrays else SUFFIXES
    for source in sources:
        try:
            # An unreadable folder adds an error of its own, and is not reported as empty.
            before = len(errors)
            images, others = _expand(str(source), recursive, suffixes, errors)
            if not images and len(errors) == before:
                what = "the folder" if is_folder(Path(source)) else "the pattern"
                extra = f", but {list_left_out(others)} of no kind that is read" if others else ""
                raise InputError(f"expected images in {what} {source}, found none{extra}")
            # Of two names of one file the first is kept.
            for path in images:
                paths.setdefault(resolve(path), path)
            left_out.update(dict.fromkeys(others))
        except InputError as error:
            errors.append(error)
    return FoundImages(list(paths.values()), errors, list(left_out))


def list_left_out(left_out: Sequence[Path]) -> str:
    """Describe what `find_images` left out: "2 files (clip.mp4, notes.txt) and 1 subfolder"."""
    files = [path for path in left_out if not is_folder(path)]
    kinds = Counter(path.suffix.lower() or path.name for path in files)
    many = [f"{count} {kind}" for kind, count in kinds.most_common(_FEW)]
    listed = [path.name for path in files] if len(files) <= _FEW else many
    listed += ["..."] if len(files) > _FEW and len(kinds) > _FEW else []
    folders = len(left_out) - len(files)
    parts = [f"{len(files)} file{'s' * (len(files) > 1)} ({', '.join(listed)})"] if files else []
    parts += [f"{folders} subfolder{'s' * (folders > 1)}"] if folders else []
    return " and ".join(parts)


def _expand(
    source: str, recursive: bool, suffixes: frozenset[str], errors: list[InputError]
) -> tuple[list[Path], list[Path]]:
    """Return the image paths of one source, and the paths that are left out."""
    if not source:
        raise InputError("expected an image, a folder or a pattern, got an empty name")
    refuse_address(source)
    path = Path(source)
    if is_folder(path):
        return _sort_out(_entries(path, recursive, errors), suffixes)
    if not exists(path) and glob.has_magic(source):
        matches = [Path(name) for name in sorted(glob.glob(source, recursive=True))]
        files = [match for match in matches if is_file(match)]
        return files, [match for match in matches if is_folder(match)]
    return [path], []


def _entries(top: Path, recursive: bool, errors: list[InputError]) -> Iterator[Path]:
    """Yield the entries of a folder, sorted and without hidden ones, then those of subfolders."""
    folders = [top]
    for folder in folders:  # the list grows in the loop
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            errors.append(InputError(f"the folder {folder} cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            # Links to folders are not followed, since they may form a cycle.
            if recursive and is_folder(entry) and not entry.is_symlink():
                folders.append(entry)
            else:
                yield entry


def _sort_out(entries: Iterable[Path], suffixes: frozenset[str]) -> tuple[list[Path], list[Path]]:
    """Separate image files from everything else."""
    images: list[Path] = []
    others: list[Path] = []
    for path in entries:
        (images if path.suffix.lower() in suffixes and is_file(path) else others).append(path)
    return images, others
