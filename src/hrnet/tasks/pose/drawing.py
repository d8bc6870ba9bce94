"""Poses on a picture: left and right in two hues, lines by the person's size, doubt faded.

Every bone is a capsule, every keypoint a disc, each on a dark rim.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hrnet.drawing import MIDDLE, RIM, Color, draw_capsule
from hrnet.geometry import Image8
from hrnet.skeleton import Skeleton

LEFT: Color = (255, 128, 14)
RIGHT: Color = (24, 144, 255)
"""Orange for the subject's left, blue for its right, also apart for colour-blind eyes."""

_RIM_OPACITY = 0.55
_HIDDEN_SCORE, _SURE_SCORE = 0.1, 0.5
"""Points at the first score or below are not drawn, at the second or above with full colour."""


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


def draw_ellipses(
    canvas: Image8,
    keypoints: NDArray[np.float32],
    ellipses: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Draw ellipses of uncertainty on a picture (H, W, 3), in place.

    ellipses: (K, 3), half axes in pixels and the angle of the longer one in degrees. scores: (K,).
    """
    turn = np.linspace(0, 2 * np.pi, 33)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    for point, (long, short, angle), seen in zip(
        keypoints, ellipses.tolist(), _opacity(scores).tolist(), strict=True
    ):
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        outline = (np.array([[cos, -sin], [sin, cos]]) @ (circle * [[long], [short]])).T + point
        for start, end in pairwise(outline):
            draw_capsule(canvas, start, end, 0.6, MIDDLE, 0.8 * seen)


def draw_subject(
    canvas: Image8,
    keypoints: NDArray[np.float32],
    *,
    scores: NDArray[np.float32],
    box: NDArray[np.float32],
    skeleton: Skeleton,
) -> None:
    """Draw one subject on a picture (H, W, 3), in place.

    keypoints: (K, 2), x and y in pixels. scores: (K,), 0..1. box: (4,), left, top, right, bottom.
    """
    opacity, colors = _opacity(scores), side_colors(skeleton)
    half = line_width_px(box) / 2
    rim = max(0.75, 0.35 * half)
    edges = dict.fromkeys(skeleton.edges)  # each once
    # The rims of all bones lie below all bones.
    for start, end in edges:
        seen = _RIM_OPACITY * float(min(opacity[start], opacity[end]))
        draw_capsule(canvas, keypoints[start], keypoints[end], half + rim, RIM, seen)
    for start, end in edges:
        seen = float(min(opacity[start], opacity[end]))
        color = _bone_color(colors[start], colors[end])
        draw_capsule(canvas, keypoints[start], keypoints[end], half, color, seen)
    for point, color, seen in zip(keypoints, colors, opacity.tolist(), strict=True):
        draw_capsule(canvas, point, point, 1.5 * half + rim, RIM, seen)
        draw_capsule(canvas, point, point, 1.5 * half, color, seen)
