"""Resizing as published code does it: pictures as OpenCV, maps of numbers as torch and OpenCV.

Pillow and most others average where a picture shrinks; networks were trained without that.
"""

from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from hrnet.geometry import Floats, Image8, Size

_Number = TypeVar("_Number", bound=np.generic)

_ONE = 2048
"""A weight of 1 in OpenCV's whole numbers."""

Line = tuple[
    NDArray[np.intp],
    NDArray[np.intp],
    NDArray[np.int32],
    NDArray[np.int32],
]
"""For each pixel of an axis the two pixels that it lies between, and their weights."""


Part = tuple[slice, slice]
"""Rows and columns of a resized picture, to compute them alone."""

WHOLE: Part = (slice(None), slice(None))


def resize_bilinear(image: Image8, size: Size, part: Part = WHOLE) -> Image8:
    """Resize a picture (H, W, 3) to (height, width), without averaging where it shrinks.

    Pixel centres are at i + 1/2. Equal to `cv2.resize` on 8 bits in every pixel (4.14 and 5.0).
    """
    left, right, left_weight, right_weight = _line(size[1], image.shape[1], part[1])
    upper, lower, upper_weight, lower_weight = _line(size[0], image.shape[0], part[0])
    # At the edges of a row the one pixel has all the weight; columns keep both weights there.
    left_weight[left == right], right_weight[left == right] = _ONE, 0
    # Rows first; they lose 4 of their 11 binary digits, columns the rest, rounded at the end.
    first = upper[0]
    source = image[first : lower[-1] + 1]
    before = source[:, left].astype(np.int32) * left_weight[:, None]
    rows = (before + source[:, right].astype(np.int32) * right_weight[:, None]) >> 4
    above = (rows[upper - first] * upper_weight[:, None, None]) >> 16
    below = (rows[lower - first] * lower_weight[:, None, None]) >> 16
    pixels: Image8 = ((above + below + 2) >> 2).clip(0, 255).astype(np.uint8)
    return pixels


def _line(count: int, source: int, part: slice) -> Line:
    """Place a part of `count` pixels among `source` pixels of an axis."""
    # (i + 1/2) * scale - 1/2, in the precision of OpenCV
    scale = 1 / (count / source)
    place = ((np.arange(count)[part] + 0.5) * scale - 0.5).astype(np.float32)
    first = np.floor(place)
    rest = place - first
    weights = (np.rint(one * np.float32(_ONE)).astype(np.int32) for one in (1 - rest, rest))
    index = first.astype(np.intp)
    return index.clip(0, source - 1), (index + 1).clip(0, source - 1), *weights


def resize_cubic(image: Image8, size: Size, part: Part = WHOLE) -> Image8:
    """Resize a picture (H, W, 3) to (height, width) as OpenCV's INTER_CUBIC.

    Equal to it within one grey level: it rounds its weights to 11 binary digits.
    """
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    resized = resize_maps(planes, size, "cubic", part[0])[:, :, part[1]]
    pixels: Image8 = np.rint(resized).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(pixels)


def resize_nearest(values: NDArray[_Number], size: Size, part: Part = WHOLE) -> NDArray[_Number]:
    """Resize (H, W) to (height, width) by taking the nearest value, as OpenCV's INTER_NEAREST."""
    rows, columns = (_nearest(*pair) for pair in zip(size, values.shape, strict=True))
    return values[rows[part[0], None], columns[part[1]]]


def _nearest(count: int, source: int) -> NDArray[np.intp]:
    # floor(i * scale), the upper left corner of each pixel
    places = np.floor(np.arange(count) * (1 / (count / source)))
    index: NDArray[np.intp] = np.minimum(places, source - 1).astype(np.intp)
    return index


Kind = Literal["bilinear", "aligned", "cubic"]
"""bilinear: pixel centres at i + 1/2. aligned: bilinear, the outermost pixels on each other
(torch's align_corners). cubic: OpenCV's INTER_CUBIC."""

_CUBIC = -0.75
"""The parameter of OpenCV's cubic interpolation."""


def resize_maps(
    maps: NDArray[np.float32], size: Size, kind: Kind, rows: slice = slice(None)
) -> NDArray[np.float32]:
    """Resize maps (C, H, W) to (C, height, width), without averaging where they shrink.

    rows: of the result, to compute a part of it alone. Equal to torch's `interpolate` and, for
    cubic, to `cv2.resize`, within float32.
    """
    if maps.shape[1:] == size:
        return maps[:, rows]
    # Rows first: their number is what a caller asks for.
    places, weights = _taps(size[0], maps.shape[1], kind)
    found = _weighted(maps, places[:, rows], weights[:, rows], axis=1)
    return _weighted(found, *_taps(size[1], maps.shape[2], kind), axis=2)


def _weighted(
    maps: NDArray[np.float32], places: NDArray[np.intp], weights: Floats, axis: int
) -> NDArray[np.float32]:
    """Return along an axis the weighted sums of the values at `places` (K, count)."""
    shape = (-1, 1) if axis == 1 else (-1,)
    total: NDArray[np.float32] | None = None
    for place, weight in zip(places, weights.astype(np.float32), strict=True):
        part = maps.take(place, axis=axis)
        part *= weight.reshape(shape)
        total = part if total is None else np.add(total, part, out=total)
    assert total is not None
    return total


def _taps(count: int, source: int, kind: Kind) -> tuple[NDArray[np.intp], Floats]:
    """Return for each of `count` pixels the places (K, count) that it mixes, and their weights."""
    index = np.arange(count)
    if kind == "aligned":
        at = index * ((source - 1) / max(count - 1, 1))
    else:
        at = (index + 0.5) * (source / count) - 0.5
    if kind != "cubic":
        at = at.clip(0, source - 1)
    first = np.floor(at)
    part = at - first
    if kind != "cubic":
        offsets, weights = np.array([0, 1]), np.stack([1 - part, part])
    else:
        # Keys 1981: two cubic pieces, within one pixel and between one and two.
        offsets = np.array([-1, 0, 1, 2])
        weights = _keys(np.abs(part - offsets[:, None]))
    places = (first.astype(np.intp) + offsets[:, None]).clip(0, source - 1)
    return places, weights


def _keys(distance: Floats) -> Floats:
    a = _CUBIC
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    weights: Floats = np.where(distance <= 1, near, far)
    return weights
