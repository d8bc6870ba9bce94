"""Find the peak of a heatmap by a fit of a Gaussian to the pixels around the largest one.

The logarithm of a Gaussian is a parabola of one width for both axes, so the fit is linear:

    log h(x, y) = a + b x + c y + d (x^2 + y^2),   peak at (-b, -c) / (2 d)

Errors of the heatmap weigh h^2 in its logarithm, so pixels are weighted by h^2. Nothing is smoothed
and pixels beyond the border are left out, so the peak of a pure Gaussian is found exactly, at the
border too. Ours; the smoothing of DARK and UDP moves peaks that are nearer to the border than its
kernel is wide.
"""

import math

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.float32]

_FAINTEST = 0.05
"""Pixels below this part of the largest one say little of the peak, and are left out."""


def refine_fit(
    points: NDArray[np.float64], heatmaps: Maps, sigma: float, max_step: float
) -> NDArray[np.float64]:
    """Move whole-pixel points (N, K, 2), the largest pixels, to the peak of the fit.

    heatmaps: (N, K, h, w). sigma: in heatmap pixels; pixels up to ceil(sigma) to each side are
    fitted. Points without a peak within max_step stay.
    """
    # Values around each point, and which of them are within the heatmap and not too faint.
    reach = max(1, math.ceil(sigma))
    values, inside = window(points, heatmaps, reach)
    peak = values[..., reach, reach, None, None]
    used = inside & (values >= _FAINTEST * np.maximum(peak, 1e-12))
    logs = np.log(np.where(used, values, 1.0))
    weights = np.where(used, (values / np.maximum(peak, 1e-12)) ** 2, 0.0)
    # The normal equations of the four coefficients.
    offsets = np.arange(-reach, reach + 1, dtype=np.float64)
    y, x = np.meshgrid(offsets, offsets, indexing="ij")
    basis = np.stack([np.ones_like(x), x, y, x**2 + y**2]).reshape(4, -1)
    flat = weights.reshape(*weights.shape[:2], -1)
    left = np.einsum("nkp,ip,jp->nkij", flat, basis, basis)
    right = np.einsum("nkp,ip->nki", flat * logs.reshape(flat.shape), basis)
    # A tiny multiple of the identity keeps maps without enough pixels solvable; they do not move.
    found = np.linalg.solve(left + 1e-12 * np.eye(4), right[..., None])[..., 0]
    bend = np.where(found[..., 3] < 0, found[..., 3], -np.inf)
    step = -found[..., 1:3] / (2 * bend[..., None])
    sound = (used.sum(axis=(-2, -1)) >= 5) & (np.hypot(step[..., 0], step[..., 1]) <= max_step)
    return points + np.where(sound[..., None], step, 0.0)


def window(
    points: NDArray[np.float64], heatmaps: Maps, reach: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values (N, K, s, s) around whole-pixel points, s = 2 reach + 1, and which exist.

    Beyond the border the nearest pixel stands.
    """
    height, width = heatmaps.shape[-2:]
    beside = np.arange(-reach, reach + 1)
    x = points[..., 0, None].astype(int) + beside  # (N, K, s)
    y = points[..., 1, None].astype(int) + beside
    inside = ((y >= 0) & (y < height))[..., :, None] & ((x >= 0) & (x < width))[..., None, :]
    n = np.arange(points.shape[0])[:, None, None, None]
    k = np.arange(points.shape[1])[:, None, None]
    rows, columns = y.clip(0, height - 1)[..., :, None], x.clip(0, width - 1)[..., None, :]
    return heatmaps[n, k, rows, columns].astype(np.float64), inside
