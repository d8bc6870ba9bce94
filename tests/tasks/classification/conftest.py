"""A small classification model in memory, and labelled pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.spec import NetworkSpec
from hrnet.tasks.classification.spec import ClassificationSpec

NAMES = ("cat", "dog", "owl")
COLOURS = {"cat": (200, 60, 40), "dog": (40, 190, 70), "owl": (50, 70, 210)}


def make_spec(names: Sequence[str] = NAMES, **fields: object) -> ClassificationSpec:
    network = NetworkSpec(variant="small_hrnet_w16", task="classification", num_outputs=len(names))
    known = {"name": "pets", "input_size": (64, 64), "resize": 72, "class_names": tuple(names)}
    return ClassificationSpec(**{"network": network, **known, **fields})


@pytest.fixture
def spec() -> ClassificationSpec:
    return make_spec()


MakeFolder = Callable[[Path, int], Path]


@pytest.fixture
def class_folder() -> MakeFolder:
    """Write a folder a class: noisy pictures of the class's colour, some upright, some wide."""

    def make(root: Path, count: int) -> Path:
        rng = np.random.default_rng(len(root.name))
        for name, colour in COLOURS.items():
            (root / name).mkdir(parents=True)
            for number in range(count):
                shape = (70 + 9 * number, 90, 3)
                pixels = np.clip(np.array(colour) + rng.normal(0, 25, shape), 0, 255)
                picture = Image.fromarray(pixels.astype(np.uint8))
                picture.save(root / name / f"{number}.png")
        return root

    return make
