"""The six methods of classification: a picture to its centre, logits to scores, scores to top-k.

    picture --resize the short side--> --crop the centre--> input --network--> logits
    --softmax--> scores

Source: the official HRNet classification code (Wang et al. 2020).
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from hrnet.data.augment import Augmentation, distort
from hrnet.data.class_dataset import ClassSample
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.geometry import Image8, Size
from hrnet.spec import ModelSpec
from hrnet.tasks import (
    Crop,
    Dataset,
    Job,
    Outputs,
    Regions,
    Result,
    Sample,
    TaskParts,
    expect_outputs,
)
from hrnet.tasks.classification.crops import centre_crop, draw_crop_box, resize_box
from hrnet.tasks.classification.dataset import ClassificationDataset, read_dataset
from hrnet.tasks.classification.evaluation import compare, details, metrics_of
from hrnet.tasks.classification.result import Labels
from hrnet.tasks.classification.spec import ClassificationSpec, usual_facts

if TYPE_CHECKING:
    from hrnet.config import Experiment
    from hrnet.tasks.classification.config import ClassificationExperiment

_NETWORK = "hrnet.tasks.classification.network"
"""Needs torch, so that it is imported by name where it is used."""

Scores = NDArray[np.float32]


class ClassificationPage:
    """A picture with its one crop, and the scores once they have come in."""

    def __init__(self, image: Image8, spec: ClassificationSpec) -> None:
        self._image: Image8 | None = image  # until the crop is cut
        self._image_size: Size = (image.shape[0], image.shape[1])
        self._spec = spec
        self._scores: Scores | None = None

    def crops(self) -> Iterator[Crop]:
        """Cut the one crop, from the centre."""
        assert self._image is not None
        pixels, matrix = centre_crop(self._image, self._spec)
        self._image = None
        yield Crop(self, pixels, matrix)

    def add(self, part: object) -> None:
        """Take the scores (C,) of the crop."""
        self._scores = cast(Scores, part)  # as `postprocess` gave it

    @property
    def done(self) -> bool:
        return self._scores is not None

    def result(self) -> Labels:
        """Return the scores with the names of their classes."""
        assert self._scores is not None
        return Labels(self._scores, self._spec.class_names, self._image_size)


class ClassificationTask:
    """Image classification: one class for a whole picture."""

    def __init__(self, spec: ModelSpec, experiment: "Experiment | None" = None) -> None:
        assert isinstance(spec, ClassificationSpec)
        self._spec = spec
        self._experiment: ClassificationExperiment | None = None
        if experiment is not None:  # predicting starts without the settings of a training
            from hrnet.tasks.classification import config

            assert isinstance(experiment, config.ClassificationExperiment)
            self._experiment = experiment
            if experiment.augmentation.needs_timm:
                # Now, since an error in a worker would be a long traceback.
                import_module(_NETWORK).expect_timm(experiment.augmentation, spec)

    @property
    def spec(self) -> ClassificationSpec:
        return self._spec

    def preprocess(self, image: Image8, boxes: ArrayLike | Regions | None) -> ClassificationPage:
        """Open a picture; raises InputError where boxes are given."""
        if boxes is not None:
            raise InputError(
                f"expected no boxes: {self.spec.name:.60} takes whole pictures; leave them out"
            )
        return ClassificationPage(image, self.spec)

    def unflip(self, outputs: Outputs) -> Outputs:
        """Return the logits as they are: a mirrored picture has the same class."""
        return outputs

    def postprocess(self, outputs: Outputs, crops: Sequence[Crop]) -> Iterator[Scores]:
        """Return the scores (C,) of each crop, softmax(logits) computed in float64."""
        expect_outputs(outputs, [(len(crops), len(self.spec.class_names))])
        (logits,) = outputs
        # softmax(x) = exp(x - max x) / sum exp(x - max x)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True).astype(np.float64))
        scores = powers / powers.sum(axis=1, keepdims=True)
        return iter(scores.astype(np.float32))

    @staticmethod
    def dataset(source: DataSource) -> ClassificationDataset:
        """Read a folder a class, or a list of pictures, see `tasks.classification.dataset`."""
        return read_dataset(source)

    def batch(
        self, samples: Sequence[Sample], pictures: Sequence[Image8], rngs: Sequence[Generator]
    ) -> tuple[Image8, dict[str, NDArray[np.float32]]]:
        """Draw a crop of each sample; return crops (N, H, W, 3) uint8 and soft targets.

        The targets are `classes` (N, C), which add up to 1. The mixing of a batch follows the first
        sample's generator, and the order of the samples.
        """
        assert self._experiment is not None
        # Each crop follows its own generator.
        augmentation = self._experiment.augmentation
        smoothing = self._experiment.train.label_smoothing
        crops = np.stack(
            [self._crop(picture, rng) for picture, rng in zip(pictures, rngs, strict=True)]
        )
        classes = np.array([cast(ClassSample, sample).class_index for sample in samples])
        count = len(self.spec.class_names)
        if augmentation.mixes:
            crops, targets = import_module(_NETWORK).mix(
                crops, classes, count, augmentation=augmentation, smoothing=smoothing, rng=rngs[0]
            )
            return crops, {"classes": targets}
        # Label smoothing: (1 - s) * one-hot + s / C
        targets = np.full((len(classes), count), smoothing / count, np.float32)
        targets[np.arange(len(classes)), classes] += 1 - smoothing
        return crops, {"classes": targets}

    def _crop(self, picture: Image8, rng: Generator) -> Image8:
        """Cut a random crop, then mirror, RandAugment, colours and erasing, in that order."""
        assert self._experiment is not None
        spec, augmentation = self.spec, self._experiment.augmentation
        # The random crop, resized to the input.
        size = (picture.shape[0], picture.shape[1])
        box = draw_crop_box(size, augmentation.scale, augmentation.ratio, rng)
        crop = resize_box(picture, box, spec.input_size, spec.interpolation)
        # Mirroring and colours, in the order of timm's training script.
        if rng.random() < augmentation.flip:
            crop = np.ascontiguousarray(crop[:, ::-1])
        if augmentation.randaugment is not None:
            crop = import_module(_NETWORK).rand_augment(crop, augmentation.randaugment, spec, rng)
        if augmentation.colour or augmentation.grey:
            look = Augmentation(colour=augmentation.colour, grey=augmentation.grey)
            crop = distort(crop, look, rng)
        if augmentation.erasing:
            crop = import_module(_NETWORK).erase(crop, augmentation.erasing, spec, rng)
        return crop

    def evaluate(self, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, float]:
        """Compute top-1, top-5 and the mean of the class accuracies, see `metrics_of`."""
        assert isinstance(dataset, ClassificationDataset)
        return metrics_of(compare(self.spec, pairs, dataset))


TASK = TaskParts(
    name="classification",
    make=ClassificationTask,
    spec=ClassificationSpec,
    settings="hrnet.tasks.classification.config",
    network=_NETWORK,
    sections="hrnet.tasks.classification.sections",
    details=details,
    usual_facts=usual_facts,
    results="classes",
    hub_tag="image-classification",
)
