"""The masks of boxes, drawn at the size that a mask head learns from."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hrnet.data.box_dataset import Segmentation
from hrnet.data.run_lengths import pixels_of
from hrnet.geometry import Floats, Size
from hrnet.tasks.detection.targets import MASK_SIDE


def draw_mask(
    segmentation: Segmentation | None, image_size: Size, scale: Floats, shift: Floats, box: Floats
) -> NDArray[np.uint8]:
    """Return the mask (56, 56) of a box over the extent of the box, 1 inside.

    segmentation: COCO's polygons or run lengths, in pixels of the picture of `image_size`; None is
    drawn as all 0. scale, shift: (x, y), from the picture to the input, both by the edges of their
    pixels; a negative scale mirrors. box: (4,) xyxy in pixels of the input.
    """
    if segmentation is None:
        return np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    # From the picture to cells of the mask: one factor and one shift an axis.
    cells = MASK_SIDE / np.maximum(box[2:] - box[:2], 1e-6)
    scale, shift = scale * cells, (shift - box[:2]) * cells
    if isinstance(segmentation, dict):
        return _sample(pixels_of(segmentation, image_size).view(np.uint8), scale, shift)
    return _fill(segmentation, scale, shift)


def _fill(polygons: Sequence[Sequence[float]], scale: Floats, shift: Floats) -> NDArray[np.uint8]:
    """Fill polygons x1, y1, x2, y2, ... in cells, as pycocotools does."""
    from pycocotools import mask as coco_mask

    moved = [
        (np.asarray(polygon, np.float64).reshape(-1, 2) * scale + shift).ravel().tolist()
        for polygon in polygons
        if len(polygon) >= 6  # three points
    ]
    if not moved:
        return np.zeros((MASK_SIDE, MASK_SIDE), np.uint8)
    runs = coco_mask.merge(coco_mask.frPyObjects(moved, MASK_SIDE, MASK_SIDE))
    return cast(NDArray[np.uint8], coco_mask.decode(runs))


def _sample(mask: NDArray[np.uint8], scale: Floats, shift: Floats) -> NDArray[np.uint8]:
    """Return the nearest pixel of a mask (H, W) at the middle of each cell, 0 beyond its edges."""
    middles = np.arange(MASK_SIDE) + 0.5
    columns, rows = (
        np.floor((middles - shift[axis]) / scale[axis]).astype(np.int64) for axis in (0, 1)
    )
    bordered = np.pad(mask, 1)
    height, width = mask.shape
    # Index 0 and the last one of the bordered mask are beyond its edges.
    rows, columns = (rows + 1).clip(0, height + 1), (columns + 1).clip(0, width + 1)
    return np.ascontiguousarray(bordered[np.ix_(rows, columns)])
