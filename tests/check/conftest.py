"""A small data set on disk that a test can spoil in one place."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAMES = ["nose", "left_eye", "right_eye"]
Spoil = Callable[[dict], object]


def content_of(subjects: int = 3, names: list[str] = NAMES) -> dict:
    """One subject in each picture of 60 x 40, its keypoints on a line within the box."""
    triples = [float(n) for k in range(len(names)) for n in (12 + 3 * k, 10 + 2 * k, 2 - k % 2)]
    ids = range(1, subjects + 1)
    return {
        "info": {"year": 2020},
        "licenses": [{"id": 1}],
        "images": [{"id": n, "file_name": f"{n}.png", "height": 40, "width": 60} for n in ids],
        "annotations": [
            {
                "id": 10 * n,
                "image_id": n,
                "category_id": 1,
                "bbox": [10, 8, 30, 25],
                "area": 400,
                "keypoints": list(triples),
            }
            for n in ids
        ],
        "categories": [{"id": 1, "name": "pet", "keypoints": list(names), "skeleton": [[1, 2]]}],
    }


@pytest.fixture
def data(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write the data set, spoiled by a function; returns the annotation file and its images."""

    def write(spoil: Spoil | None = None, **how) -> tuple[Path, Path]:
        content = content_of(**how)
        images = tmp_path / "images"
        images.mkdir(exist_ok=True)
        generator = np.random.default_rng(0)
        for image in content["images"]:
            pixels = generator.integers(0, 255, (40, 60, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(images / image["file_name"])
        if spoil is not None:
            spoil(content)
        file = tmp_path / "pets.json"
        file.write_text(json.dumps(content))
        return file, images

    return write
