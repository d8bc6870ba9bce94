"""The second stage of a detector: proposals become boxes of classes, and masks."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hrnet.models.heads.two_stage import BOX_SIDE, MASK_SIDE, TwoStageHead
from hrnet.tasks.detection.box_coder import STAGE_STDS, clip, decode
from hrnet.tasks.detection.nms import grown, keep_mask
from hrnet.tasks.detection.proposals import NO_BOX, Proposals
from hrnet.tasks.detection.regions import pool_regions
from hrnet.tasks.detection.spec import DetectionSpec


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Boxes (N, K, 4) xyxy with scores (N, K) and classes (N, K) int64, best first.

    Rows without a box have a score of 0.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def find_boxes(
    head: TwoStageHead, features: list[Tensor], proposals: Proposals, sizes: Tensor, *, legacy: bool
) -> tuple[Tensor, Tensor]:
    """Classify and refine proposals; return boxes (N, P, C or 1, 4) and scores (N, P, C).

    In a cascade each stage refines the boxes of the one before, and the logits are averaged. Rows
    without a proposal get scores of 0.
    """
    boxes, logits = proposals.boxes[:, :, None], []
    rows = proposals.scores.shape
    for box_head, stds in zip(head.boxes, STAGE_STDS, strict=False):
        pooled = pool_regions(features, boxes[:, :, 0], BOX_SIDE, legacy=legacy)
        of_stage, deltas = box_head(pooled)
        logits.append(of_stage)
        refined = decode(boxes, deltas.unflatten(0, rows), stds, legacy=legacy)
        boxes = clip(refined, sizes, legacy=legacy)
    mean = logits[0] if len(logits) == 1 else torch.stack(logits).mean(dim=0)
    scores = mean.softmax(dim=-1)[:, :-1].unflatten(0, rows)
    return boxes, scores * (proposals.scores > NO_BOX)[..., None]


def select(boxes: Tensor, scores: Tensor, extent: Tensor, spec: DetectionSpec) -> Found:
    """Return the best boxes after non-maximum suppression within each class.

    boxes: (N, P, C or 1, 4), scores: (N, P, C). extent: (N,), see `grown`.
    """
    # Those above the least score that stay within their class.
    boxes, scores = boxes.transpose(1, 2), scores.transpose(1, 2)  # (N, C, P, ...)
    scores = scores * (scores > spec.min_score)
    kept = keep_mask(grown(boxes, extent), scores, spec.nms_iou)
    # The best of all classes.
    rows = scores.shape[2]
    flat = F.pad((scores * kept).flatten(1), (0, spec.max_detections))
    best, index = flat.topk(spec.max_detections, dim=1)
    index = index.clamp(max=scores.shape[1] * rows - 1)
    own = boxes.expand(-1, scores.shape[1], -1, -1).flatten(1, 2)
    found = own.gather(1, index[..., None].expand(-1, -1, 4))
    return Found(found, best, torch.div(index, rows, rounding_mode="floor"))


def find_masks(head: TwoStageHead, features: list[Tensor], found: Found, *, legacy: bool) -> Tensor:
    """Return the masks (N, K, 28, 28) of boxes: probabilities of each box's own class.

    In a cascade the masks of the stages are averaged.
    """
    pooled = pool_regions(features, found.boxes, MASK_SIDE, legacy=legacy)
    labels = found.labels.flatten()
    rows = torch.arange(labels.shape[0], device=labels.device)
    masks = [mask_head(pooled)[rows, labels].sigmoid() for mask_head in head.masks]
    mean = masks[0] if len(masks) == 1 else torch.stack(masks).mean(dim=0)
    by_row: Tensor = mean.unflatten(0, found.labels.shape)
    return by_row
