"""What every import gives, and the helpers that all formats share.

Coordinates are taken as the tools give them, in pixels of the upright picture. No half pixel is
added or taken away unless a format says where its pixels lie.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError, one_line
from hrnet.geometry import Size
from hrnet.images import SUFFIXES

EXTRA_HINT = "install it with `pip install 'hrnet[import]'`"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user chose; None takes what the source says.

    images: folder of the pictures. names: keypoint names in their order. category: take this
    class, label or skeleton alone. part: take this part of a source that is split.
    extracted: folder for pictures that lie inside the source. heads: MPII's head boxes.
    """

    images: Path | None = None
    names: tuple[str, ...] | None = None
    category: str | None = None
    part: str | None = None
    extracted: Path = Path("images")
    heads: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One labelled subject.

    triples: (K, 3) x, y in pixels and visibility 0, 1, 2. box_xywh: None where the format has
    none. extra: more entries of its annotation, such as its annotator.
    """

    triples: NDArray[np.float64]
    box_xywh: tuple[float, float, float, float] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture on disk and its subjects.

    size: (height, width) that the source says, None where it says nothing. extra: more entries of
    its image, such as its video or its part.
    """

    path: Path
    subjects: tuple[Subject, ...]
    size: Size | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """All that was read from a source.

    edges, flip_pairs: pairs of indices from 0. flip_pairs, sigmas: None where the source has none.
    notes: sentences for the user on what was taken and what was left out.
    """

    names: tuple[str, ...]
    category: str
    pictures: tuple[Picture, ...]
    edges: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] | None = None
    sigmas: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()


def keypoint_names(given: Sequence[str] | None, count: int, where: str) -> tuple[str, ...]:
    """The user's names, or kp_0, kp_1, ...; InputError where their number is not K."""
    if given is None:
        return tuple(f"kp_{k}" for k in range(count))
    if len(given) != count:
        raise InputError(
            f"{where}: expected {count} names in --names, one for each keypoint, got {len(given)}"
        )
    return tuple(given)


def read_yaml(path: Path) -> dict[str, object]:
    """Read a YAML file that holds a mapping; InputError where it does not, or PyYAML is missing."""
    try:
        import yaml
    except ImportError:
        raise InputError(f"reading {path} needs the package PyYAML; {EXTRA_HINT}") from None
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"expected YAML in {path}, got something else ({one_line(error)})"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"expected named settings in {path}, got {type(content).__name__}")
    return content


def read_text(path: Path) -> str:
    """Read a text file; InputError where it is missing or no text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"expected text in {path}, got something else") from None


def images_below(folder: Path) -> list[Path]:
    """All picture files in a folder and the folders in it, by name."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


@final
class PictureFinder:
    """Finds the pictures that a source names, below a folder, and remembers what is missing."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"expected a folder of pictures, but {folder} is none; give --images")
        self.folder = folder
        self.missing: list[str] = []
        self._by_name: dict[str, list[Path]] | None = None

    def find(self, *names: str) -> Path | None:
        """The first of these paths that exists, or the only file of the last one's name."""
        for name in names:
            path = self.folder / name
            if path.is_file():
                return path
        last = names[-1].replace("\\", "/").rsplit("/", 1)[-1]
        if self._by_name is None:
            self._by_name = {}
            for path in images_below(self.folder):
                self._by_name.setdefault(path.name, []).append(path)
        found = self._by_name.get(last, [])
        if len(found) == 1:
            return found[0]
        self.missing.append(names[0])
        return None

    def expect_all(self, source: Path) -> None:
        """Raise InputError where pictures were not found."""
        if self.missing:
            shown = ", ".join(self.missing[:5]) + (", ..." if len(self.missing) > 5 else "")
            raise InputError(
                f"{source}: {len(self.missing)} pictures are not in {self.folder} ({shown}); "
                "give their folder with --images, or remove them from the source"
            )


def common_folder(paths: Iterable[Path]) -> Path:
    """The deepest folder that holds all files."""
    return Path(os.path.commonpath([path.resolve().parent for path in paths]))


def chosen_one(where: str, what: str, found: Sequence[str], wanted: str | None) -> str:
    """The wanted one of several, or the only one; InputError where that is not clear."""
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted in found:
        return str(wanted)
    asked = "one of them with --category" if wanted is None else f"another one than {wanted}"
    listed = ", ".join(found[:20]) or "none"
    raise InputError(f"{where}: expected one {what}, found {listed}; give {asked}")
