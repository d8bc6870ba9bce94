"""The fit of a Gaussian to a heatmap: exact for pure ones, also at the border."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hrnet.codecs.fit import refine_fit, window
from hrnet.codecs.heatmap import MAX_STEP, HeatmapCodec

SIZE = (128, 96)


def codec_of(kind: str, stride: int, sigma: float) -> HeatmapCodec:
    return HeatmapCodec(kind, SIZE, (SIZE[0] // stride, SIZE[1] // stride), sigma)


@pytest.mark.parametrize("stride", [4, 2, 1])
@pytest.mark.parametrize("sigma", [0.7, 1, 1.5, 2, 3, 6])
def test_points_anywhere_come_back_exactly(stride, sigma):
    rng = np.random.default_rng(0)
    points = rng.uniform(0, (SIZE[1] - 1, SIZE[0] - 1), (8, 50, 2))
    codec = codec_of("exact", stride, sigma)
    heatmaps, kept = codec.encode(points, np.ones((8, 50)))
    assert kept.all()
    decoded, scores = codec.decode(heatmaps)
    assert np.hypot(*(decoded - points).reshape(-1, 2).T).max() < 1e-3  # pixels of the crop
    assert scores.max() <= 1


@pytest.mark.parametrize("kind", ["dark", "udp"])
def test_the_published_ones_are_not_exact_at_the_border(kind):
    """The reason for a codec of our own."""
    points = np.array([[[2.0, 60.0]]])
    for name, exact in ((kind, False), ("exact", True)):
        codec = codec_of(name, 4, 2)
        decoded, _ = codec.decode(codec.encode(points, np.ones((1, 1)))[0])
        assert (np.hypot(*(decoded - points)[0, 0]) < 0.02) == exact


def test_any_width_has_its_peak_found():
    codec, narrow = codec_of("exact", 4, 2), codec_of("exact", 4, 3)
    points = np.random.default_rng(1).uniform(20, 70, (4, 20, 2))
    decoded, _ = codec.decode(narrow.encode(points, np.ones((4, 20)))[0] * 0.3)
    assert np.abs(decoded - points).max() < 1e-3


def test_noise_moves_the_peak_little():
    codec = codec_of("exact", 4, 2)
    rng = np.random.default_rng(2)
    points = rng.uniform(20, 70, (16, 50, 2))
    heatmaps, _ = codec.encode(points, np.ones((16, 50)))
    noisy = (heatmaps + rng.normal(0, 0.02, heatmaps.shape)).astype(np.float32)
    decoded, _ = codec.decode(noisy)
    errors = np.hypot(*(decoded - points).reshape(-1, 2).T) / 4  # heatmap pixels
    assert np.median(errors) < 0.05
    assert errors.max() < 0.5


@given(
    arrays.arrays(
        np.float32,
        (1, 2, 5, 4),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)
def test_any_heatmap_gives_a_point_near_its_largest_pixel(heatmaps):
    codec = HeatmapCodec("exact", (20, 16), (5, 4), 1)
    decoded, _ = codec.decode(heatmaps)
    assert np.isfinite(decoded).all()
    flat = heatmaps.reshape(1, 2, -1)
    largest = np.stack([flat.argmax(-1) % 4, flat.argmax(-1) // 4], -1)
    largest = largest * (flat.max(-1) > 0)[..., None]
    steps = np.hypot(*np.moveaxis(decoded / codec.stride - largest, -1, 0))
    assert (steps <= MAX_STEP + 1e-3).all()


def test_a_flat_map_stays():
    points = np.array([[[1.0, 1.0]]])
    assert refine_fit(points, np.ones((1, 1, 4, 4), np.float32), 2, MAX_STEP).tolist() == [
        [[1.0, 1.0]]
    ]


def test_a_window_repeats_the_border_and_marks_it():
    heatmaps = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    values, inside = window(np.array([[[0.0, 2.0]]]), heatmaps, 1)
    assert values[0, 0].tolist() == [[4, 4, 5], [8, 8, 9], [8, 8, 9]]
    assert inside[0, 0].tolist() == [[False, True, True]] * 2 + [[False] * 3]
