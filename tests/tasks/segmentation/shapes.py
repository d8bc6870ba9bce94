"""Pictures of coloured rectangles with their masks, and short trainings on them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet.config import RunConfig, override
from hrnet.spec import NetworkOptions
from hrnet.tasks.segmentation.config import (
    MaskAugmentation,
    MaskData,
    SegmentationExperiment,
    SegmentationModelConfig,
    SegmentationTrain,
)

NAMES = ("ground", "red", "blue")
_COLOURS = ((250, 20, 20), (20, 20, 250))


def write_shapes(folder: Path, count: int) -> Path:
    """Write pictures with a rectangle of each colour and an ignored edge; returns the folder."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(count):
        height, width = (64, 96) if index % 2 else (96, 64)
        pixels = rng.integers(80, 140, (height, width, 3), dtype=np.uint8)
        mask = np.zeros((height, width), np.uint8)
        for number, colour in enumerate(_COLOURS, 1):
            wide, high = rng.integers(24, 40, 2).tolist()
            left, top = int(rng.integers(0, width - wide)), int(rng.integers(0, height - high))
            place = slice(top, top + high), slice(left, left + wide)
            pixels[place], mask[place] = colour, number
        mask[:3] = 255
        Image.fromarray(pixels).save(folder / "images" / f"{index}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{index}.png")
    (folder / "classes.json").write_text(json.dumps({"classes": list(NAMES)}))
    return folder


def experiment_of(data: Path, *settings: str, head: str = "v2") -> SegmentationExperiment:
    """A short training on windows of 64x64 pixels."""
    usual = SegmentationExperiment(
        name="shapes",
        model=SegmentationModelConfig(
            variant="small_hrnet_w16", input_size=(64, 64), options=NetworkOptions(head=head)
        ),
        data=MaskData(path=data),
        augmentation=MaskAugmentation(colour=0.1),
        train=SegmentationTrain(epochs=2, batch_size=4, lr=1e-3, evaluate_every=100),
        run=RunConfig(device="cpu", workers=0, tensorboard=False),
    )
    return override(usual, settings)
