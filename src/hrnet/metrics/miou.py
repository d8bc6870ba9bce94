"""Metrics of semantic segmentation, from the confusion matrix of all pixels.

tp, row and column below are a class's entry on the diagonal, the sum of its row (truth) and of its
column (prediction). Source: Everingham et al. 2010 (IoU), Long et al. 2015 (the others).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.errors import InputError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def count_pixels(truth: ArrayLike, predicted: ArrayLike, num_classes: int) -> Counts:
    """Count pixels (C, C) by their true class (row) and their predicted class (column).

    truth: class indices, below 0 for pixels that do not count. predicted: class indices, of the
    same shape. Raises InputError for another shape, and for indices of no class.
    """
    true, found = np.asarray(truth), np.asarray(predicted)
    if true.shape != found.shape:
        raise InputError(f"expected {true.shape} predicted classes, got {found.shape}")
    counted = true >= 0
    true, found = true[counted].astype(np.int64), found[counted].astype(np.int64)
    for name, values in (("true", true), ("predicted", found)):
        if values.size and not 0 <= values.min() <= values.max() < num_classes:
            raise InputError(
                f"expected {name} classes within 0..{num_classes - 1}, got {values.min()} to "
                f"{values.max()}"
            )
    # Cell (row, column) has the number row * C + column.
    cells = np.bincount(true * num_classes + found, minlength=num_classes**2)
    return cells.astype(np.int64).reshape(num_classes, num_classes)


def class_iou(confusion: Counts) -> Floats:
    """Return tp / (row + column - tp) of each class (C,); NaN for a class that nowhere occurs."""
    hits = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    with np.errstate(invalid="ignore"):
        return np.asarray(hits / union, np.float64)


def mean_iou(confusion: Counts, *, absent_as_zero: bool = False) -> float:
    """Return the mean of the classes' IoU, -1 where no class occurs.

    absent_as_zero: classes in neither truth nor prediction count as 0, as in the official HRNet
    code; otherwise they are left out, as in HRFormer's and in mmsegmentation.
    """
    found = class_iou(confusion)
    if absent_as_zero:
        found = np.nan_to_num(found)
    return _mean(found)


def pixel_accuracy(confusion: Counts) -> float:
    """Return the share of pixels whose class is right, -1 where there are none."""
    total = int(confusion.sum())
    return float(np.trace(confusion) / total) if total else -1.0


def mean_accuracy(confusion: Counts, *, absent_as_zero: bool = False) -> float:
    """Return the mean over the classes of tp / row, the share of a class's pixels that is found.

    absent_as_zero: classes without true pixels count as 0, as in the official HRNet code.
    """
    with np.errstate(invalid="ignore"):
        found = np.diag(confusion) / confusion.sum(axis=1)
    return _mean(np.nan_to_num(found) if absent_as_zero else found)


def _mean(values: Floats) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if counted.size else -1.0
