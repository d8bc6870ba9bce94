"""The V1 head: keypoint heatmaps from the highest stream (Sun et al. 2019, section 3)."""

import math

from torch import Tensor, nn


class HeatmapHead(nn.Module):
    """A 1x1 convolution of the highest stream: Streams -> heatmaps (N, num_keypoints, H/4, W/4).

    The heatmaps have no activation.
    """

    def __init__(self, in_channels: int, num_keypoints: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, num_keypoints, 1)

    def forward(self, streams: list[Tensor]) -> Tensor:
        heatmaps: Tensor = self.conv(streams[0])
        return heatmaps


class SpatialSoftmax(nn.Module):
    """The conversion of logits to heatmaps with the scale of a Gaussian target.

    (N, K, h, w) -> the same shape: the softmax over each map's pixels times 2 pi sigma**2, the sum
    of a Gaussian of height 1, so the peak of a certain keypoint is near 1.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.volume = 2 * math.pi * sigma**2

    def forward(self, logits: Tensor) -> Tensor:
        share = logits.float().flatten(2).softmax(dim=2)
        return (share * self.volume).reshape(logits.shape)


class MapSoftmax(nn.Module):
    """The softmax over the maps at each pixel, without the last one, which is the background.

    (N, K + 1, h, w) logits -> (N, K, h, w), 0..1: at a keypoint near 1, as a Gaussian of height 1.
    """

    def forward(self, logits: Tensor) -> Tensor:
        return logits.float().softmax(dim=1)[:, :-1]
