"""Boxes, crops and flips: what maps forth maps back, and the convention of pixel centres."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.geometry import (
    apply_affine,
    box_to_crop,
    crop_matrix,
    invert_affine,
    warp_affine,
    xywh_to_xyxy,
)

seeds = st.integers(0, 2**32 - 1)
shapes = st.sampled_from([(), (0,), (1,), (7,), (2, 3)])
input_sizes = st.sampled_from([(256, 192), (384, 288), (256, 256), (64, 96)])
few = settings(max_examples=40)


def some_boxes(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(-50, 500, (*shape, 2)), rng.uniform(1, 400, (*shape, 2))
    return np.concatenate([corner, size], axis=-1)


def random_picture(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@few
@given(seeds, shapes)
def test_a_box_ends_its_size_behind_its_start(seed, shape):
    xywh = some_boxes(seed, shape)
    xyxy = xywh_to_xyxy(xywh)
    assert (xyxy[..., 2:] >= xyxy[..., :2]).all()
    np.testing.assert_allclose(xyxy[..., :2], xywh[..., :2])
    np.testing.assert_allclose(xyxy[..., 2:] - xyxy[..., :2], xywh[..., 2:], atol=1e-9)


def test_box_formats_by_hand():
    assert xywh_to_xyxy([10, 20, 30, 40]).tolist() == [10, 20, 40, 60]


@few
@given(seeds, shapes, input_sizes)
def test_a_crop_holds_its_box_and_has_the_inputs_aspect(seed, shape, input_size):
    boxes = some_boxes(seed, shape)
    center, size = box_to_crop(boxes, input_size)
    assert center.shape == size.shape == (*shape, 2)
    np.testing.assert_allclose(size[..., 1] / size[..., 0], input_size[1] / input_size[0])
    np.testing.assert_allclose(center, boxes[..., :2] + boxes[..., 2:] / 2)
    # One side is exactly the padded box, the other is longer.
    spare = size[..., ::-1] / (1.25 * boxes[..., 2:])
    np.testing.assert_allclose(spare.min(axis=-1), 1.0)


@few
@given(seeds, shapes, input_sizes, st.floats(-180, 180), st.booleans())
def test_crop_matrices_are_undone_by_their_inverse(seed, shape, input_size, rotation, unbiased):
    center, size = box_to_crop(some_boxes(seed, shape), input_size)
    matrix = crop_matrix(center, size, input_size, rotation, unbiased)
    assert matrix.shape == (*shape, 2, 3)
    points = np.random.default_rng(seed).uniform(-100, 900, (*shape, 5, 2))
    there = apply_affine(points, matrix)
    np.testing.assert_allclose(apply_affine(there, invert_affine(matrix)), points, atol=1e-6)
    np.testing.assert_allclose(invert_affine(invert_affine(matrix)), matrix, atol=1e-6)


@few
@given(seeds, input_sizes, st.booleans())
def test_many_crops_are_as_each_alone(seed, input_size, unbiased):
    center, size = box_to_crop(some_boxes(seed, (4,)), input_size)
    rotations = np.random.default_rng(seed).uniform(-80, 80, 4)
    together = crop_matrix(center, size, input_size, rotations, unbiased)
    alone = [
        crop_matrix(*each, input_size, rotation, unbiased)
        for *each, rotation in zip(center, size, rotations, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-9)


def test_the_centre_goes_to_the_middle_and_lengths_scale():
    matrix = crop_matrix((100, 50), (512, 384), (256, 192))
    assert apply_affine([[100, 50], [100 - 192, 50 - 256]], matrix).tolist() == [[96, 128], [0, 0]]
    unbiased = crop_matrix((100, 50), (510, 382), (256, 192), unbiased=True)
    corners = apply_affine([[100, 50], [291, 305]], unbiased)
    np.testing.assert_allclose(corners, [[95.5, 127.5], [191, 255]], atol=1e-9)


@few
@given(seeds, input_sizes, st.floats(-180, 180))
def test_the_unbiased_crop_is_turned_and_then_scaled_to_its_outer_pixel_centres(
    seed, input_size, rotation
):
    """Each axis by itself: 191 of 192 is another share than 255 of 256."""
    center, size = box_to_crop(some_boxes(seed, ()), input_size)
    half = size[::-1] / 2
    angle = np.deg2rad(rotation)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = center + np.array([-half, half, half * (1, -1)]) @ turn  # of the crop, in the picture
    last = np.array(input_size[::-1]) - 1
    found = apply_affine(corners, crop_matrix(center, size, input_size, rotation, unbiased=True))
    np.testing.assert_allclose(found, [[0, 0], last, last * (1, 0)], atol=1e-9)


def test_a_positive_rotation_turns_counter_clockwise_on_screen():
    matrix = crop_matrix((50, 50), (100, 100), (100, 100), rotation_deg=90)
    np.testing.assert_allclose(apply_affine([[60, 50]], matrix), [[50, 40]], atol=1e-9)


@few
@given(seeds)
def test_mirroring_the_picture_mirrors_the_unbiased_crop(seed):
    """The reason for lengths between pixel centres: no half pixel is lost in a flip."""
    rng = np.random.default_rng(seed)
    width, size = 101, (64, 48)
    center, crop = box_to_crop(some_boxes(seed, ()) / 4, size)
    points = rng.uniform(0, 100, (1, 2))
    here = apply_affine(points, crop_matrix(center, crop, size, unbiased=True))
    mirrored = crop_matrix((width - 1 - center[0], center[1]), crop, size, unbiased=True)
    there = apply_affine(points * (-1, 1) + (width - 1, 0), mirrored)
    np.testing.assert_allclose(there * (-1, 1) + (size[1] - 1, 0), here, atol=1e-8)


@few
@given(seeds, st.integers(1, 40), st.integers(1, 40))
def test_warping_by_the_identity_copies(seed, height, width):
    picture = random_picture(seed, height, width)
    copy = warp_affine(picture, [[1, 0, 0], [0, 1, 0]], (height, width))
    np.testing.assert_array_equal(copy, picture)


@few
@given(seeds, st.integers(-60, 60), st.integers(-60, 60))
def test_warping_by_whole_pixels_shifts_and_is_black_outside(seed, right, down):
    picture = random_picture(seed, 30, 40)
    moved = warp_affine(picture, [[1, 0, right], [0, 1, down]], (50, 45))
    expected = np.zeros((50, 45, 3), dtype=np.uint8)
    for y in range(max(0, down), min(50, 30 + down)):
        for x in range(max(0, right), min(45, 40 + right)):
            expected[y, x] = picture[y - down, x - right]
    np.testing.assert_array_equal(moved, expected)


@few
@given(seeds, st.just(0.0) | st.floats(-180, 180), st.floats(0.3, 3))
def test_warping_is_bilinear_between_pixel_centres(seed, rotation, zoom):
    picture = random_picture(seed, 23, 31)
    matrix = crop_matrix((14, 12), (24 / zoom, 20 / zoom), (24, 20), rotation)
    crop = warp_affine(picture, matrix, (24, 20))
    grid = np.stack(np.meshgrid(np.arange(20), np.arange(24)), axis=-1).reshape(-1, 2)
    padded = np.pad(picture.astype(float), ((2, 2), (2, 2), (0, 0)))
    place = np.clip(apply_affine(grid, invert_affine(matrix)), [-2, -2], [31.999, 23.999]) + 2
    low = np.floor(place).astype(int)
    fx, fy = (place - low).T[..., None]
    (x, y), at = low.T, padded
    x2, y2 = np.minimum(x + 1, 34), np.minimum(y + 1, 26)
    top, bottom = at[y, x] * (1 - fx) + at[y, x2] * fx, at[y2, x] * (1 - fx) + at[y2, x2] * fx
    expected = (top * (1 - fy) + bottom * fy).reshape(24, 20, 3)
    assert np.abs(crop - expected).max() <= 1.01


@few
@given(
    seed=seeds,
    zoom=st.tuples(st.floats(0.02, 20), st.floats(0.02, 20)),
    place=st.tuples(st.floats(-80, 80), st.floats(-80, 80)),
    mirrored=st.booleans(),
)
def test_the_short_way_of_unturned_crops_gives_the_pixels_of_the_long_way(
    seed, zoom, place, mirrored
):
    """A turn of a billionth takes the long way; the picture's edge is in sight of most crops."""
    picture = random_picture(seed, 60, 80)
    matrix = np.array([[zoom[0], 0, place[0]], [0, zoom[1], place[1]]])
    if mirrored:
        matrix[0] = [-zoom[0], 0, 31 - place[0]]
    turned = matrix + np.array([[0, 1e-9, 0], [1e-9, 0, 0]])
    short = warp_affine(picture, matrix, (48, 32)).astype(int)
    assert np.abs(short - warp_affine(picture, turned, (48, 32))).max() <= 1


@pytest.mark.parametrize("rotation", [0, 20])
@pytest.mark.parametrize("center", [(-500, 10), (500, 10), (10, 900), (10, -900)])
def test_a_crop_beside_the_picture_is_black(center, rotation):
    picture = random_picture(0, 30, 40)
    crop = warp_affine(picture, crop_matrix(center, (64, 48), (64, 48), rotation), (64, 48))
    assert crop.shape == (64, 48, 3)
    assert not crop.any()


@few
@given(seeds, st.sampled_from([0.0, 33.0]), st.sampled_from([1, 2, 4, 5]))
def test_other_channels_are_cut_as_those_of_rgb(seed, rotation, channels):
    """Bytes are those of RGB, channel by channel; other numbers are the same, not rounded."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(2, 60, 2).tolist()
    picture = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    center, size = rng.uniform(-10, 60, 2), rng.uniform(10, 80, 2)
    matrix = crop_matrix(center, size, (32, 24), rotation)
    crop = warp_affine(picture, matrix, (32, 24))
    assert crop.shape == (32, 24, channels) and crop.dtype == np.uint8
    for channel in range(channels):
        rgb = warp_affine(picture[..., [channel] * 3], matrix, (32, 24))
        assert np.array_equal(crop[..., channel], rgb[..., 0])
    for dtype in (np.uint16, np.int16, np.float32, np.float64):
        exact = warp_affine(picture.astype(dtype) * 100, matrix, (32, 24))
        assert exact.dtype == np.float32
        assert np.abs(exact / 100 - crop).max() < 1.01
