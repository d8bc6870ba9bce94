"""The small building blocks that the families share."""

from typing import Any

import torch
from torch import Tensor, nn

from hrnet.models.norm import BatchNorm2d


def resize_like(x: Tensor, like: Tensor, *, align_corners: bool) -> Tensor:
    """Resize (N, C, h, w) bilinearly to the height and width of another map; equal sizes stay."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return nn.functional.interpolate(
        x, size=like.shape[-2:], mode="bilinear", align_corners=align_corners
    )


class StridedDepthwise(nn.Conv2d):
    """A depthwise convolution with an odd kernel, padding that keeps the size, and a stride.

    Under autocast on the CPU its gradient is computed in another way, see `_SpreadGradient`.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        half = torch.get_autocast_dtype("cpu")
        out: Tensor = _SpreadGradient.apply(  # type: ignore[no-untyped-call]
            x.to(half), self.weight.to(half), self.stride[0], self.padding[0]
        )
        return out


class _SpreadGradient(torch.autograd.Function):
    """The convolution of `StridedDepthwise`, whose gradient is that of the same one without stride.

    The output is every stride-th place of a convolution with stride 1, so its gradient is spread
    to these places among zeros. That is faster than the gradient with a stride: for bfloat16, torch
    2.13 has no good kernel on the CPU and takes 10 to 50 times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return nn.functional.conv2d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        spread = torch.zeros_like(x)
        spread[:, :, :: ctx.stride, :: ctx.stride] = grad
        padding = [ctx.padding] * 2
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            spread, x, weight, None, [1, 1], padding, [1, 1], False, [0, 0], len(weight),
            [*ctx.needs_input_grad[:2], False],
        )  # fmt: skip
        return of_x, of_weight, None, None


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
        make = (
            StridedDepthwise if stride > 1 and groups == in_channels > 1 and not bias else nn.Conv2d
        )
        self.conv = make(
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
