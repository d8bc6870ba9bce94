"""Replacements for operations that torch computes slowly on a CPU.

Each gives the results of the plain operation. Measured with torch 2.13.0 on two CPU cores:

- `BatchNorm2d`: in bfloat16 channels_last training the threads write their sums into the same cache
  lines where the channels do not fill whole lines, so two threads take 2 to 6 times as long as one.
  Replace by `nn.BatchNorm2d` when 40 channels train faster with two threads than with one.
- `StridedDepthwise`: the bfloat16 gradient of a depthwise convolution with a stride has no good
  kernel and takes 10 to 50 times as long as that without stride. Replace by `nn.Conv2d` when both
  take about the same time.
- `shuffle_channels_last`: `torch.stack` of channels_last maps returns another memory layout, so the
  next convolution copies its input. Replace by `stack((a, b), 2).flatten(1, 2)` when that is
  channels_last.
- `spatial_mean`: in a training step of Lite-HRNet the gradient of `mean` over height and width took
  longer than that of average pooling. The operations alone show the reverse, so compare a step of
  both on the next version and replace by `mean` where it is no slower.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

_LINE = 16
"""float32 numbers in a cache line of the processor."""


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation without false sharing of cache lines between CPU threads.

    (N, C, H, W) -> the same shape. Only bfloat16 channels_last training on the CPU is computed in
    another way; everything else, and the state dict, is `nn.BatchNorm2d`.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.weight.dtype == torch.float32 and _is_slow(x)):
            return super().forward(x)
        out: Tensor
        out, mean, variance = _FoldedNorm.apply(x, self.weight, self.bias, self.eps)
        self.update_running_stats(mean, variance, x.numel() // self.num_features)
        return out

    def update_running_stats(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards the batch's.

        mean, variance: (C,), of `count` values; the running variance takes the unbiased one,
        variance * count / (count - 1).
        """
        with torch.no_grad():
            found = {"running_mean": mean, "running_var": variance * count / max(1, count - 1)}
            for name, value in found.items():
                self.get_buffer(name).lerp_(value, self.momentum or 0.0)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)


def _is_slow(x: Tensor) -> bool:
    """Return True where torch's kernel is slow for a map (N, C, H, W) that can be folded."""
    return (
        x.dtype == torch.bfloat16
        and x.device.type == "cpu"
        and x.shape[1] % _LINE != 0
        and (x.numel() // x.shape[1]) % _times(x.shape[1]) == 0
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.compiler.is_compiling()
    )


def _times(channels: int) -> int:
    """Return the number of positions that fill whole cache lines together."""
    return _LINE // math.gcd(_LINE, channels)


def _fold(x: Tensor) -> Tensor:
    """View a channels_last map (N, C, H, W) as (N*H*W/k, k*C, 1, 1).

    k = `_times(C)` neighbouring positions become one of k times the channels, which fills whole
    cache lines.
    """
    width = _times(x.shape[1]) * x.shape[1]
    return x.permute(0, 2, 3, 1).reshape(-1, width, 1, 1)


def _scaled(x: Tensor, scale: Tensor, shift: Tensor | None = None) -> Tensor:
    """Return scale * x + shift with values (C,), in one pass over a map (N, C, H, W)."""
    out = torch.empty_like(x, memory_format=torch.channels_last)
    folded, times = _fold(x), _times(x.shape[1])
    # A norm with mean 0 and variance 1 in evaluation mode is just weight * x + bias.
    zero, one = scale.new_zeros(folded.shape[1]), scale.new_ones(folded.shape[1])
    torch.ops.aten.native_batch_norm.out(
        folded, scale.repeat(times), None if shift is None else shift.repeat(times), zero, one,
        False, 0.0, 0.0, out=_fold(out), save_mean=zero[:0], save_invstd=zero[:0],
    )  # fmt: skip
    return out


class _FoldedNorm(torch.autograd.Function):
    """Batch normalisation of a map through `_fold`: output, mean (C,) and variance (C,).

    y = w * (x - mean) * r + b with r = 1 / sqrt(variance + eps).
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        folded = _fold(x)
        unused = weight.new_zeros(folded.shape[1])  # its dtype is that of the sums
        # Row i holds the mean and variance of the positions i, i + k, i + 2k, ...: (k, C) each.
        means, variances = (
            part.view(-1, x.shape[1])
            for part in torch.batch_norm_update_stats(folded, unused, unused, 0.0)
        )
        # Groups of equal size: variance = mean of the variances + variance of the means.
        mean = means.mean(dim=0)
        variance = (variances + (means - mean).square()).mean(dim=0)
        inverse = torch.rsqrt(variance + eps)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        # y = (w r) x + (b - mean w r)
        scale = weight * inverse
        return _scaled(x, scale, bias - mean * scale), mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, inverse = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        times = _times(x.shape[1])
        # db = sum g and dw = sum g (x - mean) r, for each of the k groups of positions. torch's
        # backward in evaluation mode computes both; it takes the variance, r**-2, with eps 0.
        fixed = [part.repeat(times) for part in (weight, mean, inverse)]
        _, of_weights, of_biases = torch.ops.aten.native_batch_norm_backward(
            _fold(grad), _fold(x), fixed[0], fixed[1], fixed[2].pow(-2), fixed[1], fixed[2],
            False, 0.0, [False, True, True],
        )  # fmt: skip
        of_weight, of_bias = (part.view(times, -1).sum(dim=0) for part in (of_weights, of_biases))
        # With n values a channel,
        #   dx = w r (g - db / n - (x - mean) r dw / n)
        #      = (w r) g - w r db / n - slope mean + slope x,    slope = -w r**2 dw / n
        count = x.numel() // x.shape[1]
        scale = weight * inverse
        slope = -scale * inverse * of_weight / count
        of_x = _scaled(grad, scale, -scale * of_bias / count - slope * mean)
        of_x += _scaled(x, slope)
        return of_x, of_weight, of_bias, None


class StridedDepthwise(nn.Conv2d):
    """A depthwise convolution with a stride, an odd kernel, and padding that keeps the size.

    Under autocast on the CPU its gradient is that of `_SpreadGradient`.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        half = torch.get_autocast_dtype("cpu")
        out: Tensor = _SpreadGradient.apply(
            x.to(half), self.weight.to(half), self.stride[0], self.padding[0]
        )
        return out


class _SpreadGradient(torch.autograd.Function):
    """A strided convolution with the gradient of the same convolution without stride.

    The output is every s-th position of the convolution with stride 1, so its gradient is that of
    the latter at these positions and zero elsewhere.
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


def shuffle_channels_last(first: Tensor, last: Tensor) -> Tensor:
    """Interleave the channels of two channels_last maps (N, C, H, W): (N, 2C, H, W)."""
    joined: Tensor = _ShuffleChannelsLast.apply(first, last)
    return joined


class _ShuffleChannelsLast(torch.autograd.Function):
    """`shuffle_channels_last`, with gradients that are channels_last too."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, last: Tensor) -> Tensor:
        n, c, h, w = last.shape
        joined = last.new_empty(n, h, w, c, 2)
        joined[..., 0] = first.permute(0, 2, 3, 1)
        joined[..., 1] = last.permute(0, 2, 3, 1)
        return joined.flatten(3).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        layout = torch.channels_last
        return (
            grad[:, ::2].contiguous(memory_format=layout),
            grad[:, 1::2].contiguous(memory_format=layout),
        )


def spatial_mean(x: Tensor, *, training: bool) -> Tensor:
    """Average a map (N, C, H, W) over height and width: (N, C, 1, 1)."""
    if training:
        return nn.functional.avg_pool2d(x, x.shape[-2:])
    return x.mean(dim=(2, 3), keepdim=True)
