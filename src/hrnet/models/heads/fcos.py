"""FCOS on the V2p pyramid: each point of each map finds at most one box (Tian et al. 2019).

Layers and starting weights as in the published detectors on HRNetV2p: group norm, the centreness
beside the classes, distances as exp(scale * x) in pixels.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hrnet.models.heads.pyramid import PYRAMID_CHANNELS, PyramidHead
from hrnet.models.layers import DrawnModule

POINT_STRIDES = (8, 16, 32, 64, 128)
"""Distances in pixels between the points of the five maps."""

_PRIOR = 0.01
"""Score that each class of each point starts with (Lin et al. 2017, focal loss)."""


@dataclass(frozen=True, slots=True, eq=False)
class PointMaps:
    """Output of an `FCOSHead` for a batch: five maps each, at strides 8 to 128 of the image.

    classes: logits (N, C, h, w). distances: (N, 4, h, w), from a point to the left, upper, right
    and lower side of its box, in pixels. centreness: logits (N, 1, h, w).
    """

    classes: list[Tensor]
    distances: list[Tensor]
    centreness: list[Tensor]

    def float(self) -> "PointMaps":
        """Return the maps in float32."""
        return PointMaps(
            [x.float() for x in self.classes],
            [x.float() for x in self.distances],
            [x.float() for x in self.centreness],
        )

    def __iter__(self) -> Iterator[Tensor]:
        """Yield all maps."""
        yield from (*self.classes, *self.distances, *self.centreness)


class Scale(nn.Module):
    """A learned factor."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def _convs() -> nn.Sequential:
    """Make four 3x3 convolutions with group norm and ReLU."""
    width = PYRAMID_CHANNELS
    return nn.Sequential(
        *(
            nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(width, width, 3, padding=1, bias=False),
                    norm=nn.GroupNorm(32, width),
                    act=nn.ReLU(inplace=True),
                )
            )
            for _ in range(4)
        )
    )


class FCOSHead(DrawnModule):
    """Streams -> `PointMaps`; one head for all maps of the pyramid, but for a scale each."""

    def __init__(self, channels: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        width = PYRAMID_CHANNELS
        self.pyramid = PyramidHead(channels, stride=2)
        self.class_convs, self.box_convs = _convs(), _convs()
        self.classifier = nn.Conv2d(width, num_classes, 3, padding=1)
        self.distances = nn.Conv2d(width, 4, 3, padding=1)
        self.centreness = nn.Conv2d(width, 1, 3, padding=1)
        self.scales = nn.ModuleList(Scale() for _ in POINT_STRIDES)

    def forward(self, streams: list[Tensor]) -> PointMaps:
        maps: list[Tensor] = self.pyramid(streams)
        of_class, of_box = [self.class_convs(x) for x in maps], [self.box_convs(x) for x in maps]
        return PointMaps(
            classes=[self.classifier(x) for x in of_class],
            distances=[
                scale(self.distances(x)).exp() for scale, x in zip(self.scales, of_box, strict=True)
            ],
            centreness=[self.centreness(x) for x in of_class],
        )

    def draw_weights(self) -> None:
        """Draw new weights from N(0, 0.01); each class starts with a score of 0.01."""
        self.pyramid.draw_weights()
        for convs in (self.class_convs, self.box_convs):
            for conv in convs.modules():
                if isinstance(conv, nn.Conv2d):
                    nn.init.normal_(conv.weight, std=0.01)
        for conv in (self.classifier, self.distances, self.centreness):
            nn.init.normal_(conv.weight, std=0.01)
        assert self.classifier.bias is not None
        nn.init.constant_(self.classifier.bias, -math.log(1 / _PRIOR - 1))
