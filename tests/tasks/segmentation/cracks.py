"""A small made-up data set: dark cracks on noisy concrete, as pictures and masks of 0 and 1.

python tests/tasks/segmentation/cracks.py FOLDER [PICTURES]
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def write_cracks(root: Path, count: int = 24, size: tuple[int, int] = (192, 256)) -> Path:
    """Write images/, masks/ and classes.json; one picture in eight has no crack."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        rng = np.random.default_rng(number)
        picture, mask = draw(rng, size, cracks=0 if number % 8 == 7 else int(rng.integers(1, 3)))
        Image.fromarray(picture).save(root / "images" / f"{number:03}.jpg", quality=95)
        mask.save(root / "masks" / f"{number:03}.png")
    (root / "classes.json").write_text(json.dumps({"classes": ["concrete", "crack"]}))
    return root


def draw(
    rng: np.random.Generator, size: tuple[int, int], cracks: int
) -> tuple[np.ndarray, Image.Image]:
    """Draw a picture (H, W, 3) and its mask."""
    height, width = size
    mask = Image.new("L", (width, height))
    pen = ImageDraw.Draw(mask)
    for _ in range(cracks):
        # A walk from left to right, or from top to bottom.
        steps = np.linspace(0, 1, 24)
        drift = np.cumsum(rng.normal(0, 0.035, 24)) + rng.uniform(0.2, 0.8)
        points = np.stack([steps * width, drift * height], axis=1)
        if rng.random() < 0.5:
            points = np.stack([drift * width, steps * height], axis=1)
        pen.line([tuple(point) for point in points.tolist()], fill=1, width=int(rng.integers(5, 9)))
    # Coarse and fine grain, in a light of its own; cracks are dark and a little blurred.
    coarse = Image.fromarray(rng.integers(90, 190, (height // 16, width // 16), dtype=np.uint8))
    ground = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    ground = ground * rng.uniform(0.8, 1.1) + rng.normal(0, 9, size)
    depth = np.asarray(mask.point(lambda value: 255 * value).filter(ImageFilter.GaussianBlur(1)))
    grey = ground * (1 - 0.6 * depth / 255)
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2), mask


if __name__ == "__main__":
    write_cracks(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24)
