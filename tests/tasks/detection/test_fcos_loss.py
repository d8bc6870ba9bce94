"""The loss of FCOS: the points of a box, its numbers, and what does not count."""

import math

import pytest
import torch

from hrnet.models.heads.fcos import FCOSHead, PointMaps
from hrnet.tasks.detection.fcos_loss import (
    assign_points,
    fcos,
    iou_of_distances,
    true_centreness,
)
from hrnet.tasks.detection.matching import BACKGROUND, NEITHER, Truth

HEIGHT, WIDTH, CLASSES = 64, 96, 3


def maps_of(count=2, **values) -> PointMaps:
    """Maps of one value each: class logits, distances and centreness logits."""
    shapes = [(-(-HEIGHT // stride), -(-WIDTH // stride)) for stride in (8, 16, 32, 64, 128)]
    planes = {"classes": CLASSES, "distances": 4, "centreness": 1}
    return PointMaps(
        **{
            name: [torch.full((count, depth, *shape), values.get(name, 0.0)) for shape in shapes]
            for name, depth in planes.items()
        }
    )


def targets_of(*boxes, labels=None) -> dict[str, torch.Tensor]:
    """The boxes in the first of two pictures."""
    targets = {
        "boxes": torch.zeros(2, max(1, len(boxes)), 4),
        "labels": torch.full((2, max(1, len(boxes))), -1),
        "sizes": torch.tensor([[HEIGHT, WIDTH]] * 2).float(),
    }
    for index, box in enumerate(boxes):
        targets["boxes"][0, index] = torch.tensor(box).float()
        targets["labels"][0, index] = labels[index] if labels else 1
    return targets


def truth_of(boxes, labels, ignored=()) -> Truth:
    region = torch.tensor(ignored).reshape(-1, 4).float()
    return Truth(torch.tensor(boxes).float(), torch.tensor(labels), region)


def test_a_point_takes_the_smallest_box_of_its_maps_size():
    truth = truth_of([[0, 0, 60, 60], [20, 20, 40, 40]], [5, 7], ignored=[[0, 0, 100, 30]])
    points = torch.tensor([[30.0, 30.0], [10, 50], [80, 10], [80, 50], [20, 50]])
    reach = torch.tensor([[-1.0, 45.0]]).expand(5, 2)
    labels, distances = assign_points(points, reach, truth)
    # The second is 50 pixels from a side of its box, which is beyond this map's reach.
    assert labels.tolist() == [7, BACKGROUND, NEITHER, BACKGROUND, BACKGROUND]
    assert distances[0].tolist() == [10, 10, 10, 10]
    assert (distances[1:] == 0).all()
    labels, distances = assign_points(points, reach + 10, truth)
    assert labels.tolist() == [7, 5, NEITHER, BACKGROUND, 5]
    assert distances[4].tolist() == [20, 50, 40, 10]


def test_centreness_and_overlap():
    distances = torch.tensor([[10.0, 10, 10, 10], [10, 5, 40, 5], [1, 2, 3, 4]])
    found = true_centreness(distances)
    assert found.tolist() == pytest.approx([1, 0.5, math.sqrt(1 / 3 * 1 / 2)])
    other = torch.tensor([[10.0, 10, 10, 10], [20, 5, 40, 5], [1, 2, 3, 0]])
    assert iou_of_distances(distances, other).tolist() == pytest.approx([1, 5 / 6, 1 / 3])


def test_without_boxes_only_the_classes_count():
    """Focal loss of a probability of a half without object: 3/4 * 1/4 * ln 2, of every point."""
    maps = maps_of()
    points = sum(x[0, 0].numel() for x in maps.classes)
    expected = 2 * points * CLASSES * 0.75 * 0.25 * math.log(2)
    assert fcos(maps, targets_of()).item() == pytest.approx(expected, rel=1e-5)


def test_one_box_whose_distances_are_doubled():
    """The point at (44, 28) is the middle of its box; no other point lies within."""
    right = maps_of(classes=-30.0, distances=6.0, centreness=30.0)
    right.classes[0][0, 1, 3, 5] = 30
    box = [38, 22, 50, 34]
    assert fcos(right, targets_of(box)).item() < 1e-4
    # -ln(1/4), since the box found has four times the area
    wide = PointMaps(right.classes, [2 * x for x in right.distances], right.centreness)
    assert fcos(wide, targets_of(box)).item() == pytest.approx(math.log(4), rel=1e-4)
    # 30 for a centreness that is as wrong as could be
    flat = PointMaps(right.classes, right.distances, [-x for x in right.centreness])
    assert fcos(flat, targets_of(box)).item() == pytest.approx(30, rel=1e-4)
    other = fcos(right, targets_of(box, labels=[2])).item()
    assert other == pytest.approx(0.25 * 30 + 0.75 * 30, rel=1e-4)  # one missed, one made up


def test_regions_to_ignore_have_no_classes():
    maps = maps_of(classes=-30.0)
    maps.classes[0][0, 1, 3, 5] = 30
    assert fcos(maps, targets_of()).item() == pytest.approx(0.75 * 30, rel=1e-4)
    region = [40, 20, 60, 60]
    assert fcos(maps, targets_of(region, labels=[-2])).item() < 1e-4


@pytest.mark.parametrize("boxes", [[], [[8, 8, 40, 40], [0, 0, 90, 60]]])
def test_every_parameter_gets_a_gradient(boxes):
    torch.manual_seed(0)
    channels = (4, 8, 16, 32)
    head = FCOSHead(channels, CLASSES)
    head.draw_weights()
    streams = [
        torch.randn(2, depth, HEIGHT // stride, WIDTH // stride)
        for depth, stride in zip(channels, (4, 8, 16, 32), strict=True)
    ]
    fcos(head(streams), targets_of(*boxes)).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
