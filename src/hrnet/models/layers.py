"""The building blocks that the families share."""

from collections import OrderedDict

from torch import Tensor, nn

from hrnet.models.cpu_kernels import BatchNorm2d, StridedDepthwise


def resize_like(x: Tensor, like: Tensor, *, align_corners: bool) -> Tensor:
    """Resize (N, C, h, w) bilinearly to the height and width of another map, if they differ."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return nn.functional.interpolate(
        x, size=like.shape[-2:], mode="bilinear", align_corners=align_corners
    )


def fill_up(x: Tensor, multiple: int) -> Tensor:
    """Add zeros at the right and the bottom of (N, C, H, W), up to multiples of a number."""
    height, width = x.shape[-2:]
    more = (0, -width % multiple, 0, -height % multiple)
    return nn.functional.pad(x, more) if any(more) else x


class DrawnModule(nn.Module):
    """A module that draws its new weights by itself."""

    def draw_weights(self) -> None:
        """Draw new weights."""
        raise NotImplementedError


class SameConv2d(nn.Conv2d):
    """A strided 3x3 convolution with the padding "same" of TensorFlow and Paddle.

    (N, C, H, W) -> (N, out_channels, H/2, W/2), sizes rounded up, for stride 2. At an odd side
    there is a zero before and one behind, as with padding 1; at an even side only that behind.
    """

    def forward(self, x: Tensor) -> Tensor:
        height, width = map(int, x.shape[-2:])  # numbers, so that an export has a fixed padding
        padded = nn.functional.pad(x, (width % 2, 1, height % 2, 1))
        return nn.functional.conv2d(
            padded, self.weight, self.bias, self.stride, dilation=self.dilation, groups=self.groups
        )


class ConvNorm(nn.Module):
    """A convolution, batch normalisation and, with `relu`, ReLU.

    (N, in_channels, H, W) -> (N, out_channels, H/stride, W/stride), sizes rounded up. The
    convolution has no bias, which the normalisation would subtract again, except where published
    weights hold one. same: pad as `SameConv2d`, which differs for strided convolutions alone.
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
        same: bool = False,
    ) -> None:
        super().__init__()
        # Only this kind of convolution has a slow gradient, see `hrnet.models.cpu_kernels`.
        strided_depthwise = stride > 1 and groups == in_channels > 1 and not bias
        plain = SameConv2d if same and stride > 1 else nn.Conv2d
        conv = StridedDepthwise if strided_depthwise else plain
        self.conv = conv(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=kernel // 2,
            bias=bias,
            groups=groups,
        )
        self.norm = BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.norm(self.conv(x)))
        return out


def depthwise(channels: int, stride: int = 1) -> ConvNorm:
    """Make a depthwise 3x3 convolution with norm and without activation."""
    return ConvNorm(channels, channels, 3, stride=stride, relu=False, groups=channels)


def separable(
    in_channels: int, out_channels: int, *, stride: int = 1, relu: bool = True
) -> nn.Sequential:
    """Make a depthwise 3x3 convolution and a 1x1 convolution, each with norm.

    relu: of the 1x1 convolution.
    """
    return nn.Sequential(
        OrderedDict(
            depthwise=depthwise(in_channels, stride),
            pointwise=ConvNorm(in_channels, out_channels, 1, relu=relu),
        )
    )


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
    channels differ. depthwise: make the 3x3 convolution depthwise.
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


def bottleneck_stem(
    planes: int, num_blocks: int, in_channels: int = 3, *, same: bool = False
) -> nn.Sequential:
    """Make two strided 3x3 convolutions and Bottlenecks behind them ("layer1").

    (N, in_channels, H, W) -> (N, 4 * planes, H/4, W/4). same: as of `ConvNorm`.
    """
    # Channels in front of each Bottleneck: 64, then the 4 * planes of the one before.
    channels = [64] + [planes * Bottleneck.expansion] * num_blocks
    return nn.Sequential(
        ConvNorm(in_channels, 64, 3, stride=2, same=same),
        ConvNorm(64, 64, 3, stride=2, same=same),
        nn.Sequential(*(Bottleneck(c, planes) for c in channels[:-1])),
    )


def conv_transition(
    in_channels: int, out_channels: int, downsample: bool, *, same: bool = False
) -> nn.Module:
    """Make a 3x3 convolution to a stream of a new stage, strided for the stage's new stream.

    same: as of `ConvNorm`.
    """
    return ConvNorm(in_channels, out_channels, 3, stride=2 if downsample else 1, same=same)


def separable_down(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
    """Make strided separable convolutions; all but the last keep the channels and have ReLU."""
    keep = (separable(in_channels, in_channels, stride=2) for _ in range(steps - 1))
    return nn.Sequential(*keep, separable(in_channels, out_channels, stride=2, relu=False))


def nearest_up(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
    """Make a 1x1 convolution and nearest up-sampling by 2**steps."""
    return project_up(in_channels, out_channels, nn.Upsample(scale_factor=2**steps, mode="nearest"))


def project_up(
    in_channels: int, out_channels: int, resize: nn.Module | None = None
) -> nn.Sequential:
    """Make a 1x1 convolution with norm, and `resize` behind it."""
    path = nn.Sequential(OrderedDict(project=ConvNorm(in_channels, out_channels, 1, relu=False)))
    if resize is not None:
        path.add_module("resize", resize)
    return path
