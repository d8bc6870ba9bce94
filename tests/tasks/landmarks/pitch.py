"""Draw pictures of a football pitch from random cameras: 57 points of its plan, where visible.

    python pitch.py FOLDER --count 200 --seed 0

writes FOLDER/images/*.jpg and FOLDER/pitch.json, a COCO keypoint file without boxes. Points outside
the picture are not labelled, and all inside it are.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

HEIGHT, WIDTH = 540, 960
LONG, WIDE = 105.0, 68.0
"""Of the pitch, in metres."""

_BOX, _AREA, _GOAL = (16.5, 20.16), (5.5, 9.16), 3.66
"""Depth and half width of the penalty box and of the goal area; half width of the goal."""
_RADIUS, _SPOT = 9.15, 11.0


def _plan() -> dict[str, tuple[float, float]]:
    """Name the points of the plan, (x, y) in metres from the upper left corner."""
    middle, points = WIDE / 2, {}
    for side, end, inward in (("left", 0.0, 1), ("right", LONG, -1)):
        points[f"{side}_corner_top"] = (end, 0.0)
        points[f"{side}_corner_bottom"] = (end, WIDE)
        for name, (depth, half) in (("box", _BOX), ("area", _AREA)):
            for edge, sign in (("top", -1), ("bottom", 1)):
                points[f"{side}_{name}_{edge}_line"] = (end, middle + sign * half)
                points[f"{side}_{name}_{edge}_field"] = (end + inward * depth, middle + sign * half)
        points[f"{side}_post_top"] = (end, middle - _GOAL)
        points[f"{side}_post_bottom"] = (end, middle + _GOAL)
        points[f"{side}_spot"] = (end + inward * _SPOT, middle)
        reach = np.sqrt(_RADIUS**2 - (_BOX[0] - _SPOT) ** 2)
        points[f"{side}_arc_top"] = (end + inward * _BOX[0], middle - reach)
        points[f"{side}_arc_bottom"] = (end + inward * _BOX[0], middle + reach)
        points[f"{side}_arc_far"] = (end + inward * (_SPOT + _RADIUS), middle)
        points[f"{side}_box_middle"] = (end + inward * _BOX[0], middle)
        for name, (depth, _) in (("box", _BOX), ("area", _AREA)):
            points[f"{side}_{name}_at_top"] = (end + inward * depth, 0.0)
            points[f"{side}_{name}_at_bottom"] = (end + inward * depth, WIDE)
        points[f"{side}_circle"] = (LONG / 2 - inward * _RADIUS, middle)
        for edge, sign in (("top", -1), ("bottom", 1)):
            slant = _RADIUS * np.sqrt(0.5)
            points[f"{side}_circle_{edge}"] = (LONG / 2 - inward * slant, middle + sign * slant)
    points["centre"] = (LONG / 2, middle)
    for edge, sign, line in (("top", -1, 0.0), ("bottom", 1, WIDE)):
        points[f"half_{edge}"] = (LONG / 2, line)
        points[f"half_circle_{edge}"] = (LONG / 2, middle + sign * _RADIUS)
        points[f"half_box_{edge}"] = (LONG / 2, middle + sign * _BOX[1])
        points[f"half_area_{edge}"] = (LONG / 2, middle + sign * (_RADIUS + 4))
    return points


PLAN = _plan()
NAMES = tuple(PLAN)


def _lines() -> list[np.ndarray]:
    """Return the painted lines of the plan as points (N, 2) in metres."""
    middle = WIDE / 2
    lines = [np.array([[0, 0], [LONG, 0], [LONG, WIDE], [0, WIDE], [0, 0]])]
    lines.append(np.array([[LONG / 2, 0], [LONG / 2, WIDE]]))
    turn = np.linspace(0, 2 * np.pi, 73)
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    lines.append(circle * _RADIUS + (LONG / 2, middle))
    for end, inward in ((0.0, 1), (LONG, -1)):
        for depth, half in (_BOX, _AREA):
            deep = end + inward * depth
            corners = [[end, middle - half], [deep, middle - half]]
            lines.append(np.array([*corners, [deep, middle + half], [end, middle + half]]))
        arc = circle * _RADIUS + (end + inward * _SPOT, middle)
        arc = arc[inward * (arc[:, 0] - end) >= _BOX[0]]
        lines.append(arc[np.argsort(arc[:, 1])])  # that on the left begins in its middle
        lines.append(circle * 0.3 + (end + inward * _SPOT, middle))
    return lines


def _dense(line: np.ndarray) -> np.ndarray:
    """Add points between those of a line, half a metre apart at most."""
    parts = [
        np.linspace(one, other, max(2, int(np.hypot(*(other - one)) * 2)))
        for one, other in pairwise(line)
    ]
    return np.concatenate(parts)


def _camera(rng: Generator) -> np.ndarray:
    """Draw a camera at the side of the pitch: a homography (3, 3) from metres to pixels."""
    eye = np.array([LONG / 2 + rng.normal(0, 6), WIDE + rng.uniform(25, 45), rng.uniform(14, 26)])
    aim = np.array([rng.uniform(8, LONG - 8), rng.uniform(22, 46), 0.0])
    forward = (aim - eye) / np.linalg.norm(aim - eye)
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    # y of the plan points towards the camera, so the world is left-handed; mirror it back.
    rotation = np.stack([-right, -np.cross(right, forward), forward])
    roll = rng.normal(0, 0.01)
    turned = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    focal = rng.uniform(0.9, 2.2) * WIDTH
    lens = np.array([[focal, 0, WIDTH / 2], [0, focal, HEIGHT / 2], [0, 0, 1]])
    view = lens @ turned @ rotation
    return np.column_stack([view[:, 0], view[:, 1], view @ -eye])


def project(points: np.ndarray, homography: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (N, 2) of points (N, 2) in metres, and whether each lies before the camera."""
    found = np.column_stack([points, np.ones(len(points))]) @ homography.T
    ahead = found[:, 2] > 1
    return found[:, :2] / np.where(ahead, found[:, 2], 1)[:, None], ahead


def draw(rng: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a picture (H, W, 3), the points (57, 2) in pixels, and whether each is visible."""
    homography = _camera(rng)
    large = (2 * WIDTH, 2 * HEIGHT)
    light = rng.uniform(0.6, 1.1)
    ground = Image.new("RGB", large, (60, 70, 75))
    pen = ImageDraw.Draw(ground)
    # Grass in stripes, then the lines, each as wide as it is far.
    strips = np.linspace(-4, LONG + 4, 20)
    for number, (one, other) in enumerate(pairwise(strips)):
        corners = np.array([[one, -4], [other, -4], [other, WIDE + 4], [one, WIDE + 4]])
        pixels, ahead = project(corners, homography)
        if ahead.all():
            green = (int(50 * light), int((105 + 18 * (number % 2)) * light), int(45 * light))
            pen.polygon([tuple(2 * one) for one in pixels], fill=green)
    white = (int(215 * light),) * 3
    for line in _lines():
        pixels, ahead = project(_dense(line), homography)
        for one, other, seen in zip(pixels[:-1], pixels[1:], ahead[:-1] & ahead[1:], strict=True):
            if seen:
                pen.line([*(2 * one), *(2 * other)], fill=white, width=5)
    # Players, who hide parts of the lines.
    for _ in range(rng.integers(6, 18)):
        spot = np.array([[rng.uniform(0, LONG), rng.uniform(0, WIDE)]])
        (feet,), (seen,) = project(spot, homography)
        if seen:
            tall = rng.uniform(30, 60)
            color = tuple(rng.integers(20, 250, 3).tolist())
            x, y = 2 * feet
            pen.ellipse([x - tall / 5, y - 2 * tall, x + tall / 5, y], fill=color)
    small = ground.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 1.6))).resize((WIDTH, HEIGHT))
    pixels = np.asarray(small, np.float64) + rng.normal(0, rng.uniform(2, 9), (HEIGHT, WIDTH, 3))
    points, ahead = project(np.array(list(PLAN.values())), homography)
    points = points - 0.25  # of the larger picture pixel centres are halves
    inside = ahead & (points > 1).all(axis=1) & (points < (WIDTH - 2, HEIGHT - 2)).all(axis=1)
    return pixels.clip(0, 255).astype(np.uint8), points, inside


def write(folder: Path, count: int, *, seed: int = 0) -> Path:
    """Write pictures with eight visible points or more and their COCO file; return the file."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images: list[dict[str, object]] = []
    annotations = []
    while len(images) < count:
        pixels, points, visible = draw(rng)
        if visible.sum() < 8:
            continue
        number = len(images) + 1
        name = f"{number:04}.jpg"
        Image.fromarray(pixels).save(folder / "images" / name, quality=92)
        images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
        triples = np.column_stack([points.round(3), np.full(len(points), 2)]) * visible[:, None]
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "keypoints": triples.ravel().tolist(),
                "num_keypoints": int(visible.sum()),
            }
        )
    category = {"id": 1, "name": "pitch", "keypoints": list(NAMES)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    file = folder / "pitch.json"
    file.write_text(json.dumps(content))
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    write(asked.folder, asked.count, seed=asked.seed)
