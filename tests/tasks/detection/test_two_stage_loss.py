"""The loss of detectors with two stages: its numbers, and that every parameter takes part."""

import math
from dataclasses import replace

import pytest
import torch

from hrnet.models.heads import two_stage
from hrnet.models.heads.two_stage import TwoStageHead, TwoStageMaps
from hrnet.tasks.detection import two_stage_loss
from hrnet.tasks.detection.box_coder import ANCHOR_STDS, STAGE_STDS, encode
from hrnet.tasks.detection.matching import BACKGROUND, split_targets
from hrnet.tasks.detection.network import LOSSES
from hrnet.tasks.detection.two_stage_loss import (
    Regions,
    cut_masks,
    draw_regions,
    mask_loss,
    proposal_loss,
    refine,
    region_loss,
    rules_of,
)

SIZE = 64, 96
STREAMS = (16, 32, 64, 128)


def head_of(*, stages=1, masks=False, classes=3) -> TwoStageHead:
    torch.manual_seed(0)
    head = TwoStageHead(STREAMS, classes, stages=stages, masks=masks)
    head.draw_weights()
    return head


def maps_of(head: TwoStageHead, count: int = 2) -> TwoStageMaps:
    generator = torch.Generator().manual_seed(1)
    height, width = SIZE
    streams = [
        torch.randn(count, channels, height // stride, width // stride, generator=generator)
        for channels, stride in zip(STREAMS, (4, 8, 16, 32), strict=True)
    ]
    return head(streams)


def targets_of(*, boxes=True, masks=False) -> dict[str, torch.Tensor]:
    """Two pictures; two boxes in the first one, perhaps."""
    targets = {
        "boxes": torch.zeros(2, 2, 4),
        "labels": torch.full((2, 2), -1),
        "sizes": torch.tensor([[64.0, 96.0], [60.0, 90.0]]),
    }
    if boxes:
        targets["boxes"][0] = torch.tensor([[8.0, 8.0, 40.0, 40.0], [20.0, 10.0, 80.0, 60.0]])
        targets["labels"][0] = torch.tensor([0, 2])
    if masks:
        targets["masks"] = torch.zeros(2, 2, 56, 56, dtype=torch.uint8)
        targets["masks"][:, :, 14:42, 14:42] = 1
    return targets


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Fewer regions and hidden numbers than published, so that tests are quick."""
    monkeypatch.setattr(two_stage_loss, "REGIONS_DRAWN", (16, 0.25))
    monkeypatch.setattr(two_stage_loss, "LOOKED_AT", 50)
    monkeypatch.setattr(two_stage, "_HIDDEN", 8)


HEADS = [{}, {"masks": True}, {"stages": 3}, {"stages": 3, "masks": True}]


@pytest.mark.parametrize("boxes", [True, False])
@pytest.mark.parametrize("loss", ["two_stage", "two_stage_legacy"])
@pytest.mark.parametrize("parts", HEADS, ids=["faster", "mask", "cascade", "cascade_mask"])
def test_every_parameter_gets_a_gradient(parts, loss, boxes):
    head = head_of(**parts)
    value = LOSSES[loss](maps_of(head), targets_of(boxes=boxes, masks="masks" in parts))
    assert value.isfinite()
    value.backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    masks_learn = [p.grad.abs().sum() > 0 for mask in head.masks for p in mask.parameters()]
    assert all(learns == boxes for learns in masks_learn)


def test_the_same_seed_gives_the_same_loss():
    head, found = head_of(stages=3), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(LOSSES["two_stage"](maps_of(head), targets_of()).item())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("parts", "legacy", "expected"),
    [
        ({}, False, (False, False, 0.0, 0.0, 1000)),
        ({"masks": True}, False, (False, True, 0.0, 0.0, 1000)),
        ({"stages": 3}, False, (True, False, 1 / 9, 1.0, 2000)),
        ({"stages": 3, "masks": True}, False, (True, False, 1 / 9, 1.0, 2000)),
        ({}, True, (True, True, 1 / 9, 1.0, 2000)),
        ({"stages": 3}, True, (True, True, 1 / 9, 1.0, 2000)),
    ],
)
def test_published_choices(parts, legacy, expected):
    rules = rules_of(head_of(**parts), legacy=legacy)
    assert rules.legacy == legacy
    assert (
        rules.inside,
        rules.forced,
        rules.anchor_beta,
        rules.region_beta,
        rules.proposals,
    ) == expected


def zeroed(maps: TwoStageMaps) -> TwoStageMaps:
    return replace(
        maps,
        objectness=[torch.zeros_like(x) for x in maps.objectness],
        deltas=[torch.zeros_like(x) for x in maps.deltas],
    )


def test_proposals_that_are_as_likely_as_not():
    """ln 2 for each anchor that is drawn, and the deltas that are missing.

    The only box is the anchor of ratio 1 on the map of stride 64, which has one position. So one of
    the 512 anchors that are drawn is a match.
    """
    maps, targets = zeroed(maps_of(head_of())), targets_of(boxes=False)
    rules = rules_of(maps.head, legacy=False)
    box = torch.tensor([-256.0, -256, 256, 256])
    targets["boxes"][0, 0], targets["labels"][0, 0] = box, 1
    exact = proposal_loss(maps, split_targets(targets), targets["sizes"], rules)
    assert exact.item() == pytest.approx(math.log(2), rel=1e-6)  # all deltas are 0
    targets["boxes"][0, 0] = box + 3
    moved = proposal_loss(maps, split_targets(targets), targets["sizes"], rules)
    delta = encode(box, box + 3, ANCHOR_STDS, legacy=False).abs().sum().item()
    assert moved.item() == pytest.approx(math.log(2) + delta / 512, rel=1e-6)


def regions_of(labels: list[int]) -> Regions:
    """Regions 2 pixels above and left of the boxes that they match."""
    matched = torch.tensor([index if label >= 0 else label for index, label in enumerate(labels)])
    boxes = torch.tensor([[10.0, 10.0, 30.0, 40.0]]).repeat(len(labels), 1)
    goals = torch.where(matched[:, None] >= 0, boxes + 2, boxes)
    rois = torch.cat([torch.zeros(len(labels), 1), boxes], dim=1)
    return Regions(rois, torch.tensor(labels), goals, matched, torch.zeros(len(labels)) > 0)


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize(("parts", "legacy"), [({}, False), ({"stages": 3}, False), ({}, True)])
def test_classes_and_deltas_of_regions(parts, legacy, stage):
    """Cross-entropy of even logits is ln 4; the deltas of the own class are 0, others count not."""
    rules = rules_of(head_of(**parts), legacy=legacy)
    regions = regions_of([2, BACKGROUND, 0, BACKGROUND])
    agnostic = "stages" in parts
    deltas = torch.zeros(4, 1 if agnostic else 3, 4)
    if not agnostic:
        deltas[0, :2], deltas[2, 1:] = 9, 9
    deltas[1] = 9
    loss = region_loss(torch.zeros(4, 4), deltas, regions, stage, rules)
    goal = encode(regions.rois[0, 1:], regions.goals[0], STAGE_STDS[stage], legacy=legacy).abs()
    if rules.region_beta:
        goal = torch.where(goal < 1, goal**2 / 2, goal - 0.5)
    assert loss.item() == pytest.approx(math.log(4) + 2 * goal.sum().item() / 4, rel=1e-5)


def test_background_is_the_last_class():
    rules = rules_of(head_of(), legacy=False)
    regions = regions_of([BACKGROUND] * 3)
    right = torch.tensor([0.0, 0.0, 0.0, 50.0]).repeat(3, 1)
    assert region_loss(right, torch.zeros(3, 3, 4), regions, 0, rules).item() < 1e-6
    assert region_loss(-right, torch.zeros(3, 3, 4), regions, 0, rules).item() > 49


def test_true_boxes_are_among_the_regions_and_not_refined():
    head, targets = head_of(stages=3), targets_of()
    rules, truth = rules_of(head, legacy=False), split_targets(targets)
    proposals = [torch.tensor([[0.0, 0.0, 9.0, 9.0], [9.0, 9.0, 41.0, 41.0]]), torch.zeros(0, 4)]
    regions = draw_regions(proposals, truth, 0.5, rules)
    assert regions.is_true.sum() == 2
    assert regions.labels.sort().values.tolist() == [BACKGROUND, 0, 0, 2]
    rows = regions.labels == 0
    assert (regions.goals[rows] == targets["boxes"][0, 0]).all()
    # The second picture has neither proposals nor boxes.
    assert (regions.rois[:, 0] == 0).all()
    deltas = torch.zeros(4, 1, 4)
    first, second = refine(regions, deltas, targets["sizes"], 0, legacy=False)
    assert sorted(first.tolist()) == proposals[0].tolist()
    assert len(second) == 0


@pytest.mark.parametrize("legacy", [False, True])
def test_masks_are_cut_out_of_those_of_the_boxes(legacy):
    """The right half of a box of 56 pixels is filled; regions are the box, its right half, and
    one that reaches as far beyond the box as within."""
    mask = torch.zeros(1, 56, 56, dtype=torch.uint8)
    mask[:, :, 28:] = 1
    last = int(legacy)
    box = torch.tensor([[10.0, 10, 66 - last, 66 - last]])
    regions = torch.tensor(
        [
            [10.0, 10, 66 - last, 66 - last],
            [38, 10, 66 - last, 66 - last],
            [38, 10, 94 - last, 66 - last],
        ]
    )
    found = cut_masks(mask.repeat(3, 1, 1), box.repeat(3, 1), regions, 28, legacy=legacy)
    columns = torch.arange(28)
    for cut, filled in zip(found, (columns >= 14, columns >= 0, columns < 14), strict=True):
        assert (cut == filled.float()).all()


def test_masks_that_are_unknown_do_not_count():
    head, targets = head_of(masks=True), targets_of(masks=True)
    maps, rules = maps_of(head), rules_of(head, legacy=False)
    truth = split_targets(targets)
    boxes = [one.boxes for one in truth]
    values = []
    for unknown in (False, True):
        if unknown:
            truth[0].masks[1] = 0
        regions = draw_regions(boxes, truth, 0.5, rules)
        values.append(mask_loss(maps, regions, truth, 0, legacy=False).item())
    targets["boxes"][0, 1], targets["labels"][0, 1] = 0, -1
    truth = split_targets(targets)
    regions = draw_regions([one.boxes for one in truth], truth, 0.5, rules)
    alone = mask_loss(maps, regions, truth, 0, legacy=False).item()
    assert values[1] == pytest.approx(alone, rel=1e-5)
    assert values[0] != pytest.approx(alone, rel=1e-5)
