"""Non-maximum suppression: of boxes that overlap, the one with the highest score stays.

In torch it is torchvision's, in an exported graph the operator NonMaxSuppression, both exact within
each group: boxes of different groups never suppress each other.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision.ops import nms


def keep_mask(boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Return a mask (N, G, P) of the boxes that stay; boxes with a score of 0 or less do not.

    boxes: (N, G, P, 4) xyxy, or (N, 1, P, 4) where all G groups have the same. scores: (N, G, P).
    iou: a box goes where it overlaps a better one of its group by more than this.
    """
    boxes, scores = boxes.detach(), scores.detach()
    if not torch.onnx.is_in_onnx_export():
        return torch.stack([_keep(*pair, iou) for pair in zip(boxes, scores, strict=True)])
    # The operator takes boxes (B, P, 4) that all groups of a batch entry share.
    shared = boxes.shape[1] == 1
    together = scores if shared else scores.flatten(0, 1)[:, None]
    mask: Tensor = _ExportedNms.apply(boxes.flatten(0, 1), together, iou)
    return mask.reshape(scores.shape)


def grown(boxes: Tensor, extent: float | Tensor) -> Tensor:
    """Return boxes (N, ..., 4) that reach further to the right and down, as legacy boxes do.

    extent: in pixels, one number or one for each of N.
    """
    corner = boxes.new_tensor((0.0, 0.0, 1.0, 1.0))
    if isinstance(extent, Tensor):
        extent = extent.reshape(-1, *([1] * (boxes.dim() - 1)))
    return boxes + corner * extent


def _keep(boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
    """Return the mask (G, P) of one picture, of boxes (G or 1, P, 4) and scores (G, P)."""
    group, row = (scores > 0).nonzero(as_tuple=True)
    mask = torch.zeros_like(scores, dtype=torch.bool)
    if len(row) == 0:
        return mask
    # Groups are moved so far apart that none meets another; float64 keeps the boxes exact.
    chosen = (boxes[group, row] if len(boxes) > 1 else boxes[0, row]).double()
    apart = chosen.max() - chosen.min() + 1
    kept = nms(chosen + (group * apart)[:, None], scores[group, row].double(), iou)
    mask[group[kept], row[kept]] = True
    return mask


class _ExportedNms(torch.autograd.Function):
    """Boxes (B, P, 4), scores (B, G, P) -> mask (B, G, P), as one operator of ONNX."""

    @staticmethod
    def forward(_: Any, boxes: Tensor, scores: Tensor, iou: float) -> Tensor:
        pairs = zip(boxes[:, None], scores, strict=True)
        return torch.stack([_keep(*pair, iou) for pair in pairs])

    @staticmethod
    def symbolic(graph: Any, boxes: Any, scores: Any, iou: float) -> Any:
        def constant(value: Tensor) -> Any:
            return graph.op("Constant", value_t=value)

        # Indices (M, 3) of the boxes that stay: batch entry, group, box.
        most = constant(torch.tensor([torch.iinfo(torch.int32).max]))
        limits = (constant(torch.tensor([iou])), constant(torch.tensor([0.0])))
        indices = graph.op("NonMaxSuppression", boxes, scores, most, *limits)
        # A mask that is true at these.
        count = graph.op("Shape", graph.op("Gather", indices, constant(torch.tensor(0)), axis_i=1))
        ones = graph.op("Expand", constant(torch.tensor([1.0])), count)
        zeros = graph.op("Mul", scores, constant(torch.tensor(0.0)))
        marks = graph.op("ScatterND", zeros, indices, ones)
        mask = graph.op("Greater", marks, constant(torch.tensor(0.5)))
        return mask.setType(scores.type().with_dtype(torch.bool))
