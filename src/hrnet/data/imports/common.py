"""The source and the result of every import, and the helpers that all formats share.

Coordinates are taken as the tools give them, in pixels of the upright picture. No half pixel is
added or taken away unless a format defines where its pixels lie.
"""

import math
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError
from hrnet.files import is_file, read_text
from hrnet.geometry import Size

EXTRA_HINT = "install it with `pip install 'hrnet[import]'`"

Box = Sequence[float]
"""Left, top, width and height."""

Turn = tuple[float, tuple[float, float]]
"""Degrees clockwise, and the point (x, y) that stays where it is."""

NO_VISIBILITY = "the format has no visibility: all labelled keypoints count as visible"
"""A note of the importers whose sources have none."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The user's choices; None takes those of the source.

    images: folder of the pictures. names: keypoint names in their order. category: take this
    class, label or skeleton alone. part: take this part of a source that is split.
    extracted: folder for pictures that lie inside the source. heads: MPII's head boxes.
    skeleton: name of the published skeleton of a COCO file's keypoints.
    likelihood: a machine's keypoints below it are not labelled. replace: pictures that lie in
    `extracted` may be replaced.
    """

    images: Path | None = None
    names: tuple[str, ...] | None = None
    category: str | None = None
    part: str | None = None
    extracted: Path = Path("images")
    heads: Path | None = None
    skeleton: str | None = None
    likelihood: float | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ImportedSubject:
    """One labelled subject.

    triples: (K, 3) x, y in pixels and visibility 0, 1, 2. box_xywh: None where the format has
    none. extra: more entries of its annotation, such as its annotator.
    """

    triples: NDArray[np.float64]
    box_xywh: Box | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ImportedBox:
    """One labelled object without keypoints.

    box_xywh: pixels, perhaps beyond the picture. ignore: neither to be found nor wrong to be found.
    polygons: its outline as x1, y1, x2, y2, ... in pixels. extra: more entries of its annotation.
    """

    class_name: str
    box_xywh: Box
    ignore: bool = False
    polygons: tuple[Sequence[float], ...] = ()
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ImportedPicture:
    """One picture on disk and its subjects, or its boxes.

    size: (height, width) by the source, None where it gives none. extra: more entries of its image,
    such as its video or its part.
    """

    path: Path
    subjects: tuple[ImportedSubject, ...] = ()
    size: Size | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    boxes: tuple[ImportedBox, ...] = ()


@final
class Source:
    """A source that is read: its path, the user's choices, and notes on what came of it.

    In messages it is its path. notes: sentences for the user on choices that were made. Things
    that are left out are counted by kind, with the first places of each.
    """

    def __init__(self, path: Path, options: ImportOptions) -> None:
        self.path = path
        self.options = options
        self.notes: list[str] = []
        self._first_wrong: str | None = None
        self._counts: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}

    def __str__(self) -> str:
        return str(self.path)

    def leave_out(self, kind: str, place: str = "", count: int = 1) -> None:
        """Count things of a kind, such as "tasks without an annotation"; nothing if count is 0."""
        self._counts[kind] += count
        places = self._places.setdefault(kind, [])
        if count and place and place not in places and len(places) <= _SHOWN_PLACES:
            places.append(f"{place:.300}")

    def wrong(self, kind: str, line: str, count: int = 1) -> None:
        """Count unreadable things; `line` is the error of the first: place, expected, got."""
        self._first_wrong = self._first_wrong or line
        self.leave_out(kind, line, count)

    def nothing_left(self, otherwise: str) -> InputError:
        """Return the error for a source of which nothing could be taken."""
        return InputError(self._first_wrong or otherwise)

    def left_out(self) -> tuple[str, ...]:
        """Return a sentence for each kind: how many were left out, and where."""
        return tuple(
            f"{count} {kind} were left out{_in_brackets(self._places[kind])}"
            for kind, count in self._counts.items()
            if count
        )


_SHOWN_PLACES = 3


def _in_brackets(places: Sequence[str]) -> str:
    shown = [*places[:_SHOWN_PLACES], *(["..."] if len(places) > _SHOWN_PLACES else [])]
    return f" ({'; '.join(shown)})" if shown else ""


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """The keypoints of a source as an importer returns them.

    edges, flip_pairs: pairs of indices from 0. flip_pairs, sigmas: None where the source has none.
    inputs: the files that were read beside the pictures; none of them is ever replaced.
    """

    names: tuple[str, ...]
    category: str
    pictures: tuple[ImportedPicture, ...]
    edges: tuple[tuple[int, int], ...] = ()
    flip_pairs: tuple[tuple[int, int], ...] | None = None
    sigmas: tuple[float, ...] | None = None
    inputs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ImportedBoxes:
    """The boxes of a source without keypoints, as an importer returns them.

    class_names: in their order; those of boxes that are not among them follow by name.
    inputs: as in `Imported`.
    """

    class_names: tuple[str, ...]
    pictures: tuple[ImportedPicture, ...]
    inputs: tuple[Path, ...] = ()


def mentions(source: Path, *texts: str) -> bool:
    """Return True for a JSON file that has one of these texts in it."""
    if source.suffix.lower() != ".json" or not is_file(source):
        return False
    content = read_text(source, "annotations")
    return any(text in content for text in texts)


def name_of(value: object) -> str:
    """Return a text or a whole number as text, and "" for anything else, such as a list."""
    return str(value) if isinstance(value, str | int) else ""


_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


def shown(value: object) -> str:
    """Return a value as it looks in a message: short, however much it holds."""
    return f"{_short.repr(value):.80}"


def keypoint_names(
    given: Sequence[str] | None, count: int, where: object, what: str = "--names"
) -> tuple[str, ...]:
    """Return the given names, or kp_0, kp_1, ...; InputError where their number is not K."""
    if given is None:
        return tuple(f"kp_{k}" for k in range(count))
    if len(given) != count:
        raise InputError(
            f"{where}: expected {count} names in {what}, one for each keypoint, got {len(given)}"
        )
    return tuple(given)


def chosen_one(where: object, what: str, found: Sequence[str], wanted: str | None) -> str:
    """Return the wanted one of several, or the only one; InputError for anything else."""
    if wanted is None and len(found) == 1:
        return found[0]
    if wanted in found:
        return str(wanted)
    asked = "one of them with --category" if wanted is None else f"another one than {wanted}"
    listed = ", ".join(found[:20]) or "none"
    raise InputError(f"{where}: expected one {what}, found {listed}; give {asked}")


def cropped_subject(
    triples: NDArray[np.float64],
    crop: Box,
    place: tuple[str, str],
    size: Size,
    extra: Mapping[str, object],
) -> ImportedSubject:
    """Return a subject with a published crop: its box is the part of it within the picture.

    crop: left, top, width, height, perhaps beyond the picture. place: of the subject and its
    picture, for messages. size: (height, width). Raises InputError where nothing lies within.
    """
    left, top, width, height = crop
    right, bottom = min(left + width, size[1]), min(top + height, size[0])
    x, y = max(left, 0.0), max(top, 0.0)
    if min(right - x, bottom - y) <= 1:
        raise InputError(
            f"{place[0]}: its box lies outside of {place[1]} with {size[1]}x{size[0]} "
            "pixels; give the images that were annotated"
        )
    box = (float(x), float(y), float(right - x), float(bottom - y))
    return ImportedSubject(triples, box, {"crop_box": [float(one) for one in crop], **extra})


def enclosing_box(left: float, top: float, width: float, height: float, turn: Turn) -> Box:
    """Return the upright box (xywh) around a turned one. turn: degrees clockwise, and the pivot."""
    degrees, (x, y) = turn
    angle = math.radians(degrees)
    corners = np.array([[left, top], [left + width, top], [left, top + height]])
    corners = np.vstack([corners, corners[1] + corners[2] - corners[0]]) - (x, y)
    # y points down, so this matrix turns clockwise on the screen.
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = corners @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)
    low, high = turned.min(axis=0), turned.max(axis=0)
    return [*map(float, low), *map(float, high - low)]
