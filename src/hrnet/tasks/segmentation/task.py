"""The six methods of segmentation: a picture to views, logits to the class of each pixel.

    picture --views--> inputs --network--> logits --up-sampling, averages--> classes

See `tasks.segmentation.views` and `pages` for the way there and back.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.geometry import Image8
from hrnet.spec import ModelSpec
from hrnet.tasks import (
    Crop,
    Dataset,
    Job,
    Outputs,
    Page,
    Regions,
    Result,
    Sample,
    Task,
    TaskParts,
    expect_outputs,
)
from hrnet.tasks.segmentation.pages import Part, open_page
from hrnet.tasks.segmentation.published import usual_facts
from hrnet.tasks.segmentation.spec import SegmentationSpec

if TYPE_CHECKING:
    from hrnet.config import Experiment

_STRIDE = 4
"""Logits have a quarter of the input's height and width."""


class SegmentationTask:
    """Semantic segmentation: one class for each pixel of a picture.

    The parts for labelled data are imported where they are used: predicting starts without them.
    """

    def __init__(self, spec: ModelSpec, experiment: "Experiment | None" = None) -> None:
        assert isinstance(spec, SegmentationSpec)
        self._spec = spec
        self._experiment = experiment

    @property
    def spec(self) -> SegmentationSpec:
        return self._spec

    def preprocess(self, image: Image8, boxes: ArrayLike | Regions | None) -> Page:
        """Open a picture; InputError where boxes are given, or it needs too much memory."""
        if boxes is not None:
            raise InputError(
                f"expected no boxes: {self.spec.name:.60} takes whole pictures; leave them out"
            )
        return open_page(image, self.spec)

    def unflip(self, outputs: Outputs) -> Outputs:
        """Mirror the logits back, and swap classes of left and right; classes have no mean."""
        logits = outputs[0][:, self.spec.flip_order, :, ::-1]
        return (np.ascontiguousarray(logits),)

    def postprocess(self, outputs: Outputs, crops: Sequence[Crop]) -> Iterator[Part]:
        """Return for each view its logits (C, h, w) and, where there are any, classes (H, W)."""
        count = len(self.spec.class_names)
        height, width = crops[0].pixels.shape[:2]
        shapes: list[tuple[int, ...]] = [
            (len(crops), count, -(-height // _STRIDE), -(-width // _STRIDE))
        ]
        shapes += [(len(crops), height, width)] * (len(outputs) - 1)
        expect_outputs(outputs, shapes)
        logits, *rest = outputs
        classes = rest[0] if rest else None
        if classes is not None and not 0 <= classes.min() <= classes.max() < count:
            raise InputError(
                f"the network's output has classes beyond 0 to {count - 1}; export it again"
            )
        return (
            (logits[row], None if classes is None else classes[row]) for row in range(len(crops))
        )

    @staticmethod
    def dataset(source: DataSource) -> Dataset:
        """Read pictures with masks, see `tasks.segmentation.dataset`."""
        from hrnet.tasks.segmentation.dataset import read_dataset

        return cast(Dataset, read_dataset(source))

    def batch(
        self, samples: Sequence[Sample], pictures: Sequence[Image8], rngs: Sequence[Generator]
    ) -> tuple[Image8, dict[str, NDArray[np.int16]]]:
        """Augment samples; return inputs (N, H, W, 3) and `labels` (N, H, W), below 0 ignored.

        Raises InputError for a mask that cannot be used.
        """
        from hrnet.data.mask_dataset import MaskSample
        from hrnet.tasks.segmentation.augment import mask_batch
        from hrnet.tasks.segmentation.config import SegmentationExperiment

        assert isinstance(self._experiment, SegmentationExperiment)
        masks = [one.labels() for one in cast(Sequence[MaskSample], samples)]
        return mask_batch(
            cast(Sequence[MaskSample], samples),
            pictures,
            masks,
            rngs,
            spec=self.spec,
            augmentation=self._experiment.augmentation,
        )

    def evaluate(self, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, float]:
        """Compute mean IoU and accuracies, see `metrics_of`."""
        from hrnet.tasks.segmentation.evaluation import compare, metrics_of

        return metrics_of(compare(self.spec, pairs))


def _details(
    task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
) -> dict[str, object]:
    """Return what is written beside the metrics, see `tasks.segmentation.evaluation.details`."""
    from hrnet.tasks.segmentation.evaluation import details

    return details(task, pairs, dataset)


TASK = TaskParts(
    name="segmentation",
    make=SegmentationTask,
    spec=SegmentationSpec,
    settings="hrnet.tasks.segmentation.config",
    network="hrnet.tasks.segmentation.network",
    sections="hrnet.tasks.segmentation.sections",
    details=_details,
    usual_facts=usual_facts,
    results="areas",
    hub_tag="image-segmentation",
)
