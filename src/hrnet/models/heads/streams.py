"""The V2 head: all streams at the highest resolution, joined (Wang et al. 2020, figure 4b)."""

import torch
from torch import Tensor, nn

from hrnet.models.layers import ConvNorm, resize_like


def join_streams(streams: list[Tensor], *, align_corners: bool) -> Tensor:
    """Resize all streams to the first one's size and stack their channels, highest first.

    list of (N, C_i, h_i, w_i) -> (N, sum of C_i, h_0, w_0).
    """
    resized = [resize_like(x, streams[0], align_corners=align_corners) for x in streams]
    return torch.cat(resized, dim=1)


class JoinedHead(nn.Module):
    """A convolution with norm on the joined streams, and one output channel a class or keypoint.

    Streams -> (N, num_outputs, H/4, W/4): logits of classes, or heatmaps.

    channels: of the streams. hidden, kernel, groups: of the first convolution; by default it is
    1x1 and keeps the channels.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        num_outputs: int,
        *,
        align_corners: bool,
        hidden: int | None = None,
        kernel: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        hidden = hidden or sum(channels)
        self.fuse = ConvNorm(sum(channels), hidden, kernel, bias=True, groups=groups)
        self.classifier = nn.Conv2d(hidden, num_outputs, 1)

    def forward(self, streams: list[Tensor]) -> Tensor:
        return self.classify(join_streams(streams, align_corners=self.align_corners))

    def classify(self, joined: Tensor) -> Tensor:
        """Compute (N, num_outputs, h, w) from joined streams (N, sum of channels, h, w)."""
        logits: Tensor = self.classifier(self.fuse(joined))
        return logits
