"""Drawing on images: capsules with antialiased edges, boxes with labels, and writing the files.

Each pixel is covered by its exact distance to the shape, which antialiases without supersampling.
"""

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hrnet.errors import InputError
from hrnet.files import atomic_path
from hrnet.geometry import Image8

Color = tuple[int, int, int]

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

MIDDLE: Color = (250, 250, 250)
"""Colour of shapes that are neither left nor right."""

RIM: Color = (16, 16, 24)
_STRIP_ROWS = 64

JPEG_SIDE_PX = 65_500
"""Longest side that libjpeg can write."""

_JPEG_QUALITY = 92

_SMALL_LETTERS_PX = 10
"""Letters that can just be read."""

_GOLDEN = 0.618034
"""Steps of this part of the colour circle never come back to where they were."""


def class_color(index: int) -> Color:
    """Return the colour of a class: bright, and far from those of the classes around it."""
    red, green, blue = colorsys.hsv_to_rgb((0.08 + index * _GOLDEN) % 1, 0.72, 0.98)
    return round(255 * red), round(255 * green), round(255 * blue)


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


def draw_boxes(
    canvas: Image8,
    boxes_xyxy: NDArray[np.float32],
    labels: Sequence[str],
    colors: Sequence[Color] | None = None,
) -> Image8:
    """Return a copy of an image (H, W, 3) with boxes (N, 4) in pixels, each with its label.

    The most important box comes first: it is drawn last, and its label finds its place first.
    labels: one a box; nothing is written for an empty one. colors: one a box; None takes `MIDDLE`
    for all boxes, and dark labels.
    """
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    size = max(12, round(0.024 * max(picture.size)))
    boxes = [(max(x0, 0.0), max(y0, 0.0), x1, y1) for x0, y0, x1, y1 in boxes_xyxy.tolist()]
    # The outlines, the least important one first, with a dark rim that shows on any background.
    line = max(1, size // 12) if colors is None else max(2, size // 7)
    for row, (left, top, right, bottom) in reversed(list(enumerate(boxes))):
        corners = (left, top, max(left, right - 1), max(top, bottom - 1))
        if colors is not None:
            rim = (corners[0] - 1, corners[1] - 1, corners[2] + 1, corners[3] + 1)
            pen.rectangle(rim, outline=RIM)
        pen.rectangle(corners, outline=MIDDLE if colors is None else colors[row], width=line)
    # The labels, smaller at small boxes, none over another where there is room.
    taken: list[Rectangle] = []
    for row, (box, text) in enumerate(zip(boxes, labels, strict=True)):
        if not text:
            continue
        small = 0.3 * min(box[2] - box[0], box[3] - box[1])
        letters = round(min(max(small, _SMALL_LETTERS_PX), size))
        font = ImageFont.load_default(letters)
        place = _free_place(box, _caption_size(pen, font, text, letters), picture.size, taken)
        taken.append(place)
        _caption(pen, font, place[:2], text, letters, fill=RIM if colors is None else colors[row])
    return np.asarray(picture)


def _free_place(
    box: Rectangle, extent: tuple[float, float], within: tuple[int, int], taken: list[Rectangle]
) -> Rectangle:
    """Return the place of a box's label: above it, else at its top, or below it."""
    (left, top, _, bottom), (wide, high) = box, extent
    places: list[Rectangle] = []
    for y in (top - high, top, bottom):
        x = max(0.0, min(left, within[0] - wide))
        y = max(0.0, min(y, within[1] - high))
        places.append((x, y, x + wide, y + high))
    free = (one for one in places if not any(_overlap(one, other) for other in taken))
    return next(free, places[0])


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def draw_band(
    canvas: Image8, lines: Sequence[str], colors: Sequence[Color] | None = None
) -> Image8:
    """Return a copy of a picture (H, W, 3) with lines of text in its upper left corner.

    The letters shrink where a line is wider than the picture, down to 8 pixels. colors: of the
    ground of each line, as in a legend; None takes dark ones.
    """
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    size = max(11, round(0.03 * max(picture.size)))
    # A caption's width grows with the size of its letters, so one measurement suffices.
    widest = max(pen.textlength(line, font=ImageFont.load_default(size)) for line in lines)
    size = max(8, min(size, int(size * picture.width / (widest + size))))
    font = ImageFont.load_default(size)
    for row, line in enumerate(lines):
        fill = RIM if colors is None else colors[row]
        _caption(pen, font, (0, row * 1.2 * size), line, size, fill=fill)
    return np.asarray(picture)


def _caption_size(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    text: str,
    size: int,
) -> tuple[float, float]:
    """Return width and height of a caption in letters of `size` pixels."""
    return pen.textlength(text, font=font) + size * 0.5, size * 1.2


def _caption(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    corner: Sequence[float],
    text: str,
    size: int,
    *,
    fill: Color = RIM,
) -> None:
    """Write dark letters on a bright fill, bright ones on a dark fill."""
    left, top = corner
    wide, high = _caption_size(pen, font, text, size)
    pen.rectangle((left, top, left + wide, top + high), fill=fill)
    # The weights of red, green and blue in brightness, of ITU-R BT.601.
    is_bright = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2] > 115
    ink = RIM if is_bright else MIDDLE
    pen.text((left + size * 0.25, top + size * 0.05), text, fill=ink, font=font)
