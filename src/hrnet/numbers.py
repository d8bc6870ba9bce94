"""Checked numbers from files and options, which may hold anything in place of a number.

JSON may hold integers of any length, NaN and Infinity; pandas writes ids as 1.0, other tools as
"1". The `to_...` functions return None for anything else, so that the caller can name the place.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError

LARGEST_INT = 2**53
"""Largest integer accepted: beyond it floats are not exact, and no id or size needs it."""

LARGEST_FLOAT = 1e15
"""Largest float accepted: no coordinate, area or score is larger; squares stay in float32."""


def to_int(value: object) -> int | None:
    """Convert a whole number to int: 3, 3.0, "3" and "3.0" give 3; None for anything else."""
    number = _parsed(value) if isinstance(value, str) else _plain(value)
    if number is None or not abs(number) <= LARGEST_INT or number != int(number):
        return None
    return int(number)


def expect_whole(value: object, most: int, what: str) -> int:
    """Return an integer of 1 to `most`. what: its unit in the InputError for anything else."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    number = to_int(value) if is_whole else None
    if number is None or not 1 <= number <= most:
        raise InputError(f"expected 1 to {most} {what}, got {value!r:.60}")
    return number


def _plain(value: object) -> int | float | None:
    """Return a number of Python or numpy as one of Python; None for a bool and anything else."""
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _parsed(text: str) -> int | float | None:
    """Parse a text as a number; None for others, and for underscores and digits of other scripts.

    Python takes the last two. It refuses to read an integer of thousands of digits.
    """
    if not text.isascii() or "_" in text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def to_float(value: object) -> float | None:
    """Convert a finite number of at most `LARGEST_FLOAT`; return None for texts and the rest."""
    number = _plain(value)
    # Compare first: an integer of 400 digits cannot become a float. False for NaN.
    return float(number) if number is not None and abs(number) <= LARGEST_FLOAT else None


def text_to_float(text: str) -> float | None:
    """Convert a text that is one number, as `to_float`; return None for other texts."""
    return to_float(_parsed(text))


def to_floats(values: object, length: int | None = None) -> NDArray[np.float64] | None:
    """Convert a flat list of finite numbers to an array (N,); return None for anything else.

    length: the required N; None accepts any.
    """
    # Expect a flat sequence of that length.
    if isinstance(values, np.ndarray):
        values = values.tolist() if values.ndim == 1 else None
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        return None
    if length is not None and len(values) != length:
        return None
    # Convert plain numbers, the usual case, together: COCO has ten million of them.
    if set(map(type, values)) <= {int, float}:
        try:
            array = np.array(values, dtype=np.float64)
        except OverflowError:
            return None
        return array if (np.abs(array) <= LARGEST_FLOAT).all() else None
    # Convert mixed types one by one.
    numbers = [to_float(value) for value in values]
    return None if None in numbers else np.array(numbers, dtype=np.float64)
