"""Boxes, crops and affine maps between image and crop: the coordinate convention of the package.

A point is (x, y) in pixels, and the centre of the top-left pixel is (0, 0), so an image of width w
spans -0.5 .. w - 0.5. Boxes are as in the data sets: their edges, in the same coordinates. Sizes
are (height, width). A crop has a `center` (x, y) and a `size` (height, width), both in image
pixels, padding included.

Source: the three-point affine of the official HRNet pose code (Sun et al. 2019), in closed form.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Floats = NDArray[np.floating]
Size = tuple[int, int]

Image8 = NDArray[np.uint8]
"""An RGB picture, (H, W, 3) uint8."""

Picture = NDArray[Any]
"""A picture as a model reads it, (H, W, C), uint8 or float32 of about 0..255, or an `Image8`."""


def xywh_to_xyxy(boxes: ArrayLike) -> Floats:
    """Convert boxes (..., 4) from left, top, width, height to left, top, right, bottom."""
    xywh = np.asarray(boxes, dtype=np.float64)
    return np.concatenate([xywh[..., :2], xywh[..., :2] + xywh[..., 2:]], axis=-1)


def xyxy_to_xywh(boxes: ArrayLike) -> Floats:
    """Convert boxes (..., 4) from left, top, right, bottom to left, top, width, height."""
    xyxy = np.asarray(boxes, dtype=np.float64)
    return np.concatenate([xyxy[..., :2], xyxy[..., 2:] - xyxy[..., :2]], axis=-1)


def whole_image_box(image_size: Size) -> NDArray[np.float64]:
    """Return the box (4,), as left, top, width, height, of a picture of (height, width)."""
    height, width = image_size
    return np.array([0, 0, width, height], np.float64)


def box_to_crop(xywh: ArrayLike, input_size: Size, padding: float = 1.25) -> tuple[Floats, Floats]:
    """Grow boxes to the aspect ratio of the network input, and pad them.

    xywh: (..., 4) boxes in pixels. padding: factor for both sides, 1.25 in all published recipes.
    Returns center (..., 2) as (x, y) and size (..., 2) as (height, width), in image pixels.
    The side that is too short grows, so the crop holds the whole box.
    """
    box = np.asarray(xywh, dtype=np.float64)
    aspect = input_size[1] / input_size[0]
    center = box[..., :2] + box[..., 2:] / 2
    height = np.maximum(box[..., 3], box[..., 2] / aspect) * padding
    return center, np.stack([height, height * aspect], axis=-1)


def crop_matrix(
    center: ArrayLike,
    size: ArrayLike,
    output_size: Size,
    rotation_deg: ArrayLike = 0.0,
    unbiased: bool = False,
) -> Floats:
    """Return affine matrices (..., 2, 3) that map image points to crop points.

    center (..., 2), size (..., 2) and rotation_deg (...) may hold many crops. A positive rotation
    turns the content of the crop counter-clockwise on screen. With rotation R, output size (h, w)
    and crop size (height, width) the map is

        crop point = S R (image point - center) + middle
        official:  S = w / width for both axes                     middle = (w, h) / 2
        unbiased:  S = diag((w - 1) / width, (h - 1) / height)     middle = (w - 1, h - 1) / 2

    The official scale follows the width alone; crops of `box_to_crop` have the aspect ratio of the
    output anyway. The unbiased one (UDP, Huang et al. 2020, section 3) measures lengths between
    pixel centres, so mirroring a crop shifts nothing.
    """
    mid = np.asarray(center, dtype=np.float64)
    extent = np.asarray(size, dtype=np.float64)[..., ::-1]  # width, height
    angle = np.deg2rad(np.asarray(rotation_deg, dtype=np.float64))
    # The scale S of each axis, or of both.
    span = np.array(output_size[::-1], dtype=np.float64) - (1 if unbiased else 0)
    scale = span / extent if unbiased else span[:1] / extent[..., :1]  # (..., 2) or (..., 1)
    # The product S R.
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2)  # (..., 2, 2)
    turn = scale[..., None] * turn
    # The offset: middle - S R center.
    shift = span[:, None] / 2 - turn @ mid[..., None]  # (..., 2, 1)
    return np.concatenate([turn, shift], axis=-1)


def invert_affine(matrix: ArrayLike) -> Floats:
    """Return the inverse matrices (..., 2, 3): of q = A p + b that is p = A^-1 q - A^-1 b."""
    forward = np.asarray(matrix, dtype=np.float64)
    turn = np.linalg.inv(forward[..., :2])
    return np.concatenate([turn, -turn @ forward[..., 2:]], axis=-1)


def apply_affine(points: ArrayLike, matrix: ArrayLike) -> Floats:
    """Map points (..., K, 2) by matrices (..., 2, 3)."""
    xy = np.asarray(points, dtype=np.float64)
    affine = np.asarray(matrix, dtype=np.float64)
    return xy @ np.swapaxes(affine[..., :2], -1, -2) + affine[..., None, :, 2]


def warp_affine(image: Picture, matrix: ArrayLike, output_size: Size) -> Picture:
    """Cut a crop out of an image, with bilinear interpolation and 0 outside the image.

    image: (H, W, C), of any channels and any numbers that float32 holds. matrix: (2, 3) from image
    to crop. Returns (*output_size, C), uint8 of uint8, which is within one grey level of OpenCV's
    warpAffine, which the official code calls; float32 of other numbers, not rounded.
    """
    turn = invert_affine(matrix)
    straight = turn[0, 1] == 0 and turn[1, 0] == 0
    return (_warp_straight if straight else _warp_turned)(image, turn, output_size)


def _warp_straight(image: Picture, turn: Floats, output_size: Size) -> Picture:
    """Cut a crop without rotation. Interpolating one axis after the other is faster.

    turn: (2, 3) from crop to image.
    """
    # The two image pixels beside each crop pixel, and their weights, on each axis.
    (height, width), channels = output_size, image.shape[2]
    columns, across = _neighbours(turn[0, 0], turn[0, 2], width, image.shape[1])
    rows, down = _neighbours(turn[1, 1], turn[1, 2], height, image.shape[0])
    # Interpolate between rows, within the strip of image columns that the crop needs.
    left = columns.min()
    strip = image[:, left : columns.max() + 1]
    is_bytes = image.dtype == np.uint8
    strip = strip if is_bytes else strip.astype(np.float32)
    lines = strip[rows[0]] * down[0][:, None, None]  # (height, columns of the strip, C) float32
    lines += strip[rows[1]] * down[1][:, None, None]
    # Interpolate between columns; the 0.5 makes the cast to uint8 round to nearest.
    crop = np.full((height, channels * width), 0.5 if is_bytes else 0, dtype=np.float32)
    for neighbour, weight in zip(columns - left, across, strict=True):
        part = lines.take(neighbour, axis=1).reshape(height, -1)
        part *= weight.repeat(channels)
        crop += part
    return crop.astype(np.uint8 if is_bytes else np.float32).reshape(height, width, channels)


def _neighbours(
    scale: float, shift: float, count: int, length: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Find the pixels before and after `count` positions on an axis of `length` pixels.

    Position i is at scale * i + shift. Returns these pixels (2, count), clipped to the axis, and
    their weights (2, count) of linear interpolation, 0 for pixels outside the axis.
    """
    places = scale * np.arange(count) + shift
    before = np.floor(places)
    pixels = np.stack([before, before + 1])
    weights = np.stack([pixels[1] - places, places - before])
    weights *= (pixels >= 0) & (pixels < length)
    return pixels.clip(0, length - 1).astype(np.intp), weights.astype(np.float32)


def _warp_turned(image: Picture, turn: Floats, output_size: Size) -> Picture:
    """Cut a crop with any affine map by Pillow. turn: (2, 3) from crop to image."""
    # The part of the image that the crop covers, with a margin for interpolation.
    (height, width), channels = output_size, image.shape[2]
    corners = apply_affine([[0, 0], [width, 0], [0, height], [width, height]], turn)
    limits = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, limits)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, low, limits)
    if (high <= low).any():
        dtype = np.uint8 if image.dtype == np.uint8 else np.float32
        return np.zeros((height, width, channels), dtype)
    # A black border of one pixel makes the image's edge fade out as in OpenCV.
    region = np.pad(image[low[1] : high[1], low[0] : high[0]], ((1, 1), (1, 1), (0, 0)))
    turn = turn.copy()
    turn[:, 2] += 1 - low
    # Pillow puts pixel centres at +0.5, this package at whole numbers.
    turn[:, 2] += 0.5 - turn[:, :2].sum(axis=1) / 2
    if region.dtype == np.uint8 and channels == 3:
        return _transformed(region, turn, output_size)
    # Pillow takes other pictures one channel after the other, as bytes or as float32.
    region = region if region.dtype == np.uint8 else region.astype(np.float32)
    planes = [
        _transformed(np.ascontiguousarray(plane), turn, output_size)
        for plane in np.moveaxis(region, 2, 0)
    ]
    return np.stack(planes, axis=2)


def _transformed(region: Picture, turn: Floats, output_size: Size) -> Picture:
    """Map a region (H, W, 3) uint8, or one channel (H, W), by Pillow; turn counts from edges."""
    crop = Image.fromarray(region).transform(
        output_size[::-1],
        Image.Transform.AFFINE,
        tuple(turn.ravel().tolist()),
        resample=Image.Resampling.BILINEAR,
    )
    return np.asarray(crop)
