"""Boxes matched with anchors and regions: rules of the published assigner and sampler."""

import pytest
import torch
from torch import Tensor

from hrnet.tasks.detection.matching import (
    BACKGROUND,
    NEITHER,
    MatchRule,
    Truth,
    draw,
    match,
    split_targets,
)

RULE = MatchRule(positive=0.7, negative=0.3)


def truth_of(*boxes, ignored=()) -> Truth:
    found = torch.tensor(boxes).reshape(-1, 4).float()
    regions = torch.tensor(ignored).reshape(-1, 4).float()
    return Truth(found, torch.zeros(len(found), dtype=torch.int64), regions)


def anchors(*boxes) -> Tensor:
    return torch.tensor(boxes).float()


def test_near_between_and_far():
    truth = truth_of([0, 0, 10, 10])
    # IoU of 0.8, 0.5 and 0.2 with the box.
    found = match(anchors([0, 0, 10, 8], [0, 0, 10, 5], [0, 0, 10, 2]), truth, RULE, legacy=False)
    assert found.tolist() == [0, NEITHER, BACKGROUND]


def test_legacy_boxes_count_their_last_pixel():
    truth = truth_of([0, 0, 9, 9])
    anchor = anchors([0, 0, 9, 6])  # 7 of 10 rows
    assert match(anchor, truth, RULE, legacy=True).tolist() == [0]
    assert match(anchor, truth, RULE, legacy=False).tolist() == [NEITHER]


def test_the_nearest_anchors_of_a_box_can_be_forced():
    truth = truth_of([0, 0, 10, 10], [100, 100, 110, 110])
    both = anchors([0, 0, 10, 5], [0, 5, 10, 10], [0, 0, 10, 4], [100, 100, 110, 102])
    rule = MatchRule(0.7, 0.3, forced=0.3)
    # Two are as near to the first box; the nearest of the second has an IoU below 0.3.
    assert match(both, truth, rule, legacy=False).tolist() == [0, 0, NEITHER, BACKGROUND]


def test_of_boxes_that_force_the_same_anchor_the_last_one_has_it():
    truth = truth_of([0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60])
    rule = MatchRule(0.7, 0.3, forced=0.3)
    found = match(anchors([0, 0, 10, 4], [50, 50, 60, 60]), truth, rule, legacy=False)
    assert found.tolist() == [1, 2]


def test_a_region_to_ignore_is_no_background():
    truth = truth_of([0, 0, 10, 10], ignored=([40, 0, 80, 40],))
    three = anchors([0, 0, 10, 10], [45, 5, 60, 20], [30, 0, 48, 10])
    assert match(three, truth, RULE, legacy=False).tolist() == [0, NEITHER, BACKGROUND]


def test_without_boxes_all_is_background():
    assert match(anchors([0, 0, 9, 9]), truth_of(), RULE, legacy=False).tolist() == [BACKGROUND]
    assert match(anchors().reshape(0, 4), truth_of([0, 0, 9, 9]), RULE, legacy=False).numel() == 0


@pytest.mark.parametrize(
    ("positives", "negatives", "expected"),
    [(300, 900, (128, 384)), (20, 900, (20, 492)), (20, 30, (20, 30)), (0, 900, (0, 512))],
)
def test_a_quarter_of_the_drawn_are_matches_at_most(positives, negatives, expected):
    matched = torch.tensor([0] * positives + [BACKGROUND] * negatives + [NEITHER] * 50)
    near, far = draw(matched, 512, 0.25)
    assert (len(near), len(far)) == expected
    assert (matched[near] == 0).all()
    assert (matched[far] == BACKGROUND).all()
    assert len(set(near.tolist() + far.tolist())) == sum(expected)


def test_what_is_drawn_follows_from_torchs_seed():
    matched = torch.full((1000,), BACKGROUND)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(draw(matched, 100, 0.5)[1].tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_targets_are_split_by_picture():
    boxes = torch.arange(24.0).reshape(2, 3, 4)
    labels = torch.tensor([[5, -2, 7], [-1, -1, -1]])
    masks = torch.arange(6).reshape(2, 3, 1, 1)
    first, second = split_targets({"boxes": boxes, "labels": labels, "masks": masks})
    assert first.boxes.tolist() == boxes[0, [0, 2]].tolist()
    assert first.labels.tolist() == [5, 7]
    assert first.ignored.tolist() == boxes[0, 1:2].tolist()
    assert first.masks is not None
    assert first.masks.flatten().tolist() == [0, 2]
    assert len(second.boxes) == len(second.ignored) == 0
