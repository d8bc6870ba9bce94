"""The covariance of a heatmap: 0 for a target, and the doubt that widens one."""

import numpy as np
import pytest

from hrnet.codecs.heatmap import HeatmapCodec
from hrnet.codecs.spread import map_covariances

CODEC = HeatmapCodec("exact", (256, 256), (64, 64), 2)


def maps_of(*points: tuple[float, float]) -> np.ndarray:
    """The mean of the targets (1, 1, 64, 64) of points in heatmap pixels."""
    places = np.array(points)[:, None] * CODEC.stride
    return CODEC.encode(places, np.ones((len(points), 1)))[0].mean(axis=0, keepdims=True)


@pytest.mark.parametrize(
    ("point", "most"), [((30, 30), 0.1), ((30.4, 31.3), 0.1), ((0.5, 40), 0.1), ((63, 63), 0.4)]
)
def test_a_target_has_none(point, most):
    """Of 4, the target's own variance; a corner shows a quarter of it."""
    found = map_covariances(maps_of(point), np.array([[point]], float), 2)
    assert np.abs(found).max() < most


def test_doubt_along_an_axis_is_its_variance():
    """Two places 3 pixels apart: a variance of 1.5^2 along x, none along y."""
    found = map_covariances(maps_of((28.5, 30), (31.5, 30)), np.array([[(30.0, 30.0)]]), 2)
    assert found[0, 0, 0, 0] == pytest.approx(1.5**2, rel=0.2)
    assert np.abs(found[0, 0, 1]).max() < 0.1


def test_doubt_along_a_diagonal():
    found = map_covariances(maps_of((29, 29), (31, 31)), np.array([[(30.0, 30.0)]]), 2)[0, 0]
    np.testing.assert_allclose(found, np.full((2, 2), 1.0), atol=0.25)


def test_covariances_have_no_negative_axis():
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(size=(3, 5, 16, 12)).astype(np.float32)
    found = map_covariances(heatmaps, rng.uniform(-2, 18, (3, 5, 2)), 1.5)
    assert np.isfinite(found).all()
    assert np.linalg.eigvalsh(found).min() > -1e-9
