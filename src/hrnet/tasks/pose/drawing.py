"""Poses on a picture: left and right in two hues, lines by the person's size, doubt faded.

Every bone is a capsule, every keypoint a disc, each on a dark rim.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hrnet.drawing import MIDDLE, RIM, Color, draw_boxes, draw_capsule
from hrnet.errors import InputError
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource, read_image
from hrnet.skeleton import Skeleton

LEFT: Color = (255, 128, 14)
RIGHT: Color = (24, 144, 255)
"""Orange for the subject's left, blue for its right, also apart for colour-blind eyes."""

_RIM_OPACITY = 0.55
_HIDDEN_SCORE, _SURE_SCORE = 0.1, 0.5
"""Points at the first score or below are not drawn, at the second or above with full colour."""


class PoseArrays(Protocol):
    """The values that are drawn and printed of N subjects; `Poses` has them."""

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
    def scores(self) -> NDArray[np.float32]:
        """(N,), 0..1."""

    @property
    def boxes_given(self) -> bool:
        """False where the whole picture was taken as one subject."""

    @property
    def skeleton(self) -> Skeleton:
        """Bones and mirror pairs of the K keypoints."""

    @property
    def image_size(self) -> Size:
        """(height, width) of the picture that they are of."""


def draw_poses(image: ImageSource, poses: PoseArrays) -> Image8:
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
    if len(poses.boxes) < 2:
        return canvas
    return draw_boxes(canvas, poses.boxes, [str(row + 1) for row in range(len(poses.boxes))])


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


def _draw_subject(canvas: Image8, poses: PoseArrays, row: int) -> None:
    points, opacity = poses.keypoints[row], _opacity(poses.keypoint_scores[row])
    colors = side_colors(poses.skeleton)
    half = line_width_px(poses.boxes[row]) / 2
    rim = max(0.75, 0.35 * half)
    edges = dict.fromkeys(poses.skeleton.edges)  # each once
    for start, end in edges:
        seen = _RIM_OPACITY * float(min(opacity[start], opacity[end]))
        draw_capsule(canvas, points[start], points[end], half + rim, RIM, seen)
    for start, end in edges:
        seen = float(min(opacity[start], opacity[end]))
        color = _bone_color(colors[start], colors[end])
        draw_capsule(canvas, points[start], points[end], half, color, seen)
    for point, color, seen in zip(points, colors, opacity.tolist(), strict=True):
        draw_capsule(canvas, point, point, 1.5 * half + rim, RIM, seen)
        draw_capsule(canvas, point, point, 1.5 * half, color, seen)
