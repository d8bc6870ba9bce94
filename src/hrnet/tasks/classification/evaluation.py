"""Metrics of classification: top-k accuracy, and accuracy and confusions by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hrnet.metrics.topk import class_accuracy, confused_pairs, top_k_accuracy, true_ranks
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.classification.dataset import ClassificationDataset
from hrnet.tasks.classification.result import Labels
from hrnet.tasks.classification.spec import ClassificationSpec

MAX_CLASS_METRICS = 20
"""Data of more classes have no metric for each of them; tables would be too long."""

_TOP = 5
"""A model of so many classes or fewer has no top-5: it would always be 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The predictions of N pictures beside the truth; class indices are the model's.

    jobs: the pictures. truth, predicted: (N,) class indices. ranks: (N,) of the true class, from 0.
    confidences: (N,) scores of the predicted class. class_names: of the model.
    """

    jobs: tuple[Job, ...]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    ranks: NDArray[np.int64]
    confidences: NDArray[np.float32]
    class_names: tuple[str, ...]

    @property
    def counts(self) -> dict[int, int]:
        """The number of pictures by class index, of the classes that have any."""
        classes, counts = np.unique(self.truth, return_counts=True)
        return dict(zip(classes.tolist(), counts.tolist(), strict=True))

    @property
    def accuracies(self) -> dict[int, float]:
        """The accuracy by class index, of the classes that have pictures."""
        by_class = class_accuracy(self.truth, self.predicted, len(self.class_names))
        return {index: float(by_class[index]) for index in self.counts}


def compare(
    spec: ClassificationSpec, pairs: Sequence[tuple[Job, Result]], dataset: ClassificationDataset
) -> Comparison:
    """Compare results with the labels of a data set, which may be of fewer classes."""
    # A part of the jobs may be given, so the truth is looked up by their index.
    whole = dataset.true_classes(spec)
    truth = np.array([whole[job.index] for job, _ in pairs], np.int64)
    # One array for all scores: 50,000 pictures of 1000 classes are 200 MB.
    scores = np.zeros((len(pairs), len(spec.class_names)), np.float32)
    for row, (_, result) in zip(scores, pairs, strict=True):
        row[:] = cast(Labels, result).scores
    return Comparison(
        jobs=tuple(job for job, _ in pairs),
        truth=truth,
        predicted=scores.argmax(axis=1),
        ranks=true_ranks(scores, truth),
        confidences=scores.max(axis=1),
        class_names=spec.class_names,
    )


def metrics_of(found: Comparison) -> dict[str, float]:
    """Return top-1, top-5 and the mean of the class accuracies, -1 where there are no pictures.

    Models of up to 5 classes have no top-5. Data of up to 20 classes have `class/NAME`, the
    accuracy within a class, too.
    """
    # class mean = (1 / C) sum over classes of (right pictures / pictures)
    by_class = found.accuracies
    metrics = {"top-1": top_k_accuracy(found.ranks, 1)}
    if len(found.class_names) > _TOP:
        metrics["top-5"] = top_k_accuracy(found.ranks, _TOP)
    metrics["class mean"] = float(np.mean(list(by_class.values()))) if by_class else -1.0
    # Few classes have a metric each; `details` has those of all.
    if len(by_class) > MAX_CLASS_METRICS:
        return metrics
    names = found.class_names
    return metrics | {f"class/{names[index]}": value for index, value in by_class.items()}


def details(task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, object]:
    """Return the details that are written beside the metrics: `classes` and `confusions`.

    classes: name, images and accuracy of each class that has pictures. confusions: true class,
    predicted class and count of wrong pictures, the most frequent first.
    """
    assert isinstance(task.spec, ClassificationSpec)
    assert isinstance(dataset, ClassificationDataset)
    found = compare(task.spec, pairs, dataset)
    counts, names = found.counts, found.class_names
    return {
        "classes": [
            {"class": names[index], "images": counts[index], "accuracy": accuracy}
            for index, accuracy in found.accuracies.items()
        ],
        "confusions": [
            {"class": names[own], "predicted": names[wrong], "images": count}
            for own, wrong, count in confused_pairs(found.truth, found.predicted)
        ],
    }
