"""The head of Lite-HRNet: keypoint heatmaps from all streams, joined from the lowest one up.

Source: the official code ("IterativeHead"); Yu et al. 2021 do not draw it.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from hrnet.models.layers import resize_like, separable


class LiteHead(nn.Module):
    """A separable convolution a stream, then one 1x1 convolution: Streams -> heatmaps.

    channels: of the streams, high to low resolution. `project` goes up: `project[0]` works on the
    lowest stream, and what each gives is enlarged (bilinearly, corners aligned) and added to the
    stream above. From the highest, `conv` makes the heatmaps (N, num_keypoints, H/4, W/4), which
    have no activation.
    """

    def __init__(self, channels: Sequence[int], num_keypoints: int) -> None:
        super().__init__()
        upwards = [*reversed(channels), channels[0]]
        self.project = nn.ModuleList(map(separable, upwards[:-1], upwards[1:]))
        self.conv = nn.Conv2d(channels[0], num_keypoints, 1)

    def forward(self, streams: list[Tensor]) -> Tensor:
        lowest, *higher = reversed(streams)
        first, *others = self.project
        x: Tensor = first(lowest)
        for stream, project in zip(higher, others, strict=True):
            x = project(stream + resize_like(x, stream, align_corners=True))
        heatmaps: Tensor = self.conv(x)
        return heatmaps
