"""Metrics of chances: of their order (area under the curve), and of the numbers (calibration).

present: True where it is so. chances: of the same shape, 0..1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BINS = 10
"""Equal parts of 0..1 that chances are sorted into."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The chances of one part of 0..1.

    count: how many. chance: their mean. present: the share of them that is so.
    """

    count: int
    chance: float
    present: float


def area_under_curve(present: ArrayLike, chances: ArrayLike) -> float:
    """Compute the area under the ROC curve, -1 where all or none are present.

    It is the share of pairs of one that is present and one that is not where the first has the
    higher chance; equal chances count half (Mann and Whitney 1947).
    """
    truth = np.asarray(present, dtype=bool).ravel()
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return -1.0
    # The mean rank of each chance, from 1.
    _, places, counts = np.unique(
        np.asarray(chances, np.float64).ravel(), return_inverse=True, return_counts=True
    )
    ranks = np.cumsum(counts) - (counts - 1) / 2
    # U = sum of the ranks of those present - n (n + 1) / 2
    above = ranks[places][truth].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def reliability(present: ArrayLike, chances: ArrayLike) -> list[Bin]:
    """Sort chances into `BINS` equal parts of 0..1; return those that are not empty, upwards."""
    truth = np.asarray(present, dtype=bool).ravel()
    values = np.asarray(chances, np.float64).ravel()
    places = np.minimum((values * BINS).astype(int), BINS - 1)
    return [
        Bin(int(own.sum()), float(values[own].mean()), float(truth[own].mean()))
        for own in (places == place for place in range(BINS))
        if own.any()
    ]


def calibration_error(present: ArrayLike, chances: ArrayLike) -> float:
    """Compute the expected calibration error (Guo et al. 2017), 0 at best; -1 without chances.

    It is the mean over all chances of |mean chance - share present| of their bins.
    """
    bins = reliability(present, chances)
    total = sum(one.count for one in bins)
    if not total:
        return -1.0
    return sum(one.count * abs(one.chance - one.present) for one in bins) / total
