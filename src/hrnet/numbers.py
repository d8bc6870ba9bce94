"""Numbers out of files and options, where anything may stand in place of a number.

JSON holds integers of any length, NaN and Infinity; pandas writes ids as 1.0 and other tools as
"1". Each function returns None for what is no such number, so that the reader can name the place.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError

LARGEST_INT = 2**53
"""Whole numbers beyond this are not exact as floats, and no id or size needs them."""

LARGEST_FLOAT = 1e15
"""Larger values are no coordinate, area or score, and their squares would overflow float32."""

_LONGEST_TEXT = 32


def to_int(value: object) -> int | None:
    """Return a whole number: 3, 3.0, "3" and "3.0" are 3; None for anything else."""
    number = _number_in(value) if isinstance(value, str) else _plain(value)
    if number is None or not abs(number) <= LARGEST_INT or number != int(number):
        return None
    return int(number)


def expect_whole(value: object, most: int, what: str) -> int:
    """Return a whole number of 1 to `most`; raises InputError, which names `what`, for others."""
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    number = to_int(value) if is_whole else None
    if number is None or not 1 <= number <= most:
        raise InputError(f"expected 1 to {most} {what}, got {value!r:.60}")
    return number


def _plain(value: object) -> int | float | None:
    """Return a number of Python or numpy as one of Python; bool is none."""
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number_in(text: str) -> int | float | None:
    """Read the number that a text consists of; digits of other scripts are none."""
    if len(text) > _LONGEST_TEXT or not text.isascii() or "_" in text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


def to_float(value: object) -> float | None:
    """Return a finite number of at most `LARGEST_FLOAT`; None for texts and anything else."""
    number = _plain(value)
    # Compared before it becomes a float, since an integer of 400 digits cannot; false for NaN.
    return float(number) if number is not None and abs(number) <= LARGEST_FLOAT else None


def to_floats(values: object, length: int | None = None) -> NDArray[np.float64] | None:
    """Return a flat list of finite numbers as an array (N,); None for anything else.

    length: how many there must be.
    """
    if isinstance(values, np.ndarray):
        values = values.tolist() if values.ndim == 1 else None
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        return None
    if length is not None and len(values) != length:
        return None
    # Plain numbers, the usual case, are converted together: COCO has ten million of them.
    if set(map(type, values)) <= {int, float}:
        try:
            array = np.array(values, dtype=np.float64)
        except OverflowError:
            return None
        return array if (np.abs(array) <= LARGEST_FLOAT).all() else None
    numbers = [to_float(value) for value in values]
    return None if None in numbers else np.array(numbers, dtype=np.float64)
