"""The head of Lite-HRNet: keypoint heatmaps from all streams, joined from the lowest one up.

Source: the official code ("IterativeHead"); Yu et al. 2021 do not draw it.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from hrnet.models.layers import resize_like, separable


class LiteHead(nn.Module):
    """A separable convolution for each stream and one 1x1 convolution.

    Streams -> heatmaps (N, num_keypoints, H/4, W/4), without activation.

    channels: of the streams, high to low resolution. `project[0]` is that of the lowest stream.
    """

    def __init__(self, channels: Sequence[int], num_keypoints: int) -> None:
        super().__init__()
        upwards = [*reversed(channels), channels[0]]
        self.project = nn.ModuleList(map(separable, upwards[:-1], upwards[1:]))
        self.conv = nn.Conv2d(channels[0], num_keypoints, 1)

    def forward(self, streams: list[Tensor]) -> Tensor:
        # Go up: project, resize to the next higher stream (corners aligned), and add.
        lowest, *higher = reversed(streams)
        first, *others = self.project
        x: Tensor = first(lowest)
        for stream, project in zip(higher, others, strict=True):
            x = project(stream + resize_like(x, stream, align_corners=True))
        heatmaps: Tensor = self.conv(x)
        return heatmaps
