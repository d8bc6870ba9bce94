"""The lines of YOLO label files, and the names of their classes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.imports.common import Source, name_of, shown
from hrnet.files import is_file, read_text
from hrnet.numbers import text_to_float, to_int

BOX_COLUMNS = 5
"""Class, centre x, centre y, width and height."""

FARTHEST = 2
"""Shares of a picture's size are at most this; larger numbers are pixels."""

RELATIVE = "a box relative to the picture, 0 to 1"
"""What is expected of numbers."""

LINES = "lines of labels"
"""The kind of things that are left out."""

_KEYPOINTS = ("kpt_shape", "flip_idx", "kpt_names")
"""Settings that keypoints alone have."""

_LONGEST_LABELS = 1 << 21


@dataclass(frozen=True, slots=True, eq=False)
class LabelLine:
    """One line of a label file as numbers, with its place and its text for messages."""

    place: str
    text: str
    values: NDArray[np.float64]

    @property
    def class_index(self) -> int:
        return int(self.values[0])

    @property
    def width(self) -> int:
        """The number of values behind those of a box."""
        return len(self.values) - BOX_COLUMNS

    def wrong(self, source: Source, expected: str) -> None:
        """Count the line as one that cannot be used."""
        source.wrong(LINES, f"{self.place}: expected {expected}, got {self.text:.60}")


def read_lines(source: Source, file: Path) -> list[LabelLine]:
    """Read the lines of a label file that hold numbers, none where there is no file.

    Others are counted, so is a line without a class.
    """
    text = read_text(file, "labels", _LONGEST_LABELS) if is_file(file) else ""
    lines = []
    for count, line in enumerate(text.splitlines(), 1):
        numbers = [text_to_float(word) for word in line.split()]
        if not numbers:
            continue
        values = np.array([np.nan if one is None else one for one in numbers])
        row = LabelLine(f"{file}, line {count}", line, values)
        if np.isnan(values).any():
            row.wrong(source, "numbers")
        elif to_int(values[0]) is None or values[0] < 0:
            row.wrong(source, "a class (a whole number from 0) and a box")
        else:
            lines.append(row)
    return lines


def hold_keypoints(
    source: Source, settings: Mapping[str, object], lines: Sequence[LabelLine]
) -> bool:
    """Return True for lines of keypoints and False for boxes, perhaps with polygons.

    Options that keypoints alone have decide, then settings that keypoints alone have, such as
    `kpt_shape`. Without settings the lines do: those of keypoints are longer than a box, and most
    have one length.
    """
    if source.options.names is not None or source.options.likelihood is not None:
        return True
    if settings or not lines:
        return any(settings.get(key) is not None for key in _KEYPOINTS)
    (width, count), *_ = Counter(row.width for row in lines).most_common(1)
    return width > 0 and 2 * count > len(lines)


def class_names(
    source: Source, settings: Mapping[str, object], names_file: Path | None
) -> dict[int, str]:
    """Return names of classes by their index: of the settings, a list or a mapping, or of a file.

    names_file: a classes.txt with a name a line.
    """
    names = settings.get("names")
    if names is None and names_file is not None:
        names = read_text(names_file, "names of classes").rstrip().splitlines()
    pairs: Iterable[tuple[object, object]] = enumerate(names) if isinstance(names, list) else ()
    if isinstance(names, dict):
        pairs = names.items()
    found = {}
    for key, name in pairs:
        place, text = to_int(key), name_of(name).strip()
        if place is None or not text:
            source.wrong(
                "names of classes",
                f"{source}: expected names as a list, or as numbers of classes with their names, "
                f"got {shown(key)}: {shown(name)}",
            )
        else:
            found[place] = text
    return found
