"""Losses between predicted and target heatmaps."""

import torch
from torch import Tensor


def mse(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Half the mean squared error over (N, K, h, w), keypoints scaled by weight (N, K).

    The published loss (Sun et al. 2019): weights are applied inside the square and keypoints of
    weight 0 count in the mean.
    """
    scale = weight[..., None, None]
    return 0.5 * ((prediction - target) * scale).square().mean()


def ohkm(prediction: Tensor, target: Tensor, weight: Tensor, top: int = 8) -> Tensor:
    """Half the mean squared error over the `top` hardest keypoints of each subject.

    Online hard keypoint mining (Chen et al. 2018, cascaded pyramid network).
    """
    scale = weight[..., None, None]
    each = 0.5 * ((prediction - target) * scale).square().mean(dim=(2, 3))  # (N, K)
    return each.topk(min(top, each.shape[1]), dim=1).values.mean()


def cross_entropy(prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy between the softmax of each heatmap and its target scaled to sum 1.

    Keypoints of weight 0 count in the mean over (N, K), as in `mse`, so that parts of a batch add
    up to the whole. Learns from few data faster than `mse`; a network trained so needs
    `SpatialSoftmax` behind it.
    """
    logits = prediction.flatten(2).float()
    goal = target.flatten(2)
    goal = goal / goal.sum(dim=2, keepdim=True).clamp(min=1e-6)
    each = -(goal * torch.log_softmax(logits, dim=2)).sum(dim=2)  # (N, K)
    return (each * weight).mean()


LOSSES = {"mse": mse, "ohkm": ohkm, "cross_entropy": cross_entropy}
