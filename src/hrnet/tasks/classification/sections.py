"""Classification's part of the report: class by class, confusions, and the surest mistakes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet.images import read_image
from hrnet.markup import (
    Section,
    bar,
    gallery,
    jpeg_uri,
    long_table,
    matrix,
    percent,
    section,
    share,
    table,
    text,
    tiles,
)
from hrnet.metrics.topk import confused_pairs, confusion_matrix
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.classification.crops import centre_crop
from hrnet.tasks.classification.dataset import ClassificationDataset
from hrnet.tasks.classification.evaluation import Comparison, compare
from hrnet.tasks.classification.spec import ClassificationSpec

MAX_MATRIX = 30
"""Classes of the largest confusion matrix that is shown whole."""

_MAX_PAIRS = 30
_MAX_EXAMPLES = 12
_MAX_ROWS = 30

METRIC_MEANING: dict[str, str] = {
    "top-1": "pictures whose best class is right",
    "top-5": "pictures whose five best classes include the right one",
    "class mean": "mean of the accuracies of all classes, however many pictures they have",
}


def report_sections(
    task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
) -> list[Section]:
    """Return the sections of a classification model; that of mistakes where there are any."""
    assert isinstance(task.spec, ClassificationSpec)
    assert isinstance(dataset, ClassificationDataset)
    found = compare(task.spec, pairs, dataset)
    sections = [_classes(found), _confusions(found)]
    return sections + ([_mistakes(found, task.spec)] if _wrong(found) else [])


def _wrong(found: Comparison) -> list[int]:
    """Return the rows of wrong predictions, the surest first."""
    rows = np.flatnonzero(found.truth != found.predicted)
    order = np.argsort(-found.confidences[rows], kind="stable")
    return [int(row) for row in rows[order]]


def _classes(found: Comparison) -> Section:
    """Return each class with its accuracy, the lowest first."""
    names, counts = found.class_names, found.counts
    # The most frequent confusion of each class comes first in the list.
    taken_for: dict[int, str] = {}
    for own, wrong, count in confused_pairs(found.truth, found.predicted):
        taken_for.setdefault(own, f"{names[wrong]} ({count})")
    # One row a class; many classes are behind a click.
    ordered = sorted(found.accuracies.items(), key=lambda pair: pair[1])
    rows = [
        (
            text(names[index]),
            f"{counts[index]:,}",
            share(accuracy),
            bar(accuracy),
            text(taken_for.get(index, "–")),
        )
        for index, accuracy in ordered
    ]
    head = ("class", "pictures", "accuracy", "", "most often taken for")
    return section(
        "classes",
        "Class by class",
        tiles([("classes", str(len(rows))), ("pictures", f"{len(found.truth):,}")]),
        "<p>The classes with the lowest accuracy come first.</p>",
        long_table(head, rows, most=_MAX_ROWS, numbers=(1, 2)),
    )


def _confusions(found: Comparison) -> Section:
    """Return the confusion matrix; of many classes the most frequent confusions."""
    names = found.class_names
    involved = sorted({*found.truth.tolist(), *found.predicted.tolist()})
    if len(involved) <= MAX_MATRIX:
        # Number the classes that occur anew, so that the matrix has no empty rows and columns.
        places = np.zeros(len(names), np.int64)
        places[involved] = np.arange(len(involved))
        counts = confusion_matrix(places[found.truth], places[found.predicted], len(involved))
        shown = matrix("true class \\ predicted", [names[one] for one in involved], counts.tolist())
        note = "<p>Rows are the true classes, columns the predicted ones.</p>"
        return section("confusions", "Confusions", note, shown)
    # Too many classes for a matrix: the most frequent confusions.
    pairs = confused_pairs(found.truth, found.predicted)[:_MAX_PAIRS]
    totals = found.counts
    rows = [
        (text(names[own]), text(names[wrong]), f"{count:,}", percent(count / totals[own]))
        for own, wrong, count in pairs
    ]
    head = ("true class", "predicted", "pictures", "of its class")
    return section("confusions", "Most frequent confusions", table(head, rows, numbers=(2, 3)))


def _mistakes(found: Comparison, spec: ClassificationSpec) -> Section:
    """Return the wrong predictions of the highest scores, on the crops of the network."""
    names, pictures = found.class_names, []
    for row in _wrong(found)[:_MAX_EXAMPLES]:
        # The picture is read again rather than kept; the crop is the input of the network.
        path = Path(str(found.jobs[row].image))
        crop, _ = centre_crop(read_image(path), spec)
        own, wrong = names[int(found.truth[row])], names[int(found.predicted[row])]
        score = f"{found.confidences[row]:.2f}"
        caption = f"<b>{text(wrong)} {score}</b> truth: {text(own)}<br>{text(path.name)}"
        description = f"{path.name}: predicted {wrong} with score {score}, truth {own}"
        pictures.append((jpeg_uri(crop), description, caption))
    return section(
        "mistakes",
        "The surest mistakes",
        "<p>Wrong predictions with the highest scores, on the crop of the network.</p>",
        gallery(pictures),
    )
