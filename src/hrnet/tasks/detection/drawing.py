"""Detections drawn on their picture: masks below boxes and captions."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hrnet.drawing import Color
from hrnet.geometry import Image8

_MASK_OPACITY = 0.45


def tint_masks(canvas: Image8, masks: Iterable[NDArray[np.bool_]], colors: Iterable[Color]) -> None:
    """Blend the colour of each mask (H, W) into the canvas (H, W, 3), in place."""
    for mask, color in zip(masks, colors, strict=True):
        part = canvas[mask].astype(np.float32)
        part += (np.array(color, np.float32) - part) * np.float32(_MASK_OPACITY)
        canvas[mask] = np.rint(part)
