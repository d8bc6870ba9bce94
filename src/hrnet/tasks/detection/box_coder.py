"""Boxes as differences to other boxes, and how far boxes overlap.

The deltas of a box are its centre's way in sizes of the first box, and the logarithms of the ratios
of widths and heights, all divided by their usual deviations (`stds`). Source: Girshick et al. 2014,
appendix C, with the conventions of the published detectors. Boxes are xyxy in pixels, (..., 4).
"""

import math

import torch
from torch import Tensor

Stds = tuple[float, float, float, float]

ANCHOR_STDS: Stds = (1.0, 1.0, 1.0, 1.0)
STAGE_STDS: tuple[Stds, ...] = (
    (0.1, 0.1, 0.2, 0.2),
    (0.05, 0.05, 0.1, 0.1),
    (0.033, 0.033, 0.067, 0.067),
)
"""Of the stages of a cascade; a detector without one has the first."""

_MOST_LOG = math.log(1000 / 16)
"""A side grows or shrinks at most by this factor, as a logarithm."""


def _centres(boxes: Tensor, legacy: bool) -> tuple[Tensor, Tensor]:
    """Return centres and sizes (..., 2)."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) * 0.5, high - low + int(legacy)


def encode(boxes: Tensor, targets: Tensor, stds: Stds, *, legacy: bool) -> Tensor:
    """Return the deltas that turn boxes into the target boxes."""
    centres, sizes = _centres(boxes, legacy)
    goal_centres, goal_sizes = _centres(targets, legacy)
    deltas = [(goal_centres - centres) / sizes, (goal_sizes / sizes).log()]
    return torch.cat(deltas, dim=-1) / deltas[0].new_tensor(stds)


def decode(boxes: Tensor, deltas: Tensor, stds: Stds, *, legacy: bool) -> Tensor:
    """Return the boxes that deltas make of boxes."""
    centres, sizes = _centres(boxes, legacy)
    deltas = deltas * torch.tensor(stds, dtype=deltas.dtype, device=deltas.device)
    centres = centres + sizes * deltas[..., :2]
    half = sizes * deltas[..., 2:].clamp(-_MOST_LOG, _MOST_LOG).exp() * 0.5
    # In pixels that count both ends the last one is size - 1 behind the first.
    inset = 0.5 * int(legacy)
    return torch.cat([centres - half + inset, centres + half - inset], dim=-1)


def decode_distances(points: Tensor, distances: Tensor) -> Tensor:
    """Return boxes from points (..., 2) and their distances (..., 4) to the four sides."""
    return torch.cat([points - distances[..., :2], points + distances[..., 2:]], dim=-1)


def clip(boxes: Tensor, sizes: Tensor, *, legacy: bool) -> Tensor:
    """Move the sides of boxes (N, ..., 4) into pictures of sizes (N, 2), height and width."""
    most = sizes.flip(1).repeat(1, 2).to(boxes.dtype) - int(legacy)  # (N, 4): w h w h
    most = most.reshape(-1, *([1] * (boxes.dim() - 2)), 4)
    return torch.minimum(boxes.clamp(min=0), most)


def areas(boxes: Tensor, *, legacy: bool) -> Tensor:
    """Return the areas (...) of boxes in pixels."""
    _, sizes = _centres(boxes, legacy)
    return sizes[..., 0] * sizes[..., 1]


def box_iou(one: Tensor, other: Tensor, *, legacy: bool, of_first: bool = False) -> Tensor:
    """Return intersection over union (N, M) of boxes (N, 4) and (M, 4).

    of_first: over the area of the first box alone, as for regions to ignore. 0 where both are
    empty.
    """
    low = torch.maximum(one[:, None, :2], other[None, :, :2])
    high = torch.minimum(one[:, None, 2:], other[None, :, 2:])
    common = (high - low + int(legacy)).clamp(min=0).prod(dim=-1)
    area = areas(one, legacy=legacy)[:, None]
    union = area if of_first else area + areas(other, legacy=legacy)[None] - common
    return common / union.clamp(min=1e-6)
