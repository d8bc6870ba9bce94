"""The strengths and weaknesses of a pose model, keypoint by keypoint and subject by subject.

The average precision of one keypoint is that of `metrics.coco` with all other labels taken away.
All else compares each subject with the one pose that was predicted for it: predicted, truth
(N, K, 2) in pixels of the image; labelled (N, K), true where the truth counts; areas (N,) square
pixels. The measure of nearness is OKS, see `metrics.keypoints.oks`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.metrics.coco import MAX_POSES, ScoredPose, TruePose, coco_keypoint_metrics
from hrnet.metrics.keypoints import Floats, Indices, oks

SWAP_OKS = 0.5
"""A point lies at a keypoint where the OKS of this one point alone is at least so much."""


@dataclass(frozen=True, slots=True, eq=False)
class _OneLabel:
    """A subject of which a single keypoint is labelled, or none."""

    image_id: int
    keypoints: NDArray[np.floating]
    visibility: NDArray[np.integer]
    box_xywh: NDArray[np.floating]
    area: float
    iscrowd: bool


def ap_by_keypoint(
    truth: Sequence[TruePose],
    predicted: Sequence[ScoredPose],
    sigmas: Sequence[float],
    image_ids: Iterable[int] = (),
    max_poses: int = MAX_POSES,
) -> Floats:
    """COCO's AP (K,) of each keypoint: as if it were the only one that is labelled, or -1.

    Arguments are those of `coco_keypoint_metrics`. For keypoint k the visibility of all others is
    set to 0, and the OKS of a pose is then that of this point alone. Subjects without this label
    are ignored as COCO ignores those without any: a pose that is left over and lies in such a
    subject's box, or around it within the box's own size, counts neither for nor against. Poses
    and their scores stay as they are.
    """
    images = list(image_ids)
    figures = [
        coco_keypoint_metrics(
            [_only(one, k) for one in truth], predicted, sigmas, images, max_poses
        )["AP"]
        for k in range(len(sigmas))
    ]
    return np.array(figures, dtype=np.float64)


def _only(subject: TruePose, keypoint: int) -> _OneLabel:
    kept = np.zeros_like(subject.visibility)
    kept[keypoint] = subject.visibility[keypoint]
    return _OneLabel(
        image_id=subject.image_id,
        keypoints=subject.keypoints,
        visibility=kept,
        box_xywh=subject.box_xywh,
        area=subject.area,
        iscrowd=subject.iscrowd,
    )


def median_errors(
    predicted: ArrayLike, truth: ArrayLike, labelled: ArrayLike, areas: ArrayLike
) -> Floats:
    """Median (K,) of the distance from the truth in parts of sqrt(area); NaN without a label."""
    gap = np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    scale = np.sqrt(np.asarray(areas, dtype=np.float64) + np.spacing(1))
    errors = np.linalg.norm(gap, axis=-1) / scale[:, None]
    counted = np.asarray(labelled, dtype=bool)
    medians = [
        float(np.median(errors[rows, k])) if (rows := counted[:, k]).any() else np.nan
        for k in range(counted.shape[1])
    ]
    return np.array(medians, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Swaps:
    """Counts of left and right taken for each other.

    counts: (K,) swapped points. comparable: (K,) labelled points whose mirror partner is labelled
    too; 0 for keypoints without a partner.
    """

    counts: Indices
    comparable: Indices

    @property
    def rate(self) -> float:
        """Swapped points among all comparable ones, NaN where there are none."""
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
    """Count predicted points that lie at the mirror partner and not at their own keypoint.

    A point is swapped where keypoint and partner are both labelled, its OKS with the partner's
    truth is at least `SWAP_OKS` and its OKS with its own truth is below. So it is nearer to the
    partner, and not counted where left and right lie so close that it fits both.
    """
    points = np.asarray(predicted, dtype=np.float64)
    count = points.shape[1]
    partner = np.arange(count)
    for left, right in flip_pairs:
        partner[left], partner[right] = right, left
    paired = partner != np.arange(count)
    known = np.asarray(labelled, dtype=bool)
    comparable = known & known[:, partner] & paired
    target = np.asarray(truth, dtype=np.float64)
    own = each_oks(points, target, areas, sigmas)
    other = each_oks(points, target[:, partner], areas, sigmas)
    swapped = comparable & (other >= SWAP_OKS) & (own < SWAP_OKS)
    return Swaps(swapped.sum(axis=0, dtype=np.int64), comparable.sum(axis=0, dtype=np.int64))


def each_oks(predicted: ArrayLike, truth: ArrayLike, areas: ArrayLike, sigmas: ArrayLike) -> Floats:
    """OKS (N, K) of each point by itself."""
    points, target = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    falloff = np.asarray(sigmas, dtype=np.float64)
    alone = [slice(k, k + 1) for k in range(points.shape[1])]
    return np.stack([oks(points[:, k], target[:, k], areas, falloff[k]) for k in alone], axis=-1)
