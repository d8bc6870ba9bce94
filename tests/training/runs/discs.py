"""Pictures of coloured discs, and short trainings on them.

Keypoint k is the middle of a disc of its own colour on dark noise, so that a few epochs of the
smallest network find it.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet.config import RunConfig
from hrnet.tasks.pose.config import (
    KeypointData,
    PoseAugmentation,
    PoseExperiment,
    PoseModelConfig,
    PoseTrain,
)

COLORS = np.array(
    [[255, 40, 40], [40, 255, 40], [60, 60, 255], [255, 255, 40], [255, 40, 255]], dtype=np.uint8
)
WIDTH, HEIGHT = 96, 80


def draw_discs(rng, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture (HEIGHT, WIDTH, 3) and the middles (count, 2) of its discs."""
    picture = rng.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    points = rng.uniform((15, 15), (WIDTH - 15, HEIGHT - 15), (count, 2))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for color, (px, py) in zip(COLORS, points, strict=False):
        picture[(x - px) ** 2 + (y - py) ** 2 < 36] = color
    return picture, points


def write_discs(folder: Path, images: int, count: int = 3, seed: int = 0) -> Path:
    """Write pictures of one subject each and their annotations; returns the annotation file."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    entries, pictures = [], []
    for index in range(images):
        picture, points = draw_discs(rng, count)
        Image.fromarray(picture).save(folder / f"{index}.png")
        pictures.append(
            {"id": index, "file_name": f"{index}.png", "height": HEIGHT, "width": WIDTH}
        )
        triples = [float(number) for point in points for number in (*point, 2)]
        entry = {"id": index, "image_id": index, "category_id": 1, "keypoints": triples}
        entries.append(entry | {"bbox": [4, 4, 88, 72], "area": 6336, "iscrowd": 0})
    category = {"id": 1, "name": "discs", "keypoints": [f"disc {k}" for k in range(count)]}
    file = folder / "annotations.json"
    file.write_text(
        json.dumps({"images": pictures, "annotations": entries, "categories": [category]})
    )
    return file


def experiment_of(data: Path, val: Path | None = None, **settings) -> PoseExperiment:
    """A short, gentle training at 64x64; `settings` are those of `PoseTrain`."""
    defaults = {"epochs": 2, "batch_size": 8, "lr": 4e-3, "optimizer": "adamw"}
    defaults |= {"schedule": "cosine", "loss": "cross_entropy"}
    how = {name: settings.pop(name) for name in RunConfig.model_fields if name in settings}
    how = {"device": "cpu", "workers": 0, "tensorboard": False} | how
    return PoseExperiment(
        name="discs",
        model=PoseModelConfig(
            variant="small_hrnet_w16", input_size=(64, 64), codec="udp", sigma=1.5
        ),
        data=KeypointData(
            annotations=data,
            images=data.parent,
            val_annotations=val,
            val_images=val.parent if val else None,
        ),
        augmentation=PoseAugmentation(scale=0.1, rotation_deg=15),
        train=PoseTrain(**(defaults | settings)),
        run=RunConfig(**how),
    )


def rows_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def differ(one, other) -> bool:
    """Return True where any tensor of two states differs in any bit."""
    return one.keys() != other.keys() or any(not one[key].equal(other[key]) for key in one)
