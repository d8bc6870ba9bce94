"""The loss of FCOS: each point learns the smallest box around it, on the map of its size.

Source: Tian et al. 2019 and the published training on HRNetV2p, without centre sampling.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from hrnet.models.heads.fcos import PointMaps
from hrnet.ranks import mean_over_ranks
from hrnet.tasks.detection.anchors import pyramid_points
from hrnet.tasks.detection.matching import BACKGROUND, NEITHER, Truth, split_targets

REACH = ((-1.0, 64.0), (64.0, 128.0), (128.0, 256.0), (256.0, 512.0), (512.0, float("inf")))
"""Of each map, the longest distance from a point to a side of its box: from, to, in pixels."""

_ALPHA, _GAMMA = 0.25, 2.0
"""Of the focal loss (Lin et al. 2017)."""


def fcos(outputs: PointMaps, targets: Mapping[str, Tensor]) -> Tensor:
    """Return focal loss of classes + IoU loss of boxes + binary cross-entropy of centreness.

    The IoU loss is weighted by the true centreness. Each is divided by the number of points in a
    box, the IoU loss by the sum of its weights, of all processes together.
    targets: as in `tasks.detection.targets`.
    """
    # All points of all maps in one row, picture by picture.
    points = pyramid_points(outputs.classes)
    reach = torch.cat(
        [x.new_tensor(r).expand(len(x), 2) for x, r in zip(points, REACH, strict=True)]
    )
    logits, found, centreness = (
        torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)
        for maps in (outputs.classes, outputs.distances, outputs.centreness)
    )
    pairs = [assign_points(torch.cat(points), reach, one) for one in split_targets(targets)]
    labels, goals = (torch.stack(part) for part in zip(*pairs, strict=True))
    # Classes of all points but those in regions to ignore; 0 everywhere is background.
    counted, near = labels != NEITHER, labels >= 0
    wanted = F.one_hot(labels.clamp(min=0), logits.shape[-1]) * near[..., None]
    focal = sigmoid_focal_loss(
        logits[counted], wanted[counted].to(logits), alpha=_ALPHA, gamma=_GAMMA, reduction="sum"
    )
    # Boxes and centreness of the points within a box.
    weights = true_centreness(goals[near])
    count, weight = mean_over_ranks(torch.stack([near.sum().to(logits), weights.sum()]))
    overlap = (-iou_of_distances(found[near], goals[near]).clamp(min=1e-6).log() * weights).sum()
    central = F.binary_cross_entropy_with_logits(centreness[near][:, 0], weights, reduction="sum")
    loss: Tensor = (focal + central) / count.clamp(min=1) + overlap / weight.clamp(min=1e-6)
    return loss


def assign_points(points: Tensor, reach: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """Return class (P,) and distances (P, 4) to the box of each point (P, 2).

    reach: (P, 2), the least and the most of the longest distance. Points of no box have the class
    BACKGROUND, or NEITHER in a region to ignore, and distances of 0.
    """
    labels = points.new_full((len(points),), BACKGROUND, dtype=torch.int64)
    goals = points.new_zeros((len(points), 4))
    if len(truth.ignored):
        labels[(_distances(points, truth.ignored).amin(dim=2) > 0).any(dim=1)] = NEITHER
    if not len(truth.boxes):
        return labels, goals
    # (P, M): a point may take a box that it lies in, if its map is for boxes of that size.
    distances = _distances(points, truth.boxes)
    longest = distances.amax(dim=2)
    fits = (distances.amin(dim=2) > 0) & (longest >= reach[:, :1]) & (longest <= reach[:, 1:])
    sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
    area = torch.where(fits, sides.prod(dim=1), torch.inf)
    least, index = area.min(dim=1)
    near = least < torch.inf
    labels[near] = truth.labels[index[near]]
    goals[near] = distances[near, index[near]]
    return labels, goals


def _distances(points: Tensor, boxes: Tensor) -> Tensor:
    """Return distances (P, M, 4) of points to the left, upper, right and lower side of boxes."""
    low, high = points[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - points[:, None]
    return torch.cat([low, high], dim=2)


def true_centreness(distances: Tensor) -> Tensor:
    """Return sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)), (P,), of distances (P, 4)."""
    across, along = distances[:, [0, 2]], distances[:, [1, 3]]
    ratio = across.amin(dim=1) / across.amax(dim=1) * (along.amin(dim=1) / along.amax(dim=1))
    return ratio.sqrt()


def iou_of_distances(one: Tensor, other: Tensor) -> Tensor:
    """Return the IoU (P,) of two boxes around the same point, by their distances (P, 4)."""
    low, high = torch.minimum(one, other)[:, :2], torch.minimum(one, other)[:, 2:]
    common = (low + high).prod(dim=1)
    areas = [(x[:, :2] + x[:, 2:]).prod(dim=1) for x in (one, other)]
    return common / (areas[0] + areas[1] - common)
