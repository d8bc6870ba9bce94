"""Batch normalisation that uses both cores where torch's own gets slower with each."""

import math
from typing import Any

import torch
from torch import Tensor, nn

_LINE = 16
"""Floats in a line of a processor's cache."""


class BatchNorm2d(nn.BatchNorm2d):
    """torch's batch normalisation, computed in another way where that is much faster.

    (N, C, H, W) -> the same shape. That is in training on the CPU, for bfloat16 maps in channels
    last memory whose number of channels does not fill whole cache lines. There the threads of torch
    2.13 write their sums into the same lines, and two threads take 2 to 6 times as long as one.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.weight.dtype == torch.float32 and _is_slow(x)):
            return super().forward(x)
        out: Tensor
        out, mean, variance = _Folded.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps
        )
        self.remember(mean, variance, x.numel() // self.num_features)
        return out

    def remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics to those (C,) of `count` values, the variance corrected."""
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
    """View a map (N, C, H, W) in channels last memory as (N*H*W/k, k*C, 1, 1): k positions beside
    each other become one of k times the channels, which fills whole cache lines."""
    width = _times(x.shape[1]) * x.shape[1]
    return x.permute(0, 2, 3, 1).reshape(-1, width, 1, 1)


def _scaled(x: Tensor, scale: Tensor, shift: Tensor | None = None) -> Tensor:
    """scale * x + shift with values (C,), in one pass over a map (N, C, H, W)."""
    out = torch.empty_like(x, memory_format=torch.channels_last)
    folded, times = _fold(x), _times(x.shape[1])
    zero, one = scale.new_zeros(folded.shape[1]), scale.new_ones(folded.shape[1])
    torch.ops.aten.native_batch_norm.out(
        folded, scale.repeat(times), None if shift is None else shift.repeat(times), zero, one,
        False, 0.0, 0.0, out=_fold(out), save_mean=zero[:0], save_invstd=zero[:0],
    )  # fmt: skip
    return out


class _Folded(torch.autograd.Function):
    """Batch normalisation of a map through `_fold`: output, mean (C,) and variance (C,).

    Statistics of the folded map are those of every k-th position; together they are the whole's.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        folded = _fold(x)
        unused = weight.new_zeros(folded.shape[1])  # sets the precision of the sums
        means, variances = (
            part.view(-1, x.shape[1])
            for part in torch.batch_norm_update_stats(folded, unused, unused, 0.0)
        )
        mean = means.mean(dim=0)
        variance = (variances + (means - mean).square()).mean(dim=0)
        inverse = torch.rsqrt(variance + eps)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.mark_non_differentiable(mean, variance)
        scale = weight * inverse
        return _scaled(x, scale, bias - mean * scale), mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, inverse = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        times = _times(x.shape[1])
        fixed = [part.repeat(times) for part in (weight, mean, inverse)]
        _, of_weights, of_biases = torch.ops.aten.native_batch_norm_backward(
            _fold(grad), _fold(x), fixed[0], fixed[1], fixed[2].pow(-2), fixed[1], fixed[2],
            False, 0.0, [False, True, True],
        )  # fmt: skip
        of_weight, of_bias = (part.view(times, -1).sum(dim=0) for part in (of_weights, of_biases))
        count = x.numel() // x.shape[1]
        scale = weight * inverse
        slope = -scale * inverse * of_weight / count
        of_x = _scaled(grad, scale, -scale * of_bias / count - slope * mean)
        of_x += _scaled(x, slope)
        return of_x, of_weight, of_bias, None
