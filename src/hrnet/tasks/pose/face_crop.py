"""The crop of a face as the published facial landmark models saw it.

Whole pixels of the picture are cut out, turned and resized, and where numbers are no bytes, the
darkest pixel becomes 0 and the brightest 255, as scipy.misc.imresize did (gone since SciPy 1.3). So
the published weights know faces of full contrast alone.

Source: `crop` of lib/utils/transforms.py in
https://github.com/HRNet/HRNet-Facial-Landmark-Detection (Sun et al. 2019).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.codecs.face import face_matrix, move_pixels
from hrnet.geometry import Floats, Image8, Size, invert_affine

_SHRINK = 2.0
"""A picture with a face so many times larger than the crop is made smaller first."""


def crop_face(
    image: Image8, center: Floats, side: float, output_size: Size, rotation_deg: float = 0.0
) -> Image8:
    """Cut the crop (h, w, 3) of a face out of a picture (H, W, 3), black outside.

    center: (2,) in pixels. side: of the crop in pixels of the picture.
    """
    pixels: NDArray[np.generic] = image.astype(np.float32)
    center = np.asarray(center, np.float64)
    factor = side / output_size[0]
    if factor >= _SHRINK:
        height, width = (int(length / factor) for length in image.shape[:2])
        if max(height, width) < 2:
            return np.zeros((*output_size, 3), np.uint8)
        pixels = _resized(pixels, (max(height, 1), max(width, 1)))
        center, side = center / factor, side / factor
    # The corners in whole pixels, and a margin that the rotation needs.
    back = invert_affine(face_matrix(center, side, output_size))
    corners = np.array([[0, 0], output_size], np.float64)
    (left, top), (right, bottom) = move_pixels(corners, back).tolist()
    margin = 0
    if rotation_deg:
        margin = int(np.hypot(right - left, bottom - top) / 2 - (bottom - top) / 2)
    part = _cut(pixels, left - margin, top - margin, right + margin, bottom + margin)
    if rotation_deg:
        turned = _as_bytes(part).rotate(rotation_deg, resample=Image.Resampling.BILINEAR)
        part = np.asarray(turned)[margin : -margin or None, margin : -margin or None]
    return _resized(part, output_size)


def _cut(
    pixels: NDArray[np.generic], left: int, top: int, right: int, bottom: int
) -> NDArray[np.float32]:
    """Return a part of an image as float32, 0 outside of it."""
    part = np.zeros((max(1, bottom - top), max(1, right - left), 3), np.float32)
    height, width = pixels.shape[:2]
    rows, columns = slice(max(0, top), min(bottom, height)), slice(max(0, left), min(right, width))
    if rows.start < rows.stop and columns.start < columns.stop:
        part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = (
            pixels[rows, columns]
        )
    return part


def _as_bytes(pixels: NDArray[np.generic]) -> Image.Image:
    """Return bytes as they are, and other numbers stretched to 0..255."""
    if pixels.dtype == np.uint8:
        return Image.fromarray(pixels)
    values = pixels.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    scale = 255.0 / ((high - low) or 1.0)
    stretched = ((values - low) * scale).clip(0, 255) + 0.5
    return Image.fromarray(stretched.astype(np.uint8))


def _resized(pixels: NDArray[np.generic], size: Size) -> Image8:
    height, width = size
    image = _as_bytes(pixels).resize((width, height), resample=Image.Resampling.BILINEAR)
    return np.asarray(image)
