"""The loss of Faster, Mask and Cascade R-CNN (Ren et al. 2015, He et al. 2017, Cai et al. 2018).

    anchors --match, draw--> loss of the proposals
    proposals --match, draw--> regions --box head--> loss of classes and boxes --> refined, ...
                                       --mask head--> loss of masks

Rules and numbers are those of the published trainings on HRNetV2p. All parameters take part in each
loss, where there is nothing to learn with a gradient of 0, so that several processes stay in step.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import roi_align

from hrnet.models.heads.two_stage import BOX_SIDE, MASK_SIDE, TwoStageHead, TwoStageMaps
from hrnet.tasks.detection.anchors import pyramid_anchors
from hrnet.tasks.detection.box_coder import ANCHOR_STDS, STAGE_STDS, clip, decode, encode
from hrnet.tasks.detection.crops import STRIDE
from hrnet.tasks.detection.matching import BACKGROUND, MatchRule, Truth, draw, match, split_targets
from hrnet.tasks.detection.proposals import NO_BOX, Proposals, propose
from hrnet.tasks.detection.regions import pool_rois

ANCHOR_RULE = MatchRule(positive=0.7, negative=0.3, forced=0.3)
ANCHORS_DRAWN, REGIONS_DRAWN = (256, 0.5), (512, 0.25)
"""How many are drawn of a picture, and the largest share of matches among them."""

LOOKED_AT = 2000
"""Anchors of each level that proposals of a training are made of."""

_STAGE_IOU, _STAGE_WEIGHTS = (0.5, 0.6, 0.7), (1.0, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class Rules:
    """The choices in which published trainings differ.

    legacy: conventions of mmdetection before 2.0. inside: anchors that cross the picture's edge are
    left out. forced: the nearest regions of a box match it, if their IoU is that of a match.
    anchor_beta, region_beta: of the smooth L1 loss of deltas; 0 is L1. proposals: of a picture.
    """

    legacy: bool
    inside: bool
    forced: bool
    anchor_beta: float
    region_beta: float
    proposals: int


def rules_of(head: TwoStageHead, *, legacy: bool) -> Rules:
    """Return the rules of mmdetection 2 and 3, or with `legacy` those before, for a head."""
    cascade, masks = len(head.boxes) > 1, len(head.masks) > 0
    older = legacy or cascade  # its published training kept these of before 2.0
    return Rules(
        legacy=legacy,
        inside=older,
        forced=legacy or (masks and not cascade),
        anchor_beta=1 / 9 if older else 0.0,
        region_beta=1.0 if older else 0.0,
        proposals=2000 if older else 1000,
    )


def two_stage(outputs: TwoStageMaps, targets: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the losses of all parts, by the conventions "plain".

    targets: as in `tasks.detection.targets`; a head with masks needs masks.
    """
    return _loss(outputs, targets, legacy=False)


def two_stage_legacy(outputs: TwoStageMaps, targets: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of the losses of all parts, by the conventions "legacy"."""
    return _loss(outputs, targets, legacy=True)


def _loss(maps: TwoStageMaps, targets: Mapping[str, Tensor], *, legacy: bool) -> Tensor:
    head, truth, sizes = maps.head, split_targets(targets), targets["sizes"]
    rules = rules_of(head, legacy=legacy)
    total = proposal_loss(maps, truth, sizes, rules)
    # The regions that the parts behind the proposals learn from.
    with torch.no_grad():
        proposals = propose(
            maps.objectness,
            maps.deltas,
            sizes,
            legacy=legacy,
            per_level=LOOKED_AT,
            most=rules.proposals,
        )
    boxes = _rows(proposals)
    for stage, weight in zip(range(len(head.boxes)), _STAGE_WEIGHTS, strict=False):
        regions = draw_regions(boxes, truth, _STAGE_IOU[stage], rules)
        pooled = pool_rois(maps.features, regions.rois, BOX_SIDE, legacy=legacy)
        logits, deltas = head.boxes[stage](pooled)
        total = total + weight * region_loss(logits, deltas, regions, stage, rules)
        if len(head.masks):
            total = total + weight * mask_loss(maps, regions, truth, stage, legacy=legacy)
        if stage + 1 < len(head.boxes):
            boxes = refine(regions, deltas, sizes, stage, legacy=legacy)
    return total


def _rows(proposals: Proposals) -> list[Tensor]:
    """Return the proposals (P, 4) of each picture."""
    pairs = zip(proposals.boxes, proposals.scores, strict=True)
    return [boxes[scores > NO_BOX] for boxes, scores in pairs]


def proposal_loss(maps: TwoStageMaps, truth: list[Truth], sizes: Tensor, rules: Rules) -> Tensor:
    """Return the loss of the region proposal network, over the anchors that are drawn.

    sizes: (N, 2), height and width of the pictures in the input.
    """
    # Logits (N, A) and deltas (N, A, 4), in the order of the anchors (A, 4).
    anchors = torch.cat(pyramid_anchors(maps.objectness, legacy=rules.legacy))
    logits = torch.cat([x.permute(0, 2, 3, 1).flatten(1) for x in maps.objectness], dim=1)
    rows = [x.permute(0, 2, 3, 1).reshape(len(x), -1, 4) for x in maps.deltas]
    deltas = torch.cat(rows, dim=1)
    # Sums over the anchors that are drawn of each picture.
    total, count = logits.new_zeros(()), 0
    for index, one in enumerate(truth):
        usable = _usable(anchors, sizes[index], rules)
        matched = match(anchors[usable], one, ANCHOR_RULE, legacy=rules.legacy)
        positive, negative = draw(matched, *ANCHORS_DRAWN)
        near, far = usable[positive], usable[negative]
        goal = encode(anchors[near], one.boxes[matched[positive]], ANCHOR_STDS, legacy=rules.legacy)
        chosen = logits[index, torch.cat([near, far])]
        is_object = torch.zeros_like(chosen)
        is_object[: len(near)] = 1
        total = total + F.binary_cross_entropy_with_logits(chosen, is_object, reduction="sum")
        total = total + smooth_l1(deltas[index, near], goal, rules.anchor_beta)
        count += len(chosen)
    return total / max(1, count)


def _usable(anchors: Tensor, size: Tensor, rules: Rules) -> Tensor:
    """Return the indices of the anchors that take part, for a picture of a size (2,)."""
    width_height = size.flip(0)
    if rules.inside:
        inside = (anchors[:, :2] >= 0).all(dim=1) & (anchors[:, 2:] < width_height).all(dim=1)
        return inside.nonzero()[:, 0]
    # Those whose position is within the picture's own input, which other pictures may exceed.
    end = (width_height / STRIDE).ceil() * STRIDE
    return ((anchors[:, :2] + anchors[:, 2:]) / 2 < end).all(dim=1).nonzero()[:, 0]


def smooth_l1(found: Tensor, goal: Tensor, beta: float) -> Tensor:
    """Return the sum of |x| - beta / 2, and below beta of x^2 / (2 beta)."""
    return F.smooth_l1_loss(found, goal, reduction="sum", beta=beta)


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Regions of a batch that a head learns from, picture by picture.

    rois: (R, 5), picture and xyxy. matched: (R,), index of the true box in its picture, or
    BACKGROUND. labels: (R,), classes, BACKGROUND too. goals: (R, 4), the true boxes; of background
    the region itself. is_true: (R,), the region is a true box itself.
    """

    rois: Tensor
    labels: Tensor
    goals: Tensor
    matched: Tensor
    is_true: Tensor

    @property
    def positive(self) -> Tensor:
        """Indices of the regions that match a true box."""
        return (self.matched >= 0).nonzero()[:, 0]


def draw_regions(boxes: list[Tensor], truth: list[Truth], iou: float, rules: Rules) -> Regions:
    """Match proposals (P, 4) of each picture, add its true boxes to them, and draw of both."""
    rule = MatchRule(iou, iou, forced=iou if rules.forced else None)
    parts = []
    for index, (own, one) in enumerate(zip(boxes, truth, strict=True)):
        matched = match(own, one, rule, legacy=rules.legacy)
        # The true boxes come first and match themselves.
        count = len(one.boxes)
        matched = torch.cat([torch.arange(count, device=matched.device), matched])
        chosen = torch.cat(draw(matched, *REGIONS_DRAWN))
        matched, candidates = matched[chosen], torch.cat([one.boxes, own])[chosen]
        # Labels and goals of background are of no box.
        labels = torch.full_like(matched, BACKGROUND)
        goals = candidates.clone()
        near = matched >= 0
        labels[near], goals[near] = one.labels[matched[near]], one.boxes[matched[near]]
        image = torch.full_like(candidates[:, :1], index)
        rois = torch.cat([image, candidates], dim=1)
        parts.append((rois, labels, goals, matched, chosen < count))
    return Regions(*(torch.cat(part) for part in zip(*parts, strict=True)))


def region_loss(
    logits: Tensor, deltas: Tensor, regions: Regions, stage: int, rules: Rules
) -> Tensor:
    """Return the loss of a box head: cross-entropy, and smooth L1 of the deltas of matches.

    logits: (R, C + 1), background last. deltas: (R, C or 1, 4). Both are divided by R.
    """
    background = logits.shape[1] - 1
    labels = torch.where(regions.labels < 0, background, regions.labels)
    near = regions.positive
    # The deltas of the own class.
    which = labels[near] if deltas.shape[1] > 1 else torch.zeros_like(near)
    goal = encode(
        regions.rois[near, 1:], regions.goals[near], STAGE_STDS[stage], legacy=rules.legacy
    )
    total = F.cross_entropy(logits, labels, reduction="sum")
    total = total + smooth_l1(deltas[near, which], goal, rules.region_beta)
    return total / max(1, len(labels))


def refine(
    regions: Regions, deltas: Tensor, sizes: Tensor, stage: int, *, legacy: bool
) -> list[Tensor]:
    """Return the regions as a stage of a cascade moves them, (P, 4) of each picture.

    deltas: (R, 1, 4). True boxes among the regions are left out.
    """
    boxes = decode(regions.rois[:, 1:], deltas[:, 0].detach(), STAGE_STDS[stage], legacy=legacy)
    images = regions.rois[:, 0]
    return [
        clip(boxes[(images == index) & ~regions.is_true][None], size[None], legacy=legacy)[0]
        for index, size in enumerate(sizes)
    ]


def mask_loss(
    maps: TwoStageMaps, regions: Regions, truth: list[Truth], stage: int, *, legacy: bool
) -> Tensor:
    """Return the mean binary cross-entropy of the masks of matches, each of its own class.

    Boxes whose mask is unknown do not count.
    """
    near = regions.positive
    rois = regions.rois[near]
    pooled = pool_rois(maps.features, rois, MASK_SIDE, legacy=legacy)
    rows = torch.arange(len(near), device=near.device)
    logits = maps.head.masks[stage](pooled)[rows, regions.labels[near]]
    # The true masks, cut out of those of the boxes.
    per_image = [
        _masks_of(one)[regions.matched[near][rois[:, 0] == index]]
        for index, one in enumerate(truth)
    ]
    masks = torch.cat(per_image)
    goal = cut_masks(masks, regions.goals[near], rois[:, 1:], logits.shape[-1], legacy=legacy)
    known = masks.flatten(1).any(dim=1)
    loss = F.binary_cross_entropy_with_logits(logits, goal, reduction="none").mean(dim=(1, 2))
    return (loss * known).sum() / known.sum().clamp(min=1)


def _masks_of(truth: Truth) -> Tensor:
    assert truth.masks is not None, "a head with masks learns from targets with masks"
    return truth.masks


def cut_masks(masks: Tensor, boxes: Tensor, regions: Tensor, side: int, *, legacy: bool) -> Tensor:
    """Return the masks of boxes (R, 4) as they are within regions (R, 4): (R, side, side), 0 or 1.

    masks: (R, S, S), each over the extent of its box; beyond it there is nothing.
    """
    # Regions in cells of the masks, which get an empty border.
    reach = boxes.new_tensor((0, 0, 1, 1)) * int(legacy)
    boxes, regions = boxes + reach, regions + reach
    origin, size = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-6)
    cells = (regions - origin.repeat(1, 2)) / size.repeat(1, 2) * masks.shape[-1] + 1
    padded = F.pad(masks.to(boxes.dtype), (1, 1, 1, 1))[:, None]
    rows = torch.arange(len(masks), device=masks.device).to(boxes.dtype)[:, None]
    rois = torch.cat([rows, cells], dim=1)
    found: Tensor = roi_align(padded, rois, side, 1.0, 2, aligned=True)
    return (found[:, 0] >= 0.5).to(boxes.dtype)
