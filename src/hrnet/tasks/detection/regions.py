"""The features of regions, pooled to one size (RoIAlign, He et al. 2017)."""

import torch
from torch import Tensor
from torchvision.ops import roi_align

from hrnet.tasks.detection.anchors import ANCHOR_STRIDES
from hrnet.tasks.detection.box_coder import areas

REGION_LEVELS = 4
"""Maps that regions are pooled from, the highest ones."""

_FINEST = 56
"""Regions of up to twice this side are pooled from the highest map, in pixels."""


def region_levels(boxes: Tensor, *, legacy: bool) -> Tensor:
    """Return the level 0..3 of the pyramid (...) for boxes (..., 4), by their area."""
    # floor(log2(sqrt(w h) / 56)), see Lin et al. 2017, equation 1
    sides = areas(boxes, legacy=legacy).clamp(min=0).sqrt()
    levels = torch.floor(torch.log2(sides / _FINEST + 1e-6))
    return levels.clamp(0, REGION_LEVELS - 1).to(torch.int64)


def pool_regions(features: list[Tensor], boxes: Tensor, side: int, *, legacy: bool) -> Tensor:
    """Return features (N * P, C, side, side) of boxes (N, P, 4) xyxy in pixels of the input.

    features: maps of the pyramid. Rows are in the order of the boxes. Differentiable in features.
    """
    count, each = boxes.shape[:2]
    images = torch.arange(count, device=boxes.device).to(boxes.dtype)
    images = images[:, None, None].expand(-1, each, -1)
    rois = torch.cat([images, boxes], dim=-1).flatten(0, 1)
    return pool_rois(features, rois, side, legacy=legacy)


def pool_rois(features: list[Tensor], rois: Tensor, side: int, *, legacy: bool) -> Tensor:
    """Return features (R, C, side, side) of regions (R, 5), image and xyxy, as `pool_regions`."""
    rois = rois.detach()
    levels = region_levels(rois[:, 1:], legacy=legacy)
    # Pool level by level, then bring the rows back into their order.
    places = [(levels == level).nonzero()[:, 0] for level in range(REGION_LEVELS)]
    pooled = [
        pool_level(x, rois[place], side, stride, legacy=legacy)
        for x, place, stride in zip(features, places, ANCHOR_STRIDES, strict=False)
    ]
    return torch.cat(pooled)[torch.argsort(torch.cat(places))]


def pool_level(x: Tensor, rois: Tensor, side: int, stride: int, *, legacy: bool) -> Tensor:
    """Return features (R, C, side, side) of one map for regions (R, 5): image and xyxy.

    With `legacy` there are 2x2 samples a cell and pixel i of the map is at i strides, not in the
    middle of its cell; a region counts both end pixels and may be narrower than a cell.
    """
    if legacy:
        # The aligned form moves regions by half a cell; unlike the other form it widens none.
        half = 0.5 * stride
        rois = rois + rois.new_tensor((0.0, half, half, 1 + half, 1 + half))
    pooled: Tensor = roi_align(
        x, rois.to(x.dtype), side, 1 / stride, sampling_ratio=2 if legacy else 0, aligned=True
    )
    return pooled
