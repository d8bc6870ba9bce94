"""The way of a picture into a detector: resized with its ratio kept, filled up to multiples of 32.

Source: mmdetection's Resize (keep_ratio), Pad (size_divisor 32); the fork of mmdetection 0.6 in
HRNet-Object-Detection, which has one scale factor in place of one an axis.
"""

import numpy as np
from PIL import Image

from hrnet.geometry import Floats, Image8, Size
from hrnet.resize import resize_bilinear
from hrnet.tasks.detection.spec import DetectionSpec

STRIDE = 32
"""Sides of an input are multiples of it."""


def fit_scale(image_size: Size, spec: DetectionSpec) -> float:
    """Return the factor by which a picture of that (height, width) is resized."""
    if spec.fit is None:
        return min(spec.input_size[0] / image_size[0], spec.input_size[1] / image_size[1])
    short, long = spec.fit
    return min(long / max(image_size), short / min(image_size))


def fitted_size(image_size: Size, spec: DetectionSpec) -> tuple[Size, Size]:
    """Return the (height, width) that a picture is resized to, and that of the input around it."""
    # Keep the ratio: one factor, and sides rounded to the nearest pixel.
    height, width = image_size
    scale = fit_scale(image_size, spec)
    content = (max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5)))
    if spec.fit is None:
        return content, spec.input_size
    return content, (_round_up(content[0]), _round_up(content[1]))


def _round_up(side: int) -> int:
    return -(-side // STRIDE) * STRIDE


def fit_picture(image: Image8, spec: DetectionSpec) -> tuple[Image8, Floats, Size]:
    """Resize a picture and fill it up.

    Returns the input (H, W, 3), the matrix (2, 3) from picture to input and the (height, width) of
    the picture in it. Without `antialias` it is bilinear interpolation alone, as the published
    detectors were trained, else Pillow's, which averages where it shrinks.
    """
    # content = (x + 1/2) * scale - 1/2, one scale an axis; legacy detectors have one for both.
    image_size = (image.shape[0], image.shape[1])
    content, (height, width) = fitted_size(image_size, spec)
    scale = np.array(content[::-1]) / np.array(image_size[::-1])  # (x, y)
    if spec.conventions == "legacy":
        scale = np.full(2, fit_scale(image_size, spec))
    matrix = np.array([[scale[0], 0, scale[0] / 2 - 0.5], [0, scale[1], scale[1] / 2 - 0.5]])
    pixels = np.zeros((height, width, 3), np.uint8)
    if spec.antialias:
        resized = Image.fromarray(image).resize(content[::-1], Image.Resampling.BILINEAR)
        pixels[: content[0], : content[1]] = np.asarray(resized)
    else:
        pixels[: content[0], : content[1]] = resize_bilinear(image, content)
    return pixels, matrix, content
