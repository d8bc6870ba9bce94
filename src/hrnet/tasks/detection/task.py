"""The six methods of detection: a picture to an input, boxes of the input to boxes of the picture.

    picture --fit_picture--> input --network--> boxes, scores, labels (, masks) --scale--> picture

The network ends in boxes, see `tasks.detection.network`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from hrnet.data.box_dataset import BoxSample
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
    Task,
    TaskParts,
    expect_outputs,
)
from hrnet.tasks.detection.coco import usual_facts
from hrnet.tasks.detection.crops import fit_picture
from hrnet.tasks.detection.result import Detections
from hrnet.tasks.detection.spec import DetectionSpec

if TYPE_CHECKING:
    from hrnet.config import Experiment
    from hrnet.tasks.detection.evaluation import Comparison

MASK_SIDE = 28
"""Height and width of a detection's mask, which covers its box."""

Found = tuple[NDArray[np.float32], ...]
"""Boxes (N, 4) in pixels of the picture, scores (N,), labels (N,), and masks (N, 28, 28)."""


class DetectionPage:
    """A picture with its one input, and the detections once they have come in."""

    def __init__(self, image: Image8, spec: DetectionSpec) -> None:
        self._image: Image8 | None = image  # until the input is made
        self._image_size: Size = (image.shape[0], image.shape[1])
        self._spec = spec
        self._found: Found | None = None

    def crops(self) -> Iterator[Crop]:
        """Make the one input, the whole picture resized."""
        assert self._image is not None
        pixels, matrix, content = fit_picture(self._image, self._spec)
        self._image = None
        # Further inputs: the scale, where the network has one.
        numbers = (float(matrix[0, 0]),) * (len(self._spec.input_names) - 1)
        yield Crop(self, pixels, matrix, content, numbers)

    def add(self, part: object) -> None:
        """Take what was found."""
        self._found = cast(Found, part)  # as `postprocess` gave it

    @property
    def done(self) -> bool:
        return self._found is not None

    def result(self) -> Detections:
        """Return the detections, their boxes cut off at the edges of the picture.

        Boxes of which nothing is left are none: they lay in what fills up the input.
        """
        assert self._found is not None
        height, width = self._image_size
        boxes = self._found[0].clip(0, np.array([width, height, width, height], np.float32))
        is_left = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        boxes, scores, labels, *masks = (part[is_left] for part in (boxes, *self._found[1:]))
        return Detections(
            boxes=boxes,
            scores=scores,
            class_ids=labels.astype(np.int64),
            class_names=self._spec.class_names,
            image_size=self._image_size,
            mask_maps=masks[0] if masks else None,
            usual_score=self._spec.usual_score,
            conventions=self._spec.conventions,
        )


class DetectionTask:
    """Object detection: the boxes and classes of all objects in a picture.

    The parts for labelled data are imported where they are used: predicting starts without them.
    """

    def __init__(self, spec: ModelSpec, experiment: "Experiment | None" = None) -> None:
        assert isinstance(spec, DetectionSpec)
        self._spec = spec
        self._experiment = experiment
        self._compared: tuple[Sequence[tuple[Job, Result]], Comparison] | None = None

    @property
    def spec(self) -> DetectionSpec:
        return self._spec

    def preprocess(self, image: Image8, boxes: ArrayLike | Regions | None) -> DetectionPage:
        """Open a picture; raises InputError where boxes are given."""
        if boxes is not None:
            raise InputError(
                f"expected no boxes: {self.spec.name:.60} finds them itself; leave them out"
            )
        return DetectionPage(image, self.spec)

    def unflip(self, outputs: Outputs) -> Outputs:
        """Raise InputError: boxes of a mirrored picture cannot be averaged."""
        raise InputError("expected no flip test: a detector has none; leave it out")

    def postprocess(self, outputs: Outputs, crops: Sequence[Crop]) -> Iterator[Found]:
        """Return the detections of each input, in pixels of its picture."""
        spec, count = self.spec, self.spec.max_detections
        shapes: list[tuple[int, ...]] = [(len(crops), count, 4)] + [(len(crops), count)] * 2
        if spec.has_masks:
            shapes.append((len(crops), count, MASK_SIDE, MASK_SIDE))
        expect_outputs(outputs, shapes)
        labels, classes = outputs[2], len(spec.class_names)
        if not ((labels >= 0) & (labels < classes) & (labels == np.rint(labels))).all():
            raise InputError(
                f"the network's output has labels that are no classes 0 to {classes - 1}; export "
                "it again"
            )
        return (self._found(parts, crop) for *parts, crop in zip(*outputs, crops, strict=True))

    def _found(self, parts: Sequence[NDArray[np.float32]], crop: Crop) -> Found:
        """Return the rows of one input that hold a detection, scaled to the picture."""
        boxes, scores, labels, *masks = parts
        keep = scores > 0  # the network applies `min_score`
        # Legacy boxes end at the last pixel that is inside.
        last = np.array([0, 0, 1, 1]) if self.spec.conventions == "legacy" else np.zeros(4)
        scale = np.array([crop.matrix[0, 0], crop.matrix[1, 1]] * 2)
        located = (boxes / scale + last).astype(np.float32)
        return (located[keep], scores[keep], labels[keep], *(mask[keep] for mask in masks))

    @staticmethod
    def dataset(source: DataSource) -> Dataset:
        """Read labelled boxes, see `tasks.detection.dataset`."""
        from hrnet.tasks.detection.dataset import read_dataset

        return cast(Dataset, read_dataset(source))

    def batch(
        self, samples: Sequence[Sample], pictures: Sequence[Image8], rngs: Sequence[Generator]
    ) -> tuple[Image8, dict[str, NDArray[np.generic]]]:
        """Augment samples; return inputs (N, H, W, 3) and the targets of `targets.py`."""
        from hrnet.tasks.detection.config import DetectionExperiment
        from hrnet.tasks.detection.fit_augment import fit_batch

        assert isinstance(self._experiment, DetectionExperiment)
        labelled, augmentation = cast(Sequence[BoxSample], samples), self._experiment.augmentation
        return fit_batch(labelled, pictures, rngs, spec=self.spec, augmentation=augmentation)

    def evaluate(self, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, float]:
        """Compute COCO's AP of boxes and masks, see `metrics_of`."""
        from hrnet.tasks.detection.evaluation import metrics_of

        return metrics_of(self.compare(pairs, dataset))

    def compare(self, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> "Comparison":
        """Compare results with labels, see `tasks.detection.evaluation.compare`.

        The last comparison is kept: metrics, details and the report are of the same pairs.
        """
        from hrnet.tasks.detection.dataset import DetectionDataset
        from hrnet.tasks.detection.evaluation import compare

        assert isinstance(dataset, DetectionDataset)
        if self._compared is None or self._compared[0] is not pairs:
            self._compared = pairs, compare(self.spec, pairs, dataset)
        return self._compared[1]


def _details(
    task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
) -> dict[str, object]:
    """Return what is written beside the metrics, see `tasks.detection.evaluation.details`."""
    from hrnet.tasks.detection.evaluation import details

    return details(task, pairs, dataset)


TASK = TaskParts(
    name="detection",
    make=DetectionTask,
    spec=DetectionSpec,
    settings="hrnet.tasks.detection.config",
    network="hrnet.tasks.detection.network",
    sections="hrnet.tasks.detection.sections",
    details=_details,
    usual_facts=usual_facts,
    results="detections",
    hub_tag="object-detection",
    finds_regions=True,
)
