"""Anchors and points: what stands at each position of a map before anything is learned.

Boxes are left, top, right, bottom (xyxy) in pixels of the network's input. `legacy` stands for the
conventions of mmdetection before 2.0 everywhere in this folder: a box from 0 to 9 is 10 wide.
"""

import torch
from torch import Tensor

from hrnet.models.heads.fcos import POINT_STRIDES

ANCHOR_STRIDES = (4, 8, 16, 32, 64)
"""Of the five maps of the pyramid."""

_RATIOS = (0.5, 1.0, 2.0)
"""Height / width of the anchors of a position."""
_SCALE = 8
"""Side of an anchor, in strides of its map."""


def base_anchors(stride: int, *, legacy: bool) -> Tensor:
    """Return the three anchors (3, 4) of the first position of a map.

    Their centre is (0, 0); with `legacy` it is the middle of the first cell's pixels, and the sides
    are whole numbers.
    """
    # h / w = ratio and h * w = (8 * stride)^2
    roots = torch.tensor(_RATIOS).sqrt()
    sides = torch.stack([1 / roots, roots], dim=1) * (_SCALE * stride)  # width, height
    if not legacy:
        return torch.cat([-sides / 2, sides / 2], dim=1)
    centre, half = 0.5 * (stride - 1), 0.5 * (sides - 1)
    return torch.cat([centre - half, centre + half], dim=1).round()


def map_anchors(x: Tensor, stride: int, *, legacy: bool) -> Tensor:
    """Return the anchors (h * w * 3, 4) of a map (N, C, h, w), row by row, three a position.

    The size of the map may be a variable of an exported graph.
    """
    base = base_anchors(stride, legacy=legacy).to(x)
    shifts = _positions(x) * stride  # (h * w, 2)
    return (shifts.repeat(1, 2)[:, None] + base).reshape(-1, 4)


def map_points(x: Tensor, stride: int) -> Tensor:
    """Return the points (h * w, 2) of a map as x, y: the middles of its cells, row by row."""
    return (_positions(x) + 0.5) * stride


def pyramid_anchors(maps: list[Tensor], *, legacy: bool) -> list[Tensor]:
    """Return the anchors of each map of the pyramid, see `map_anchors`."""
    return [
        map_anchors(x, stride, legacy=legacy)
        for x, stride in zip(maps, ANCHOR_STRIDES, strict=True)
    ]


def pyramid_points(maps: list[Tensor]) -> list[Tensor]:
    """Return the points of each map of FCOS, see `map_points`."""
    return [map_points(x, stride) for x, stride in zip(maps, POINT_STRIDES, strict=True)]


def _positions(x: Tensor) -> Tensor:
    """Return x and y (h * w, 2) of the positions of a map, row by row."""
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=x.device).to(x.dtype)
    columns = torch.arange(width, device=x.device).to(x.dtype)
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)
    return grid.reshape(-1, 2)
