"""Resizing as OpenCV does it; the expected values are those of cv2.resize (5.0.0)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.resize import resize_bilinear

SMALL = (np.arange(3 * 4 * 3).reshape(3, 4, 3) * 37 % 251).astype(np.uint8)
ENLARGED = [
    [37, 77, 140, 78, 16, 79, 119],
    [114, 118, 124, 105, 86, 92, 96],
    [230, 180, 100, 146, 191, 111, 61],
    [195, 145, 65, 111, 156, 76, 26],
    [172, 122, 42, 87, 133, 53, 3],
]
SHRUNK = [[93, 95, 96], [163, 102, 41]]


@pytest.mark.parametrize("expected", [ENLARGED, SHRUNK])
def test_every_pixel_is_that_of_opencv(expected):
    size = (len(expected), len(expected[0]))
    assert resize_bilinear(SMALL, size)[..., 1].tolist() == expected


def test_a_larger_picture():
    picture = (np.arange(40 * 30 * 3).reshape(40, 30, 3) * 73 % 256).astype(np.uint8)
    resized = resize_bilinear(picture, (33, 52))
    assert resized.astype(int).sum() == 656058
    assert resized.ravel()[::500].tolist() == [18, 130, 110, 169, 48, 174, 91, 167, 89, 237, 94]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 255))
def test_a_flat_picture_stays_flat(height, width, grey):
    flat = np.full((4, 5, 3), grey, np.uint8)
    resized = resize_bilinear(flat, (height, width)).astype(int)
    # The four whole-number weights of a pixel may lack one in their last digit.
    assert resized.shape == (height, width, 3)
    assert np.abs(resized - grey).max() <= 1


def test_the_same_size_changes_nothing():
    assert np.array_equal(resize_bilinear(SMALL, (3, 4)), SMALL)
