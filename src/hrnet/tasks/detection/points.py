"""FCOS: boxes of the points of its maps."""

import torch
from torch import Tensor
from torch.nn import functional as F

from hrnet.models.heads.fcos import PointMaps
from hrnet.tasks.detection.anchors import pyramid_points
from hrnet.tasks.detection.box_coder import clip, decode_distances
from hrnet.tasks.detection.nms import grown, keep_mask
from hrnet.tasks.detection.second_stage import Found, select
from hrnet.tasks.detection.spec import DetectionSpec

_PER_LEVEL = 1000
"""Pairs of a point and a class that are looked at on each map, the best ones."""


def find_at_points(maps: PointMaps, sizes: Tensor, extent: Tensor, spec: DetectionSpec) -> Found:
    """Return the best boxes after non-maximum suppression within each class.

    The least score is compared with the score of the class alone; the score of a box is its class's
    times its centreness. sizes: (N, 2), height and width of the pictures in the input.
    extent: (N,), see `grown`.
    """
    levels = zip(
        maps.classes, maps.distances, maps.centreness, pyramid_points(maps.classes), strict=True
    )
    if spec.conventions == "legacy":
        found = [_best_points(*level, spec.min_score) for level in levels]
        boxes, by_point = (torch.cat(part, dim=1) for part in zip(*found, strict=True))
        boxes = clip(boxes, sizes, legacy=True)
        return select(boxes[:, :, None], by_point, extent, spec.model_copy(update={"min_score": 0}))
    parts = [_best_pairs(*level, spec.min_score) for level in levels]
    boxes, scores, labels = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
    boxes = clip(boxes, sizes, legacy=False)
    scores = scores * (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)
    # (N, C, rows): each row has a score in its own class alone.
    classes = torch.arange(maps.classes[0].shape[1], device=labels.device)
    by_class = scores[:, None] * (labels[:, None] == classes[:, None])
    kept = keep_mask(grown(boxes[:, None], extent), by_class, spec.nms_iou).any(dim=1)
    best, index = (scores * kept).topk(spec.max_detections, dim=1)
    found_boxes = boxes.gather(1, index[..., None].expand(-1, -1, 4))
    return Found(found_boxes, best, labels.gather(1, index))


def _best_points(
    classes: Tensor, distances: Tensor, centreness: Tensor, points: Tensor, min_score: float
) -> tuple[Tensor, Tensor]:
    """Return boxes (N, 1000, 4) and scores (N, 1000, C) of the best points of one map.

    So mmdetection chose before 2.0: by the best class's score times the centreness.
    """
    by_class = classes.flatten(2).transpose(1, 2).sigmoid()  # (N, h * w, C)
    scores = by_class * centreness.flatten(2).transpose(1, 2).sigmoid()
    # An exported graph needs one length for maps of all sizes.
    best, index = F.pad(scores.amax(dim=2), (0, _PER_LEVEL)).topk(_PER_LEVEL, dim=1)
    index = index.clamp(max=scores.shape[1] - 1)
    chosen = (scores * (by_class > min_score)).gather(
        1, index[..., None].expand(-1, -1, scores.shape[2])
    )
    sides = distances.flatten(2).transpose(1, 2).gather(1, index[..., None].expand(-1, -1, 4))
    return decode_distances(points[index], sides), chosen * (best > 0)[..., None]


def _best_pairs(
    classes: Tensor, distances: Tensor, centreness: Tensor, points: Tensor, min_score: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes (N, 1000, 4), scores and classes (N, 1000) of the best pairs of one map.

    Pairs whose class scores too little have a score of 0.
    """
    num_classes = classes.shape[1]
    scores = classes.permute(0, 2, 3, 1).flatten(1).sigmoid()  # point by point
    scores = scores * (scores > min_score)
    # An exported graph needs one length for maps of all sizes.
    best, index = F.pad(scores, (0, _PER_LEVEL)).topk(_PER_LEVEL, dim=1)
    index = index.clamp(max=scores.shape[1] - 1)
    place = torch.div(index, num_classes, rounding_mode="floor")
    # What stands at these points.
    sides = distances.flatten(2).transpose(1, 2).gather(1, place[..., None].expand(-1, -1, 4))
    boxes = decode_distances(points[place], sides)
    central = centreness.flatten(1).sigmoid().gather(1, place)
    return boxes, best * central, index - place * num_classes
