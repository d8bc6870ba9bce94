"""Keypoints to heatmaps and back, for all subjects of a batch at once.

Heatmaps are (N, K, h, w) float32, points (N, K, 2) as (x, y). Three published pairs:
classic: Gaussian at the nearest heatmap pixel; peak moved a quarter pixel (Sun et al. 2019).
dark: Gaussian at the exact place; one Newton step on the log-heatmap (Zhang et al. 2020).
udp: as dark, with lengths between pixel centres and unit-stride derivatives (Huang et al. 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.geometry import Size

Maps = NDArray[np.float32]
CodecKind = Literal["classic", "dark", "udp"]


@dataclass(frozen=True, slots=True)
class HeatmapCodec:
    """One way to write keypoints of a crop as heatmaps and to read them back.

    input_size: (height, width) of the crop. heatmap_size: (height, width) of a heatmap.
    sigma: standard deviation of the Gaussian, in heatmap pixels.
    """

    kind: CodecKind
    input_size: Size
    heatmap_size: Size
    sigma: float

    @property
    def unbiased(self) -> bool:
        """Whether lengths are measured between pixel centres; see `geometry.crop_matrix`."""
        return self.kind == "udp"

    @property
    def stride(self) -> NDArray[np.float64]:
        """Crop pixels in a heatmap pixel, as (x, y)."""
        edge = 1 if self.unbiased else 0
        whole = np.array(self.input_size[::-1], dtype=np.float64) - edge
        stride: NDArray[np.float64] = whole / (np.array(self.heatmap_size[::-1]) - edge)
        return stride

    @property
    def blur_kernel(self) -> int:
        """Width of the smoothing before the Newton step: 11 at sigma 2, 17 at sigma 3."""
        return round(6 * self.sigma - 1) // 2 * 2 + 1

    def encode(self, points: ArrayLike, weights: ArrayLike) -> tuple[Maps, Maps]:
        """Make targets from points (N, K, 2) in crop pixels and weights (N, K).

        Returns heatmaps (N, K, h, w) and the weights, zero where the Gaussian lies outside.
        """
        centers = np.asarray(points, dtype=np.float64) / self.stride
        if self.kind == "classic":
            centers = np.trunc(centers + 0.5)
        return gaussian_targets(
            centers, weights, self.heatmap_size, self.sigma, cut=self.kind == "classic"
        )

    def decode(self, heatmaps: Maps) -> tuple[Maps, Maps]:
        """Read points (N, K, 2) in crop pixels and scores (N, K), the heatmaps' maxima."""
        points, scores = argmax_2d(heatmaps)
        match self.kind:
            case "classic":
                points = refine_quarter(points, heatmaps)
            case "dark":
                points = refine_dark(points, heatmaps, self.blur_kernel)
            case "udp":
                points = refine_dark_udp(points, heatmaps, self.blur_kernel)
        return (points * self.stride).astype(np.float32), scores


def gaussian_targets(
    centers: ArrayLike, weights: ArrayLike, heatmap_size: Size, sigma: float, *, cut: bool
) -> tuple[Maps, Maps]:
    """Draw Gaussians of height 1 at centers (N, K, 2), in heatmap pixels.

    cut: keep only the square of 3 sigma around the centre. Where that square lies outside the
    heatmap, or the weight is 0, heatmap and weight are 0.
    """
    height, width = heatmap_size
    x, y = np.moveaxis(np.asarray(centers, dtype=np.float64), -1, 0)  # each (N, K)
    radius = 3 * sigma
    seen = (x - radius < width) & (y - radius < height) & (x + radius + 1 >= 0)
    seen &= y + radius + 1 >= 0
    kept = np.where(seen, np.asarray(weights, dtype=np.float32), np.float32(0))

    def profile(center: NDArray[np.float64], length: int) -> Maps:
        offset = np.arange(length) - center[..., None]  # (N, K, length)
        bell = np.exp(-(offset**2) / (2 * sigma**2))
        return (np.where(np.abs(offset) <= radius, bell, 0) if cut else bell).astype(np.float32)

    rows = profile(y, height) * (kept > 0)[..., None]
    return rows[..., :, None] * profile(x, width)[..., None, :], kept


def argmax_2d(heatmaps: Maps) -> tuple[NDArray[np.float64], Maps]:
    """Find the largest pixel (N, K, 2) of each heatmap and its value (N, K).

    A heatmap without a positive value gives the point (0, 0), as in the official code.
    """
    *lead, height, width = heatmaps.shape
    flat = heatmaps.reshape(*lead, height * width)
    index = flat.argmax(axis=-1)
    scores = np.take_along_axis(flat, index[..., None], axis=-1)[..., 0]
    points = np.stack([index % width, index // width], axis=-1).astype(np.float64)
    return points * (scores > 0)[..., None], scores


def _pick(maps: Maps, points: NDArray[np.float64], dx: int, dy: int) -> NDArray[np.float64]:
    """Values (N, K) of maps (N, K, h, w) beside the points, the border repeated."""
    height, width = maps.shape[-2:]
    x = np.clip(points[..., 0].astype(int) + dx, 0, width - 1)
    y = np.clip(points[..., 1].astype(int) + dy, 0, height - 1)
    n, k = np.indices(x.shape)
    values: NDArray[np.float64] = maps[n, k, y, x].astype(np.float64)
    return values


def _inside(points: NDArray[np.float64], heatmap_size: Size, margin: int) -> NDArray[np.bool_]:
    """Whether 1 < x < w - margin and 1 < y < h - margin: (N, K)."""
    limits = np.array(heatmap_size[::-1]) - margin
    inside: NDArray[np.bool_] = np.all((points > 1) & (points < limits), axis=-1)
    return inside


def refine_quarter(points: NDArray[np.float64], heatmaps: Maps) -> NDArray[np.float64]:
    """Move whole-pixel points a quarter pixel towards the higher neighbour.

    Points at index 0, 1 or the last stay; that index 1 stays while the last but one moves is the
    official code's border test, kept because published scores were made with it.
    """
    dx = _pick(heatmaps, points, 1, 0) - _pick(heatmaps, points, -1, 0)
    dy = _pick(heatmaps, points, 0, 1) - _pick(heatmaps, points, 0, -1)
    step = 0.25 * np.sign(np.stack([dx, dy], axis=-1))
    return points + step * _inside(points, heatmaps.shape[-2:], 1)[..., None]


def smooth(heatmaps: Maps, kernel: int) -> Maps:
    """Blur with a Gaussian of `kernel` pixels, zeros outside, and restore each heatmap's maximum.

    The Gaussian's deviation follows OpenCV's rule for a kernel width: 0.15 * kernel + 0.35.
    """
    height, width = heatmaps.shape[-2:]
    rows = _blur_matrix(height, kernel) @ heatmaps
    blurred = (rows @ _blur_matrix(width, kernel)).astype(np.float32, copy=False)
    peak = heatmaps.max(axis=(2, 3), keepdims=True)
    blurred *= peak / np.maximum(blurred.max(axis=(2, 3), keepdims=True), 1e-12)
    return blurred


def _blur_matrix(length: int, kernel: int) -> Maps:
    """The blur along one axis as a symmetric matrix (length, length): faster than a sliding sum."""
    radius, sigma = kernel // 2, 0.15 * kernel + 0.35
    taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    index = np.arange(length)
    offset = index[:, None] - index  # (length, length)
    near = np.abs(offset) <= radius
    return np.where(near, taps[np.where(near, offset, 0) + radius], 0).astype(np.float32)


def _newton_step(
    gradient: NDArray[np.float64], xx: ArrayLike, xy: ArrayLike, yy: ArrayLike
) -> NDArray[np.float64]:
    """-H^-1 g for gradients (N, K, 2) and second derivatives (N, K); 0 where H is singular."""
    a, b, d = (np.asarray(value, dtype=np.float64) for value in (xx, xy, yy))
    det = a * d - b * b
    safe = np.where(det == 0, 1.0, det)
    gx, gy = gradient[..., 0], gradient[..., 1]
    step = np.stack([b * gy - d * gx, b * gx - a * gy], axis=-1)
    return np.where((det != 0)[..., None], step / safe[..., None], 0.0)


def refine_dark(points: NDArray[np.float64], heatmaps: Maps, kernel: int) -> NDArray[np.float64]:
    """Move whole-pixel points to the peak of a Gaussian fitted to the smoothed log-heatmap.

    Zhang et al. 2020, equations 5 to 8, with the stencils of the published code: second
    differences over two pixels. Points nearer than two pixels to the border stay.
    """
    logs = np.log(np.maximum(smooth(heatmaps, kernel), 1e-10))

    def at(dx: int, dy: int) -> NDArray[np.float64]:
        return _pick(logs, points, dx, dy)

    gradient = 0.5 * np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)
    xx = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0))
    yy = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2))
    xy = 0.25 * (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1))
    inside = _inside(points, heatmaps.shape[-2:], 2)
    return points + _newton_step(gradient, xx, xy, yy) * inside[..., None]


def refine_dark_udp(
    points: NDArray[np.float64], heatmaps: Maps, kernel: int
) -> NDArray[np.float64]:
    """As `refine_dark`, with the stencils of UDP: unit stride, at the border too.

    Huang et al. 2020 and its published code: the smoothed heatmap is held within 1e-3..50 and
    the smallest float is added to the diagonal of the second derivatives.
    """
    logs = np.log(np.clip(smooth(heatmaps, kernel), 1e-3, 50))

    def at(dx: int, dy: int) -> NDArray[np.float64]:
        return _pick(logs, points, dx, dy)

    gradient = 0.5 * np.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], axis=-1)
    tiny = np.finfo(np.float32).eps
    xx = at(1, 0) - 2 * at(0, 0) + at(-1, 0) + tiny
    yy = at(0, 1) - 2 * at(0, 0) + at(0, -1) + tiny
    xy = 0.5 * (at(1, 1) - at(1, 0) - at(0, 1) + 2 * at(0, 0))
    xy += 0.5 * (at(-1, -1) - at(-1, 0) - at(0, -1))
    return points + _newton_step(gradient, xx, xy, yy)


def flip_heatmaps(heatmaps: Maps, flip_order: Sequence[int], *, shift: bool) -> Maps:
    """Bring heatmaps of a mirrored crop back: mirror them and swap left with right.

    shift: move all but the first column right by one pixel, which aligns the two versions where
    the codec is not unbiased (SHIFT_HEATMAP of the official code).
    """
    back = heatmaps[:, list(flip_order), :, ::-1].copy()
    if shift:
        back[..., 1:] = back[..., :-1].copy()
    return back
