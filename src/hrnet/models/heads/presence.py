"""The presence part of a pose network: for each keypoint the chance that it is in the picture.

Points that are not labelled have no weight in the loss of the heatmaps, so a heatmap has a peak
also where its keypoint is hidden or outside the crop. This part learns the difference.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PresencePart(nn.Module):
    """One linear layer of the streams' means and the heatmaps' peaks, all normalised.

    Streams and heatmaps (N, K, h, w) -> logits (N, K) that each keypoint is in the picture.

    channels: of the streams that the head reads, from the highest down.
    """

    def __init__(self, channels: Sequence[int], num_keypoints: int) -> None:
        super().__init__()
        self.num_keypoints = num_keypoints
        features = sum(channels) + 2 * num_keypoints
        self.norm = nn.BatchNorm1d(features)
        self.linear = nn.Linear(features, num_keypoints)

    def forward(self, streams: Sequence[Tensor], heatmaps: Tensor) -> Tensor:
        means = [stream.mean(dim=(2, 3)) for stream in streams]
        # Of maps that are logits the softmax's peak counts: log p = peak - log(sum of exp)
        peak = heatmaps.flatten(2).amax(dim=2)
        share = peak - heatmaps.flatten(2).logsumexp(dim=2)
        features = torch.cat([*means, peak, share], dim=1).float()
        logits: Tensor = self.linear(self.norm(features))
        return logits
