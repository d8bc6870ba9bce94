"""The settings of a segmentation training."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from hrnet.config import DataConfig, Experiment, ModelConfig, Part, TrainConfig
from hrnet.data.mask_dataset import MaskDataset
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.spec import IMAGENET_MEAN, IMAGENET_STD, MAX_INPUT_PIXELS, InputSize, NetworkOptions
from hrnet.tasks import Dataset
from hrnet.tasks.segmentation.spec import Conventions, SegmentationSpec, Side, Sides

Factor = Annotated[float, Field(ge=0.1, le=10)]
Weight = Annotated[float, Field(ge=0, le=1000)]


class SegmentationModelConfig(ModelConfig):
    """The network, and the way from a picture to its inputs, see `SegmentationSpec`."""

    input_size: InputSize = (512, 512)
    """A usual (height, width) of the input in pixels, multiples of 32."""
    options: NetworkOptions = NetworkOptions(head="v2")
    """Choices within the architecture."""
    conventions: Conventions = "plain"
    """plain, or the code whose rounding, filling and averages are followed: hrnet, hrformer or
    mmsegmentation."""
    exact: Sides | None = None
    """(height, width) that each picture is resized to, its ratio lost; null: ratios are kept."""
    short_side: Side | None = None
    """Length in pixels that a picture's short side is resized to; null: not resized."""
    pad_to: int = Field(default=32, ge=1, le=256)
    """Pictures are filled up to a multiple of it, for predictions."""
    keep_padding: bool = False
    """true leaves that filling in when classes are brought back to the picture, as published
    scores on ADE20K have it."""
    long_side: Side | None = None
    """Length in pixels of a picture's long side at scale 1; null: its own."""
    scales: Annotated[
        tuple[Annotated[float, Field(ge=0.1, le=4)], ...], Field(min_length=1, max_length=20)
    ] = (1.0,)
    """Scales that predictions average over."""
    window: Sides | None = (1024, 1024)
    """(height, width) of the largest part that predictions look at at once; null: no limit."""
    stride: Sides | None = None
    """(down, across) from one window to the next, in pixels; null: as model.conventions has it."""
    tiling: Literal["inside", "padded"] = "inside"
    """inside moves the last window back into the picture, padded lets it stick out."""
    channels: Literal["rgb", "bgr"] = "rgb"
    """Order of the colours in the input; bgr for HRFormer's published weights."""


class MaskData(DataConfig):
    """Pictures with masks: folders, lists, polygons, or a known layout."""

    path: Path
    """To train on: the folder of the pictures, a list, a file of polygons, or the folder of a
    known layout such as Cityscapes."""
    images: Path | None = None
    """The folder of the pictures, where data.path does not hold them."""
    masks: Path | None = None
    """The folder of the masks; null where data.path names them or has a known layout."""
    split: str | None = Field(default=None, max_length=200)
    """The part of a known layout to train on, such as train; null where there are no parts."""
    val: Path | None = None
    """Evaluated on every train.evaluate_every epochs, as data.path; null: data.path itself where
    data.val_split is given, else no evaluation."""
    val_images: Path | None = None
    """The folder of those pictures; data.images for a list or file without it."""
    val_masks: Path | None = None
    """The folder of those masks; data.masks for a list or file without it."""
    val_split: str | None = Field(default=None, max_length=200)
    """The part of a known layout to evaluate on, such as val."""

    def training(self) -> DataSource:
        """Return the data to train on."""
        return DataSource(self.path, self.images, labels=self.masks, split=self.split)

    def validation(self) -> DataSource | None:
        """Return the data to evaluate on, None where neither val nor val_split is given."""
        if self.val is None and self.val_split is None:
            return None
        path = self.val or self.path
        images, masks = self.val_images, self.val_masks
        # A folder of its own holds its own pictures and masks.
        if self.val is None or not path.is_dir():
            images, masks = images or self.images, masks or self.masks
        return DataSource(path, images, labels=masks, split=self.val_split)


class MaskAugmentation(Part):
    """The random variation of training inputs, which are windows of scaled pictures.

    A picture is first resized as for predictions (model.exact, short_side, long_side).
    """

    crop: Sides | None = None
    """(height, width) of training inputs in pixels; null: model.input_size."""
    scale: tuple[Factor, Factor] = (0.5, 2.0)
    """Least and most factor on a picture's size."""
    scale_step: float = Field(default=0.0, ge=0, le=1)
    """Factors are the least one plus multiples of it, 0.1 in trainings of HRNet; 0: any."""
    aspect: tuple[Factor, Factor] = (1.0, 1.0)
    """Least and most factor on width / height."""
    flip: float = Field(default=0.5, ge=0, le=1)
    """Probability of mirroring; classes of left and right swap."""
    most_of_one: float = Field(default=1.0, gt=0, le=1)
    """A window in which one class has a larger share is drawn again, up to ten times; 0.75 in
    trainings of mmsegmentation, 1: never."""
    brightness: int = Field(default=0, ge=0, le=255)
    """A whole number within +- brightness is added to all pixels; 10 in trainings of HRFormer."""
    colour: float = Field(default=0.0, ge=0, le=0.95)
    """Brightness, contrast and saturation are each multiplied within 1 +- colour."""
    grey: float = Field(default=0.0, ge=0, le=1)
    """Probability of an input without colour."""
    distortion: bool = False
    """true changes brightness, contrast, saturation and hue, each in half of the inputs, as
    trainings of mmsegmentation do."""

    @model_validator(mode="after")
    def _check_ranges(self) -> "MaskAugmentation":
        for name in ("scale", "aspect"):
            least, most = getattr(self, name)
            if least > most:
                raise ValueError(f"expected {name} as [least, most], got [{least:g}, {most:g}]")
        if self.crop is not None and self.crop[0] * self.crop[1] > MAX_INPUT_PIXELS:
            raise ValueError(
                f"expected crop of at most {MAX_INPUT_PIXELS:,} pixels in all, got "
                f"{self.crop[0]} x {self.crop[1]}"
            )
        return self


class SegmentationTrain(TrainConfig):
    """Optimisation, by a loss of all pixels or of the hardest."""

    loss: Literal["cross_entropy", "ohem", "ohem_hrformer"] = "cross_entropy"
    """cross_entropy of all pixels, or ohem (online hard example mining) of those whose true class
    has a low probability; ohem_hrformer counts as HRFormer's training does."""
    schedule: Literal["step", "cosine", "poly", "constant"] = "poly"
    """step (a tenth at each of train.milestones), cosine or poly (power 0.9) to zero over the
    run, or constant."""
    aux_weight: float = Field(default=0.4, ge=0, le=1000)
    """Weight of the loss of the auxiliary logits, of heads that have them (ocr, ocr_v3)."""
    ohem_threshold: float = Field(default=0.9, gt=0, le=1)
    """With ohem, pixels count whose true class has a lower probability."""
    ohem_keep: int = Field(default=131_072, ge=0, le=1_000_000_000)
    """With ohem, the least number of pixels that count, in a process's share of an update."""
    divide_by_all: bool = False
    """true divides the sum over the pixels by all of them, those to ignore included, as trainings
    of mmsegmentation do; false divides by those that count. For cross_entropy."""
    class_weights: tuple[Weight, ...] = Field(default=(), max_length=10_000)
    """Factor of each class in the loss, in the order of the classes; none: 1 for all."""


class SegmentationExperiment(Experiment):
    """One training run of a segmentation network."""

    task: Literal["segmentation"] = "segmentation"
    """The task: segmentation."""
    model: SegmentationModelConfig
    data: MaskData
    augmentation: MaskAugmentation = MaskAugmentation()
    train: SegmentationTrain = SegmentationTrain()


EXPERIMENT = SegmentationExperiment


def make_spec(experiment: Experiment, dataset: Dataset) -> SegmentationSpec:
    """Describe the model that an experiment trains on a data set."""
    assert isinstance(experiment, SegmentationExperiment)
    assert isinstance(dataset, MaskDataset)
    model, names = experiment.model, dataset.class_names
    weights = experiment.train.class_weights
    if weights and len(weights) != len(names):
        raise InputError(
            f"expected train.class_weights for the {len(names)} classes of {dataset.path}, got "
            f"{len(weights)}"
        )
    if weights and not any(weights):
        raise InputError("expected train.class_weights above 0 for one class at least, got zeros")
    # Published trainings of HRFormer normalise blue with the mean of red, and red with that of
    # blue; others list mean and std in the order of the channels.
    swapped = model.channels == "bgr" and model.conventions != "hrformer"
    shared = set(SegmentationModelConfig.model_fields) - {"variant", "options"}
    return SegmentationSpec(
        name=experiment.name,
        network=model.network("segmentation", len(names)),
        mean=IMAGENET_MEAN[::-1] if swapped else IMAGENET_MEAN,
        std=IMAGENET_STD[::-1] if swapped else IMAGENET_STD,
        class_names=names,
        colors=dataset.colors or (),
        mirror_pairs=dataset.mirror_pairs,
        **model.model_dump(include=shared),
    )
