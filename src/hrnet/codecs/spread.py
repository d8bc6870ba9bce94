"""The spread of a heatmap around its peak, as a covariance: where else the keypoint may be."""

import math

import numpy as np
from numpy.typing import NDArray

from hrnet.codecs.fit import window

Maps = NDArray[np.float32]

_FAINTEST = 0.05
"""Pixels below this part of the largest one are left out: over a large window noise adds up."""

_REACH = 4
"""Side of half a window, in sigma; a Gaussian of the target's width ends within it."""

_TRUNCATED = 1 + _FAINTEST * math.log(_FAINTEST) / (1 - _FAINTEST)
"""Variance of a Gaussian without its pixels below `_FAINTEST`, as part of the whole: 0.84."""


def map_covariances(
    heatmaps: Maps, points: NDArray[np.floating], sigma: float
) -> NDArray[np.float64]:
    """Return how much wider than its target each heatmap is, (N, K, 2, 2), in heatmap pixels^2.

    heatmaps: (N, K, h, w). points: (N, K, 2), the decoded peaks in heatmap pixels. A network that
    is in doubt draws a map of several Gaussians, or a wide one; the mean of x x^T over the map
    around the peak, less that of the target of `sigma`, is the covariance of the doubt. It is 0,
    not negative, for maps that are no wider.
    """
    height, width = heatmaps.shape[-2:]
    limits = np.array([width - 1, height - 1])
    near = np.clip(np.rint(np.asarray(points, np.float64)), 0, limits)
    reach = math.ceil(_REACH * sigma)
    values, inside = window(near, heatmaps, reach)
    used = inside & (values >= _FAINTEST * values.max(axis=(-2, -1), keepdims=True))
    weights = np.where(used, values.clip(0), 0.0)
    weights /= np.maximum(weights.sum(axis=(-2, -1), keepdims=True), 1e-12)
    # Offsets from the peak, which lies between pixels.
    beside = np.arange(-reach, reach + 1) + (near - points)[..., None]  # (N, K, 2, s)
    x, y = beside[..., 0, :], beside[..., 1, :]
    moments = np.empty((*near.shape[:2], 2, 2))
    moments[..., 0, 0] = (weights.sum(axis=-2) * x**2).sum(axis=-1)
    moments[..., 1, 1] = (weights.sum(axis=-1) * y**2).sum(axis=-1)
    cross = (y[..., None, :] @ weights @ x[..., None])[..., 0, 0]
    moments[..., 0, 1] = moments[..., 1, 0] = cross
    # What is wider than the target, along both axes of the ellipse.
    lengths, axes = np.linalg.eigh(moments)
    wider = np.maximum(lengths - _TRUNCATED * sigma**2, 0)
    covariances: NDArray[np.float64] = (axes * wider[..., None, :]) @ axes.swapaxes(-1, -2)
    return covariances
