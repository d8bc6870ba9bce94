"""The pictures of a source: those in a folder, and those that the source names."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import final

from hrnet.data.findings import first_of
from hrnet.data.imports.common import Source
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder
from hrnet.geometry import Size
from hrnet.images import SUFFIXES, read_header

_MOST_FILES = 3_000_000
_OTHER_FILES = 100_000
"""Folders are searched up to so many files; beyond so many that are no pictures, and ten for each
picture, they are no folders of pictures but, say, a whole disk."""

_LINKS = "links to folders"


@final
class FolderSearch:
    """Finds the pictures in folders, and counts the files that are none, by their suffix."""

    def __init__(self) -> None:
        self.others: Counter[str] = Counter()
        self._pictures = 0
        self._counted: set[str] = set()

    def pictures_below(self, folder: Path) -> list[Path]:
        """Return all picture files in a folder and the folders in it, by name.

        Unreadable folders and links to folders are left out. Raises InputError for a folder that
        holds too many other files.
        """
        found = []
        for base, folders, files in os.walk(folder):
            others = Counter({_LINKS: sum(Path(base, name).is_symlink() for name in folders)})
            for name in files:
                # Not Path.suffix: a path costs ten times as much, and a disk has many files.
                dot = name.rfind(".")
                suffix = name[dot:].lower() if dot > 0 and name[0] != "." else ""
                if suffix in SUFFIXES and is_file(path := Path(base, name)):
                    found.append(path)
                else:
                    others[suffix] += 1
            if base not in self._counted:  # a folder may be searched for several parts
                self._counted.add(base)
                self.others.update(others)
            # A folder of too many other files is given up early.
            pictures, unread = self._pictures + len(found), self.others.total()
            if unread > _OTHER_FILES + 10 * pictures or unread + pictures > _MOST_FILES:
                raise InputError(
                    f"expected a folder of pictures, but {folder} holds {pictures:,} pictures and "
                    f"more than {unread:,} other files; name the folder of the pictures alone"
                )
        self._pictures += len(found)
        return sorted(found)

    def count_others(self, source: Source, known: Sequence[str]) -> None:
        """Count the files that were not read; `known` are suffixes that the format itself uses."""
        for suffix, count in sorted(self.others.items()):
            if suffix.startswith(".") and suffix not in known:
                source.leave_out("files that are not read in folders", f"{count} {suffix}", count)
        source.leave_out(_LINKS, count=self.others[_LINKS])


@final
class PictureFinder:
    """Finds the pictures that a source names, below a folder, and collects the missing ones."""

    def __init__(self, folder: Path) -> None:
        if not is_folder(folder):
            raise InputError(f"expected a folder of pictures, but {folder} is none; give --images")
        self.folder = folder
        self.missing: list[str] = []
        self._elsewhere: list[str] = []
        self._shared: list[str] = []
        self._names: dict[Path, str] = {}
        self._by_name: dict[str, list[Path]] | None = None
        self._read: dict[str, tuple[Path, Size] | None] = {}

    def find(self, *names: str) -> Path | None:
        """Return the first of these paths that exists, or the only file that agrees with one.

        Two paths agree if their last parts are the same and so are the folders above, as far as
        both have some: `day1/a.png` is found as `a.png` or as `set/day1/a.png`, but never as
        `day2/a.png`. Two names that lead to one file are an error of `expect_all`.
        """
        # The path as it is written, or without parts such as `.`.
        for name in names:
            for path in (self.folder / name, self.folder.joinpath(*_parts(name))):
                if is_file(path):
                    return self._take(names[0], path)
        # The only file of that name whose folders do not contradict.
        for name in names:
            wanted = _parts(name)
            found = self._agreeing(wanted)
            if len(found) == 1:
                if len(wanted) > len(found[0].relative_to(self.folder).parts):
                    self._elsewhere.append(names[0])
                return self._take(names[0], found[0])
        self.missing.append(names[0])
        return None

    def find_readable(self, source: Source, *names: str) -> tuple[Path, Size] | None:
        """Return the path by `find` and the size of a picture; None where it cannot be read."""
        path = self.find(*names)
        size = None if path is None else picture_size(path, source)
        return None if path is None or size is None else (path, size)

    def find_once(self, source: Source, name: str) -> tuple[Path, Size] | None:
        """Return the same as `find_readable`; a name is looked up, and counted, only once."""
        if name not in self._read:
            self._read[name] = self.find_readable(source, name)
        return self._read[name]

    def _agreeing(self, wanted: Sequence[str]) -> list[Path]:
        # The folder is searched once, and only where a path does not lead to a file.
        if self._by_name is None:
            self._by_name = {}
            for path in FolderSearch().pictures_below(self.folder):
                self._by_name.setdefault(path.name, []).append(path)
        return [
            path
            for path in self._by_name.get(wanted[-1] if wanted else "", [])
            if all(
                one == other
                for one, other in zip(
                    reversed(path.relative_to(self.folder).parts), reversed(wanted), strict=False
                )
            )
        ]

    def _take(self, name: str, path: Path) -> Path:
        first = self._names.setdefault(path, "/".join(_parts(name)))
        if first != "/".join(_parts(name)):
            self._shared.append(f"{first:.80} and {name:.80}")
        return path

    def expect_all(self, source: Source) -> None:
        """Raise InputError where pictures were not found, or one was found for two names.

        Pictures that lie in another folder than the source names become a note.
        """
        if self.missing:
            raise InputError(
                f"{source}: {len(self.missing)} pictures are not in {self.folder} "
                f"({first_of(self.missing)}); give their folder with --images, or remove them from "
                "the source"
            )
        if self._shared:
            raise InputError(
                f"{source}: expected a picture for each name, but names share one in {self.folder} "
                f"({first_of(self._shared)}); give the folder that has all of them with --images"
            )
        if self._elsewhere:
            source.notes.append(
                f"{len(self._elsewhere)} pictures were found by the last part of their path, "
                f"without the folder that the source names ({first_of(self._elsewhere)})"
            )


def _parts(name: str) -> list[str]:
    """The folders and the file of a name; backslashes and slashes both separate them."""
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


def picture_size(path: Path, source: Source) -> Size | None:
    """Return the size (height, width) of a picture; count one that cannot be read, return None."""
    try:
        return read_header(path).size
    except InputError as error:
        source.wrong("pictures that cannot be read", str(error))
        return None
