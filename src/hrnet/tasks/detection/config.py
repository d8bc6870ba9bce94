"""The settings of a detector's training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from hrnet.config import DataConfig, Experiment, ModelConfig, TrainConfig
from hrnet.data.augment import Augmentation
from hrnet.data.box_dataset import BoxDataset
from hrnet.data.source import DataSource
from hrnet.spec import InputSize
from hrnet.tasks import Dataset
from hrnet.tasks.detection.spec import DetectionSpec


class DetectionModelConfig(ModelConfig):
    """The network, and the way from a picture to its input."""

    input_size: InputSize = (800, 1344)
    """(height, width) of the input in pixels, multiples of 32; with model.fit a usual one."""
    fit: tuple[int, int] | None = (800, 1333)
    """(short, long) sides that a picture is resized to, its ratio kept, in published trainings
    (800, 1333); null resizes it into input_size."""
    conventions: Literal["plain", "legacy"] = "plain"
    """plain, or legacy to go on with weights of mmdetection before 2.0."""


class BoxData(DataConfig):
    """COCO instance files and the folders of their pictures."""

    annotations: Path
    """The COCO file of labelled boxes to train on."""
    images: Path
    """The folder of its pictures."""
    val_annotations: Path | None = None
    """Evaluated on every train.evaluate_every epochs; null: no evaluation."""
    val_images: Path | None = None
    """The folder of those pictures; data.images without it."""

    def training(self) -> DataSource:
        """Return the file to train on."""
        return DataSource(self.annotations, self.images)

    def validation(self) -> DataSource | None:
        """Return the file to evaluate on, None where no val_annotations are given."""
        if self.val_annotations is None:
            return None
        return DataSource(self.val_annotations, self.val_images or self.images)


@dataclass(frozen=True, slots=True)
class BoxAugmentation(Augmentation):
    """The variation of pictures."""


class DetectionTrain(TrainConfig):
    """Optimisation, by the loss of the head."""

    loss: Literal["two_stage", "fcos", "task_aligned"] = "two_stage"
    """two_stage (Faster, Mask and Cascade R-CNN), fcos, or task_aligned (the light head)."""
    epochs: int = Field(default=12, ge=1)
    """Passes over the training data."""


class DetectionExperiment(Experiment):
    """One training run of a detector."""

    task: Literal["detection"] = "detection"
    """The task: detection."""
    model: DetectionModelConfig
    data: BoxData
    augmentation: BoxAugmentation = BoxAugmentation()
    train: DetectionTrain = DetectionTrain()


EXPERIMENT = DetectionExperiment


def make_spec(experiment: Experiment, dataset: Dataset) -> DetectionSpec:
    """Describe the model that an experiment trains on a data set."""
    assert isinstance(experiment, DetectionExperiment)
    assert isinstance(dataset, BoxDataset)
    model, names = experiment.model, dataset.class_names
    return DetectionSpec(
        name=experiment.name,
        network=model.network("detection", len(names)),
        input_size=model.input_size,
        fit=model.fit,
        conventions=model.conventions,
        class_names=names,
    )
