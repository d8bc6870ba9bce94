"""Metrics of classification: top-k accuracy, accuracy by class, confusion matrix.

Of classes with equal scores the one with the lower index ranks first, everywhere here.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.errors import InputError

Floats = NDArray[np.float64]


def true_ranks(scores: ArrayLike, truth: ArrayLike) -> NDArray[np.int64]:
    """Return the rank (N,) of each sample's true class, 0 for the best score.

    scores: (N, C), greater is better; NaN never ranks above the true class. truth: (N,) class
    indices from 0. Raises InputError for other shapes and for indices outside 0..C-1.
    """
    table, index = np.asarray(scores), np.asarray(truth)
    if table.ndim != 2 or index.shape != table.shape[:1]:
        raise InputError(
            f"expected scores (N, C) and class indices (N,), got shapes {table.shape} and "
            f"{index.shape}"
        )
    classes = table.shape[1]
    if index.size and not (index.min() >= 0 and index.max() < classes):
        raise InputError(
            f"expected class indices within 0..{classes - 1}, got {index.min()} to {index.max()}"
        )
    # The score of the true class, (N, 1).
    own = table[np.arange(len(table)), index][:, None]
    # Classes before the true one: greater scores, and equal ones of a lower index.
    before = np.arange(classes) < index[:, None]
    return np.asarray(((table > own) | ((table == own) & before)).sum(axis=1), np.int64)


def top_k_accuracy(ranks: ArrayLike, k: int) -> float:
    """Return the share of samples whose true class is among the k best; -1 for no samples."""
    best = np.asarray(ranks) < k
    return float(best.mean()) if best.size else -1.0


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, num_classes: int) -> NDArray[np.int64]:
    """Count the samples (C, C) by their true class (row) and their predicted class (column).

    truth, predicted: (N,) class indices from 0.
    """
    # Cell (row, column) has the number row * C + column.
    cells = np.asarray(truth, np.int64) * num_classes + np.asarray(predicted, np.int64)
    counts = np.bincount(cells.ravel(), minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def class_accuracy(truth: ArrayLike, predicted: ArrayLike, num_classes: int) -> Floats:
    """Return the share (C,) of each class's samples that are predicted as it; NaN for none.

    truth, predicted: (N,) class indices from 0.
    """
    index = np.asarray(truth, np.int64)
    counts = np.bincount(index, minlength=num_classes)
    correct = np.bincount(index[index == np.asarray(predicted)], minlength=num_classes)
    with np.errstate(invalid="ignore"):
        return np.asarray(correct / counts)


def confused_pairs(truth: ArrayLike, predicted: ArrayLike) -> list[tuple[int, int, int]]:
    """List (true class, predicted class, count) of wrong samples, the most frequent first.

    truth, predicted: (N,) class indices. Of equal counts the lower indices come first.
    """
    own, guess = np.asarray(truth), np.asarray(predicted)
    pairs = np.stack([own, guess], axis=1)[own != guess]
    # Equal pairs together, in the order of the indices, then the stable sort by count.
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    table = np.column_stack([found, counts])[order]
    return [(own, wrong, count) for own, wrong, count in table.tolist()]
