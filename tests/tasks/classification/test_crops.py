"""The crop of a picture equals torchvision's and timm's; the random one has its distribution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hrnet.geometry import apply_affine
from hrnet.tasks.classification.crops import (
    centre_crop,
    draw_crop_box,
    resize_box,
    resized_size,
)

from .conftest import make_spec

SIZES = [(300, 411), (180, 137), (64, 64), (72, 72), (33, 500), (1000, 75), (640, 72)]


def picture(height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(height * width).integers(0, 256, (height, width, 3))
    return noise.astype(np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_crop_is_timms_bit_for_bit(timm, size, interpolation):
    from timm.data.transforms_factory import transforms_imagenet_eval

    image = picture(*size)
    theirs = transforms_imagenet_eval(
        img_size=64, crop_pct=0.875, interpolation=interpolation, normalize=False
    )
    expected = np.asarray(theirs(Image.fromarray(image))).transpose(1, 2, 0)
    spec = make_spec(resize=73, interpolation=interpolation)  # floor(64 / 0.875)
    np.testing.assert_array_equal(centre_crop(image, spec)[0], expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_crop_is_torchvisions_where_it_is_not_square(timm, size):
    from torchvision.transforms import CenterCrop, Compose, Resize

    image = picture(*size)
    expected = Compose([Resize(131), CenterCrop((64, 128))])(Image.fromarray(image))
    spec = make_spec(input_size=(64, 128), resize=131)
    np.testing.assert_array_equal(centre_crop(image, spec)[0], np.asarray(expected))


def test_the_matrix_maps_the_picture_to_the_crop():
    """A bright spot is where the matrix says."""
    image = np.zeros((300, 200, 3), np.uint8)
    image[148:153, 88:93] = 255
    crop, matrix = centre_crop(image, make_spec(resize=96))
    rows, columns = np.nonzero(crop[..., 0] > 128)
    ((x, y),) = apply_affine([[90, 150]], matrix)
    assert abs(columns.mean() - x) < 0.5
    assert abs(rows.mean() - y) < 0.5


def test_a_strip_does_not_need_the_memory_of_the_whole_resized_picture():
    """2x20,000 becomes 4096x40,960,000 in torchvision: 500 GB."""
    strip = np.tile(picture(2, 100), (1, 200, 1))
    crop, _ = centre_crop(strip, make_spec(input_size=(64, 64), resize=4096))
    assert crop.shape == (64, 64, 3)


def test_of_a_large_picture_the_crop_alone_is_within_a_grey_level(monkeypatch):
    image, spec = picture(600, 333), make_spec(resize=256, interpolation="bicubic")
    whole, matrix = centre_crop(image, spec)
    monkeypatch.setattr("hrnet.tasks.classification.crops._MOST_PIXELS", 0)
    part, same = centre_crop(image, spec)
    np.testing.assert_array_equal(matrix, same)
    assert np.abs(whole.astype(int) - part).max() <= 1


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(32, 4096))
def test_the_short_side_becomes_what_was_asked(height, width, short):
    size = resized_size((height, width), short)
    assert min(size) == short
    assert (size[0] <= size[1]) == (height <= width)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32))
def test_random_boxes_lie_within_the_picture(height, width, seed):
    rng = np.random.default_rng(seed)
    left, top, right, bottom = draw_crop_box((height, width), (0.08, 1), (3 / 4, 4 / 3), rng)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height


def test_random_boxes_have_the_shares_and_ratios_asked_for():
    rng = np.random.default_rng(0)
    boxes = np.array([draw_crop_box((500, 500), (0.2, 0.5), (0.5, 2), rng) for _ in range(2000)])
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    share = wide * high / 500**2
    assert 0.195 < share.min() < 0.22 < 0.48 < share.max() < 0.505
    assert abs(share.mean() - 0.35) < 0.01
    assert abs(np.log(wide / high).mean()) < 0.03
    assert 0.48 < (wide / high).min() < 0.52
    assert 1.9 < (wide / high).max() < 2.1


def test_a_strip_gives_the_largest_box_in_its_centre():
    rng = np.random.default_rng(0)
    assert draw_crop_box((10, 1000), (0.9, 1), (3 / 4, 4 / 3), rng) == (493, 0, 506, 10)
    assert draw_crop_box((1000, 10), (0.9, 1), (3 / 4, 4 / 3), rng) == (0, 493, 10, 506)


def test_a_box_is_resized_as_pillow_does():
    image = picture(120, 90)
    found = resize_box(image, (10, 20, 70, 110), (64, 96), "bicubic")
    part = Image.fromarray(image).crop((10, 20, 70, 110))
    expected = part.resize((96, 64), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(found, np.asarray(expected))
