"""Drawing on images: capsules with antialiased edges, boxes with labels, and writing the files.

Each pixel is covered by its exact distance to the shape, which antialiases without supersampling.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hrnet.errors import InputError
from hrnet.files import atomic_path
from hrnet.geometry import Image8

Color = tuple[int, int, int]

MIDDLE: Color = (250, 250, 250)
"""Colour of shapes that are neither left nor right."""

RIM: Color = (16, 16, 24)
_STRIP_ROWS = 64

JPEG_SIDE_PX = 65_500
"""Longest side that libjpeg can write."""

_JPEG_QUALITY = 92


def save_drawing(pixels: Image8, path: Path) -> None:
    """Write an image (H, W, 3) atomically, as PNG if `path` ends in .png, else as JPEG.

    Raises InputError if it cannot be written; a JPEG has at most 65500 pixels a side.
    """
    jpeg = path.suffix.lower() != ".png"
    if jpeg and max(pixels.shape) > JPEG_SIDE_PX:
        raise InputError(
            f"{path} cannot be written: a JPEG has at most {JPEG_SIDE_PX} pixels a side, and this "
            f"image is {pixels.shape[1]}x{pixels.shape[0]}; name a .png file"
        )
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    with atomic_path(path) as temporary:
        if jpeg:
            picture.save(temporary, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
        else:
            picture.save(temporary, format="PNG")


def draw_capsule(
    canvas: Image8,
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    radius: float,
    color: Color,
    opacity: float,
) -> None:
    """Draw all points within `radius` pixels of a segment on the canvas (H, W, 3), in place."""
    # Sort the ends by y; skip a capsule that is invisible or outside.
    height, width = canvas.shape[:2]
    ink = np.array(color, dtype=np.float32)
    (x0, y0), (x1, y1) = sorted((start.tolist(), end.tolist()), key=lambda point: point[1])
    reach = radius + 2
    if opacity <= 0 or max(x0, x1) + reach < 0 or min(x0, x1) - reach > width:
        return
    first, last = np.clip((y0 - reach, y1 + reach), 0, height).astype(int).tolist()
    # Draw in strips, which need little memory on huge images and fit a slanted segment closely.
    for top in range(first, last, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, last)
        # The columns that the segment can reach in this strip.
        share = (np.array((top - reach, bottom + reach)) - y0) / max(y1 - y0, 1e-9)
        ends = x0 + share.clip(0, 1) * (x1 - x0)
        left, right = np.clip((ends.min() - reach, ends.max() + reach), 0, width).astype(int)
        # Blend: pixel + (colour - pixel) * cover, cover = clip(radius + 0.5 - distance, 0, 1).
        part = canvas[top:bottom, left:right]
        x = np.arange(left, right, dtype=np.float32)[None, :]
        y = np.arange(top, bottom, dtype=np.float32)[:, None]
        cover = np.clip(radius + 0.5 - _distance(x, y, start, end), 0, 1) * np.float32(opacity)
        part[...] = np.rint(part + (ink - part) * cover[..., None])


def _distance(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Compute the distance of each pixel of a grid (rows y, columns x) to a segment."""
    # Nearest point start + t (end - start), t = <pixel - start, end - start> / |end - start|^2.
    dx, dy = (end - start).tolist()
    length2 = dx * dx + dy * dy
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / (length2 if length2 > 1e-12 else 1.0)
    along = np.clip(along, 0, 1)
    result: NDArray[np.float32] = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
    return result


def draw_boxes(canvas: Image8, boxes_xyxy: NDArray[np.float32], labels: Sequence[str]) -> Image8:
    """Return a copy of an image (H, W, 3) with boxes (N, 4) in pixels, each with its label."""
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    size = max(11, round(0.022 * max(picture.size)))
    font = ImageFont.load_default(size)
    for box, text in zip(boxes_xyxy.tolist(), labels, strict=True):
        left, top = max(box[0], 0.0), max(box[1], 0.0)
        pen.rectangle((left, top, box[2] - 1, box[3] - 1), outline=MIDDLE, width=max(1, size // 12))
        above = max(top - 1.2 * size, 0.0)
        _caption(pen, font, (left, above), text, size)
    return np.asarray(picture)


def draw_band(canvas: Image8, lines: Sequence[str]) -> Image8:
    """Return a copy of a picture (H, W, 3) with lines of text in its upper left corner.

    The letters shrink where a line is wider than the picture, down to 8 pixels.
    """
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    size = max(11, round(0.03 * max(picture.size)))
    # A caption's width grows with the size of its letters, so one measurement suffices.
    widest = max(pen.textlength(line, font=ImageFont.load_default(size)) for line in lines)
    size = max(8, min(size, int(size * picture.width / (widest + size))))
    font = ImageFont.load_default(size)
    for row, line in enumerate(lines):
        _caption(pen, font, (0, row * 1.2 * size), line, size)
    return np.asarray(picture)


def _caption(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    corner: Sequence[float],
    text: str,
    size: int,
) -> None:
    left, top = corner
    wide = pen.textlength(text, font=font) + size * 0.5
    pen.rectangle((left, top, left + wide, top + size * 1.2), fill=RIM)
    pen.text((left + size * 0.25, top + size * 0.05), text, fill=MIDDLE, font=font)
