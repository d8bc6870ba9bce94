"""Metrics of single keypoints: average precision, errors, and swaps of left and right.

The average precision is that of `metrics.coco` with all other labels removed. The others compare
each subject with the one pose that was predicted for it: predicted, truth (N, K, 2) in pixels of
the image; labelled (N, K), True where the truth counts; areas (N,) in square pixels. Closeness is
measured by OKS, see `metrics.keypoints.oks`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hrnet.metrics.coco import MAX_POSES, ScoredPose, TruePose, coco_keypoint_metrics
from hrnet.metrics.keypoints import Floats, Indices, oks

SWAP_OKS = 0.5
"""Single-point OKS from which a point counts as on the keypoint."""


def ap_by_keypoint(
    truth: Sequence[TruePose],
    predicted: Sequence[ScoredPose],
    sigmas: Sequence[float],
    image_ids: Iterable[int] = (),
    max_poses: int = MAX_POSES,
) -> Floats:
    """Compute COCO's AP (K,) of each keypoint as if no other were labelled; -1 without a label.

    Arguments are those of `coco_keypoint_metrics`, with its `only` set to each keypoint in turn.
    Subjects without this label are ignored, as COCO ignores those without any label: an unmatched
    pose inside such a subject's box, or around it within the box's own size, counts neither for
    nor against. Poses and their scores are not changed.
    """
    images = list(image_ids)
    every_metric = (
        coco_keypoint_metrics(truth, predicted, sigmas, images, max_poses, only=keypoint)
        for keypoint in range(len(sigmas))
    )
    return np.array([metrics["AP"] for metrics in every_metric], dtype=np.float64)


def median_errors(
    predicted: ArrayLike, truth: ArrayLike, labelled: ArrayLike, areas: ArrayLike
) -> Floats:
    """Compute the median (K,) of |predicted - truth| / sqrt(area); NaN without a label."""
    gap = np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    scale = np.sqrt(np.asarray(areas, dtype=np.float64) + np.spacing(1))
    errors = np.linalg.norm(gap, axis=-1) / scale[:, None]
    counted = np.asarray(labelled, dtype=bool)
    medians = [
        float(np.median(errors[rows, k])) if (rows := counted[:, k]).any() else np.nan
        for k in range(counted.shape[1])
    ]
    return np.array(medians, dtype=np.float64)


def pixel_errors(
    predicted: ArrayLike, truth: ArrayLike, labelled: ArrayLike, shares: Sequence[float]
) -> tuple[Floats, Floats]:
    """Compute below how many pixels |predicted - truth| is in these shares of the labelled points.

    shares: S of 0..1, 0.5 for the median. Returns them for each keypoint (S, K) and for all points
    together (S,); NaN without a label.
    """
    gap = np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    errors, counted = np.linalg.norm(gap, axis=-1), np.asarray(labelled, dtype=bool)

    def below(values: Floats) -> Floats:
        found = np.quantile(values, shares) if values.size else np.full(len(shares), np.nan)
        return np.asarray(found, dtype=np.float64)

    each = [below(errors[counted[:, k], k]) for k in range(counted.shape[1])]
    return np.stack(each, axis=1), below(errors[counted])


@dataclass(frozen=True, slots=True, eq=False)
class Swaps:
    """Number of points where left and right are confused.

    counts: (K,) swapped points. comparable: (K,) labelled points whose mirror partner is labelled
    too; 0 for keypoints without a partner.
    """

    counts: Indices
    comparable: Indices

    @property
    def rate(self) -> float:
        """Share of swapped points among all comparable ones; NaN if there are none."""
        total = int(self.comparable.sum())
        return int(self.counts.sum()) / total if total else float("nan")


def count_swaps(
    predicted: ArrayLike,
    truth: ArrayLike,
    labelled: ArrayLike,
    areas: ArrayLike,
    sigmas: ArrayLike,
    flip_pairs: Sequence[tuple[int, int]],
) -> Swaps:
    """Count predicted points that lie on the mirror partner and not on their own keypoint.

    A point is swapped if keypoint and partner are both labelled, its OKS with the partner's truth
    is at least `SWAP_OKS` and its OKS with its own truth is below. Where left and right lie so
    close that the point fits both, it is not counted.
    """
    # The mirror partner of each keypoint; a keypoint without one is its own.
    points = np.asarray(predicted, dtype=np.float64)
    count = points.shape[1]
    partner = np.arange(count)
    for left, right in flip_pairs:
        partner[left], partner[right] = right, left
    paired = partner != np.arange(count)
    # A swap can only be seen where both keypoints of a pair are labelled.
    known = np.asarray(labelled, dtype=bool)
    comparable = known & known[:, partner] & paired
    # Swapped: OKS(point, partner) >= SWAP_OKS > OKS(point, own keypoint).
    target = np.asarray(truth, dtype=np.float64)
    own = each_oks(points, target, areas, sigmas)
    other = each_oks(points, target[:, partner], areas, sigmas)
    swapped = comparable & (other >= SWAP_OKS) & (own < SWAP_OKS)
    return Swaps(swapped.sum(axis=0, dtype=np.int64), comparable.sum(axis=0, dtype=np.int64))


def each_oks(predicted: ArrayLike, truth: ArrayLike, areas: ArrayLike, sigmas: ArrayLike) -> Floats:
    """Compute the OKS (N, K) of each point by itself."""
    points, target = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    # OKS of poses that have this one keypoint.
    falloff = np.asarray(sigmas, dtype=np.float64)
    alone = [slice(k, k + 1) for k in range(points.shape[1])]
    return np.stack([oks(points[:, k], target[:, k], areas, falloff[k]) for k in alone], axis=-1)
