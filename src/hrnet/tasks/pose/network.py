"""The part of pose that needs torch: its losses, and the network as it predicts.

A loss compares heatmaps (N, K, h, w) with those that `targets["rows"]` (N, K, h) and
`targets["columns"]` (N, K, w) are the products of, by `targets["weights"]` (N, K) of the keypoints;
a teacher's are whole, in `targets["heatmaps"]`. Presence logits (N, K) beside the heatmaps add
`presence_loss`.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hrnet.errors import InputError
from hrnet.models.heads.heatmap import MapSoftmax, SpatialSoftmax
from hrnet.spec import ModelSpec
from hrnet.tasks.pose.spec import PoseSpec

VOLUME = 8 * math.pi
"""Pixels of a keypoint in its heatmap: the sum of a Gaussian with the usual sigma of 2."""

LARGEST_PART = 1 << 23
"""Values of heatmaps that are compared with their targets at a time."""


def predictor(network: nn.Module, spec: ModelSpec) -> nn.Module:
    """Return the network with heatmaps of Gaussians of height 1, whatever it was trained by.

    Presence logits become chances in 0..1.
    """
    assert isinstance(spec, PoseSpec)
    scale: nn.Module | None = SpatialSoftmax(spec.sigma) if spec.activation == "softmax" else None
    if spec.network.background:
        scale = MapSoftmax()
    if spec.network.presence:
        return _WithPresence(network, scale or nn.Identity())
    return network if scale is None else nn.Sequential(network, scale)


class _WithPresence(nn.Module):
    """A network of two outputs as it predicts: heatmaps (N, K, h, w) and chances (N, K)."""

    def __init__(self, network: nn.Module, scale: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.scale = scale

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        heatmaps, logits = self.network(images)
        return self.scale(heatmaps), torch.sigmoid(logits)


def target_maps(targets: Mapping[str, Tensor]) -> Tensor:
    """Draw the target heatmaps (N, K, h, w); those of a teacher are there already."""
    if "heatmaps" in targets:
        return targets["heatmaps"]
    return targets["rows"][..., :, None] * targets["columns"][..., None, :]


def mse(heatmaps: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Half the mean squared error: mean(0.5 * (weight * (heatmap - target))^2).

    The published loss (Sun et al. 2019): weights are applied inside the square and keypoints of
    weight 0 count in the mean.
    """
    return 0.5 * _squared_errors(heatmaps, targets).mean()


def ohkm(heatmaps: Tensor, targets: Mapping[str, Tensor], *, top: int = 8) -> Tensor:
    """Half the mean squared error over the `top` hardest keypoints of each subject.

    Online hard keypoint mining (Chen et al. 2018, cascaded pyramid network).
    """
    each = 0.5 * _squared_errors(heatmaps, targets)
    return each.topk(min(top, each.shape[1]), dim=1).values.mean()


def _squared_errors(heatmaps: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Return the mean over pixels of (weight * (heatmap - target))^2, (N, K).

    Of large heatmaps some keypoints are compared at a time, and once more in the backward pass, so
    that no copy of all of them is held.
    """

    def compare(part: Tensor, some: Mapping[str, Tensor]) -> Tensor:
        weighted = (part - target_maps(some)) * some["weights"][..., None, None]
        return weighted.square().mean(dim=(2, 3))

    step = max(1, LARGEST_PART // max(1, heatmaps[:, 0].numel()))
    if heatmaps.shape[1] <= step:
        return compare(heatmaps, targets)
    parts = []
    for first in range(0, heatmaps.shape[1], step):
        chosen = slice(first, first + step)
        some = {name: values[:, chosen] for name, values in targets.items()}
        parts.append(checkpoint(compare, heatmaps[:, chosen], some, use_reentrant=False))
    return torch.cat(parts, dim=1)


def cross_entropy(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy between the softmax of each heatmap and its target scaled to sum 1.

        p = target / sum(target),  loss = -sum(p * log softmax(logits))

    Keypoints of weight 0 count in the mean over (N, K), as in `mse`, so that parts of a batch add
    up to the whole. Learns from few data faster than `mse`; a network trained so needs
    `SpatialSoftmax` behind it.
    """
    logits = logits.float()
    # loss = log sum exp(logits) * sum(p) - sum(p * logits), without drawing the targets
    if "rows" in targets:
        rows, columns = targets["rows"], targets["columns"]
        volume = rows.sum(dim=2) * columns.sum(dim=2)
        product = (rows * (logits @ columns[..., None])[..., 0]).sum(dim=2)
    else:
        volume = targets["heatmaps"].sum(dim=(2, 3))
        product = (targets["heatmaps"] * logits).sum(dim=(2, 3))
    scale = volume.clamp(min=1e-6)
    each = (logits.flatten(2).logsumexp(dim=2) * volume - product) / scale  # (N, K)
    return (each * targets["weights"]).mean()


def map_cross_entropy(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Cross-entropy over the maps at each pixel, whose last one is the background, and over pixels.

        background = 1 - max over keypoints of target,  p = (targets, background) / their sum
        loss = -sum(p * log softmax over maps) / (N K VOLUME) + cross_entropy(log softmax over maps)

    logits: (N, K + 1, h, w). The first term is about whether a keypoint is at a pixel, as models of
    sports pitches are trained; keypoints of weight 0 are taught to be nowhere. Pixels with a
    keypoint are few, so it learns slowly; the second term is about where a labelled one is. Both
    are least for the same maps.
    """
    logs = torch.log_softmax(logits.float(), dim=1)
    goals = target_maps(targets) * targets["weights"][..., None, None]
    background = (1 - goals.amax(dim=1)).clamp(min=0)
    product = (goals * logs[:, :-1]).sum(dim=1) + background * logs[:, -1]
    pixels = -(product / (goals.sum(dim=1) + background))
    whether = pixels.sum() / (goals.shape[0] * goals.shape[1] * VOLUME)
    return whether + cross_entropy(logs[:, :-1], targets)


def teaching(teacher: ModelSpec, student: ModelSpec) -> Callable[[Tensor], dict[str, Tensor]]:
    """Return the function that turns a teacher's heatmaps (N, K, h, w) into targets.

    All keypoints count, labelled or not, and a flat heatmap is a target as well. A distribution
    cannot be flat, so for a student with softmax the weight is the heatmap's peak, within 0..1.
    Raises InputError where both encode keypoints in different ways.
    """
    assert isinstance(teacher, PoseSpec)
    assert isinstance(student, PoseSpec)
    own, other = ((one.codec, one.sigma, one.padding) for one in (student, teacher))
    if own != other:
        raise InputError(
            f"expected the codec, sigma and padding of the training ({_in_words(*own)}), "
            f"got {_in_words(*other)}; set model.codec, model.sigma and model.padding to these"
        )

    def as_targets(heatmaps: Tensor) -> dict[str, Tensor]:
        peaks = heatmaps.amax(dim=(2, 3)).clamp(0, 1)
        weights = peaks if student.activation == "softmax" else torch.ones_like(peaks)
        return {"heatmaps": heatmaps, "weights": weights}

    return as_targets


def _in_words(codec: str, sigma: float, padding: float) -> str:
    return f"{codec}, {sigma:g}, {padding:g}"


def presence_loss(logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Binary cross-entropy (N, K) against `targets["present"]`: mean(weight * cross-entropy).

    `targets["presence_weights"]` (N, K) hold `train.presence_weight`.
    """
    return nn.functional.binary_cross_entropy_with_logits(
        logits, targets["present"], targets["presence_weights"]
    )


HeatmapLoss = Callable[[Tensor, Mapping[str, Tensor]], Tensor]
PoseLoss = Callable[[Tensor | tuple[Tensor, ...], Mapping[str, Tensor]], Tensor]


def _of_all_outputs(loss: HeatmapLoss) -> PoseLoss:
    """Make the loss of a network with or without a presence output."""

    def total(outputs: Tensor | tuple[Tensor, ...], targets: Mapping[str, Tensor]) -> Tensor:
        if isinstance(outputs, Tensor):
            return loss(outputs, targets)
        heatmaps, logits = outputs
        if "present" not in targets:  # a teacher's
            return loss(heatmaps, targets)
        return loss(heatmaps, targets) + presence_loss(logits, targets)

    return total


LOSSES: dict[str, PoseLoss] = {
    "mse": _of_all_outputs(mse),
    "ohkm": _of_all_outputs(ohkm),
    "cross_entropy": _of_all_outputs(cross_entropy),
    "map_cross_entropy": _of_all_outputs(map_cross_entropy),
}
"""The losses by the names that `train.loss` takes."""
