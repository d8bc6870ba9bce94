"""Metrics of poses: COCO's AP and AR, PCKh where each subject has a head size, and presence.

    poses of an image -> rescoring -> OKS-NMS -> pycocotools

PCKh and presence are of the pose in each annotated box, as it is.

Source: the evaluation of the official HRNet pose code (Sun et al. 2019).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco import KeypointDataset
from hrnet.metrics.coco import ScoredPose, coco_keypoint_metrics, most_poses
from hrnet.metrics.keypoints import oks_nms, rescore
from hrnet.metrics.pckh import pckh_metrics
from hrnet.metrics.presence import area_under_curve, calibration_error
from hrnet.skeleton import COCO_PERSON
from hrnet.tasks.pose.spec import KEYPOINT_THRESHOLD, NMS_THRESHOLD

PRESENCE_AUC, PRESENCE_ECE = "presence AUC", "presence ECE"


@dataclass(frozen=True, slots=True, eq=False)
class ImagePoses:
    """The poses found in one image, before rescoring and suppression.

    keypoints: (N, K, 2) pixels. keypoint_scores: (N, K). box_scores: (N,), 1 for annotated boxes.
    areas: (N,) square pixels of the padded crops, which the suppression measures by.
    presence: (N, K), None where the model has no such output.
    """

    image_id: int
    keypoints: NDArray[np.floating]
    keypoint_scores: NDArray[np.floating]
    box_scores: NDArray[np.floating]
    areas: NDArray[np.floating]
    presence: NDArray[np.floating] | None = None


def pose_limit(dataset: KeypointDataset) -> int:
    """Return how many poses of an image count: 20, as in COCO, or as many as the data set needs."""
    is_coco = dataset.skeleton.names == COCO_PERSON.names
    return most_poses(dataset.subjects, only_labelled=is_coco)


def head_figures(dataset: KeypointDataset, poses: Sequence[ImagePoses]) -> dict[str, float]:
    """Compute PCKh of the poses in the annotated boxes; {} unless each sample has a head size.

    poses: one for each box of `annotated_boxes`, in that order. Returns `pckh_metrics`.
    """
    samples = sorted(dataset.samples, key=lambda sample: sample.image_id)  # as annotated_boxes
    sizes = [sample.head_size for sample in samples if sample.head_size is not None]
    if len(sizes) < len(samples):
        return {}
    return pckh_metrics(
        np.concatenate([image.keypoints for image in poses]),
        np.stack([sample.keypoints for sample in samples]),
        np.stack([sample.visibility > 0 for sample in samples]),
        sizes,
        dataset.skeleton.names,
    )


def presence_figures(dataset: KeypointDataset, poses: Sequence[ImagePoses]) -> dict[str, float]:
    """Compute AUC and calibration error of the presence; {} for models without that output.

    poses: one for each box of `annotated_boxes`, in that order. A keypoint is present where it is
    labelled.
    """
    chances = [image.presence for image in poses if image.presence is not None]
    if len(chances) < len(poses):
        return {}
    samples = sorted(dataset.samples, key=lambda sample: sample.image_id)  # as annotated_boxes
    present, every = np.stack([one.visibility > 0 for one in samples]), np.concatenate(chances)
    return {
        PRESENCE_AUC: area_under_curve(present, every),
        PRESENCE_ECE: calibration_error(present, every),
    }


def evaluate_poses(dataset: KeypointDataset, poses: Iterable[ImagePoses]) -> dict[str, float]:
    """Rescore poses, drop near copies in each image and compute COCO's ten metrics.

    Returns a dict from AP, AP50, ... AR, ... to 0..1, or -1 where nothing can count.
    """
    sigmas = dataset.skeleton.sigmas
    scored = [pose for image in poses for pose in select_poses(image, sigmas)]
    return coco_keypoint_metrics(
        dataset.subjects,
        scored,
        sigmas,
        image_ids=dataset.image_paths,
        max_poses=pose_limit(dataset),
    )


def select_poses(image: ImagePoses, sigmas: Sequence[float]) -> Iterator[ScoredPose]:
    """Yield the poses of one image that stay, best first, with their final scores."""
    scores = rescore(image.box_scores, image.keypoint_scores, threshold=KEYPOINT_THRESHOLD)
    kept = oks_nms(image.keypoints, scores, image.areas, sigmas, threshold=NMS_THRESHOLD)
    for row in kept:
        yield ScoredPose(image.image_id, image.keypoints[row], float(scores[row]))
