"""The loss of one-stage heads whose class score is the quality of the box.

Sources: task-aligned assignment, TOOD (Feng et al. 2021); the quality focal loss, GFL (Li et al.
2020); GIoU, Rezatofighi et al. 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou, generalized_box_iou_loss

from hrnet.models.heads.light import DensePoints
from hrnet.tasks.detection.targets import IGNORED

_SCORE_POWER, _IOU_POWER = 1.0, 6.0
"""alignment = score^1 * IoU^6, as published."""
_CANDIDATES = 13
"""Points of a box that may become its positives."""
_BOX_WEIGHT = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """The goals of one image's P points.

    scores: (P, C), 0..1. boxes: (P, 4), of positives. counts: (P,) False where a point lies in an
    ignored region and is no positive.
    """

    scores: Tensor
    boxes: Tensor
    counts: Tensor


def task_aligned(outputs: DensePoints, targets: Mapping[str, Tensor]) -> Tensor:
    """Return quality focal loss + 2 x GIoU loss, divided by the sum of the goals.

    targets: `boxes` (N, M, 4) and `labels` (N, M), see `tasks.detection.targets`.
    """
    goals = [
        assign(outputs, index, boxes, labels)
        for index, (boxes, labels) in enumerate(
            zip(targets["boxes"].float(), targets["labels"], strict=True)
        )
    ]
    scores = torch.stack([goal.scores for goal in goals])
    counts = torch.stack([goal.counts for goal in goals])
    total = scores.sum().clamp(min=1.0)
    # |goal - score|^2 * BCE, over the points that count
    each = F.binary_cross_entropy_with_logits(outputs.logits, scores, reduction="none")
    focus = (scores - outputs.logits.sigmoid()).square()
    classes = (each * focus * counts[..., None]).sum()
    # (1 - GIoU) of the positives, weighted by their goals
    weights = scores.amax(dim=2)
    positive = weights > 0
    gaps = generalized_box_iou_loss(
        outputs.boxes[positive], torch.stack([goal.boxes for goal in goals])[positive]
    )
    loss: Tensor = (classes + _BOX_WEIGHT * (gaps * weights[positive]).sum()) / total
    return loss


@torch.no_grad()
def assign(outputs: DensePoints, index: int, boxes: Tensor, labels: Tensor) -> Assignment:
    """Choose the positives of one image of a batch, and the goals of all points.

    boxes: (M, 4), labels: (M,), as in the targets. A box takes the points within it with the best
    alignment; a point that several boxes take goes to the one that it overlaps most. The goals of a
    box's points are scaled so that the best one has the largest IoU of them.
    """
    predicted, logits = outputs.boxes[index], outputs.logits[index]
    found = labels >= 0
    truth, classes = boxes[found], labels[found]
    ignored = _inside(outputs.points, boxes[labels == IGNORED]).any(dim=1)
    goal_scores = torch.zeros_like(logits)
    goal_boxes = torch.zeros_like(predicted)
    if len(truth) == 0:
        return Assignment(goal_scores, goal_boxes, ~ignored)
    # alignment (P, M) of the points within each box
    overlap = box_iou(predicted, truth)
    alignment = logits.sigmoid()[:, classes] ** _SCORE_POWER * overlap**_IOU_POWER
    inside = _inside(outputs.points, truth)
    alignment = torch.where(inside, alignment, -1.0)
    # the best points of each box, then the best box of each point
    best = alignment.topk(min(_CANDIDATES, len(alignment)), dim=0).indices
    taken = torch.zeros_like(inside).scatter_(0, best, True) & inside
    rivals = torch.where(taken, overlap, -1.0)
    owner = rivals.argmax(dim=1)
    positive = taken.any(dim=1).nonzero()[:, 0]
    owner = owner[positive]
    # goal = alignment / largest alignment of the box * largest IoU of the box
    own = alignment[positive, owner]
    largest = _largest(own, owner, len(truth))
    reach = _largest(overlap[positive, owner], owner, len(truth))
    goals = own / largest[owner].clamp(min=1e-9) * reach[owner]
    goal_scores[positive, classes[owner]] = goals
    goal_boxes[positive] = truth[owner]
    ignored[positive] = False
    return Assignment(goal_scores, goal_boxes, ~ignored)


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Return (P, M), True where a point (P, 2) lies in a box (M, 4)."""
    x, y = points[:, None, 0], points[:, None, 1]
    left, top, right, bottom = boxes.unbind(dim=1)
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def _largest(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """Return the largest value of each owner (count,), 0 for owners without any."""
    zeros = torch.zeros(count, dtype=values.dtype, device=values.device)
    return zeros.scatter_reduce(0, owner, values, "amax")
