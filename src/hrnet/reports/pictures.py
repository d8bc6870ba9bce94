"""Pictures of a report: drawn, made small and written into the page as data URIs."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hrnet.data.coco import Sample
from hrnet.geometry import Floats, Image8, apply_affine, box_to_crop, crop_matrix, warp_affine
from hrnet.images import read_image
from hrnet.tasks.pose.drawing import draw_poses
from hrnet.tasks.pose.result import Poses
from hrnet.tasks.pose.spec import PoseSpec

HEIGHT_PX = 256
SIDE_PX = 320
_GAP_PX = 4
_QUALITY = 80

_BOLD = 1.4
"""The lines follow the size of the box; these pictures are shown small, so theirs are wider."""

_HIDDEN_SCORE, _VISIBLE_SCORE = 0.32, 1.0
"""Scores for `draw_poses`: an annotated but hidden keypoint has about half its colour."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A labelled subject and the pose predicted for it: keypoints (K, 2) pixels, scores (K,)."""

    sample: Sample
    keypoints: Floats
    scores: Floats


def draw_pair(pair: Pair, spec: PoseSpec) -> str:
    """Draw the predicted pose and, right of it, the annotated one, on the crop of the network.

    Returns a data URI of a JPEG of `HEIGHT_PX`.
    """
    height, width = spec.input_size
    size = (HEIGHT_PX, round(HEIGHT_PX * width / height))
    matrix = crop_matrix(*box_to_crop(pair.sample.box_xywh, size, spec.padding), size)
    crop = warp_affine(read_image(pair.sample.image_path), matrix, size)
    seen = pair.sample.visibility
    truth = np.select([seen >= 2, seen > 0], [_VISIBLE_SCORE, _HIDDEN_SCORE], 0.0)
    drawn = [
        _draw(crop, apply_affine(points, matrix), scores, spec)
        for points, scores in ((pair.keypoints, pair.scores), (pair.sample.keypoints, truth))
    ]
    gap = np.full((HEIGHT_PX, _GAP_PX, 3), 255, dtype=np.uint8)
    return jpeg_uri(np.concatenate([drawn[0], gap, drawn[1]], axis=1))


def _draw(crop: Image8, points: Floats, scores: Floats, spec: PoseSpec) -> Image8:
    height, width = crop.shape[:2]
    box = _BOLD * np.array([[0, 0, width, height]], dtype=np.float32)
    poses = Poses(
        keypoints=points[None].astype(np.float32),
        keypoint_scores=scores[None].astype(np.float32),
        boxes=box,
        scores=np.ones(1, dtype=np.float32),
        skeleton=spec.skeleton,
        image_size=(height, width),
    )
    return draw_poses(crop, poses)


def small_picture(path: Path) -> str:
    """A data URI of a picture file, at most `SIDE_PX` wide and high.

    Raises InputError where it is no picture.
    """
    image = Image.fromarray(read_image(path))
    image.thumbnail((SIDE_PX, SIDE_PX))
    return jpeg_uri(np.asarray(image))


def jpeg_uri(pixels: Image8) -> str:
    """A picture (H, W, 3) as a data URI of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
