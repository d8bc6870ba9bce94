"""Draw poses on a picture: left and right in two hues, lines by the person's size, doubt faded.

Every bone is a capsule, every keypoint a disc; their coverage of each pixel follows from the exact
distance to the shape, which antialiases without drawing at a larger size.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hrnet.errors import InputError
from hrnet.files import atomic_path
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource, read_image
from hrnet.skeleton import Skeleton

Color = tuple[int, int, int]

LEFT: Color = (255, 128, 14)
RIGHT: Color = (24, 144, 255)
MIDDLE: Color = (250, 250, 250)
"""Orange for the subject's left, blue for its right, also apart for colour-blind eyes."""

_RIM: Color = (16, 16, 24)
_RIM_OPACITY = 0.55
_HIDDEN_SCORE, _SURE_SCORE = 0.1, 0.5
"""Points at the first score or below are not drawn, at the second or above with full colour."""

_STRIP_ROWS = 64

JPEG_SIDE_PX = 65_500
"""The longest side that libjpeg writes."""

_JPEG_QUALITY = 92


class Drawable(Protocol):
    """The values drawn of N subjects; see `hrnet.tasks.pose.result.Poses`, which is one."""

    @property
    def keypoints(self) -> NDArray[np.float32]:
        """(N, K, 2), x and y in pixels."""

    @property
    def keypoint_scores(self) -> NDArray[np.float32]:
        """(N, K), 0..1."""

    @property
    def boxes(self) -> NDArray[np.float32]:
        """(N, 4), left, top, right, bottom in pixels."""

    @property
    def skeleton(self) -> Skeleton:
        """Bones and mirror pairs of the K keypoints."""

    @property
    def image_size(self) -> Size:
        """(height, width) of the picture that they are of."""


def draw_poses(image: ImageSource, poses: Drawable) -> Image8:
    """Return a copy of a picture, RGB (H, W, 3) uint8, with all its poses drawn on it.

    With several subjects each gets its box and its number, counted from 1 as in the tables.
    Raises InputError where the picture cannot be read or has another size than the poses' own.
    """
    canvas = np.array(read_image(image))
    if canvas.shape[:2] != poses.image_size:
        height, width = poses.image_size
        raise InputError(
            f"expected the picture of {width}x{height} pixels that these poses are of, got one "
            f"of {canvas.shape[1]}x{canvas.shape[0]}"
        )
    for row in range(len(poses.boxes)):
        _draw_subject(canvas, poses, row)
    return _label(canvas, poses) if len(poses.boxes) > 1 else canvas


def save_drawing(pixels: Image8, path: Path) -> None:
    """Write a picture (H, W, 3) as the .jpg or .png that `path` names, whole or not at all.

    Raises InputError where it cannot be written; a JPEG has at most 65500 pixels a side.
    """
    jpeg = path.suffix.lower() != ".png"
    if jpeg and max(pixels.shape) > JPEG_SIDE_PX:
        raise InputError(
            f"{path} cannot be written: a JPEG has at most {JPEG_SIDE_PX} pixels a side, and this "
            f"picture is {pixels.shape[1]}x{pixels.shape[0]}; name a .png file"
        )
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    with atomic_path(path) as temporary:
        if jpeg:
            picture.save(temporary, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
        else:
            picture.save(temporary, format="PNG")


def side_colors(skeleton: Skeleton) -> list[Color]:
    """One colour for each keypoint, by its side in the skeleton's mirror pairs."""
    colors = [MIDDLE] * skeleton.num_keypoints
    for left, right in skeleton.flip_pairs:
        colors[left], colors[right] = LEFT, RIGHT
    return colors


def _bone_color(start: Color, end: Color) -> Color:
    """A bone has the side of its ends; one that joins left and right is in the middle."""
    sides = {start, end} - {MIDDLE}
    return sides.pop() if len(sides) == 1 else MIDDLE


def line_width_px(box_xyxy: NDArray[np.float32]) -> float:
    """Width of the bones for a subject of that box, in pixels."""
    side = float(np.sqrt(np.prod(np.maximum(box_xyxy[2:] - box_xyxy[:2], 1))))
    return max(1.6, 0.014 * side)


def _opacity(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    ramp = (scores - _HIDDEN_SCORE) / (_SURE_SCORE - _HIDDEN_SCORE)
    return np.asarray(ramp.clip(0, 1), dtype=np.float32)


def _draw_subject(canvas: Image8, poses: Drawable, row: int) -> None:
    points, opacity = poses.keypoints[row], _opacity(poses.keypoint_scores[row])
    colors = side_colors(poses.skeleton)
    half = line_width_px(poses.boxes[row]) / 2
    rim = max(0.75, 0.35 * half)
    edges = dict.fromkeys(poses.skeleton.edges)  # each once
    for start, end in edges:
        seen = _RIM_OPACITY * float(min(opacity[start], opacity[end]))
        _draw_capsule(canvas, points[start], points[end], half + rim, _RIM, seen)
    for start, end in edges:
        seen = float(min(opacity[start], opacity[end]))
        color = _bone_color(colors[start], colors[end])
        _draw_capsule(canvas, points[start], points[end], half, color, seen)
    for point, color, seen in zip(points, colors, opacity.tolist(), strict=True):
        _draw_capsule(canvas, point, point, 1.5 * half + rim, _RIM, seen)
        _draw_capsule(canvas, point, point, 1.5 * half, color, seen)


def _draw_capsule(
    canvas: Image8,
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    radius: float,
    color: Color,
    opacity: float,
) -> None:
    """Lay all points within `radius` of the segment over the canvas (H, W, 3), in place."""
    height, width = canvas.shape[:2]
    ink = np.array(color, dtype=np.float32)
    (x0, y0), (x1, y1) = sorted((start.tolist(), end.tolist()), key=lambda point: point[1])
    reach = radius + 2
    if opacity <= 0 or max(x0, x1) + reach < 0 or min(x0, x1) - reach > width:
        return
    first, last = np.clip((y0 - reach, y1 + reach), 0, height).astype(int).tolist()
    # Strips keep the memory small on huge pictures, and follow a slanted bone closely.
    for top in range(first, last, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, last)
        # The part of the segment that this strip can see, in shares of its length.
        share = (np.array((top - reach, bottom + reach)) - y0) / max(y1 - y0, 1e-9)
        ends = x0 + share.clip(0, 1) * (x1 - x0)
        left, right = np.clip((ends.min() - reach, ends.max() + reach), 0, width).astype(int)
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
    """Distance of each pixel of a grid (rows y, columns x) to a segment."""
    dx, dy = (end - start).tolist()
    length2 = dx * dx + dy * dy
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / (length2 if length2 > 1e-12 else 1.0)
    along = np.clip(along, 0, 1)
    result: NDArray[np.float32] = np.hypot(x - start[0] - along * dx, y - start[1] - along * dy)
    return result


def _label(canvas: Image8, poses: Drawable) -> Image8:
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    size = max(11, round(0.022 * max(picture.size)))
    font = ImageFont.load_default(size)
    for row, box in enumerate(poses.boxes.tolist()):
        left, top = max(box[0], 0.0), max(box[1], 0.0)
        pen.rectangle((left, top, box[2] - 1, box[3] - 1), outline=MIDDLE, width=max(1, size // 12))
        above = max(top - 1.2 * size, 0.0)
        _number(pen, font, (left, above), str(row + 1), size)
    return np.asarray(picture)


def _number(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    corner: Sequence[float],
    text: str,
    size: int,
) -> None:
    left, top = corner
    wide = pen.textlength(text, font=font) + size * 0.5
    pen.rectangle((left, top, left + wide, top + size * 1.2), fill=_RIM)
    pen.text((left + size * 0.25, top + size * 0.05), text, fill=MIDDLE, font=font)
