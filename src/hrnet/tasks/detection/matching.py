"""Anchors and regions matched with labelled boxes, and drawn for a loss.

Source: assigner by IoU and random sampler of the published detectors (mmdetection). They take what
lies in a crowd as background; here a region to ignore is neither object nor background.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hrnet.tasks.detection.box_coder import box_iou
from hrnet.tasks.detection.targets import IGNORED

BACKGROUND, NEITHER = -1, -2
"""In place of the index of a box: no box is near, or one is too near for background."""

_IN_IGNORED = 0.5
"""Share of an area within a region to ignore, above which it is no background."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The labels of one picture: boxes (M, 4), labels (M,) as classes, masks (M, S, S) or None.

    ignored: (R, 4), regions that are neither objects nor background.
    """

    boxes: Tensor
    labels: Tensor
    ignored: Tensor
    masks: Tensor | None = None


def split_targets(targets: Mapping[str, Tensor]) -> list[Truth]:
    """Return the labels of each picture of a batch; targets as in `tasks.detection.targets`."""
    found = []
    for index, (boxes, labels) in enumerate(zip(targets["boxes"], targets["labels"], strict=True)):
        chosen = labels >= 0
        masks = targets["masks"][index][chosen] if "masks" in targets else None
        found.append(Truth(boxes[chosen], labels[chosen], boxes[labels == IGNORED], masks))
    return found


@dataclass(frozen=True, slots=True)
class MatchRule:
    """The least IoU of a match (positive), and the IoU below which there is none (negative).

    forced: where the nearest anchors of a box have at least this IoU, they match it whatever
    `positive` is; None forces no match.
    """

    positive: float
    negative: float
    forced: float | None = None


def match(boxes: Tensor, truth: Truth, rule: MatchRule, *, legacy: bool) -> Tensor:
    """Return for each of boxes (P, 4) the index of its true box, BACKGROUND or NEITHER, (P,)."""
    matched = boxes.new_full((len(boxes),), BACKGROUND, dtype=torch.int64)
    if len(truth.boxes) and len(boxes):
        iou = box_iou(truth.boxes, boxes, legacy=legacy)  # (M, P)
        best, index = iou.max(dim=0)
        matched[best >= rule.negative] = NEITHER
        matched = torch.where(best >= rule.positive, index, matched)
        if rule.forced is not None:
            # The nearest anchors of a box, all of them where several are as near.
            most = iou.max(dim=1, keepdim=True).values
            forced = (iou == most) & (most >= rule.forced)
            last = len(iou) - 1 - forced.flip(0).int().argmax(dim=0)  # of several boxes the last
            matched = torch.where(forced.any(dim=0), last, matched)
    if len(truth.ignored) and len(boxes):
        share = box_iou(boxes, truth.ignored, legacy=legacy, of_first=True).amax(dim=1)
        matched[(matched == BACKGROUND) & (share > _IN_IGNORED)] = NEITHER
    return matched


def draw(matched: Tensor, count: int, share: float) -> tuple[Tensor, Tensor]:
    """Draw `count` indices of `matched` (P,) at random, of matches and of background.

    share: the most of them that are matches; background fills up, as far as there is any.
    """
    positive = _at_most((matched >= 0).nonzero()[:, 0], int(count * share))
    negative = _at_most((matched == BACKGROUND).nonzero()[:, 0], count - len(positive))
    return positive, negative


def _at_most(index: Tensor, count: int) -> Tensor:
    if len(index) <= count:
        return index
    return index[torch.randperm(len(index), device=index.device)[:count]]
