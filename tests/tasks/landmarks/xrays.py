"""Draw pictures like X-rays of a spine: seven vertebrae and a sacrum, 29 landmarks, in 12-bit grey.

    python xrays.py FOLDER --count 200 --seed 0

writes FOLDER/images/*.png and FOLDER/xrays.json, a COCO keypoint file without boxes whose pictures
have their pixel spacing in `mm_per_pixel`. Bones are cut out of several shapes, scales, curves and
exposures, and what is drawn is blurred and noisy, as a detector's pixels are.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

HEIGHT, WIDTH = 768, 640
VERTEBRAE = 7
TOP = 4095
"""The brightest grey of 12 bits."""

CORNERS = ("upper_left", "upper_right", "lower_left", "lower_right")
NAMES = (*(f"v{n}_{corner}" for n in range(1, VERTEBRAE + 1) for corner in CORNERS), "sacrum_tip")

_FINER = 2
"""Shapes are drawn so many times larger, so that their edges lie between pixels."""


def draw(rng: Generator, size: tuple[int, int] = (HEIGHT, WIDTH)) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (H, W) uint16 of 12 bits and its landmarks (29, 2) as (x, y) in pixels."""
    height, width = size
    scale = height / HEIGHT
    points = _spine(rng) * scale * _FINER
    large = (width * _FINER, height * _FINER)
    # The body: a soft column, brighter in the middle.
    rows, columns = np.mgrid[0:height, 0:width] / height
    middle, spread = rng.uniform(0.35, 0.48), rng.uniform(0.2, 0.35)
    body = rng.uniform(500, 1100) * np.exp(-(((columns - middle) / spread) ** 2))
    body = body * (1 + rng.uniform(-0.3, 0.3) * rows)
    # Ribs, in eighths of the grey: faint curves behind the bones, which no landmark belongs to.
    ribs = Image.new("L", large)
    for _ in range(rng.integers(4, 9)):
        start = rng.uniform(0, 1, 2) * large
        end = start + rng.normal(0, 0.35, 2) * large
        line = int(rng.uniform(8, 22) * scale * _FINER)
        ImageDraw.Draw(ribs).line([*start, *end], fill=int(rng.uniform(10, 38)), width=line)
    # Vertebrae: brighter at their edge than within, each of its own brightness.
    bones = Image.new("L", large)
    pen = ImageDraw.Draw(bones)
    for number in range(VERTEBRAE):
        corners = points[4 * number : 4 * number + 4][[0, 1, 3, 2]]
        inside = int(rng.uniform(62, 125))
        pen.polygon([*map(tuple, corners)], fill=inside)
        edge = int(rng.uniform(4, 8) * scale * _FINER)
        pen.line([*map(tuple, corners), tuple(corners[0])], fill=inside * 8 // 5, width=edge)
    tip, (left, right) = points[28], points[26:28] + np.array([0, 20 * scale * _FINER])
    pen.polygon([tuple(left), tuple(right), tuple(tip)], fill=int(rng.uniform(62, 112)))
    # Blur, exposure and noise.
    blurred = [
        np.asarray(one.filter(ImageFilter.GaussianBlur(radius * scale * _FINER)))
        for one, radius in ((ribs, 4), (bones, rng.uniform(0.8, 1.6)))
    ]
    shapes = sum(one.reshape(height, _FINER, width, _FINER).mean((1, 3)) for one in blurred)
    grey = (body + 8 * shapes) * rng.uniform(0.7, 1.2)
    grey = grey + rng.normal(0, rng.uniform(20, 60), grey.shape)
    # Pixel centres are at whole numbers, and those of the larger drawing at halves between.
    return grey.clip(0, TOP).astype(np.uint16), (points - (_FINER - 1) / 2) / _FINER


def _spine(rng: Generator) -> np.ndarray:
    """Draw the landmarks (29, 2) of a spine in a picture of the usual size."""
    # The middles follow a curve; each vertebra stands across it.
    count = VERTEBRAE
    heights = np.linspace(0, 1, count) + rng.normal(0, 0.006, count)
    bend, turn = rng.normal(0, 40), rng.normal(0, 25)
    x = 320 + bend * np.sin(np.pi * heights) + turn * (heights - 0.5) + rng.normal(0, 2, count)
    y = 110 + 480 * heights
    slope = np.arctan2(np.gradient(x), np.gradient(y))
    points = []
    for number in range(count):
        wide = (38 + 3.5 * number) * rng.uniform(0.93, 1.07)
        high = (24 + 0.8 * number) * rng.uniform(0.93, 1.07)
        angle = -slope[number] + rng.normal(0, 0.03)
        cos, sin = np.cos(angle), np.sin(angle)
        corners = np.array([[-wide, -high], [wide, -high], [-wide, high], [wide, high]])
        corners += rng.normal(0, 1.5, (4, 2))
        points.append(corners @ [[cos, sin], [-sin, cos]] + (x[number], y[number]))
    tip = [x[-1] + rng.normal(0, 12), y[-1] + rng.uniform(105, 125)]
    every = np.concatenate([*points, [tip]])
    # The whole of it is scaled, turned and moved.
    middle, angle = every.mean(axis=0), rng.normal(0, 0.06)
    turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = (every - middle) @ turned * rng.uniform(0.8, 1.02) + middle + rng.normal(0, 15, 2)
    return moved.clip(4, (WIDTH - 5, HEIGHT - 5))


def write(
    folder: Path, count: int, *, seed: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)
) -> Path:
    """Write pictures and their COCO file; return the file. Every fifth patient has two pictures."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        grey, points = draw(rng, size)
        name = f"{number:04}.png"
        Image.fromarray(grey).save(folder / "images" / name)
        triples = np.column_stack([points.round(3), np.full(len(points), 2)])
        images.append(
            {
                "id": number,
                "file_name": name,
                "height": size[0],
                "width": size[1],
                "mm_per_pixel": round(rng.uniform(0.25, 0.35) * HEIGHT / size[0], 4),
                "patient": f"p{number - (number % 5 == 0)}",
            }
        )
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "keypoints": triples.ravel().tolist(),
                "num_keypoints": len(NAMES),
            }
        )
    category = {"id": 1, "name": "spine", "keypoints": list(NAMES)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    file = folder / "xrays.json"
    file.write_text(json.dumps(content))
    return file


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    write(asked.folder, asked.count, seed=asked.seed)
