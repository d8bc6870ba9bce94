"""The presence part of a pose network: for each keypoint the chance that it is in the picture.

Points that are not labelled have no weight in the loss of the heatmaps, so a heatmap has a peak
also where its keypoint is hidden or outside the crop. This part learns the difference.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

GRID = 4
"""Rows and columns of cells that the highest stream is pooled to."""


class PresencePart(nn.Module):
    """One linear layer of pooled streams and the heatmaps' peaks.

    Streams and heatmaps (N, K, h, w) -> logits (N, K) that each keypoint is in the picture.
    Everything is read without gradient to the streams' own network only where that is frozen.

    channels: of the streams, from the highest down.
    """

    def __init__(self, channels: Sequence[int], num_keypoints: int) -> None:
        super().__init__()
        features = 2 * GRID * GRID * channels[0] + 2 * num_keypoints
        self.linear = nn.Linear(features, num_keypoints)

    def forward(self, streams: Sequence[Tensor], heatmaps: Tensor) -> Tensor:
        pooled = [
            pool(streams[0], GRID).flatten(1)
            for pool in (nn.functional.adaptive_avg_pool2d, nn.functional.adaptive_max_pool2d)
        ]
        peak = heatmaps.flatten(2).amax(dim=2)
        # Of logits the softmax's peak counts: log p = peak - log(sum of exp)
        share = peak - heatmaps.flatten(2).logsumexp(dim=2)
        logits: Tensor = self.linear(torch.cat([*pooled, peak, share], dim=1))
        return logits
