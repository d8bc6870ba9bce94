"""The V2p head: the joined streams, pooled to the pyramid that a detector reads.

Wang et al. 2020, figure 4c; "HRFPN" in the published detectors.
"""

import torch
from torch import Tensor, nn


class PyramidHead(nn.Module):
    """Four streams -> five maps (N, 256, ...) at strides 4, 8, 16, 32 and 64 of the image."""

    def __init__(self, channels: tuple[int, ...], out_channels: int = 256) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(sum(channels), out_channels, 1)
        self.smooth = nn.ModuleList(
            nn.Conv2d(out_channels, out_channels, 3, padding=1) for _ in range(5)
        )

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        same = [
            nn.functional.interpolate(x, scale_factor=2.0**i, mode="bilinear") if i else x
            for i, x in enumerate(streams)
        ]
        joined = self.reduce(torch.cat(same, dim=1))
        pooled = (nn.functional.avg_pool2d(joined, 2**i) if i else joined for i in range(5))
        return [smooth(x) for smooth, x in zip(self.smooth, pooled, strict=True)]
