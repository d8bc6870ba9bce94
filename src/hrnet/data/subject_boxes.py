"""The boxes of annotated subjects: as given, made of their keypoints, clamped to the picture."""

import numpy as np

from hrnet.data.coco_file import CocoAnnotation, Floats
from hrnet.geometry import Size

DEFAULT_MARGIN = 0.1
"""Growth of a box that follows from the keypoints, on each side, as part of its longer side."""

LEAST_GROWTH = 0.02
"""A box of points that lie on one line or are one point still has an area: as part of the picture's
longer side, it grows by this at least."""


def box_of(one: CocoAnnotation, size: Size | None) -> Floats | None:
    """Return the box (4,) xywh of an annotation: as given, else by its keypoints, else None.

    size: (height, width) of the picture, without which no box can be made.
    """
    if one.box is not None and min(one.box[2:]) > 1:  # it ends at the centre of its last pixel
        return one.box
    return None if one.triples is None or size is None else extent_box(one.triples, size)


def extent_box(triples: Floats, size: Size, margin: float = DEFAULT_MARGIN) -> Floats:
    """Return the extent (4,) xywh of labelled keypoints, grown on each side within the picture.

    triples: (K, 3). size: (height, width). It grows by `margin` times its longer side, and by
    `LEAST_GROWTH` of the picture's at least; zeros where nothing is labelled.
    """
    points = triples[triples[:, 2] > 0, :2]
    if not len(points):
        return np.zeros(4)
    # Grow the extent on all sides, then clip it to the picture.
    low, high = points.min(axis=0), points.max(axis=0)
    growth = max(margin * float((high - low).max()), LEAST_GROWTH * max(size))
    limit = np.array([size[1], size[0]], dtype=np.float64)
    low, high = np.clip(low - growth, 0, limit), np.clip(high + growth, 0, limit)
    return np.concatenate([low, high - low])


def clamp_box(xywh: Floats, size: Size) -> Floats | None:
    """Clamp as the official code does: a box ends at a pixel's centre, one less than its width.

    Returns None where nothing of the box is within the picture.
    """
    x, y, width, height = xywh.tolist()  # plain numbers: ten times as fast, of each annotation
    left, top = max(x, 0.0), max(y, 0.0)
    right = min(size[1] - 1, left + max(0.0, width - 1))
    bottom = min(size[0] - 1, top + max(0.0, height - 1))
    if right <= left or bottom <= top:
        return None
    return np.array([left, top, right - left, bottom - top])
