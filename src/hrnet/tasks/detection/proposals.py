"""Proposals: the boxes that a region proposal network finds worth a second look."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from hrnet.tasks.detection.anchors import pyramid_anchors
from hrnet.tasks.detection.box_coder import ANCHOR_STDS, clip, decode
from hrnet.tasks.detection.nms import grown, keep_mask

NO_BOX = -1.0
"""Score of a row that holds no box."""

_IOU = 0.7


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """Boxes (N, P, 4) xyxy and their scores (N, P), best first; NO_BOX in rows without one."""

    boxes: Tensor
    scores: Tensor


def propose(
    objectness: list[Tensor],
    deltas: list[Tensor],
    sizes: Tensor,
    *,
    legacy: bool,
    per_level: int,
    most: int,
) -> Proposals:
    """Return the best boxes of the maps of a `ProposalHead`.

    sizes: (N, 2), height and width of the pictures in the input, to which boxes are clipped.
    per_level: how many anchors of a level are looked at, the best ones. most: how many proposals.
    Published: 1000 and 1000 (2000 and 1000 in training), with `legacy` 2000 and 2000.
    """
    # The best anchors of each level, with rows of NO_BOX up to `per_level`.
    anchors = pyramid_anchors(objectness, legacy=legacy)
    levels = [
        _best(*level, per_level, legacy=legacy)
        for level in zip(objectness, deltas, anchors, strict=True)
    ]
    scores = torch.stack([one for one, _ in levels], dim=1)  # (N, 5, per_level)
    boxes = torch.stack([one for _, one in levels], dim=1)
    boxes = clip(boxes, sizes, legacy=legacy)
    if not legacy:
        empty = (boxes[..., 2:] <= boxes[..., :2]).any(dim=-1)
        scores = scores.masked_fill(empty, NO_BOX)
    # Of each level those that stay, of all levels the best.
    kept = keep_mask(grown(boxes, int(legacy)), scores, _IOU)
    scores = scores.masked_fill(~kept, NO_BOX).flatten(1)
    best, index = scores.topk(min(most, 5 * per_level), dim=1)
    found = boxes.flatten(1, 2).gather(1, index[..., None].expand(-1, -1, 4))
    return Proposals(*_without_empty_rows(found, best))


def _best(
    objectness: Tensor, deltas: Tensor, anchors: Tensor, count: int, *, legacy: bool
) -> tuple[Tensor, Tensor]:
    """Return scores (N, count) and boxes (N, count, 4) of the best anchors of one level."""
    scores = objectness.permute(0, 2, 3, 1).flatten(1).sigmoid()
    # An exported graph needs one length for maps of all sizes.
    padded = F.pad(scores, (0, count), value=NO_BOX)
    best, index = padded.topk(count, dim=1)
    index = index.clamp(max=scores.shape[1] - 1)
    chosen = deltas.permute(0, 2, 3, 1).reshape(deltas.shape[0], -1, 4)
    chosen = chosen.gather(1, index[..., None].expand(-1, -1, 4))
    return best, decode(anchors[index], chosen, ANCHOR_STDS, legacy=legacy)


def _without_empty_rows(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Cut the rows that no picture of the batch fills; an exported graph keeps its fixed shape."""
    if torch.onnx.is_in_onnx_export():
        return boxes, scores
    filled = max(1, int((scores > NO_BOX).sum(dim=1).max()))
    return boxes[:, :filled], scores[:, :filled]
