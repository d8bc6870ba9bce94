"""The poses in boxes that a detector found: rescored, and near copies left out.

Source: the evaluation of the official HRNet pose code (Sun et al. 2019).
"""

from dataclasses import replace

import numpy as np

from hrnet.geometry import Floats, box_to_crop
from hrnet.metrics.keypoints import oks_nms, rescore
from hrnet.tasks import Regions
from hrnet.tasks.pose.result import Poses
from hrnet.tasks.pose.spec import KEYPOINT_THRESHOLD, NMS_THRESHOLD, PoseSpec


def crop_areas(boxes_xywh: Floats, spec: PoseSpec) -> Floats:
    """Return the areas (N,) of the padded crops of boxes, in square pixels of the picture."""
    _, size = box_to_crop(boxes_xywh, spec.input_size, spec.padding)
    areas: Floats = size.prod(axis=-1)
    return areas


def keep_poses(poses: Poses, found: Regions, spec: PoseSpec) -> Poses:
    """Return the poses that stay, the best first.

    score = box score x mean of the keypoint scores above `KEYPOINT_THRESHOLD`. Of two poses with
    an OKS above `NMS_THRESHOLD` the worse one goes.
    """
    scores = rescore(found.scores, poses.keypoint_scores, threshold=KEYPOINT_THRESHOLD)
    kept = oks_nms(
        poses.keypoints,
        scores,
        crop_areas(found.boxes_xywh, spec),
        spec.skeleton.sigmas,
        threshold=NMS_THRESHOLD,
    )
    rescored = replace(
        poses,
        scores=scores.astype(np.float32),
        box_scores=found.scores.astype(np.float32),
        detector=found.detector,
    )
    return rescored[kept]
