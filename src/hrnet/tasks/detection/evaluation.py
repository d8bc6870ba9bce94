"""Metrics of detections: COCO's AP of boxes and masks, and precision and recall at a score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from hrnet.data.run_lengths import run_lengths
from hrnet.geometry import xyxy_to_xywh
from hrnet.metrics.coco_boxes import (
    SIZES,
    BoxFigures,
    FoundObjects,
    TrueObjects,
    compare_boxes,
)
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.detection.dataset import DetectionDataset
from hrnet.tasks.detection.result import Detections
from hrnet.tasks.detection.spec import DetectionSpec

MAX_CLASS_METRICS = 20
"""Data of more classes have no metric for each of them; tables would be too long."""

MASK = "mask "
"""The beginning of the names of metrics of masks."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The detections of pictures beside the labels; class indices are those of the data.

    truth, results: one a picture. boxes, masks: their figures; masks is None where the model or the
    data have none. usual_score: of the model, at which precision and recall are taken.
    """

    jobs: tuple[Job, ...]
    truth: tuple[TrueObjects, ...]
    results: tuple[Detections, ...]
    boxes: BoxFigures
    masks: BoxFigures | None
    class_names: tuple[str, ...]
    usual_score: float


def compare(
    spec: DetectionSpec, pairs: Sequence[tuple[Job, Result]], dataset: DetectionDataset
) -> Comparison:
    """Compare detections with the labels of a data set.

    Classes go by their names. Those that the data do not have count neither way.
    """
    results = [cast(Detections, result) for _, result in pairs]
    with_masks = spec.has_masks and dataset.has_masks
    truth = [_truth(dataset, job, result) for (job, _), result in zip(pairs, results, strict=True)]
    # The model's class indices become those of the data.
    numbers = {name: index for index, name in enumerate(dataset.class_names)}
    classes = np.array([numbers.get(name, -1) for name in spec.class_names], np.int64)
    found = [
        FoundObjects(
            boxes_xywh=xyxy_to_xywh(one.boxes),
            scores=one.scores.astype(np.float64),
            classes=classes[one.class_ids],
            masks=[run_lengths(mask) for mask in one.each_mask()] if with_masks else None,
        )
        for one in results
    ]
    count = len(dataset.class_names)
    return Comparison(
        jobs=tuple(job for job, _ in pairs),
        truth=tuple(truth),
        results=tuple(results),
        boxes=compare_boxes(truth, found, count),
        masks=compare_boxes(truth, found, count, "segm") if with_masks else None,
        class_names=dataset.class_names,
        usual_score=spec.usual_score,
    )


def _truth(dataset: DetectionDataset, job: Job, result: Detections) -> TrueObjects:
    sample = dataset.samples[job.index]
    boxes = sample.boxes_xywh
    return TrueObjects(
        image_size=result.image_size,
        boxes_xywh=boxes,
        classes=sample.classes,
        areas=boxes[:, 2] * boxes[:, 3] if sample.areas is None else sample.areas,
        ignore=sample.ignore,
        masks=sample.masks or [None] * len(boxes),
    )


def metrics_of(found: Comparison) -> dict[str, float]:
    """Return AP and AR of boxes, then of masks, in 0..1, or -1 where nothing can count.

    `precision` and `recall` are at the model's usual score. Data of 2 to 20 classes have `AP/NAME`,
    the AP of boxes of a class, too.
    """
    metrics = dict(found.boxes.metrics)
    if found.masks is not None:
        metrics |= {MASK + name: value for name, value in found.masks.metrics.items()}
    rates = found.boxes.sizes["all"].rates(found.usual_score)
    metrics |= dict(zip(("precision", "recall"), rates, strict=True))
    if 1 < len(found.class_names) <= MAX_CLASS_METRICS:
        by_class = zip(found.class_names, found.boxes.class_ap.tolist(), strict=True)
        metrics |= {f"AP/{name}": value for name, value in by_class}
    return metrics


def details(task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, object]:
    """Return the details that are written beside the metrics: `classes` and `sizes`.

    classes: name, objects, AP and AP50 of each class, with masks `mask AP` too. sizes: objects, AP,
    AR, and at the model's usual score precision and recall, of all objects and by size. -1 stands
    where nothing can count.
    """
    found = comparison_of(task, pairs, dataset)
    boxes, masks = found.boxes, found.masks
    classes = [
        {
            "class": name,
            "objects": int(boxes.objects[index]),
            "AP": float(boxes.class_ap[index]),
            "AP50": float(boxes.class_ap50[index]),
            **({} if masks is None else {"mask AP": float(masks.class_ap[index])}),
        }
        for index, name in enumerate(found.class_names)
    ]
    return {"classes": classes, "sizes": by_size(found)}


def by_size(found: Comparison) -> list[dict[str, object]]:
    """List objects, AP, AR, precision and recall of boxes, of all objects and by size."""
    rows: list[dict[str, object]] = []
    for name, letter in zip(SIZES, ("", "S", "M", "L"), strict=True):
        tally = found.boxes.sizes[name]
        precision, recall = tally.rates(found.usual_score)
        rows.append(
            {
                "size": name,
                "objects": tally.objects,
                "AP": found.boxes.metrics[f"AP{letter}"],
                "AR": found.boxes.metrics[f"AR{letter}"],
                "precision": precision,
                "recall": recall,
            }
        )
    return rows


class _Comparing(Protocol):
    """The task, which keeps the last comparison: metrics, details and sections are of the same."""

    def compare(self, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> Comparison: ...


def comparison_of(task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> Comparison:
    """Return the comparison of a detection task's results with the labels."""
    return cast(_Comparing, task).compare(pairs, dataset)
