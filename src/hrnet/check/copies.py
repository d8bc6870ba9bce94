"""Find pictures that hardly differ: re-encoded or resized copies, and frames of a still camera."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.geometry import Image8

SIDE = 16
"""Side of a thumbnail in cells; each is the mean of a part of the picture."""

LARGEST_DIFFERENCE = 3.0
"""Root mean square difference of two thumbnails, in grey levels, up to which pictures are alike."""

_CHUNK = 1024

Thumbnail = NDArray[np.uint8]
"""(256,) grey levels."""


def thumbnail(pixels: Image8) -> Thumbnail:
    """Return the grey means of 16x16 parts of a picture (H, W, 3)."""
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX)).ravel()


def near_copies(thumbnails: Sequence[Thumbnail]) -> list[tuple[int, int]]:
    """Return a pair (row, earlier row) for each thumbnail that hardly differs from an earlier one.

    Brightnesses of alike pictures differ by no more than their thumbnails, so each is compared with
    those of its brightness alone.
    """
    if len(thumbnails) < 2:
        return []
    # By brightness; squared distances by |a|^2 + |b|^2 - 2ab.
    every = np.stack(thumbnails).astype(np.float32)
    order = np.argsort(every.mean(axis=1), kind="stable")
    every = every[order]
    means, squares = every.mean(axis=1), np.square(every).sum(axis=1)
    earliest: dict[int, int] = {}
    for start in range(0, len(every), _CHUNK):
        end = min(start + _CHUNK, len(every))
        last = int(np.searchsorted(means, means[end - 1] + LARGEST_DIFFERENCE, side="right"))
        own, others = every[start:end], every[start:last]
        distances = squares[start:end, None] + squares[start:last] - 2 * own @ others.T
        near = distances <= SIDE * SIDE * LARGEST_DIFFERENCE**2
        # Of each pair the later row is a copy of the earlier one.
        for one, other in np.argwhere(np.triu(near, 1)).tolist():
            first, second = sorted((int(order[start + one]), int(order[start + other])))
            earliest[second] = min(first, earliest.get(second, first))
    return sorted(earliest.items())
