"""Segmentation's part of the report: class by class, confusions, worst and best pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.drawing import Color
from hrnet.geometry import Image8
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
from hrnet.metrics.miou import class_iou
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.segmentation.dataset import SegmentationDataset
from hrnet.tasks.segmentation.evaluation import Comparison, compare
from hrnet.tasks.segmentation.spec import SegmentationSpec

MAX_MATRIX = 30
"""Classes of the largest confusion matrix that is shown whole."""

_MAX_ROWS = 30
_MAX_PAIRS = 30
_WORST, _BEST = 8, 4
_SIDE_PX = 320
_OPACITY = 0.6

METRIC_MEANING: dict[str, str] = {
    "mIoU": "shared pixels of truth and prediction, of all that either covers: mean of the classes",
    "pixel accuracy": "pixels with the right class",
    "mean accuracy": "pixels of a class that are found, mean of the classes",
}


def report_sections(
    task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
) -> list[Section]:
    """Return the sections of a segmentation model; none where no pixel counts."""
    assert isinstance(task.spec, SegmentationSpec)
    assert isinstance(dataset, SegmentationDataset)
    found = compare(task.spec, pairs)
    if not found.confusion.sum():
        return []
    return [_classes(found), _confusions(found), *_pictures(found, dataset)]


def _classes(found: Comparison) -> Section:
    """Return each class with its IoU, the lowest first."""
    names, confusion = found.class_names, found.confusion
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    ious, total = class_iou(confusion), int(confusion.sum())
    # The wrong class that most pixels of each class get.
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    rows = []
    for index in np.argsort(ious, kind="stable").tolist():
        if np.isnan(ious[index]):
            continue
        taken, count = int(wrong[index].argmax()), int(wrong[index].max())
        other = f"{text(names[taken])} ({percent(count / true[index])})" if count else text("–")
        rows.append(
            (
                text(names[index]),
                share(float(ious[index])),
                bar(float(ious[index])),
                percent(true[index] / total),
                percent(predicted[index] / total),
                other,
            )
        )
    head = ("class", "IoU", "", "true pixels", "predicted", "most often taken for")
    return section(
        "classes",
        "Class by class",
        tiles([("classes", str(len(rows))), ("pictures", f"{len(found.maps):,}")]),
        "<p>The classes with the lowest IoU come first. Shares are of all pixels that count.</p>",
        long_table(head, rows, most=_MAX_ROWS, numbers=(1, 3, 4)),
    )


def _confusions(found: Comparison) -> Section:
    """Return the confusion matrix in percent; of many classes the most frequent confusions."""
    names, confusion = found.class_names, found.confusion
    involved = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1))
    if len(involved) <= MAX_MATRIX:
        part = confusion[np.ix_(involved, involved)]
        sums = np.maximum(part.sum(axis=1, keepdims=True), 1)
        shares = np.rint(100 * part / sums).astype(int)
        shown = matrix("true class \\ predicted", [names[one] for one in involved], shares.tolist())
        note = "<p>Percent of a true class's pixels (rows) that get each class (columns).</p>"
        return section("confusions", "Confusions", note, shown)
    # Too many classes for a matrix: the most frequent confusions.
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MAX_PAIRS]
    pairs = [np.unravel_index(int(one), wrong.shape) for one in order]
    rows = [
        (
            text(names[own]),
            text(names[other]),
            f"{wrong[own, other]:,}",
            percent(wrong[own, other] / confusion[own].sum()),
        )
        for own, other in pairs
        if wrong[own, other]
    ]
    head = ("true class", "predicted", "pixels", "of its class")
    return section("confusions", "Most frequent confusions", table(head, rows, numbers=(2, 3)))


def _pictures(found: Comparison, dataset: SegmentationDataset) -> list[Section]:
    """Return the pictures with the lowest and the highest mean IoU of their own."""
    scores = {row: found.iou_of(row) for row in range(len(found.maps))}
    ordered = sorted((row for row in scores if scores[row] >= 0), key=scores.__getitem__)
    worst = ordered[:_WORST]
    best = [row for row in reversed(ordered) if row not in worst][:_BEST]
    sections = []
    for name, title, rows in (
        ("worst", "The worst pictures", worst),
        ("best", "The best pictures", best),
    ):
        if rows:
            note = "<p>Label above, prediction below; ignored pixels are not coloured.</p>"
            shown = gallery([_example(found, dataset, row, scores[row]) for row in rows])
            sections.append(section(name, title, note, shown))
    return sections


def _example(
    found: Comparison, dataset: SegmentationDataset, row: int, score: float
) -> tuple[str, str, str]:
    """Return label and prediction, one above the other, with a description and a caption."""
    job, result = found.jobs[row], found.maps[row].label_map
    path = Path(str(job.image))
    pixels = read_image(path)
    labels = dataset.labels_of(job, result.class_names)
    shown = [_tinted(pixels, one, result.colors) for one in (labels, result.classes)]
    caption = f"<b>IoU {score:.2f}</b> {text(path.name)}"
    description = f"{path.name}: label above prediction, mean IoU {score:.2f}"
    return jpeg_uri(np.concatenate(shown)), description, caption


def _small(pixels: Image8) -> Image8:
    picture = Image.fromarray(pixels)
    picture.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(picture)


def _tinted(pixels: Image8, classes: NDArray[np.integer], colors: Sequence[Color]) -> Image8:
    """Blend the colours of classes over a small copy of a picture; below 0 there is none."""
    small = _small(pixels)
    mask = Image.fromarray(classes.astype(np.int32))
    size = (small.shape[1], small.shape[0])
    shrunk = np.asarray(mask.resize(size, Image.Resampling.NEAREST))
    tint = np.array(colors, np.float32)[shrunk.clip(0)]
    opacity = np.where(shrunk < 0, 0, _OPACITY)[..., None]
    blended: Image8 = np.rint(small + (tint - small) * opacity).astype(np.uint8)
    return blended
