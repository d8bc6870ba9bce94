"""OKS of poses, non-maximum suppression by OKS, rescoring, and PCK.

All functions take any number of keypoints K. Points are (x, y) in pixels of the image, areas are
in square pixels of the same image. Sigmas are those of `Skeleton.sigmas`.

Sources: OKS and its constants, COCO keypoint evaluation; suppression and rescoring, the official
HRNet pose code (Sun et al. 2019); PCK, Yang and Ramanan 2013.
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
    """Compute the object keypoint similarity of poses with other poses: 1 if equal, 0 far away.

    keypoints, others: (..., K, 2), broadcast against each other. areas: (...). sigmas: (K,).
    visible: (..., K), True for the keypoints to compare; None compares all. Returns (...), 0 where
    no keypoint is compared:

        OKS = mean over compared keypoints k of exp(-d_k^2 / (2 area (2 sigma_k)^2))

    Raises InputError unless there are K positive sigmas.
    """
    # Similarity of each keypoint by its distance d_k.
    gap = np.asarray(keypoints, dtype=np.float64) - np.asarray(others, dtype=np.float64)
    falloff = 2 * (2 * _sigmas(sigmas, gap.shape[-2])) ** 2
    scale = np.asarray(areas, dtype=np.float64) + np.spacing(1)
    near = np.exp(-np.square(gap).sum(axis=-1) / falloff / scale[..., None])  # (..., K)
    # Mean over the keypoints that are compared.
    counted = np.ones_like(near) if visible is None else np.asarray(visible, dtype=bool)
    total = np.broadcast_to(counted, near.shape).sum(axis=-1)
    similarity: Floats = np.where(counted, near, 0.0).sum(axis=-1) / np.maximum(total, 1)
    return similarity


def _sigmas(sigmas: ArrayLike, num_keypoints: int) -> Floats:
    """Return the sigmas as an array; InputError unless each keypoint has a positive one."""
    checked = np.asarray(sigmas, dtype=np.float64)
    if checked.shape != (num_keypoints,) or not (checked > 0).all():
        raise InputError(
            f"expected {num_keypoints} positive sigmas, one for each keypoint, got "
            f"{checked.tolist()}; take them from the skeleton of the data set"
        )
    return checked


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
    """Suppress poses that are too similar to a better one (non-maximum suppression).

    keypoints: (N, K, 2) of one image. scores, areas: (N,). threshold: a pose is dropped if its OKS
    with a kept, better one is above it; the area of this OKS is the mean of both areas.
    Returns the indices of the kept poses, best first; of equal scores the first counts as better.
    """
    points, area = _poses(keypoints), np.asarray(areas, dtype=np.float64)
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    kept: list[int] = []
    while order.size:
        # Keep the best pose that is left, and drop those that are close to it.
        best, rest = order[0], order[1:]
        kept.append(int(best))
        similar = oks(points[best], points[rest], (area[best] + area[rest]) / 2, sigmas)
        order = rest[similar <= threshold]
    return np.array(kept, dtype=np.int64)


def rescore(box_scores: ArrayLike, keypoint_scores: ArrayLike, *, threshold: float = 0.2) -> Floats:
    """Compute pose scores: the box score times the mean keypoint score above the threshold.

    box_scores: (N,). keypoint_scores: (N, K). Returns (N,), 0 where no keypoint is above it.
    """
    points = np.asarray(keypoint_scores, dtype=np.float64)
    sure = points > threshold
    mean = np.where(sure, points, 0.0).sum(axis=-1) / np.maximum(sure.sum(axis=-1), 1)
    scores: Floats = np.asarray(box_scores, dtype=np.float64) * mean
    return scores


@dataclass(frozen=True, slots=True, eq=False)
class Pck:
    """Share of keypoints that were found.

    per_keypoint: (K,) in 0..1, NaN where a keypoint is never labelled.
    counts: (K,) number of labelled keypoints behind each share.
    """

    per_keypoint: Floats
    counts: Indices

    @property
    def mean(self) -> float:
        """Share found among all labelled keypoints; NaN if there are none."""
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
    """Compute the share of keypoints within `threshold` times a reference length of the truth.

    predicted, truth: (N, K, 2). visible: (N, K), True where the truth is labelled and counts.
    lengths_px: (N,), reference length of each pose: longer side of its box, torso, head...
    Raises InputError for a length that is not above 0.
    """
    # Check the reference lengths.
    gap = np.asarray(predicted, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
    lengths = np.asarray(lengths_px, dtype=np.float64)
    if not (lengths > 0).all():  # also catches NaN
        raise InputError(
            f"expected lengths above 0 pixels, got {lengths[~(lengths > 0)][:3].tolist()}; "
            "leave out poses without a reference length"
        )
    counted = np.asarray(visible, dtype=bool)
    # Found: |predicted - truth| <= threshold * length; false for NaN.
    found = (np.linalg.norm(gap, axis=-1) <= threshold * lengths[:, None]) & counted
    # Shares of the labelled keypoints.
    counts = counted.sum(axis=0, dtype=np.int64)
    parts = np.where(counts > 0, found.sum(axis=0) / np.maximum(counts, 1), np.nan)
    return Pck(parts, counts)
