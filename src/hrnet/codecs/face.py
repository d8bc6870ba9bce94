"""Encode and decode facial landmarks as the published HRNetV2-W18 models do.

A point of a face goes to its heatmap by a scale and a shift, rounded towards zero, with pixels that
count from 1. So targets have their peak at whole pixels, and what comes back is whole pixels of the
picture: the quarter pixel of decoding survives through that rounding alone.

Source: lib/utils/transforms.py, lib/core/evaluation.py and lib/datasets of
https://github.com/HRNet/HRNet-Facial-Landmark-Detection (Sun et al. 2019).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.geometry import Floats, Size, apply_affine

Maps = NDArray[np.float32]


def face_matrix(
    center: ArrayLike, side: float, output_size: Size, rotation_deg: float = 0.0
) -> Floats:
    """Return the matrix (2, 3) from a picture to the square crop of a face around `center`.

    side: of the crop in pixels of the picture; the official `scale` times 200. A positive rotation
    turns the content counter-clockwise. It is for points that count from 0, before the rounding.
    """
    height, width = output_size
    x, y = np.asarray(center, np.float64).tolist()
    straight = np.array(
        [
            [width / side, 0, width * (-x / side + 0.5)],
            [0, height / side, height * (-y / side + 0.5)],
            [0, 0, 1],
        ]
    )
    if not rotation_deg:
        return straight[:2]
    angle = np.deg2rad(-rotation_deg)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    back = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    turned: Floats = (back @ turn @ middle @ straight)[:2]
    return turned


def move_pixels(points: ArrayLike, matrix: ArrayLike) -> NDArray[np.int64]:
    """Map points (..., K, 2) that count from 1 by matrices (..., 2, 3) to whole pixels from 1."""
    moved = apply_affine(np.asarray(points, np.float64) - 1, matrix)
    pixels: NDArray[np.int64] = np.trunc(moved).astype(np.int64) + 1
    return pixels


def face_peaks(heatmaps: Maps) -> tuple[NDArray[np.float64], Maps]:
    """Return the largest pixel (N, K, 2) of each heatmap, from 1, and its value (N, K).

    The point is (0, 0) for a heatmap without a positive value.
    """
    count, points, _, width = heatmaps.shape
    flat = heatmaps.reshape(count, points, -1)
    index = flat.argmax(axis=2)
    scores = flat.max(axis=2)
    peaks = np.stack([index % width + 1, index // width + 1], axis=-1).astype(np.float64)
    return peaks * (scores > 0)[..., None], scores


def decode_faces(heatmaps: Maps) -> tuple[NDArray[np.float64], Maps]:
    """Decode points (N, K, 2) in heatmap pixels from 1, and scores (N, K).

    A quarter pixel towards the higher neighbour, but at the first and the last pixels, and half a
    pixel further right and down.
    """
    peaks, scores = face_peaks(heatmaps)
    height, width = heatmaps.shape[-2:]
    within = (peaks > 1) & (peaks < (width, height))
    inside: NDArray[np.bool_] = np.all(within, axis=-1)
    # The neighbours of peaks that have them all; others look at pixel (1, 1) in vain.
    x, y = np.where(inside[..., None], peaks - 1, 1).astype(int).transpose(2, 0, 1)
    n, k = np.ogrid[: len(heatmaps), : heatmaps.shape[1]]
    right = heatmaps[n, k, y, x + 1] - heatmaps[n, k, y, x - 1]
    below = heatmaps[n, k, y + 1, x] - heatmaps[n, k, y - 1, x]
    step = np.sign(np.stack([right, below], axis=-1)) * 0.25 * inside[..., None]
    return peaks + step + 0.5, scores


def face_profiles(
    pixels: ArrayLike, weights: ArrayLike, heatmap_size: Size, sigma: float
) -> tuple[Maps, Maps, Maps]:
    """Describe targets by their rows (N, K, h), columns (N, K, w), and weights (N, K).

    pixels: (N, K, 2) whole heatmap pixels from 0. Each target is a Gaussian of 3 sigma to each
    side, cut where its side is no whole number. weights: 0 draws nothing, and the loss has no
    weights, so those that come back are all 1.
    """
    spots = np.asarray(pixels, np.int64)
    reach = 3 * sigma
    length = int(np.ceil(2 * reach + 1))
    bell = np.exp(-((np.arange(length) - (2 * reach + 1) // 2) ** 2) / (2 * sigma**2))
    # The first and last pixel of each target; a target with nothing in the map draws nothing.
    first = np.trunc(spots - reach).astype(int)
    last = np.trunc(spots + reach + 1).astype(int)
    height, width = heatmap_size
    drawn = np.asarray(weights, np.float32) > 0
    drawn &= ((first < (width, height)) & (last >= 0)).all(axis=-1)

    def profile(axis: int, size: int) -> Maps:
        place = np.arange(size) - first[..., axis, None]  # within the bell
        used = (place >= 0) & (np.arange(size) < last[..., axis, None]) & (place < length)
        values: Maps = np.where(used, bell[place.clip(0, length - 1)], 0).astype(np.float32)
        return values

    rows = profile(1, height) * drawn[..., None]
    return rows, profile(0, width), np.ones(drawn.shape, np.float32)
