"""The V2p head: the joined streams, pooled to a feature pyramid for a detector.

Wang et al. 2020, figure 4c; "HRFPN" in the published detectors.
"""

from torch import Tensor, nn

from hrnet.models.heads.streams import join_streams

PYRAMID_CHANNELS = 256
"""Of each map of the pyramid."""


class PyramidHead(nn.Module):
    """Four streams -> five maps (N, 256, ...) at strides 4, 8, 16, 32 and 64 of the image.

    stride: of the convolutions that smooth the maps; 2 doubles the strides of all maps, as FCOS has
        it, by the same weights.
    Raises ValueError for images of less than 64 pixels in height or width.
    """

    def __init__(self, channels: tuple[int, ...], stride: int = 1) -> None:
        super().__init__()
        width = PYRAMID_CHANNELS
        self.reduce = nn.Conv2d(sum(channels), width, 1)
        self.smooth = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride=stride, padding=1) for _ in range(5)
        )

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        height, width = streams[0].shape[-2:]
        if min(height, width) < 16:
            raise ValueError(
                "expected images of 64 pixels or more a side for the pyramid, "
                f"got about {4 * height}x{4 * width}; enlarge or pad them"
            )
        # Level i is average pooled by 2**i from the highest resolution.
        joined = self.reduce(join_streams(streams, align_corners=False))
        pooled = (nn.functional.avg_pool2d(joined, 2**i) if i else joined for i in range(5))
        return [smooth(x) for smooth, x in zip(self.smooth, pooled, strict=True)]

    def draw_weights(self) -> None:
        """Draw new weights as the published detectors do: uniform, variance 1 / fan in."""
        for conv in (self.reduce, *self.smooth):
            nn.init.kaiming_uniform_(conv.weight, a=1)
