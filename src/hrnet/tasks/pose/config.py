"""The settings of a pose training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hrnet.codecs.heatmap import CodecKind
from hrnet.config import DataConfig, Experiment, ModelConfig, TrainConfig
from hrnet.data.augment import Augmentation
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.spec import (
    LEAST,
    MOST,
    FineInputSize,
    ModelSpec,
    PixelRange,
    check_per_channel,
    usual_normalisation,
)
from hrnet.tasks import Dataset
from hrnet.tasks.pose.dataset import PoseDataset
from hrnet.tasks.pose.spec import PoseSpec


class PoseModelConfig(ModelConfig):
    """The network, and the encoding of keypoints in heatmaps."""

    any_channels: ClassVar[bool] = True

    input_size: FineInputSize = (256, 192)
    """(height, width) of the input in pixels, multiples of 4."""
    codec: CodecKind = "classic"
    """How heatmaps encode keypoints: classic, dark or udp (as published; udp is exact also in
    mirrored crops), exact (as udp, right at the border of the crop too), or face (as published for
    facial landmarks)."""
    sigma: float = Field(default=2.0, ge=0.5, le=32)
    """Standard deviation of a keypoint's Gaussian, in heatmap pixels."""
    metrics: tuple[Annotated[str, Field(max_length=1000)], ...] = Field(default=(), max_length=20)
    """Figures of an evaluation: px, mm, nme:NORMALISER, pck:NORMALISER and coco, where NORMALISER
    is box, side, normaliser or two keypoints as A-B; the first chooses the best checkpoint; []:
    coco."""
    ellipses: bool = False
    """true adds an ellipse of uncertainty to each keypoint, fitted to the validation data."""
    padding: float = Field(default=1.25, ge=0.1, le=10)
    """Factor by which a box grows before it is cropped."""
    subjects: Literal["persons", "boxes", "picture"] | None = None
    """What is in a picture without boxes: persons (a detector finds them), boxes (they have to be
    given), picture (the whole of it is one subject, see data.whole_images); null: picture where the
    data are taken so, else persons where the keypoints are those of a published data set of
    persons, else boxes."""
    pixel_range: PixelRange | None = None
    """Stored values of a pixel that become 0 and 1, such as [0, 4095] of 12 bits; null: 0 to 255,
    for pictures of 8 bits."""
    mean: tuple[Annotated[float, Field(ge=-MOST, le=MOST)], ...] | None = None
    """Subtracted from pixels in 0..1, a number for each channel; null: ImageNet's of 3 channels,
    for others the mean of these."""
    std: tuple[Annotated[float, Field(ge=LEAST, le=MOST)], ...] | None = None
    """What they are divided by then, in the same way."""

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        for name in ("mean", "std"):
            values = getattr(self, name)
            if values is not None:
                check_per_channel(name, values, self.options.num_channels)
        return self


class KeypointData(DataConfig):
    """COCO keypoint files and the folders of their pictures."""

    annotations: Path
    """The COCO keypoint file to train on."""
    images: Path
    """The folder of its pictures."""
    val_annotations: Path | None = None
    """Evaluated on every train.evaluate_every epochs; null: no evaluation."""
    val_images: Path | None = None
    """The folder of those pictures; data.images without it."""
    category: str | None = None
    """The category to take, where several have different keypoints: name or id."""

    whole_images: bool | None = None
    """true takes each whole picture as one subject, whatever boxes there are; null does so where
    there are none and no picture has more than one subject."""

    mm_per_pixel: float | None = Field(default=None, gt=0, le=1e6)
    """Of pictures whose entry has no mm_per_pixel of its own; null: none."""

    def training(self) -> DataSource:
        """Return the file to train on."""
        return self._source(self.annotations, self.images)

    def validation(self) -> DataSource | None:
        """Return the file to evaluate on, None where no val_annotations are given."""
        if self.val_annotations is None:
            return None
        return self._source(self.val_annotations, self.val_images or self.images)

    def _source(self, annotations: Path, images: Path) -> DataSource:
        return DataSource(
            annotations,
            images,
            category=self.category,
            whole_images=self.whole_images,
            mm_per_pixel=self.mm_per_pixel,
        )


@dataclass(frozen=True, slots=True)
class PoseAugmentation(Augmentation):
    """The variation of crops; the defaults are the published ones for COCO."""

    limits: ClassVar[dict[str, float]] = {
        **Augmentation.limits,
        "half_body": 1,
        "half_body_min_visible": 1000,
    }

    half_body: Annotated[
        float,
        Field(
            description="Probability of showing only the upper or lower half of a subject with "
            "more than half_body_min_visible labelled keypoints; unused where the skeleton names "
            "no upper body."
        ),
    ] = 0.3
    half_body_min_visible: Annotated[int, Field(description="See half_body.")] = 8


NO_AUGMENTATION = PoseAugmentation(flip=0, scale=0, rotation_deg=0, half_body=0)


class PoseTrain(TrainConfig):
    """Optimisation, by a loss of heatmaps."""

    loss: Literal["mse", "ohkm", "cross_entropy", "map_cross_entropy"] = "mse"
    """mse (as published), ohkm (the 8 hardest keypoints), cross_entropy (over the pixels of each
    map; learns from few data faster) or map_cross_entropy (over the maps and a background at each
    pixel, as models of pitches; for data in which every visible keypoint is labelled)."""
    presence_weight: float = Field(default=1e-3, ge=0, le=1000)
    """Weight of the presence output's loss beside that of the heatmaps, where the network has it
    (model.options.presence=true). The default hardly moves the rest of the network; adam and adamw
    train the output itself equally fast at any weight above 0."""


class PoseExperiment(Experiment):
    """One training run of a pose network."""

    task: Literal["pose"] = "pose"
    """The task: pose."""
    model: PoseModelConfig
    data: KeypointData
    augmentation: PoseAugmentation = PoseAugmentation()
    train: PoseTrain = PoseTrain()

    def notes(self, spec: ModelSpec) -> list[str]:
        """Return warnings of augmentation without effect: mirroring, and crops without colour."""
        assert isinstance(spec, PoseSpec)
        grey = [
            "NO GREY CROPS: augmentation.grey is of RGB pictures of 8 bits, and has no effect here"
        ]
        is_rgb = spec.network.num_channels == 3 and spec.pixel_range in (None, (0, 255))
        notes = grey if self.augmentation.grey and not is_rgb else []
        if spec.skeleton.flip_pairs or not self.augmentation.flip:
            return notes
        return [
            *notes,
            "NO MIRRORING: no left and right keypoints are known, so pictures are not flipped; "
            "`hrnet data check` shows how to name the pairs",
        ]


EXPERIMENT = PoseExperiment

UNFITTED = (1.0, 0.0)
"""The spread of a model whose ellipses are those of its heatmaps alone."""


def make_spec(experiment: Experiment, dataset: Dataset) -> PoseSpec:
    """Describe the model that an experiment trains on a data set."""
    assert isinstance(experiment, PoseExperiment)
    assert isinstance(dataset, PoseDataset)
    # A network trained by cross-entropy returns logits, which prediction rescales.
    model, skeleton = experiment.model, dataset.keypoints.skeleton
    network = model.network("pose", skeleton.num_keypoints)
    if experiment.train.loss == "map_cross_entropy":
        network = network.model_copy(update={"background": True})
    elif network.background:
        raise InputError(
            "expected model.options.background with train.loss=map_cross_entropy, got "
            f"{experiment.train.loss}; leave it out"
        )
    whole = dataset.keypoints.whole_images
    if (model.subjects or "picture") != "picture" and whole:
        raise InputError(
            f"{dataset.path}: expected boxes for model.subjects={model.subjects}, but whole "
            "pictures are the subjects; set model.subjects=null or data.whole_images=false"
        )
    if model.subjects == "picture" and not whole:
        raise InputError(
            f"{dataset.path}: model.subjects=picture goes with whole pictures; set "
            "data.whole_images=true"
        )
    mean, std = usual_normalisation(model.options.num_channels)
    return PoseSpec(
        name=experiment.name,
        network=network,
        input_size=model.input_size,
        mean=model.mean or mean,
        std=model.std or std,
        pixel_range=model.pixel_range,
        codec=model.codec,
        sigma=model.sigma,
        activation="softmax" if experiment.train.loss == "cross_entropy" else "none",
        padding=model.padding,
        skeleton=skeleton,
        subjects="picture" if whole else model.subjects,
        spread=UNFITTED if model.ellipses else None,
        metrics=model.metrics,
    )
