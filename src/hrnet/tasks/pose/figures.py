"""The figures that a pose model asks for, over all keypoints and of each."""

from collections.abc import Sequence

import numpy as np

from hrnet.geometry import Floats
from hrnet.metrics.landmarks import figures
from hrnet.tasks.pose.dataset import PoseDataset
from hrnet.tasks.pose.evaluation import ImagePoses, evaluate_poses, head_figures
from hrnet.tasks.pose.spec import COCO_METRICS, PoseSpec


def asked_figures(
    spec: PoseSpec, dataset: PoseDataset, poses: Sequence[ImagePoses]
) -> dict[str, float]:
    """Compute the groups of figures that a model asks for, in that order; COCO's without any.

    poses: of the pictures of a data set, in order.
    """
    found: dict[str, float] = {}
    for group in spec.metrics or (COCO_METRICS,):
        if group == COCO_METRICS:
            heads = head_figures(dataset.keypoints, poses) if dataset.has_head_sizes else {}
            found |= heads | evaluate_poses(dataset.keypoints, poses)
        else:
            found |= figures(dataset.landmarks(_points(poses)), group)
    return found


def figures_by_keypoint(
    spec: PoseSpec, dataset: PoseDataset, poses: Sequence[ImagePoses]
) -> dict[str, dict[str, float]]:
    """Compute the same of each keypoint by itself, COCO's aside: keypoint -> figure -> value."""
    groups = [group for group in spec.metrics if group != COCO_METRICS]
    if not groups:
        return {}
    landmarks = dataset.landmarks(_points(poses))
    found: dict[str, dict[str, float]] = {}
    for index, name in enumerate(landmarks.names):
        alone = landmarks.only(index)
        found[name] = {"labelled": float(alone.counted.sum())}
        for group in groups:
            found[name] |= figures(alone, group)
    return found


def _points(poses: Sequence[ImagePoses]) -> Floats:
    """Return the points (N, K, 2) of all boxes, by image."""
    return np.concatenate([image.keypoints for image in poses]).astype(np.float64)
