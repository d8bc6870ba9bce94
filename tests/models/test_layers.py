"""The building blocks that the families share."""

import pytest
import torch

from hrnet.models.cpu_kernels import StridedDepthwise, _SpreadGradient
from hrnet.models.layers import ConvNorm, SameConv2d


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


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4, 6), [[9, 9, 6], [6, 6, 4]]),  # even sides: a zero behind alone
        ((5, 5), [[4, 6, 4], [6, 9, 6], [4, 6, 4]]),  # odd sides: as with padding 1
        ((5, 4), [[6, 4], [9, 6], [6, 4]]),
    ],
)
def test_same_padding_by_hand(size, expected):
    """Ones under a kernel of ones, as Paddle 3.3.1 answers."""
    conv = ConvNorm(1, 1, 3, stride=2, same=True).conv
    assert isinstance(conv, SameConv2d)
    with torch.no_grad():
        conv.weight.fill_(1)
        assert conv(torch.ones(1, 1, *size))[0, 0].tolist() == expected


@pytest.mark.parametrize("size", [(8, 6), (7, 6), (9, 5)])
def test_same_padding_is_that_of_torch_where_a_zero_is_put_before(size):
    """An even side is what torch pads on both sides, one pixel further."""
    conv = ConvNorm(2, 3, 3, stride=2, same=True).conv
    usual = ConvNorm(2, 3, 3, stride=2).conv
    usual.load_state_dict(conv.state_dict())
    x = torch.randn(2, 2, *size)
    shift = [1 - side % 2 for side in size]
    moved = torch.nn.functional.pad(x, (0, shift[1], 0, shift[0]))[..., shift[0] :, shift[1] :]
    inner = conv(x)[..., 1:, 1:]
    torch.testing.assert_close(inner, usual(moved)[..., 1 : 1 + inner.shape[-2], 1:])
    assert conv(x).shape == usual(x).shape


def test_same_padding_without_a_stride_is_the_usual():
    assert type(ConvNorm(1, 1, 3, same=True).conv) is torch.nn.Conv2d
