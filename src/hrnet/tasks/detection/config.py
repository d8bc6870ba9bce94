"""The settings of a detector's training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from hrnet.config import DataConfig, Experiment, ModelConfig, TrainConfig
from hrnet.data.augment import Augmentation
from hrnet.data.box_dataset import BoxDataset
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.spec import IMAGENET_MEAN, IMAGENET_STD, InputSize, NetworkOptions
from hrnet.tasks import Dataset
from hrnet.tasks.detection.spec import MASK_HEADS, DetectionSpec, Fit

LossName = Literal["two_stage", "two_stage_legacy", "fcos", "task_aligned"]

LOSS_OF_HEAD: dict[str | None, LossName] = {
    **dict.fromkeys(("faster", "mask", "cascade", "cascade_mask"), "two_stage"),
    "fcos": "fcos",
    "light": "task_aligned",
}
"""The loss of each head; of two stages with legacy conventions it is two_stage_legacy."""


class DetectionModelConfig(ModelConfig):
    """The network, and the way from a picture to its input."""

    input_size: InputSize = (800, 1344)
    """A usual (height, width) of the input in pixels, multiples of 32; model.fit decides."""
    options: NetworkOptions = NetworkOptions(head="faster")
    """Choices within the architecture."""
    fit: Fit = (800, 1333)
    """(short, long) sides that a picture is resized to, its ratio kept; (800, 1333) in published
    trainings."""
    antialias: bool = False
    """Average over pixels where a picture shrinks; published trainings do not."""
    conventions: Literal["plain", "legacy"] = "plain"
    """plain, or legacy to go on with weights of mmdetection before 2.0."""
    channels: Literal["rgb", "bgr"] = "rgb"
    """Order of the colours in the input; bgr for weights of mmdetection's FCOS."""


def loss_of(model: DetectionModelConfig) -> LossName:
    """Return the loss of a model's head; InputError for a head that finds no boxes."""
    head = model.options.head
    if head not in LOSS_OF_HEAD:
        known = ", ".join(str(one) for one in LOSS_OF_HEAD)
        raise InputError(
            f"expected model.options.head as {known}, got {head}; others find no boxes"
        )
    loss = LOSS_OF_HEAD[head]
    legacy = loss == "two_stage" and model.conventions == "legacy"
    return "two_stage_legacy" if legacy else loss


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
    category: str | None = Field(default=None, max_length=1000)
    """The only class to find, by its name or id; null: all."""

    def training(self) -> DataSource:
        """Return the file to train on."""
        return DataSource(self.annotations, self.images, category=self.category)

    def validation(self) -> DataSource | None:
        """Return the file to evaluate on, None where no val_annotations are given."""
        if self.val_annotations is None:
            return None
        images = self.val_images or self.images
        return DataSource(self.val_annotations, images, category=self.category)


@dataclass(frozen=True, slots=True)
class BoxAugmentation(Augmentation):
    """The variation of pictures, which are neither turned nor moved."""

    limits: ClassVar[dict[str, float]] = {**Augmentation.limits, "mosaic": 1}
    fits: Annotated[
        tuple[Fit, ...],
        Field(
            description="(short, long) sides of which each picture takes one at random in place "
            "of model.fit; none: model.fit."
        ),
    ] = ()
    crop: Annotated[
        Fit | None,
        Field(
            description="The largest (short, long) sides in pixels; of larger pictures a random "
            "part is cut out. null: no limit."
        ),
    ] = None
    mosaic: Annotated[
        float,
        Field(
            description="Probability of joining a picture with three others of its batch in one "
            "input, each shrunk by up to a half and cut; 0: never."
        ),
    ] = 0.0


class DetectionTrain(TrainConfig):
    """Optimisation, by the loss of the head."""

    loss: LossName = "two_stage"
    """That of the head: two_stage (faster, mask, cascade, cascade_mask; two_stage_legacy with
    model.conventions=legacy), fcos, or task_aligned (light)."""
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

    @model_validator(mode="after")
    def _check_loss(self) -> "DetectionExperiment":
        head, conventions = self.model.options.head, self.model.conventions
        loss = loss_of(self.model)
        if self.train.loss != loss:
            raise ValueError(
                f"expected train.loss={loss} for the head {head} with the conventions "
                f"{conventions}, got {self.train.loss}"
            )
        return self


EXPERIMENT = DetectionExperiment


def make_spec(experiment: Experiment, dataset: Dataset) -> DetectionSpec:
    """Describe the model that an experiment trains on a data set."""
    assert isinstance(experiment, DetectionExperiment)
    assert isinstance(dataset, BoxDataset)
    model, names = experiment.model, dataset.class_names
    if model.options.head in MASK_HEADS and not any(sample.masks for sample in dataset.samples):
        raise InputError(
            f"{dataset.path}: expected masks (segmentation) for the head {model.options.head}, got "
            "boxes alone; take model.options.head=faster or cascade"
        )
    return DetectionSpec(
        name=experiment.name,
        network=model.network("detection", len(names)),
        input_size=model.input_size,
        fit=model.fit,
        antialias=model.antialias,
        conventions=model.conventions,
        channels=model.channels,
        # Listed in the order of the input's channels.
        mean=IMAGENET_MEAN if model.channels == "rgb" else _reversed(IMAGENET_MEAN),
        std=IMAGENET_STD if model.channels == "rgb" else _reversed(IMAGENET_STD),
        class_names=names,
    )


def _reversed(channels: tuple[float, float, float]) -> tuple[float, float, float]:
    return channels[2], channels[1], channels[0]
