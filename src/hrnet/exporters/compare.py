"""How far the outputs of an exported file are from those of the network."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from torch import nn

from hrnet.tasks import Outputs

_SHARE = {False: 0.05, True: 0.25}
"""`half` -> largest share of rows without a partner: those that just passed a threshold, or not."""


@runtime_checkable
class Thresholded(Protocol):
    """A network whose outputs are rows (N, K, ...), such as boxes, best first.

    The outputs are boxes (N, K, 4), scores (N, K), labels (N, K) and any further ones.
    """

    def lenient(self) -> nn.Module:
        """Return the network without its least score: in noise it would find nothing to compare."""


def plain_difference(found: Outputs, expected: Outputs, indices: Sequence[bool]) -> float:
    """Return max |found - expected| / max |expected|, the largest over all outputs.

    indices: which outputs are whole numbers, such as classes; of these it is the share that
    differs.
    """
    differences = [
        float((one != other).mean() if whole else np.abs(one - other).max() / np.abs(other).max())
        for one, other, whole in zip(found, expected, indices, strict=True)
    ]
    return max(differences)


def row_difference(found: Outputs, expected: Outputs, tolerance: float, *, half: bool) -> float:
    """Return the largest difference between rows of the same label, relative as above.

    Rows of nearly equal scores may have changed places, so each row is compared with its nearest.
    Infinity where more rows than a few have none within the tolerance.
    """
    largest = [max(float(np.abs(one).max()), 1e-6) for one in expected]
    worst, missing = 0.0, 0
    for index in range(len(expected[0])):
        ours = [one[index] for one in expected]
        theirs = [one[index] for one in found]
        # (K, K): rows of one label, by the output that differs most.
        apart = np.where(ours[2][:, None] == theirs[2][None], 0.0, np.inf)
        for one, other, size in zip(ours, theirs, largest, strict=True):
            gaps = np.abs(one[:, None].astype(np.float64) - other[None]) / size
            apart = np.maximum(apart, gaps.reshape(*apart.shape, -1).max(axis=2))
        nearest = np.concatenate([apart.min(axis=0), apart.min(axis=1)])
        close = nearest <= tolerance
        worst = max(worst, float(nearest[close].max(initial=0)))
        missing = max(missing, int((~close).sum()))
    share = missing / (2 * expected[0].shape[1])
    return worst if share <= _SHARE[half] else float("inf")
