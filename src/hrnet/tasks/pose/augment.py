"""Random crops of labelled subjects, as the official HRNet pose training draws them, and more.

Source: the training data of Sun et al. 2019, with its quirks where they decide what a network sees.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hrnet.data.augment import draw_matrix
from hrnet.data.coco import PoseSample
from hrnet.geometry import Floats, apply_affine, box_to_crop
from hrnet.skeleton import Skeleton
from hrnet.tasks.pose.config import PoseAugmentation
from hrnet.tasks.pose.spec import PoseSpec

_HALF_BODY_PADDING = 1.5


def draw_crop(
    sample: PoseSample, spec: PoseSpec, *, augmentation: PoseAugmentation, rng: Generator
) -> tuple[Floats, Floats, NDArray[np.float32]]:
    """Draw the crop of a subject.

    Returns the matrix (2, 3) from picture to crop, mirroring included, the keypoints (K, 2) in crop
    pixels, left and right already exchanged, and their weights (K,), 1 where labelled.
    """
    skeleton, labelled = spec.skeleton, sample.visibility > 0
    center, size = box_to_crop(sample.box_xywh, spec.input_size, spec.padding)
    # Half body, for subjects with enough labelled keypoints.
    if (
        labelled.sum() > augmentation.half_body_min_visible
        and rng.random() < augmentation.half_body
    ):
        half = _half_body(sample, skeleton, rng)
        if half is not None:
            center, size = box_to_crop(half, spec.input_size, _HALF_BODY_PADDING)
    # Scale, shift, rotation and mirroring.
    matrix, is_mirrored = draw_matrix(
        center,
        size,
        input_size=spec.input_size,
        augmentation=augmentation,
        rng=rng,
        unbiased=spec.heatmap_codec.unbiased,
        may_flip=bool(skeleton.flip_pairs),
    )
    # A mirrored left keypoint is a right one.
    order = list(skeleton.flip_order if is_mirrored else range(skeleton.num_keypoints))
    points = apply_affine(sample.keypoints[order], matrix)
    return matrix, points, labelled[order].astype(np.float32)


def _half_body(sample: PoseSample, skeleton: Skeleton, rng: Generator) -> Floats | None:
    """Box (4,) xywh around the labelled upper or lower keypoints; None where too few are labelled.

    The official code chooses by a normal number below 0.5, so the upper half comes in 69% of cases.
    """
    if not skeleton.upper_body:
        return None
    # Choose a half, the other one where it has at most two labelled keypoints.
    labelled = np.flatnonzero(sample.visibility > 0)
    is_upper = np.isin(labelled, skeleton.upper_body)
    upper, lower = labelled[is_upper], labelled[~is_upper]
    if rng.standard_normal() < 0.5 and len(upper) > 2:
        chosen = upper
    else:
        chosen = lower if len(lower) > 2 else upper
    if len(chosen) < 2:
        return None
    # The crop is centred on the mean of the points, not on their box.
    points = sample.keypoints[chosen]
    extent = np.maximum(points.max(axis=0) - points.min(axis=0), 1)
    return np.concatenate([points.mean(axis=0) - extent / 2, extent])
