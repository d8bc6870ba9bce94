"""Metrics of segmentation: mean IoU and accuracies, and the same class by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from hrnet.metrics.miou import (
    Counts,
    class_iou,
    mean_accuracy,
    mean_iou,
    pixel_accuracy,
)
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.segmentation.compared import ComparedMap
from hrnet.tasks.segmentation.spec import SegmentationSpec

MAX_CLASS_METRICS = 30
"""Models of more classes have no metric for each of them; tables would be too long."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Results beside their labels.

    jobs, maps: of N pictures. confusion: (C, C) pixels of all of them, rows are true classes.
    absent_as_zero: see `hrnet.metrics.miou`.
    """

    jobs: tuple[Job, ...]
    maps: tuple[ComparedMap, ...]
    confusion: Counts
    class_names: tuple[str, ...]
    absent_as_zero: bool

    def iou_of(self, row: int) -> float:
        """Return the mean IoU of one picture, over the classes in its truth or prediction."""
        return mean_iou(self.maps[row].confusion)


def compare(spec: SegmentationSpec, pairs: Sequence[tuple[Job, Result]]) -> Comparison:
    """Add up the pixels of results that `Dataset.keep` compared with their labels."""
    maps = tuple(cast(ComparedMap, result) for _, result in pairs)
    count = len(spec.class_names)
    confusion = np.zeros((count, count), np.int64)
    for one in maps:
        confusion += one.confusion
    return Comparison(
        jobs=tuple(job for job, _ in pairs),
        maps=maps,
        confusion=confusion,
        class_names=spec.class_names,
        absent_as_zero=spec.conventions == "hrnet",
    )


def metrics_of(found: Comparison) -> dict[str, float]:
    """Return mIoU, pixel accuracy and mean accuracy, -1 where no pixel counts.

    Models of up to 30 classes have `IoU/NAME` of each class that occurs, too.
    """
    confusion, zero = found.confusion, found.absent_as_zero
    if not confusion.sum():
        return {"mIoU": -1.0, "pixel accuracy": -1.0, "mean accuracy": -1.0}
    metrics = {
        "mIoU": mean_iou(confusion, absent_as_zero=zero),
        "pixel accuracy": pixel_accuracy(confusion),
        "mean accuracy": mean_accuracy(confusion, absent_as_zero=zero),
    }
    if len(found.class_names) > MAX_CLASS_METRICS:
        return metrics
    by_class = zip(found.class_names, class_iou(confusion).tolist(), strict=True)
    return metrics | {f"IoU/{name}": iou for name, iou in by_class if not np.isnan(iou)}


def details(task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, object]:
    """Return the details that are written beside the metrics: `classes` and `confusion`.

    classes: name, true and predicted pixels, and IoU (null where the class nowhere occurs) of each
    class. confusion: pixels by true class (rows) and predicted class (columns), in that order.
    """
    assert isinstance(task.spec, SegmentationSpec)
    found = compare(task.spec, pairs)
    confusion = found.confusion
    rows = zip(
        found.class_names,
        confusion.sum(axis=1).tolist(),
        confusion.sum(axis=0).tolist(),
        class_iou(confusion).tolist(),
        strict=True,
    )
    return {
        "classes": [
            {
                "class": name,
                "pixels": true,
                "predicted": predicted,
                "iou": None if np.isnan(iou) else iou,
            }
            for name, true, predicted, iou in rows
        ],
        "confusion": confusion.tolist(),
    }
