"""Pictures of coloured rectangles with their boxes, as a COCO file, and short trainings on them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.config import RunConfig, override
from hrnet.spec import NetworkOptions
from hrnet.tasks.detection.config import (
    BoxAugmentation,
    BoxData,
    DetectionExperiment,
    DetectionModelConfig,
    DetectionTrain,
    loss_of,
)

COLOURS = {"red": (250, 20, 20), "blue": (20, 20, 250)}

WriteShapes = Callable[[Path, int], Path]


@pytest.fixture
def write_shapes() -> WriteShapes:
    """Write pictures with a rectangle of each colour, and their COCO file beside them."""

    def write(folder: Path, count: int) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        images, annotations = [], []
        for index in range(count):
            height, width = (64, 96) if index % 2 else (96, 64)
            pixels = rng.integers(80, 140, (height, width, 3), dtype=np.uint8)
            for number, colour in enumerate(COLOURS.values(), 1):
                wide, high = rng.integers(24, 40, 2).tolist()
                left = int(rng.integers(0, width - wide))
                top = int(rng.integers(0, height - high))
                pixels[top : top + high, left : left + wide] = colour
                corners = [left, top, left + wide, top, left + wide, top + high, left, top + high]
                entry = {"id": len(annotations) + 1, "image_id": index, "category_id": number}
                box = {"bbox": [left, top, wide, high], "segmentation": [corners]}
                annotations.append(entry | box | {"area": wide * high, "iscrowd": 0})
            Image.fromarray(pixels).save(folder / f"{index}.png")
            name = {"id": index, "file_name": f"{index}.png"}
            images.append(name | {"height": height, "width": width})
        categories = [{"id": number, "name": name} for number, name in enumerate(COLOURS, 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        file = folder / "shapes.json"
        file.write_text(json.dumps(content))
        return file

    return write


def experiment_of(
    data: Path, val: Path | None = None, *settings: str, head: str = "faster"
) -> DetectionExperiment:
    """A short training within 64x96 pixels."""
    model = DetectionModelConfig(
        variant="small_hrnet_w16",
        input_size=(96, 96),
        fit=(64, 96),
        options=NetworkOptions(head=head),
    )
    usual = DetectionExperiment(
        name="shapes",
        model=model,
        data=BoxData(annotations=data, images=data.parent, val_annotations=val),
        augmentation=BoxAugmentation(fits=((64, 96), (48, 96))),
        train=DetectionTrain(
            epochs=2, batch_size=2, optimizer="sgd", lr=1e-3, loss=loss_of(model), clip_norm=5
        ),
        run=RunConfig(device="cpu", workers=0, tensorboard=False),
    )
    return override(usual, settings)
