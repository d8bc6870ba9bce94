"""Numbers from outside: what is one, what is none, and never an exception of Python."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.numbers import LARGEST_FLOAT, LARGEST_INT, to_float, to_floats, to_int

NO_NUMBER = [None, True, False, "", "x", [], [1], {}, math.nan, math.inf, -math.inf, "nan", "1e400"]


@pytest.mark.parametrize("value", [3, 3.0, "3", "3.0", " 3 ", np.int32(3), np.float32(3)])
def test_whole_numbers(value: object) -> None:
    assert to_int(value) == 3


@pytest.mark.parametrize(
    "value", [*NO_NUMBER, 3.5, "3.5", "1_0", "\u0663", 2**53 + 1, 10**400, "9" * 5000, np.bool_(1)]
)
def test_no_whole_numbers(value: object) -> None:
    assert to_int(value) is None


@pytest.mark.parametrize("value", [3, 3.0, np.int64(3), np.float16(3)])
def test_numbers(value: object) -> None:
    assert to_float(value) == 3
    assert isinstance(to_float(value), float)


@pytest.mark.parametrize("value", [*NO_NUMBER, "3", 10**400, -(10**400), 2e15])
def test_no_numbers(value: object) -> None:
    assert to_float(value) is None


def test_lists_of_numbers() -> None:
    for values in ([1, 2.5], (1, 2.5), np.array([1, 2.5]), [np.float32(1), 2.5]):
        found = to_floats(values)
        assert found is not None
        assert found.dtype == np.float64
        assert found.tolist() == [1, 2.5]
    assert to_floats([1, 2], 2) is not None
    assert to_floats([]) is not None


@pytest.mark.parametrize(
    "values",
    [
        *(None, 3, "12", b"12", {1: 2}, np.ones((2, 2))),
        *([1, "2"], [1, None], [True, 1], [1, math.nan], [1, 10**400], [[1, 2]], [1, [2]]),
    ],
)
def test_no_lists_of_numbers(values: object) -> None:
    assert to_floats(values) is None


def test_a_list_of_another_length_is_none() -> None:
    assert to_floats([1, 2, 3], 4) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_is_a_number_or_none(value: object) -> None:
    whole, number, many = to_int(value), to_float(value), to_floats(value)
    assert whole is None or abs(whole) <= LARGEST_INT
    assert number is None or abs(number) <= LARGEST_FLOAT
    assert many is None or np.isfinite(many).all()
