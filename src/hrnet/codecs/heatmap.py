"""Encode keypoints as heatmaps and decode them, for all subjects of a batch at once.

Heatmaps are (N, K, h, w) float32, points (N, K, 2) as (x, y). Published codecs and our own:
classic: Gaussian at the nearest heatmap pixel; peak moved a quarter pixel (Sun et al. 2019).
dark: Gaussian at the exact point; one Newton step on the log-heatmap (Zhang et al. 2020).
udp: as dark, with lengths between pixel centres and unit-stride derivatives (Huang et al. 2020).
exact: as udp, decoded by the fit of a Gaussian, which is right at the border too; see `codecs.fit`.
face: as published for facial landmarks, whole pixels from 1; see `codecs.face`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.codecs.face import decode_faces, face_profiles
from hrnet.codecs.fit import refine_fit
from hrnet.geometry import Size

Maps = NDArray[np.float32]
CodecKind = Literal["classic", "dark", "udp", "exact", "face"]

MAX_STEP = 3.0
"""Longest step of decoding from the largest pixel, in heatmap pixels; not in any published code."""


@dataclass(frozen=True, slots=True)
class HeatmapCodec:
    """Encoding of the keypoints of a crop as heatmaps, and its decoding.

    input_size: (height, width) of the crop. heatmap_size: (height, width) of a heatmap.
    sigma: standard deviation of the Gaussian, in heatmap pixels.
    blur_kernel: odd width in pixels of the smoothing before the Newton step of dark and udp. 0
        derives it from sigma: 11 at sigma 2, 17 at sigma 3.
    """

    kind: CodecKind
    input_size: Size
    heatmap_size: Size
    sigma: float
    blur_kernel: int = 0

    def __post_init__(self) -> None:
        if not self.blur_kernel:
            width = max(round(6 * self.sigma - 1) // 2 * 2 + 1, 3)
            object.__setattr__(self, "blur_kernel", width)

    @property
    def unbiased(self) -> bool:
        """True if lengths are measured between pixel centres; see `geometry.crop_matrix`."""
        return self.kind in ("udp", "exact")

    @property
    def stride(self) -> NDArray[np.float64]:
        """Crop pixels per heatmap pixel, as (x, y)."""
        edge = 1 if self.unbiased else 0
        whole = np.array(self.input_size[::-1], dtype=np.float64) - edge
        stride: NDArray[np.float64] = whole / (np.array(self.heatmap_size[::-1]) - edge)
        return stride

    def encode(self, points: ArrayLike, weights: ArrayLike) -> tuple[Maps, Maps]:
        """Make training targets from points (N, K, 2) in crop pixels and weights (N, K).

        Returns heatmaps (N, K, h, w) and the weights, 0 where the Gaussian lies outside.
        """
        rows, columns, kept = self.encode_profiles(points, weights)
        return rows[..., :, None] * columns[..., None, :], kept

    def encode_profiles(self, points: ArrayLike, weights: ArrayLike) -> tuple[Maps, Maps, Maps]:
        """Make training targets as `encode`, without drawing them: each heatmap is a product.

        Returns rows (N, K, h), columns (N, K, w) and weights (N, K); a heatmap at (y, x) is
        row[y] * column[x]. These grow with the sides of a heatmap, not with its pixels.
        """
        exact = np.asarray(points, dtype=np.float64) / self.stride
        if self.kind == "face":
            return face_profiles(np.trunc(exact), weights, self.heatmap_size, self.sigma)
        nearest = np.trunc(exact + 0.5)  # rounds as the published code, also below 0
        centers = nearest if self.kind == "classic" else exact
        middles = None if self.kind in ("dark", "exact") else nearest
        return gaussian_profiles(centers, weights, self.heatmap_size, self.sigma, middles)

    def decode(self, heatmaps: Maps) -> tuple[Maps, Maps]:
        """Decode points (N, K, 2) in crop pixels and scores (N, K), the maxima of the heatmaps."""
        if self.kind == "face":
            found, scores = decode_faces(heatmaps)
            return ((found - 1) * self.stride).astype(np.float32), scores
        points, scores = argmax_2d(heatmaps)
        match self.kind:
            case "classic":
                points = refine_quarter(points, heatmaps)
            case "dark":
                points = refine_dark(points, heatmaps, self.blur_kernel)
            case "udp":
                points = refine_dark_udp(points, heatmaps, self.blur_kernel)
            case "exact":
                points = refine_fit(points, heatmaps, self.sigma, MAX_STEP)
        return (points * self.stride).astype(np.float32), scores


def gaussian_profiles(
    centers: ArrayLike,
    weights: ArrayLike,
    heatmap_size: Size,
    sigma: float,
    middles: ArrayLike | None = None,
) -> tuple[Maps, Maps, Maps]:
    """Describe Gaussians of height 1 at centers (N, K, 2), in heatmap pixels, by their profiles.

        heatmap(x, y) = exp(-((x - center_x)^2 + (y - center_y)^2) / (2 sigma^2))

    middles: (N, K, 2), cut each Gaussian to the square of ceil(3 sigma) pixels to each side of
    these; None does not cut. Heatmap and weight are 0 if that square (without middles, the one
    around the centre) lies outside the heatmap, or if the weight is 0. A weight below 0.5 is kept
    but draws nothing, as in the published code.
    Returns the profiles along y (N, K, h) and along x (N, K, w), whose products are the heatmaps,
    and weights (N, K).
    """
    # Drop keypoints whose square lies outside the heatmap.
    height, width = heatmap_size
    center = np.asarray(centers, dtype=np.float64)
    middle = center if middles is None else np.asarray(middles, dtype=np.float64)
    radius = math.ceil(3 * sigma)  # whole pixels keep the square symmetric
    outside = (middle - radius >= (width, height)) | (middle + radius + 1 < 0)
    kept = np.where(outside.any(axis=-1), np.float32(0), np.asarray(weights, dtype=np.float32))

    # A Gaussian is the product of its profiles along x and y.
    def profile(axis: int, length: int) -> Maps:
        pixels = np.arange(length)
        bell = np.exp(-((pixels - center[..., axis, None]) ** 2) / (2 * sigma**2))
        if middles is not None:
            bell *= np.abs(pixels - middle[..., axis, None]) <= radius
        return bell.astype(np.float32)  # (N, K, length)

    rows = profile(1, height) * (kept >= 0.5)[..., None]
    return rows, profile(0, width), kept


def argmax_2d(heatmaps: Maps) -> tuple[NDArray[np.float64], Maps]:
    """Find the largest pixel (N, K, 2) of each heatmap, and its value (N, K).

    The point is (0, 0) for a heatmap without a positive value, as in the official code.
    """
    *lead, height, width = heatmaps.shape
    flat = heatmaps.reshape(*lead, height * width)
    index = flat.argmax(axis=-1)
    scores = np.take_along_axis(flat, index[..., None], axis=-1)[..., 0]
    points = np.stack([index % width, index // width], axis=-1).astype(np.float64)
    return points * (scores > 0)[..., None], scores


def _pick(maps: Maps, points: NDArray[np.float64], dx: int, dy: int) -> NDArray[np.float64]:
    """Return the values (N, K) of maps (N, K, h, w) at points + (dx, dy), the border repeated."""
    height, width = maps.shape[-2:]
    x = np.clip(points[..., 0].astype(int) + dx, 0, width - 1)
    y = np.clip(points[..., 1].astype(int) + dy, 0, height - 1)
    n, k = np.indices(x.shape)
    values: NDArray[np.float64] = maps[n, k, y, x].astype(np.float64)
    return values


def _inside(
    points: NDArray[np.float64], heatmap_size: Size, before: int, after: int
) -> NDArray[np.bool_]:
    """Return (N, K), True where before <= x < w - after and before <= y < h - after."""
    limits = np.array(heatmap_size[::-1]) - after
    inside: NDArray[np.bool_] = np.all((points >= before) & (points < limits), axis=-1)
    return inside


def refine_quarter(points: NDArray[np.float64], heatmaps: Maps) -> NDArray[np.float64]:
    """Move whole-pixel points (N, K, 2) a quarter pixel towards the higher neighbour on each axis.

    Points at index 0, 1 or the last are not moved. This asymmetric border test is that of the
    official code, with which the published scores were made.
    """
    dx = _pick(heatmaps, points, 1, 0) - _pick(heatmaps, points, -1, 0)
    dy = _pick(heatmaps, points, 0, 1) - _pick(heatmaps, points, 0, -1)
    step = 0.25 * np.sign(np.stack([dx, dy], axis=-1))
    return points + step * _inside(points, heatmaps.shape[-2:], 2, 1)[..., None]


def smooth(heatmaps: Maps, kernel: int) -> Maps:
    """Blur (..., h, w) with a Gaussian of `kernel` pixels, zeros outside, and restore each maximum.

    The standard deviation is OpenCV's default for a kernel width: 0.15 * kernel + 0.35.
    """
    height, width = heatmaps.shape[-2:]
    rows = _blur_matrix(height, kernel) @ heatmaps
    blurred = (rows @ _blur_matrix(width, kernel)).astype(np.float32, copy=False)
    peak = heatmaps.max(axis=(-2, -1), keepdims=True)
    blurred *= peak / np.maximum(blurred.max(axis=(-2, -1), keepdims=True), 1e-12)
    return blurred


def _blur_matrix(length: int, kernel: int) -> Maps:
    """Return the blur along one axis as a matrix (length, length); faster than a convolution."""
    radius, sigma = kernel // 2, 0.15 * kernel + 0.35
    taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    index = np.arange(length)
    offset = index[:, None] - index  # (length, length)
    near = np.abs(offset) <= radius
    return np.where(near, taps[np.where(near, offset, 0) + radius], 0).astype(np.float32)


def _logs_around(
    points: NDArray[np.float64],
    heatmaps: Maps,
    kernel: int,
    reach: int,
    limits: tuple[float, float],
) -> NDArray[np.float64]:
    """Return the logarithm of the smoothed heatmaps in a square around each point (N, K, 2).

    Returns (N, K, s, s) with s = 2 * reach + 1 pixels, the border repeated. The smoothed values
    are clipped to `limits` before the logarithm.
    """
    # Rows and columns of the squares.
    height, width = heatmaps.shape[-2:]
    beside = np.arange(-reach, reach + 1)
    x = np.clip(points[..., 0, None].astype(int) + beside, 0, width - 1)  # (N, K, s)
    y = np.clip(points[..., 1, None].astype(int) + beside, 0, height - 1)
    # Blur only these pixels, and do not restore the maximum of their map: that multiplies all of
    # them by the same factor of 1 or more, a constant in the logarithm without effect on its
    # derivatives.
    rows = _blur_matrix(height, kernel)[y] @ heatmaps
    squares = rows @ _blur_matrix(width, kernel)[x].swapaxes(-1, -2)
    # Where a value may reach a limit, the factor matters: smooth the whole map there.
    low, high = limits
    met = ~(squares.min(axis=(-2, -1)) >= low) | ~(_pick(heatmaps, points, 0, 0) <= high)
    if met.any():
        whole = smooth(heatmaps[met], kernel)  # (M, h, w)
        number = np.arange(len(whole))[:, None, None]
        squares[met] = whole[number, y[met][:, :, None], x[met][:, None, :]]
    return np.log(np.clip(squares, low, high).astype(np.float64))


def _newton_step(
    gradient: NDArray[np.float64],
    xx: ArrayLike,
    xy: ArrayLike,
    yy: ArrayLike,
    inside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the Newton step d = -H^-1 g (N, K, 2), or 0 where it does not lead to a peak.

    gradient: g (N, K, 2). xx, xy, yy: H (N, K). inside: (N, K), False where H has repeated pixels
    of the border. The step is 0 where H is not negative definite (outside: is singular), or where
    the step is longer than `MAX_STEP`.
    """
    # H = [[a, b], [b, d]] is negative definite if a < 0 and det H > 0.
    a, b, d = (np.asarray(value, dtype=np.float64) for value in (xx, xy, yy))
    det = a * d - b * b
    solvable = np.where(inside, (a < 0) & (det > 0), det != 0)
    # H^-1 = [[d, -b], [-b, a]] / det H.
    gx, gy = gradient[..., 0], gradient[..., 1]
    step = np.stack([b * gy - d * gx, b * gx - a * gy], axis=-1)
    step /= np.where(solvable, det, 1.0)[..., None]
    # Drop steps that are too long.
    sound = solvable & (np.hypot(step[..., 0], step[..., 1]) <= MAX_STEP)
    return np.where(sound[..., None], step, 0.0)


def refine_dark(points: NDArray[np.float64], heatmaps: Maps, kernel: int) -> NDArray[np.float64]:
    """Move whole-pixel points (N, K, 2) to the peak of a Gaussian fitted to the log-heatmap.

    With L the logarithm of the smoothed heatmap, m the largest pixel, D' and D'' the first and
    second derivatives of L at m (Zhang et al. 2020, equations 5 to 8), L is a parabola

        L(m + d) = L(m) + D'^T d + d^T D'' d / 2,  so its peak is at  d = -(D'')^-1 D'

    The differences are those of the published code, second ones over two pixels. Points nearer
    than two pixels to the border are not moved, nor those without a peak near; see `_newton_step`.
    """
    # L in a square of two pixels to each side of m.
    logs = _logs_around(points, heatmaps, kernel, 2, (1e-10, np.inf))

    def at(dx: int, dy: int) -> NDArray[np.float64]:
        return logs[..., 2 + dy, 2 + dx]

    # D' by central differences, and D'' by those over two pixels.
    gradient = 0.5 * np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)
    xx = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0))
    yy = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2))
    xy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1))
    # The step d, where the differences do not reach over the border.
    inside = _inside(points, heatmaps.shape[-2:], 2, 2)
    return points + _newton_step(gradient, xx, xy, yy, inside) * inside[..., None]


def refine_dark_udp(
    points: NDArray[np.float64], heatmaps: Maps, kernel: int
) -> NDArray[np.float64]:
    """Move points as `refine_dark`, with the differences of UDP: over one pixel, at the border too.

    The step is d = -(D'')^-1 D'. As in the published code of Huang et al. 2020 the smoothed
    heatmap is clipped to 1e-3..50, and the float32 epsilon is added to the diagonal of D''.
    """
    # L at the largest pixel and its eight neighbours.
    logs = _logs_around(points, heatmaps, kernel, 1, (1e-3, 50))

    def at(dx: int, dy: int) -> NDArray[np.float64]:
        return logs[..., 1 + dy, 1 + dx]

    # D' by central differences.
    gradient = 0.5 * np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)
    # D'', its mixed entry by the differences of the published code.
    tiny = np.finfo(np.float32).eps
    xx = at(1, 0) - 2 * at(0, 0) + at(-1, 0) + tiny
    yy = at(0, 1) - 2 * at(0, 0) + at(0, -1) + tiny
    xy = 0.5 * (at(1, 1) - at(1, 0) - at(0, 1) + 2 * at(0, 0))
    xy += 0.5 * (at(-1, -1) - at(-1, 0) - at(0, -1))
    # The step d, added to the point.
    inside = _inside(points, heatmaps.shape[-2:], 1, 1)
    return points + _newton_step(gradient, xx, xy, yy, inside)


def flip_heatmaps(heatmaps: Maps, flip_order: Sequence[int], *, shift: bool) -> Maps:
    """Turn heatmaps (N, K, h, w) of mirrored crops back: mirror them, and swap left and right.

    flip_order: see `Skeleton.flip_order`. shift: move all but the first column right by one pixel,
    which aligns them if the codec is not unbiased (SHIFT_HEATMAP of the official code).
    """
    back = heatmaps[:, list(flip_order), :, ::-1].copy()
    if shift:
        back[..., 1:] = back[..., :-1].copy()
    return back
