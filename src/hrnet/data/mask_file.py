"""Masks as files: read as class indices, or refused where that would need a guess.

Published readers turn colours into grey and 16 bits into 8 without a word, so that a mask comes out
as something else than was drawn.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from hrnet.data.findings import first_of
from hrnet.errors import InputError
from hrnet.images import MAX_PIXELS, opened

IGNORED = -1
"""Of a pixel that belongs to no class and does not count."""

MOST_CLASSES = 10_000
"""Of masks, so that a class index fits into 16 bits."""

Labels = NDArray[np.int16]
"""(H, W), class indices, or IGNORED."""

_UNKNOWN = -2
_INDEX_MODES = ("L", "P", "1")
"""Pillow's modes of one 8-bit number a pixel: grey, an index into a palette, or 0 and 1."""

_CHANGED = re.compile(r"'(L;[24I]|1;I)")
"""Pillow's raw modes of grey that comes out as other numbers than stored: with 2 or 4 bits it is
stretched to 0..255, with white as 0 it is inverted."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskCodes:
    """The classes that the values of masks stand for.

    classes: value of a pixel -> class index, or IGNORED; other values are refused. rgb: values are
    colours, red * 65536 + green * 256 + blue, in place of the whole numbers 0..255.
    """

    classes: Mapping[int, int]
    rgb: bool = False


def read_values(path: Path, *, rgb: bool) -> NDArray[np.int32]:
    """Read the values (H, W) of a mask, as `MaskCodes` counts them, upright as its picture.

    Raises InputError for colours where numbers are due and the other way round, for more than 8
    bits, for grey of fewer whose numbers readers change, and for JPEG, which changes values.
    """
    with opened(path) as image:
        if image.format in ("JPEG", "MPO", "WEBP"):
            raise InputError(
                f"{path}: expected a mask without loss, got {image.format}, which changes values; "
                "save masks as PNG"
            )
        if image.width * image.height > MAX_PIXELS:
            raise InputError(f"{path}: expected a mask of at most {MAX_PIXELS:,} pixels")
        if rgb:
            if image.mode not in ("RGB", "RGBA", "P"):
                raise InputError(
                    f"{path}: expected a mask of colours, got one of mode {image.mode}; the "
                    "classes of these data are listed by their colours"
                )
            red, green, blue = np.asarray(
                ImageOps.exif_transpose(image).convert("RGB"), np.int32
            ).transpose(2, 0, 1)
            colors: NDArray[np.int32] = (red << 16) + (green << 8) + blue
            return colors
        if image.mode not in _INDEX_MODES:
            raise InputError(f"{path}: {_not_indices(image)}")
        if _CHANGED.search(str(getattr(image, "tile", [])[:1])):
            raise InputError(
                f"{path}: expected a mask of 8 bits, got grey of 2 or 4 bits or with white as 0, "
                "whose numbers change as they are read; save it with 8"
            )
        return np.asarray(ImageOps.exif_transpose(image)).astype(np.int32)


def _not_indices(image: Image.Image) -> str:
    """Describe what a mask has in place of one number of 8 bits a pixel."""
    if image.mode.startswith(("I", "F")):
        return (
            "expected a mask of 8 bits (class numbers 0 to 255), got more bits; save it with 8, "
            "its values renumbered"
        )
    return (
        f"expected a mask with one class number a pixel, got colours ({image.mode}); save indices, "
        "or list the colour of each class in classes.json"
    )


def read_labels(path: Path, codes: MaskCodes) -> Labels:
    """Read a mask as class indices (H, W); InputError for values that stand for no class."""
    values = read_values(path, rgb=codes.rgb)
    # Replace each value by its class: by a table of 256, or colour by colour.
    if codes.rgb:
        found, places = np.unique(values, return_inverse=True)
        table = np.array([codes.classes.get(int(one), _UNKNOWN) for one in found], np.int16)
        labels: Labels = table[places].reshape(values.shape)
    else:
        table = np.array([codes.classes.get(one, _UNKNOWN) for one in range(256)], np.int16)
        labels = table[values]
    unknown = labels == _UNKNOWN
    if unknown.any():
        wrong = [_shown(int(one), codes.rgb) for one in np.unique(values[unknown])]
        raise InputError(
            f"{path}: {int(unknown.sum())} pixels have values of no class ({first_of(wrong)}); "
            "list them in classes.json, as a class or as ignored"
        )
    return labels


def _shown(value: int, rgb: bool) -> str:
    return f"#{value:06x}" if rgb else str(value)
