"""The labels of a batch as the losses take them, padded to arrays of one shape.

Targets are by name: `boxes` (N, M, 4) xyxy float32 in pixels of the input, `labels` (N, M) int64,
classes from 0 or one of the two below, `sizes` (N, 2) float32, height and width of the picture's
part of each input, and perhaps `masks` (N, M, 56, 56) uint8, each over the extent of its box, 1
inside and all 0 where the mask is unknown. M is the largest number of boxes in a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrnet.geometry import Floats, Size

PADDING, IGNORED = -1, -2
"""Labels of rows without a box, and of regions that are neither objects nor background."""

MASK_SIDE = 56
"""Height and width of a mask, twice those of a predicted one."""

Targets = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The labels of one input.

    boxes: (M, 4) xyxy in pixels of the input. labels: (M,) classes, or IGNORED. size: (height,
    width) of the picture's part. masks: (M, 56, 56) of 0 and 1, or None.
    """

    boxes: Floats
    labels: NDArray[np.int64]
    size: Size
    masks: NDArray[np.uint8] | None = None


def pad_labels(found: Sequence[Labels]) -> Targets:
    """Put the labels of a batch into arrays of one shape; with masks if all have them."""
    count, most = len(found), max(len(one.labels) for one in found)
    boxes = np.zeros((count, most, 4), np.float32)
    labels = np.full((count, most), PADDING, np.int64)
    for index, one in enumerate(found):
        boxes[index, : len(one.labels)] = one.boxes
        labels[index, : len(one.labels)] = one.labels
    sizes = np.array([one.size for one in found], np.float32)
    targets: Targets = {"boxes": boxes, "labels": labels, "sizes": sizes}
    drawn = [one.masks for one in found if one.masks is not None]
    if len(drawn) == count:
        masks = np.zeros((count, most, MASK_SIDE, MASK_SIDE), np.uint8)
        for index, own in enumerate(drawn):
            masks[index, : len(own)] = own
        targets["masks"] = masks
    return targets
