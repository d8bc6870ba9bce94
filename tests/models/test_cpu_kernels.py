"""Our batch normalisation is torch's, also where it is computed in another way."""

import copy

import pytest
import torch
from torch import nn

from hrnet.models.cpu_kernels import BatchNorm2d, _is_slow

SHAPES = [(2, 20, 8, 6), (3, 40, 4, 4), (4, 15, 4, 4), (2, 6, 4, 4)]


def maps(shape, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=draw) * 2 + 3
    return values.bfloat16().contiguous(memory_format=torch.channels_last)


def norm_of(channels: int) -> BatchNorm2d:
    norm = BatchNorm2d(channels)
    draw = torch.Generator().manual_seed(0)
    for value in norm.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=draw) + 0.5)
    return norm


def exact(norm: BatchNorm2d) -> nn.BatchNorm2d:
    twin = nn.BatchNorm2d(norm.num_features).double()
    twin.load_state_dict(norm.state_dict())
    return twin


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_torchs_within_the_rounding_of_bfloat16(shape):
    x, grad = maps(shape, 1), maps(shape, 2) - 3
    assert _is_slow(x)
    norm = norm_of(shape[1])
    whole = exact(norm)
    given, reference = x.clone().requires_grad_(), x.double().requires_grad_()
    out, expected = norm(given), whole(reference)
    assert out.dtype == torch.bfloat16
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert norm.state_dict().keys() == whole.state_dict().keys()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name].double(), value.double(), msg=name)
    torch.testing.assert_close(out.double(), expected, rtol=2**-8, atol=2**-8)
    out.relu_().backward(grad)
    expected.relu().backward(grad.double())
    torch.testing.assert_close(norm.weight.grad.double(), whole.weight.grad, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(norm.bias.grad.double(), whole.bias.grad, rtol=1e-4, atol=1e-3)
    assert given.grad.is_contiguous(memory_format=torch.channels_last)
    error = (given.grad.double() - reference.grad).abs().max() / reference.grad.abs().max()
    assert error < 2**-7


def test_gradients_in_another_layout(shape=SHAPES[0]):
    x = maps(shape, 1).requires_grad_()
    norm = norm_of(shape[1])
    twin = copy.deepcopy(norm)
    other = x.detach().clone().requires_grad_()
    grad = maps(shape, 2)
    norm(x).backward(grad)
    twin(other).backward(grad.contiguous())
    assert x.grad.equal(other.grad)


@pytest.mark.parametrize(
    ("x", "training"),
    [
        (maps((2, 20, 8, 6), 1), False),
        (maps((2, 20, 8, 6), 1).float(), True),
        (maps((2, 20, 8, 6), 1).contiguous(), True),
        (maps((2, 32, 8, 6), 1), True),
        (maps((1, 20, 3, 3), 1), True),
    ],
    ids=["evaluation", "float32", "another layout", "whole cache lines", "an odd count"],
)
def test_elsewhere_it_is_torchs_bit_by_bit(x, training):
    norm = norm_of(x.shape[1]).train(training)
    plain = nn.BatchNorm2d(x.shape[1]).train(training)
    plain.load_state_dict(norm.state_dict())
    assert norm(x).equal(plain(x))
    for name, value in plain.state_dict().items():
        assert norm.state_dict()[name].equal(value)


def test_statistics_can_be_held():
    """As gradient checkpointing does when it computes a part for the second time."""
    norm = norm_of(20)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm.momentum, norm.num_batches_tracked = 0.0, None
    norm(maps(SHAPES[0], 1))
    assert norm.running_mean.equal(before["running_mean"])
    assert norm.running_var.equal(before["running_var"])
