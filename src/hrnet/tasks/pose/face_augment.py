"""Random crops of faces, as the published facial landmark trainings draw them.

Source: lib/datasets of https://github.com/HRNet/HRNet-Facial-Landmark-Detection (Sun et al. 2019).
"""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hrnet.codecs.face import face_matrix, face_profiles, move_pixels
from hrnet.data.augment import distort
from hrnet.data.coco import PoseSample
from hrnet.geometry import Image8, box_to_crop
from hrnet.tasks import Sample
from hrnet.tasks.pose.config import PoseAugmentation
from hrnet.tasks.pose.face_crop import crop_face
from hrnet.tasks.pose.spec import PoseSpec


def draw_faces(
    samples: Sequence[Sample],
    pictures: Sequence[Image8],
    rngs: Sequence[Generator],
    *,
    spec: PoseSpec,
    augmentation: PoseAugmentation,
) -> tuple[Image8, dict[str, NDArray[np.float32]]]:
    """Draw a crop of each face; return crops (N, H, W, 3) uint8 and targets.

    The targets are rows (N, K, h), columns (N, K, w) and weights (N, K), which are all 1: a
    landmark that is not labelled, or at y <= 0, is taught to be nowhere. Scale and rotation are
    uniform. A mirrored point has x = width - x, as published, which is a pixel too far.
    """
    codec = spec.heatmap_codec
    crops, spots, drawn = [], [], []
    for sample, picture, rng in zip(samples, pictures, rngs, strict=True):
        assert isinstance(sample, PoseSample)
        points = sample.keypoints.copy()
        known = (sample.visibility > 0) & (points[:, 1] > 0)
        center, size = box_to_crop(sample.box_xywh, spec.input_size, spec.padding)
        # Scale, rotation and mirroring.
        side = float(size[1]) * rng.uniform(1 - augmentation.scale, 1 + augmentation.scale)
        turned = rng.random() < augmentation.rotation_probability
        rotation = rng.uniform(-1, 1) * augmentation.rotation_deg if turned else 0.0
        shown = picture
        if rng.random() < augmentation.flip and spec.skeleton.flip_pairs:
            order = list(spec.skeleton.flip_order)
            shown, points, known = picture[:, ::-1], points[order], known[order]
            points[:, 0] = picture.shape[1] - points[:, 0]
            center = np.array([picture.shape[1] - center[0], center[1]])
        # The crop, and the landmarks in whole pixels of the heatmap.
        crop = crop_face(shown, center, side, spec.input_size, rotation)
        crops.append(distort(crop, augmentation, rng))
        matrix = face_matrix(center, side, codec.heatmap_size, rotation)
        spots.append(move_pixels(points + 1, matrix) - 1)
        drawn.append(known)
    rows, columns, weights = face_profiles(
        np.stack(spots), np.stack(drawn), codec.heatmap_size, codec.sigma
    )
    return np.stack(crops), {"rows": rows, "columns": columns, "weights": weights}
