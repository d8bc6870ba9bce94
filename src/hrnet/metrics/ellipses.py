"""Ellipses around keypoints: fitted to errors on held-out pictures, and how many points they hold.

An error e of a point with covariance S lies within the ellipse of a share p where

    m^2 = e^T S^-1 e <= -2 log(1 - p)

as a Gaussian in the plane has it: 1.39 for half of the points, 4.61 for 90%.
"""

import math

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError

Floats = NDArray[np.floating]

LEAST_POINTS = 20
"""Points that a fit needs."""

_LEAST = 1e-6
"""Of a variance, in square pixels."""

_LARGEST_SQUARE = 20.0
"""A point counts in the choice as no farther than this, in m^2: gross errors decide nothing."""

_RATIOS = np.geomspace(1e-3, 1e3, 61)


def limit_of(share: float) -> float:
    """Return the m^2 below which a share of the points lies."""
    return -2 * math.log(1 - share)


def ellipses_of(covariances: Floats, share: float) -> NDArray[np.float32]:
    """Return the ellipses (..., 3) of covariances (..., 2, 2) that hold a share of the points.

    Each is half of the longer and of the shorter axis, and the angle of the longer one in degrees,
    clockwise from the x axis as a picture is seen. Raises InputError for a share beyond 0..1.
    """
    if not 0 < share < 1:
        raise InputError(f"expected a share between 0 and 1, got {share:g}")
    lengths, axes = np.linalg.eigh(np.asarray(covariances, np.float64))
    half = np.sqrt(lengths.clip(0) * limit_of(share))
    angle = np.rad2deg(np.arctan2(axes[..., 1, 1], axes[..., 0, 1]))
    found = np.stack([half[..., 1], half[..., 0], angle % 180], axis=-1).astype(np.float32)
    found[..., 2] %= 180  # 180 itself comes of rounding
    return found


def distances(errors: Floats, covariances: Floats) -> Floats:
    """Return m^2 (M,) of errors (M, 2) by covariances (M, 2, 2)."""
    solved = np.linalg.solve(covariances, errors[..., None])[..., 0]
    squares: Floats = (errors * solved).sum(axis=-1)
    return squares


def fit_ellipses(errors: Floats, covariances: Floats, units: Floats) -> tuple[float, float] | None:
    """Fit scale and floor of S = scale * covariance + floor * unit to errors.

    errors: (M, 2) in pixels. covariances: (M, 2, 2), of the heatmaps. units: (M,), square pixels of
    a square pixel of the heatmap. Of all ratios of the two the likeliest by a Gaussian is taken,
    and then half of the points lie within the ellipse of one half. None for fewer than
    `LEAST_POINTS`.
    """
    if len(errors) < LEAST_POINTS:
        return None
    round_part = np.maximum(units, _LEAST)[:, None, None] * np.eye(2)
    best: tuple[float, float, float] | None = None
    for ratio in _RATIOS:
        shape = covariances + ratio * round_part
        squares = distances(errors, shape)
        scale = max(float(np.median(squares)) / limit_of(0.5), _LEAST)
        spread = np.log(np.linalg.det(shape)) + 2 * math.log(scale)
        cost = float(np.mean(spread + np.minimum(squares / scale, _LARGEST_SQUARE)))
        if best is None or cost < best[0]:
            best = cost, scale, scale * float(ratio)
    assert best is not None
    return best[1:]


def shares_within(errors: Floats, covariances: Floats, shares: tuple[float, ...]) -> list[float]:
    """Return which part of errors (M, 2) lies within the ellipse of each share; -1 for none."""
    if not len(errors):
        return [-1.0] * len(shares)
    squares = distances(errors, covariances)
    return [float(np.mean(squares <= limit_of(share))) for share in shares]
