"""The building blocks that the families share."""

import pytest
import torch

from hrnet.models.cpu_kernels import StridedDepthwise, _SpreadGradient
from hrnet.models.layers import ConvNorm


def strided(kernel: int = 3, stride: int = 2) -> StridedDepthwise:
    conv = ConvNorm(6, 6, kernel, stride=stride, groups=6).conv
    assert isinstance(conv, StridedDepthwise)
    return conv


@pytest.mark.parametrize("size", [(8, 6), (7, 9)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 3)])
def test_the_spread_gradient_is_that_of_the_strided_convolution(kernel, stride, size):
    conv = strided(kernel, stride)
    x = torch.randn(2, 6, *size, requires_grad=True)
    expected = conv(x)
    toward = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (x, conv.weight), toward)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = conv(x)
    got = torch.autograd.grad(out, (x, conv.weight), toward.to(out.dtype))
    assert out.dtype == torch.bfloat16
    for ours, right in zip((out, *got), (expected, *wanted), strict=True):
        assert ours.shape == right.shape
        assert (ours.float() - right).abs().max() <= 0.03 * right.abs().max()


def test_the_spread_gradient_is_exact_but_for_rounding():
    conv = strided().double()
    x = torch.randn(2, 6, 8, 6, dtype=torch.double, requires_grad=True)
    spread = _SpreadGradient.apply
    assert torch.autograd.gradcheck(lambda x, w: spread(x, w, 2, 1), (x, conv.weight))


def test_a_frozen_depthwise_convolution_gets_no_gradient():
    conv = strided().requires_grad_(False)
    x = torch.randn(1, 6, 4, 4, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        conv(x).sum().backward()
    assert x.grad is not None
    assert conv.weight.grad is None


def test_only_depthwise_convolutions_with_a_stride_are_special():
    plain = [ConvNorm(6, 6, 3, groups=6), ConvNorm(6, 6, 3, stride=2), ConvNorm(1, 1, 3, stride=2)]
    assert all(type(block.conv) is torch.nn.Conv2d for block in plain)
