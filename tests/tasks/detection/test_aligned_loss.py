"""The loss of the light head, and its choice of positives, on points checked by hand."""

import pytest
import torch
from torch.nn import functional as F

from hrnet.models.heads.light import DensePoints
from hrnet.tasks.detection.aligned_loss import assign, task_aligned
from hrnet.tasks.detection.targets import IGNORED, PADDING


def grid(*, logits: float = -4.0, boxes: torch.Tensor | None = None) -> DensePoints:
    """Points 8 pixels apart in 64x64 pixels, each with a box of 16x16 around it; one class."""
    line = torch.arange(8) * 8.0 + 4
    points = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1).reshape(-1, 2)
    around = torch.cat([points - 8, points + 8], dim=1)[None] if boxes is None else boxes
    return DensePoints(around, torch.full((1, 64, 1), logits), points, torch.full((64,), 8.0))


def labels(*rows: tuple[float, float, float, float, int]) -> dict[str, torch.Tensor]:
    table = torch.tensor(rows or [(0, 0, 0, 0, PADDING)], dtype=torch.float32)
    return {"boxes": table[None, :, :4], "labels": table[None, :, 4].long()}


def test_positives_lie_within_the_box_and_the_best_goal_is_its_iou():
    outputs, goal = grid(), labels((4, 4, 20, 20, 0))
    found = assign(outputs, 0, goal["boxes"][0], goal["labels"][0])
    positive = (found.scores[:, 0] > 0).nonzero()[:, 0]
    points = outputs.points[positive]
    assert len(points) == 1  # of 2x2 points on or within the edges, (12, 12) alone is inside
    assert points.tolist() == [[12, 12]]
    assert found.scores.max() == pytest.approx(1.0)  # its box is the true one
    assert found.boxes[positive].tolist() == [[4, 4, 20, 20]]


def test_goals_follow_score_times_iou_to_the_sixth():
    outputs, goal = grid(), labels((2, 2, 30, 30, 0))
    found = assign(outputs, 0, goal["boxes"][0], goal["labels"][0])
    overlap = {4: 0, 12: 16, 20: 16, 28: 10}
    shared = {(x, y): overlap[x] * overlap[y] for x in (12, 20) for y in (12, 20)}
    iou = shared[12, 12] / (28 * 28)
    index = int(((outputs.points == torch.tensor([12.0, 12])).all(dim=1)).nonzero())
    assert found.scores[index, 0] == pytest.approx(iou, rel=1e-5)
    # At (28, 12) 10x16 pixels of the box are shared: goal = (its IoU / the best IoU)^6 * best IoU.
    other = int(((outputs.points == torch.tensor([28.0, 12])).all(dim=1)).nonzero())
    small = 160 / (28 * 28 + 256 - 160)
    assert found.scores[other, 0] == pytest.approx((small / iou) ** 6 * iou, rel=1e-4)


def test_a_point_of_two_boxes_goes_to_the_one_that_it_overlaps_most():
    outputs = grid()
    goal = labels((4, 4, 20, 20, 0), (0, 0, 40, 40, 0))
    found = assign(outputs, 0, goal["boxes"][0], goal["labels"][0])
    index = int(((outputs.points == torch.tensor([12.0, 12])).all(dim=1)).nonzero())
    assert found.boxes[index].tolist() == [4, 4, 20, 20]


def test_the_loss_is_the_formula():
    outputs, goal = grid(), labels((4, 4, 20, 20, 0))
    # 63 points have the goal 0 and one the goal 1; its box is right, so its GIoU loss is 0.
    low = torch.tensor(-4.0)
    empty = F.softplus(low) * low.sigmoid() ** 2
    full = F.softplus(-low) * (1 - low.sigmoid()) ** 2
    assert task_aligned(outputs, goal) == pytest.approx(float(63 * empty + full), rel=1e-5)


def test_ignored_regions_cost_nothing_and_positives_in_them_count():
    outputs, nothing = grid(logits=2.0), labels()
    everywhere = labels((0, 0, 64, 64, IGNORED))
    assert task_aligned(outputs, nothing) > 50
    assert task_aligned(outputs, everywhere) == 0
    both = labels((0, 0, 64, 64, IGNORED), (4, 4, 20, 20, 0))
    wanted = F.softplus(torch.tensor(-2.0)) * (1 - torch.tensor(2.0).sigmoid()) ** 2
    assert task_aligned(outputs, both) == pytest.approx(float(wanted), rel=1e-5)


def test_learning_finds_the_boxes():
    """Free boxes and logits are moved to the truth by the gradient alone."""
    torch.manual_seed(0)
    start = grid()
    boxes = (start.boxes + torch.randn_like(start.boxes)).requires_grad_()
    logits = start.logits.clone().requires_grad_()
    goal = labels((10, 6, 40, 30, 0), (36, 40, 60, 62, 0), (0, 40, 20, 64, IGNORED))
    optimizer = torch.optim.Adam([boxes, logits], lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        task_aligned(DensePoints(boxes, logits, start.points, start.strides), goal).backward()
        optimizer.step()
    best = boxes.detach()[0][logits.detach()[0, :, 0].argsort(descending=True)[:2]]
    expected = goal["boxes"][0, :2]
    order = best[:, 0].argsort()
    assert (best[order] - expected).abs().max() < 1.5
    assert logits.sigmoid().max() > 0.7
