"""Detections drawn on their picture: a colour for each class, masks below boxes and captions."""

import colorsys
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hrnet.drawing import Color
from hrnet.geometry import Image8

_MASK_OPACITY = 0.45
_GOLDEN = 0.618034
"""Steps of this part of the colour circle never come back to where they were."""


def class_color(index: int) -> Color:
    """Return the colour of a class: bright, and far from those of the classes around it."""
    red, green, blue = colorsys.hsv_to_rgb((0.08 + index * _GOLDEN) % 1, 0.72, 0.98)
    return round(255 * red), round(255 * green), round(255 * blue)


def tint_masks(canvas: Image8, masks: Iterable[NDArray[np.bool_]], colors: Iterable[Color]) -> None:
    """Blend the colour of each mask (H, W) into the canvas (H, W, 3), in place."""
    for mask, color in zip(masks, colors, strict=True):
        part = canvas[mask].astype(np.float32)
        part += (np.array(color, np.float32) - part) * np.float32(_MASK_OPACITY)
        canvas[mask] = np.rint(part)
