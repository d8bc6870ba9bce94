"""The settings of a classification training."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hrnet.config import DataConfig, Experiment, ModelConfig, Part, TrainConfig
from hrnet.data.source import DataSource
from hrnet.spec import MAX_SIDE, InputSize
from hrnet.tasks import Dataset
from hrnet.tasks.classification.dataset import ClassificationDataset
from hrnet.tasks.classification.spec import ClassificationSpec, Interpolation, usual_resize

Share = Annotated[float, Field(gt=0, le=1)]
_MOST_OPERATIONS = 20
"""Of RandAugment, on a picture; published trainings have 2."""

Ratio = Annotated[float, Field(ge=0.05, le=20)]


class ClassificationModelConfig(ModelConfig):
    """The network, and the way from a picture to its input."""

    input_size: InputSize = (224, 224)
    """(height, width) of the input in pixels, multiples of 32."""
    resize: int | None = Field(default=None, ge=32, le=MAX_SIDE)
    """For predictions, the length in pixels of a picture's short side, before the input is cut
    from its centre; null: the longer side of input_size / 0.875, as 256 for 224."""
    interpolation: Interpolation = "bilinear"
    """bilinear or bicubic, of all resizing."""

    @property
    def short_side(self) -> int:
        """The length in pixels of a picture's short side, by `resize` or by `input_size`."""
        return self.resize or usual_resize(max(self.input_size))

    @model_validator(mode="after")
    def _check_resize(self) -> "ClassificationModelConfig":
        if self.resize is not None and self.resize < max(self.input_size):
            raise ValueError(
                f"expected resize of at least the longer side {max(self.input_size)} of "
                f"input_size, got {self.resize}"
            )
        return self


class ClassData(DataConfig):
    """Pictures in a folder a class, or in lists."""

    path: Path
    """To train on: a folder with a folder a class, or a CSV or text file that lists pictures
    with their classes."""
    images: Path | None = None
    """For lists, the folder of the pictures; null: that of the list."""
    val: Path | None = None
    """A folder or list to evaluate on every train.evaluate_every epochs; null: no
    evaluation."""

    def training(self) -> DataSource:
        """Return the folder or list to train on."""
        return DataSource(self.path, self.images)

    def validation(self) -> DataSource | None:
        """Return the folder or list to evaluate on."""
        if self.val is None:
            return None
        # A folder holds its own pictures; `images` is of lists.
        return DataSource(self.val, None if self.val.is_dir() else self.images)


class ClassAugmentation(Part):
    """The random variation of training pictures; the defaults are the published ones of HRNet.

    randaugment, erasing, mixup and cutmix are those of timm: `pip install 'hrnet[timm]'`.
    """

    flip: float = Field(default=0.5, ge=0, le=1)
    """Probability of mirroring."""
    scale: tuple[Share, Share] = (0.08, 1.0)
    """Least and most share of the picture that a crop takes."""
    ratio: tuple[Ratio, Ratio] = (3 / 4, 4 / 3)
    """Least and most width / height of that crop."""
    colour: float = Field(default=0.0, ge=0, le=0.95)
    """Brightness, contrast and saturation are each multiplied within 1 +- colour."""
    grey: float = Field(default=0.0, ge=0, le=1)
    """Probability of a grey crop."""
    randaugment: str | None = Field(
        default=None, max_length=100, pattern=r"^rand(-[a-z]+[0-9.]*)*$"
    )
    """RandAugment as timm writes it, such as rand-m9-mstd0.5-inc1 (magnitude 9 with a deviation
    of 0.5); null: none."""
    erasing: float = Field(default=0.0, ge=0, le=1)
    """Probability of covering a rectangle of 2% to a third of the crop with noise."""
    mixup: float = Field(default=0.0, ge=0, le=100)
    """Two pictures are blended, with a share from Beta(mixup, mixup); 0: never."""
    cutmix: float = Field(default=0.0, ge=0, le=100)
    """A rectangle of a picture is replaced by that of another, with an area from Beta(cutmix,
    cutmix); 0: never."""
    mix_probability: float = Field(default=1.0, ge=0, le=1)
    """Probability that a batch is mixed at all."""
    mix_switch: float = Field(default=0.5, ge=0, le=1)
    """Probability of cutmix where both mixup and cutmix are on."""

    @model_validator(mode="after")
    def _check_order(self) -> "ClassAugmentation":
        for name in ("scale", "ratio"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"expected {name} as [least, most], got [{least:g}, {most:g}]")
        # timm would draw and apply any number of operations: memory and time have no end.
        counts = re.findall(r"-n([0-9]+)", self.randaugment or "")
        if any(len(count) > 2 or int(count) > _MOST_OPERATIONS for count in counts):
            raise ValueError(
                f"expected randaugment of at most {_MOST_OPERATIONS} operations, as in rand-m9-n2, "
                f"got {self.randaugment}"
            )
        return self

    @property
    def mixes(self) -> bool:
        """True where pictures of a batch are mixed."""
        return self.mix_probability > 0 and (self.mixup > 0 or self.cutmix > 0)

    @property
    def needs_timm(self) -> bool:
        """True where an augmentation is on that timm computes."""
        return self.mixes or self.randaugment is not None or self.erasing > 0


class ClassTrain(TrainConfig):
    """Optimisation, by cross-entropy with soft targets."""

    loss: Literal["cross_entropy"] = "cross_entropy"
    """cross_entropy."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes."""


class ClassificationExperiment(Experiment):
    """One training run of a classification network."""

    task: Literal["classification"] = "classification"
    """The task: classification."""
    model: ClassificationModelConfig
    data: ClassData
    augmentation: ClassAugmentation = ClassAugmentation()
    train: ClassTrain = ClassTrain()


EXPERIMENT = ClassificationExperiment


def make_spec(experiment: Experiment, dataset: Dataset) -> ClassificationSpec:
    """Describe the model that an experiment trains on a data set."""
    assert isinstance(experiment, ClassificationExperiment)
    assert isinstance(dataset, ClassificationDataset)
    model = experiment.model
    return ClassificationSpec(
        name=experiment.name,
        network=model.network("classification", len(dataset.class_names)),
        input_size=model.input_size,
        resize=model.short_side,
        interpolation=model.interpolation,
        class_names=dataset.class_names,
    )
