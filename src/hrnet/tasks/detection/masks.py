"""Masks of boxes, brought to the picture.

Source: the pasting of mmdetection 3.3, and, for legacy detectors, that of HRNet-Object-Detection.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.geometry import Size

_HALF = 0.5
"""Probability from which a pixel belongs to the object."""


def paste_masks(
    maps: NDArray[np.float32], boxes: NDArray[np.float32], image_size: Size, *, legacy: bool
) -> NDArray[np.bool_]:
    """Return the masks (N, H, W) of boxes in a picture of that (height, width).

    maps: (N, h, w), probabilities over each box. boxes: (N, 4), left, top, right, bottom in pixels.
    legacy: boxes are cut to whole pixels first, and the outermost cells of a map do not fade out.
    """
    masks = np.zeros((len(maps), *image_size), np.bool_)
    for mask, probabilities, box in zip(masks, maps, boxes.astype(np.float64), strict=True):
        rows, top = _weights(box[1], box[3], image_size[0], probabilities.shape[0], legacy)
        columns, left = _weights(box[0], box[2], image_size[1], probabilities.shape[1], legacy)
        inside = rows @ probabilities @ columns.T
        part = mask[top : top + len(rows), left : left + len(columns)]
        part[:] = inside > _HALF if legacy else inside >= _HALF
    return masks


def _weights(
    first: float, last: float, length: int, cells: int, legacy: bool
) -> tuple[NDArray[np.float64], int]:
    """Return for one axis the weights (pixels, cells) of a map's cells, and the first pixel."""
    if legacy:
        # Whole pixels; the last one is within the box, and the outermost cells go on.
        start, stop = int(first), int(last - 1) + 1
        start, stop = max(start, 0), min(max(stop, int(first) + 1), length)
        size = max(int(last - 1) - int(first) + 1, 1)
        places: NDArray[np.floating] = (
            np.arange(start, stop) - int(first) + 0.5
        ) * cells / size - 0.5
        places = places.clip(0, cells - 1)
    else:
        # Around the box, since the outermost cells fade out half a cell beyond its edges.
        start, stop = max(math.floor(first) - 1, 0), min(math.ceil(last) + 1, length)
        extent = max(last - first, 1e-6)
        places = (np.arange(start, stop) + 0.5 - first) * cells / extent - 0.5
    return _linear(places, cells), start


def _linear(places: ArrayLike, cells: int) -> NDArray[np.float64]:
    """Return weights of linear interpolation (P, cells); beyond the cells there is 0."""
    distance = np.abs(np.asarray(places)[:, None] - np.arange(cells))
    return (1 - distance).clip(min=0)
