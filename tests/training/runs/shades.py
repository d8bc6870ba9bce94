"""A made-up task in one file: a picture is bright or dark. Shared code has never seen it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hrnet.config import DataConfig, Experiment, TrainConfig
from hrnet.data.source import DataSource
from hrnet.geometry import warp_affine
from hrnet.images import read_image
from hrnet.spec import ModelSpec, NetworkSpec
from hrnet.tasks import Crop, Job, TaskParts

SIZE = 40
NAMES = ("dark", "bright")


def write_shades(folder: Path, count: int, seed: int = 0) -> Path:
    """Write noisy grey pictures, every second one bright; returns the folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        level = 150 if index % 2 else 60
        pixels = rng.integers(level - 50, level + 50, (SIZE, SIZE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{NAMES[index % 2]}_{index}.png")
    return folder


class ShadeData(DataConfig):
    folder: Path
    val: Path | None = None

    def training(self) -> DataSource:
        return DataSource(self.folder)

    def validation(self) -> DataSource | None:
        return DataSource(self.val) if self.val else None


class ShadeTrain(TrainConfig):
    loss: str = "entropy"


class ShadeExperiment(Experiment):
    task: str = "shades"
    data: ShadeData
    augmentation: None = None
    train: ShadeTrain = ShadeTrain()

    def notes(self, spec):
        return [f"two shades of {spec.name}"]


@dataclass(frozen=True)
class ShadeSample:
    image_path: Path
    image_size: None = None

    @property
    def label(self) -> int:
        return NAMES.index(self.image_path.stem.split("_")[0])

    @property
    def name(self) -> str:
        return self.image_path.name


class ShadeDataset:
    notes = ("shades have no colours",)

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = [ShadeSample(file) for file in sorted(path.glob("*.png"))]
        self.jobs = [Job(one.image_path, None, at) for at, one in enumerate(self.samples)]

    def keep(self, job, result):
        return result

    def facts(self):
        return {"data": {"shades": list(NAMES)}, "metric": "accuracy"}

    def describe(self):
        return [f"{len(self.samples)} shades"]

    def expect_labels_of(self, spec):
        pass


@dataclass(frozen=True)
class Shade:
    label: int
    image_size: tuple[int, int] = (SIZE, SIZE)

    def draw(self, image):
        return np.full_like(read_image(image), 255 * self.label)

    def to_csv(self):
        return f"shade\n{NAMES[self.label]}\n"

    def files(self):
        return {}

    def entries(self, image_id):
        return [{"image_id": image_id, "shade": NAMES[self.label]}]

    def summary(self):
        return f"it is {NAMES[self.label]}"

    def tables(self, width):
        return iter(())


class ShadePage:
    def __init__(self, image, size):
        self.image, self.size, self.label = image, size, None

    def crops(self):
        yield Crop(self, *resized(self.image, self.size))

    def add(self, part):
        self.label = part

    @property
    def done(self):
        return self.label is not None

    def result(self):
        return Shade(self.label)


def resized(image, size):
    scale = size[0] / image.shape[0]
    matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    return warp_affine(image, matrix, size), matrix


class Shades:
    def __init__(self, spec, experiment=None):
        self.spec = spec

    @staticmethod
    def dataset(source):
        return ShadeDataset(source.path)

    def preprocess(self, image, boxes):
        return ShadePage(image, self.spec.input_size)

    def unflip(self, outputs):
        return outputs

    def postprocess(self, outputs, crops):
        return [int(label) for label in outputs[0].argmax(axis=1)]

    def batch(self, samples, pictures, rngs):
        crops = [resized(picture, self.spec.input_size)[0] for picture in pictures]
        noise = [rng.integers(0, 5, (1, 1, 3), np.uint8) for rng in rngs]
        labels = np.array([sample.label for sample in samples])
        return np.stack(crops) + np.stack(noise), {"labels": labels}

    def evaluate(self, pairs, dataset):
        right = [dataset.samples[job.index].label == shade.label for job, shade in pairs]
        return {"accuracy": float(np.mean(right)), "pictures": float(len(right))}


def entropy(logits: torch.Tensor, targets: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(logits, targets["labels"])


LOSSES = {"entropy": entropy}


EXPERIMENT = ShadeExperiment


def make_spec(experiment, dataset) -> ModelSpec:
    network = NetworkSpec(variant=experiment.model.variant, task="shades", num_outputs=len(NAMES))
    return ModelSpec(name=experiment.name, network=network, input_size=experiment.model.input_size)


TASK = TaskParts(
    name="shades",
    make=Shades,
    spec=ModelSpec,
    settings=__name__,
    network=__name__,
)
