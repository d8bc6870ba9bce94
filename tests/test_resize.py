"""Resizing as OpenCV does it; the expected values are those of cv2.resize (5.0.0)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.resize import resize_bilinear, resize_cubic, resize_nearest

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


@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 29), st.integers(0, 29))
def test_a_part_is_that_of_the_whole(height, width, top, left):
    part = (
        slice(min(top, height - 1), min(top + 5, height)),
        slice(min(left, width - 1), min(left + 9, width)),
    )
    picture = (np.arange(12 * 17 * 3).reshape(12, 17, 3) * 73 % 256).astype(np.uint8)
    for resize in (resize_bilinear, resize_cubic):
        whole = resize(picture, (height, width))
        assert np.array_equal(resize(picture, (height, width), part), whole[part])
    labels = picture[..., 0].astype(np.int16)
    whole = resize_nearest(labels, (height, width))
    assert np.array_equal(resize_nearest(labels, (height, width), part), whole[part])


def test_cubic_pictures():
    flat = np.full((4, 5, 3), 77, np.uint8)
    assert (resize_cubic(flat, (9, 3)) == 77).all()
    # An edge from black to white, twice as wide. By Keys' weights for -0.75 the pixel at 2.25 takes
    # 0.2617 of the white one at 3 and -0.0352 of that at 4: 57.8; beyond 0..255 it is cut off.
    edge = np.repeat(np.array([[0, 0, 0, 255, 255, 255]], np.uint8)[..., None], 3, axis=2)
    resized = resize_cubic(np.repeat(edge, 4, axis=0), (8, 12))[3, :, 0]
    assert resized.tolist() == [0] * 5 + [58, 197] + [255] * 5
