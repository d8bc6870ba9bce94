"""The small building blocks that the families share."""

from torch import Tensor, nn


def resize_like(x: Tensor, like: Tensor, *, align_corners: bool) -> Tensor:
    """Resize (N, C, h, w) bilinearly to the height and width of another map; equal sizes stay."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return nn.functional.interpolate(
        x, size=like.shape[-2:], mode="bilinear", align_corners=align_corners
    )


class ConvNorm(nn.Module):
    """A convolution, batch normalisation and, if asked, ReLU.

    (N, in_channels, H, W) -> (N, out_channels, H/stride, W/stride); the padding keeps H and W at
    stride 1 and halves them, rounded up, at stride 2. The convolution has no bias, which the
    normalisation would take away again, except where published weights hold one.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        *,
        relu: bool = True,
        bias: bool = False,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=kernel // 2,
            bias=bias,
            groups=groups,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.norm(self.conv(x)))
        return out


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around an identity (He et al. 2016, figure 5 left).

    (N, channels, H, W) -> the same shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels, channels, 3)
        self.conv2 = ConvNorm(channels, channels, 3, relu=False)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x))
        out += x
        return self.act(out)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut (He et al. 2016, figure 5 right).

    (N, in_channels, H, W) -> (N, 4 * planes, H, W); the shortcut is a 1x1 convolution where the
    channels differ. depthwise: the 3x3 convolution works on each channel by itself.
    """

    expansion = 4

    def __init__(self, in_channels: int, planes: int, *, depthwise: bool = False) -> None:
        super().__init__()
        out_channels = planes * self.expansion
        self.conv1 = ConvNorm(in_channels, planes, 1)
        self.conv2 = ConvNorm(planes, planes, 3, groups=planes if depthwise else 1)
        self.conv3 = ConvNorm(planes, out_channels, 1, relu=False)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else ConvNorm(in_channels, out_channels, 1, relu=False)
        )
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv3(self.conv2(self.conv1(x)))
        out += self.shortcut(x)
        return self.act(out)  # type: ignore[no-any-return]


def bottleneck_stem(planes: int, num_blocks: int) -> nn.Sequential:
    """Two strided 3x3 convolutions, then Bottlenecks at a quarter of the resolution ("layer1").

    (N, 3, H, W) -> (N, 4 * planes, H/4, W/4).
    """
    channels = [64] + [planes * Bottleneck.expansion] * num_blocks
    return nn.Sequential(
        ConvNorm(3, 64, 3, stride=2),
        ConvNorm(64, 64, 3, stride=2),
        nn.Sequential(*(Bottleneck(c, planes) for c in channels[:-1])),
    )


def conv_transition(in_channels: int, out_channels: int, downsample: bool) -> nn.Module:
    """One 3x3 convolution to a stream of a new stage, strided where its resolution is new."""
    return ConvNorm(in_channels, out_channels, 3, stride=2 if downsample else 1)
