"""A small one-stage head for detectors: classes and distances at each point of all streams.

Points, and distances to the four edges, are those of FCOS (Tian et al. 2019); the class score is
also the quality of the box, as in TOOD (Feng et al. 2021), so there is no centerness.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hrnet.models.layers import ConvNorm, DrawnModule, depthwise

MAX_LOG_DISTANCE = 8.0
"""Largest logarithm of a distance, in strides: e^8 is far beyond any input."""

_PRIOR = 0.01
"""Score of every class at the start, so that the many empty points do not flood the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class DensePoints:
    """One candidate for each of P points.

    boxes: (N, P, 4) left, top, right, bottom in pixels of the input. logits: (N, P, C) of the class
    scores. points: (P, 2) x and y in pixels of the input. strides: (P,) of their streams.
    """

    boxes: Tensor
    logits: Tensor
    points: Tensor
    strides: Tensor

    def float(self) -> "DensePoints":
        """Return the same in float32."""
        return DensePoints(
            self.boxes.float(), self.logits.float(), self.points.float(), self.strides.float()
        )

    def __iter__(self) -> Iterator[Tensor]:
        """Yield all tensors."""
        yield from (self.boxes, self.logits, self.points, self.strides)


class LightHead(DrawnModule):
    """Streams -> `DensePoints` of all streams, the highest resolution first.

    Each stream has its own layers: a 1x1 convolution to `width` channels, two separable ones, and
    1x1 convolutions to the logits and to the logarithms of the distances in strides.
    """

    def __init__(self, channels: Sequence[int], num_classes: int, width: int = 48) -> None:
        super().__init__()
        self.towers = nn.ModuleList(_tower(one, width) for one in channels)
        self.classes = nn.ModuleList(nn.Conv2d(width, num_classes, 1) for _ in channels)
        self.distances = nn.ModuleList(nn.Conv2d(width, 4, 1) for _ in channels)

    def forward(self, streams: list[Tensor]) -> DensePoints:
        boxes, logits, points, strides = [], [], [], []
        for level, stream in enumerate(streams):
            stride = 4 * 2**level
            features = self.towers[level](stream)
            logits.append(self.classes[level](features).flatten(2).transpose(1, 2))
            # edges = point -+ exp(distance) * stride
            distances = self.distances[level](features).float().clamp(max=MAX_LOG_DISTANCE)
            reach = distances.exp().flatten(2).transpose(1, 2) * stride
            grid = _grid(stream, stride)
            boxes.append(torch.cat([grid - reach[..., :2], grid + reach[..., 2:]], dim=2))
            points.append(grid)
            strides.append(torch.full_like(grid[:, 0], stride))
        return DensePoints(
            torch.cat(boxes, dim=1), torch.cat(logits, dim=1), torch.cat(points), torch.cat(strides)
        )

    def draw_weights(self) -> None:
        """Draw new weights: every score starts near `_PRIOR`, every distance near two strides."""
        for classes, distances in zip(self.classes, self.distances, strict=True):
            assert isinstance(classes, nn.Conv2d)
            assert isinstance(distances, nn.Conv2d)
            assert classes.bias is not None
            assert distances.bias is not None
            nn.init.normal_(classes.weight, std=0.01)
            nn.init.normal_(distances.weight, std=0.01)
            nn.init.constant_(classes.bias, math.log(_PRIOR / (1 - _PRIOR)))
            nn.init.constant_(distances.bias, math.log(2))


def _tower(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            lateral=ConvNorm(channels, width, 1),
            depthwise0=depthwise(width),
            pointwise0=ConvNorm(width, width, 1),
            depthwise1=depthwise(width),
            pointwise1=ConvNorm(width, width, 1),
        )
    )


def _grid(stream: Tensor, stride: int) -> Tensor:
    """Return the points (P, 2) of a stream (N, C, H, W): the centres of its cells."""
    height, width = stream.shape[-2:]
    y = (torch.arange(height, device=stream.device) + 0.5) * stride
    x = (torch.arange(width, device=stream.device) + 0.5) * stride
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
