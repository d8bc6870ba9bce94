"""The closeness of two poses (OKS), the choice among near-equal ones, and PCK.

All functions take arrays of any number of keypoints K. Points are (x, y) in pixels of the image;
areas are square pixels of the same image. Sigmas are those of `Skeleton.sigmas`.

Sources: object keypoint similarity and its constants, COCO keypoint evaluation; non-maximum
suppression, soft suppression and rescoring, the official HRNet pose code (Sun et al. 2019); PCK,
Yang and Ramanan 2013.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.errors import InputError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def oks(
    keypoints: ArrayLike,
    others: ArrayLike,
    areas: ArrayLike,
    sigmas: ArrayLike,
    *,
    visible: ArrayLike | None = None,
) -> Floats:
    """Object keypoint similarity of poses with other poses: 1 where they agree, 0 far away.

    keypoints, others: (..., K, 2), broadcast against each other. areas: (...). sigmas: (K,).
    visible: (..., K), true for the keypoints to compare; all of them without it. Returns (...):
    the mean over compared keypoints of exp(-d^2 / (2 area (2 sigma)^2)), 0 where none is compared.
    """
    gap = np.asarray(keypoints, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    falloff = 2 * (2 * _sigmas(sigmas, gap.shape[-2])) ** 2
    scale = np.asarray(areas, dtype=np.float64) + np.spacing(1)
    near = np.exp(-np.square(gap).sum(axis=-1) / falloff / scale[..., None])  # (..., K)
    counted = np.ones_like(near) if visible is None else np.asarray(visible, dtype=bool)
    total = np.broadcast_to(counted, near.shape).sum(axis=-1)
    similarity: Floats = np.where(counted, near, 0.0).sum(axis=-1) / np.maximum(total, 1)
    return similarity


def _sigmas(sigmas: ArrayLike, num_keypoints: int) -> Floats:
    """Check that there is one positive sigma for each keypoint: wrong ones give wrong figures."""
    checked = np.asarray(sigmas, dtype=np.float64)
    if checked.shape != (num_keypoints,) or not (checked > 0).all():
        raise InputError(
            f"expected {num_keypoints} positive sigmas, one for each keypoint, got "
            f"{checked.tolist()}; take them from the skeleton of the data set"
        )
    return checked


def pairwise_oks(keypoints: ArrayLike, areas: ArrayLike, sigmas: ArrayLike) -> Floats:
    """OKS (N, N) of every pose with every other, with the mean of the two areas.

    keypoints: (N, K, 2). areas: (N,).
    """
    points, area = _poses(keypoints), np.asarray(areas, dtype=np.float64)
    return oks(points[:, None], points[None], (area[:, None] + area[None]) / 2, sigmas)


def _poses(keypoints: ArrayLike) -> Floats:
    points = np.asarray(keypoints, dtype=np.float64)
    if points.ndim != 3 or points.shape[-1] != 2:
        raise InputError(f"expected keypoints of shape (N, K, 2), got {points.shape}")
    return points


def oks_nms(
    keypoints: ArrayLike,
    scores: ArrayLike,
    areas: ArrayLike,
    sigmas: ArrayLike,
    *,
    threshold: float = 0.9,
) -> Indices:
    """Choose the poses that stay when of any two too similar ones the better is kept.

    keypoints: (N, K, 2) of ONE image. scores, areas: (N,). threshold: a pose goes when its OKS
    with a better one is above it. Returns the indices that stay, best first. Among equal scores
    the first stays (the official code takes any).
    """
    points, area = _poses(keypoints), np.asarray(areas, dtype=np.float64)
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        similar = oks(points[best], points[rest], (area[best] + area[rest]) / 2, sigmas)
        order = rest[similar <= threshold]
    return np.array(kept, dtype=np.int64)


def soft_oks_nms(
    keypoints: ArrayLike,
    scores: ArrayLike,
    areas: ArrayLike,
    sigmas: ArrayLike,
    *,
    threshold: float = 0.9,
    max_kept: int = 20,
) -> Indices:
    """Choose at most `max_kept` poses, pushing those similar to a better one down the list.

    As `oks_nms`, but instead of being dropped a pose has its score multiplied by
    exp(-OKS^2 / threshold) each time a better pose is taken. Returns the indices in the order in
    which they are taken. As in the official code the lowered scores serve for the choice alone.
    """
    points, area = _poses(keypoints), np.asarray(areas, dtype=np.float64)
    left = np.array(scores, dtype=np.float64)
    order = np.argsort(-left, kind="stable")
    kept: list[int] = []
    while order.size and len(kept) < max_kept:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        similar = oks(points[best], points[rest], (area[best] + area[rest]) / 2, sigmas)
        left[rest] *= np.exp(-np.square(similar) / threshold)
        order = rest[np.argsort(-left[rest], kind="stable")]
    return np.array(kept, dtype=np.int64)


def rescore(box_scores: ArrayLike, keypoint_scores: ArrayLike, *, threshold: float = 0.2) -> Floats:
    """Score a pose: that of its box times the mean of its keypoint scores above the threshold.

    box_scores: (N,). keypoint_scores: (N, K). Returns (N,), 0 where no keypoint is above it.
    """
    points = np.asarray(keypoint_scores, dtype=np.float64)
    sure = points > threshold
    mean = np.where(sure, points, 0.0).sum(axis=-1) / np.maximum(sure.sum(axis=-1), 1)
    scores: Floats = np.asarray(box_scores, dtype=np.float64) * mean
    return scores


@dataclass(frozen=True, slots=True, eq=False)
class Pck:
    """Return the part of the keypoints that was found.

    per_keypoint: (K,) parts 0..1, NaN where nobody has that keypoint labelled.
    counts: (K,) how many labelled ones each part is taken over.
    """

    per_keypoint: Floats
    counts: Indices

    @property
    def mean(self) -> float:
        """The part found among all labelled keypoints, NaN where there are none."""
        total = int(self.counts.sum())
        found = np.where(self.counts > 0, self.per_keypoint, 0.0) * self.counts
        return float(found.sum() / total) if total else float("nan")


def pck(
    predicted: ArrayLike,
    truth: ArrayLike,
    visible: ArrayLike,
    lengths_px: ArrayLike,
    *,
    threshold: float,
) -> Pck:
    """Count the keypoints that lie within `threshold` times a length of the truth.

    predicted, truth: (N, K, 2). visible: (N, K), true where the truth is labelled and counts.
    lengths_px: (N,), the length that 1 means for each pose: longer side of the box, torso, head...
    """
    gap = np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    lengths = np.asarray(lengths_px, dtype=np.float64)
    if not (lengths > 0).all():  # also catches NaN
        raise InputError(
            f"expected lengths above 0 pixels, got {lengths[~(lengths > 0)][:3].tolist()}; "
            "leave out poses without a reference length"
        )
    counted = np.asarray(visible, dtype=bool)
    # A NaN prediction compares false: not found.
    found = (np.linalg.norm(gap, axis=-1) <= threshold * lengths[:, None]) & counted
    counts = counted.sum(axis=0, dtype=np.int64)
    parts = np.where(counts > 0, found.sum(axis=0) / np.maximum(counts, 1), np.nan)
    return Pck(parts, counts)
