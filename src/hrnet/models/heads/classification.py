"""The classification head: streams are joined from the highest one down, then averaged.

Wang et al. 2020, figure 11 (first in the classification repository of HRNet).
"""

from itertools import pairwise

from torch import Tensor, nn

from hrnet.models.layers import Bottleneck, ConvNorm

_PLANES = (32, 64, 128, 256)
"""Planes of the Bottlenecks, which widen the streams to 128, 256, 512 and 1024 channels."""


class ClassificationHead(nn.Module):
    """Four streams -> logits (N, num_classes).

    depthwise: make all 3x3 convolutions depthwise, as HRFormer has them.
    """

    def __init__(
        self, channels: tuple[int, ...], num_classes: int, *, depthwise: bool = False
    ) -> None:
        super().__init__()
        widths = [planes * Bottleneck.expansion for planes in _PLANES]
        self.increase = nn.ModuleList(
            Bottleneck(width, planes, depthwise=depthwise)
            for width, planes in zip(channels, _PLANES, strict=True)
        )
        down = _depthwise_down if depthwise else _down
        self.down = nn.ModuleList(down(a, b) for a, b in pairwise(widths))
        self.final = ConvNorm(widths[-1], 2048, 1, bias=True)
        self.classifier = nn.Linear(2048, num_classes)

    def forward(self, streams: list[Tensor]) -> Tensor:
        # Widen every stream, then go down: each lower stream is added to the strided higher one.
        first, *others = (grow(x) for grow, x in zip(self.increase, streams, strict=True))
        for down, other in zip(self.down, others, strict=True):
            first = other + down(first)
        # Average over all positions: (N, 2048) -> (N, num_classes).
        logits: Tensor = self.classifier(self.final(first).mean(dim=(2, 3)))
        return logits


def _down(in_channels: int, out_channels: int) -> nn.Module:
    return ConvNorm(in_channels, out_channels, 3, stride=2, bias=True)


def _depthwise_down(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(
        ConvNorm(in_channels, in_channels, 3, 2, relu=False, bias=True, groups=in_channels),
        ConvNorm(in_channels, out_channels, 1, bias=True),
    )
