"""Masks are brought to the picture as the published detectors do it."""

import numpy as np
import pytest

from hrnet.tasks.detection.masks import paste_masks

BOX = np.array([[4, 2, 12, 10]], np.float32)


def disc() -> np.ndarray:
    """Probabilities (1, 28, 28) of a disc that touches the edges."""
    places = np.arange(28) - 13.5
    apart = np.hypot(places[:, None], places)
    return np.clip((14 - apart) / 4 + 0.5, 0, 1).astype(np.float32)[None]


@pytest.mark.parametrize("legacy", [False, True])
def test_a_full_mask_fills_its_box(legacy):
    full = np.ones((1, 28, 28), np.float32)
    (mask,) = paste_masks(full, BOX, (16, 16), legacy=legacy)
    expected = np.zeros((16, 16), bool)
    expected[2:10, 4:12] = True
    assert np.array_equal(mask, expected)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_disc_keeps_its_place_and_shape(legacy):
    (mask,) = paste_masks(disc(), BOX, (16, 16), legacy=legacy)
    part = mask[2:10, 4:12]
    assert mask.sum() == part.sum()
    assert np.array_equal(part, part.T)
    assert np.array_equal(part, part[::-1])
    assert not part[0, 0]
    assert part[0, 4]
    assert abs(part.mean() - np.pi / 4) < 0.08


@pytest.mark.parametrize("legacy", [False, True])
def test_what_lies_beyond_the_picture_is_cut_off(legacy):
    full = np.ones((3, 28, 28), np.float32)
    boxes = np.array([[-4, -4, 4, 4], [12, 12, 20, 24], [3, 3, 3, 3]], np.float32)
    masks = paste_masks(full, boxes, (16, 16), legacy=legacy)
    assert masks[0].sum() == 16
    assert masks[0][:4, :4].all()
    assert masks[1].sum() == 16
    assert masks[1][12:, 12:].all()
    assert masks[2].sum() <= 1


def test_half_a_mask_is_half_a_box():
    left = np.zeros((1, 28, 28), np.float32)
    left[..., :14] = 1
    (mask,) = paste_masks(left, BOX, (16, 16), legacy=False)
    assert mask[:, 4:8].sum() == mask.sum() == 32
