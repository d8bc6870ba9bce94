"""Lite-HRNet: the official exchange sum, the two weightings, the shuffle, and every way of running.

Comparisons with the published code's outputs are in tests/parity.
"""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.models.heads.lite import LiteHead
from hrnet.models.highres import Exchange, HighResBackbone, StageConfig, plain_sum
from hrnet.models.litehrnet import (
    VARIANTS,
    CrossResolutionWeighting,
    LiteHRNetConfig,
    ShuffleBlock,
    SpatialWeighting,
    halves,
    make_backbone,
    official_sum,
    shuffle,
)
from hrnet.spec import NetworkOptions

WIDTHS = (8, 16, 32, 64)
TINY = tuple(StageConfig(2 if n == 3 else 1, 2, WIDTHS[:n]) for n in (2, 3, 4))
SMALLEST = (StageConfig(1, 1, (8, 16)), StageConfig(1, 1, (8, 16, 32)))
both_weightings = pytest.mark.parametrize("weighting", ["conditional", "naive"])


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def tiny(
    weighting: str = "conditional",
    exchange: str | None = None,
    stages: tuple[StageConfig, ...] = TINY,
) -> HighResBackbone:
    config = LiteHRNetConfig(stages, weighting, cross_reduction=4, stem_channels=16)
    return make_backbone(config, NetworkOptions(exchange=exchange)).eval()


def tiny_network(weighting: str, stages: tuple[StageConfig, ...] = TINY) -> nn.Module:
    backbone = tiny(weighting, stages=stages)
    return nn.Sequential(backbone, LiteHead(backbone.channels, 5)).eval()


def streams(widths: tuple[int, ...] = WIDTHS, side: int = 16, batch: int = 2) -> list[Tensor]:
    return [torch.randn(batch, c, side // 2**i, side // 2**i) for i, c in enumerate(widths)]


def close(ours: Tensor, expected: Tensor) -> bool:
    return bool((ours - expected).abs().max() <= 1e-5 * expected.abs().max())


# The exchange


def sum_in_place(paths: nn.ModuleList, inputs: list[Tensor]) -> list[Tensor]:
    """What the official code executes: each sum grows in place, the first one in stream 0."""
    kept = [stream.clone() for stream in inputs]
    outputs = []
    for row in paths:
        total = row[0](kept[0])  # for the first row this is kept[0] itself
        for path, stream in zip(row, kept, strict=True):
            total.add_(path(stream))
        outputs.append(total.relu())
    return outputs


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stage", ["stage2", "stage3", "stage4"])
def test_official_sum_is_what_the_official_loop_executes(stage, training):
    exchange = tiny().stages.get_submodule(stage).module0.exchange.train(training)
    inputs = streams(WIDTHS[: len(exchange.paths)])
    before = [stream.clone() for stream in inputs]
    with torch.no_grad():
        ours = official_sum(exchange.paths, inputs)
        assert all(map(torch.equal, inputs, before)), "inputs were changed"
        theirs = sum_in_place(exchange.paths, inputs)
    assert len(ours) == len(theirs) == len(inputs)
    assert all(map(close, ours, theirs))


def test_each_path_sees_a_batch_once_in_training():
    exchange = tiny().stages.get_submodule("stage4.module0.exchange").train()
    exchange(streams())
    norms = [module for module in exchange.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}


def test_the_textbook_sum_is_an_option_and_gives_other_streams():
    official, textbook = tiny(), tiny(exchange="textbook")
    textbook.load_state_dict(official.state_dict(), strict=True)
    chosen = {
        kind: {module.combine for module in network.modules() if isinstance(module, Exchange)}
        for kind, network in (("official", official), ("textbook", textbook))
    }
    assert chosen == {"official": {official_sum}, "textbook": {plain_sum}}
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        pairs = zip(official(images), textbook(images), strict=True)
        assert not any(close(ours, other) for ours, other in pairs)


# The parts of a block


def test_shuffle_takes_one_channel_of_each_half_in_turn():
    x = torch.arange(2 * 6 * 3 * 5.0).reshape(2, 6, 3, 5)
    shuffled = shuffle(*halves(x))
    assert torch.equal(shuffled, x[:, [0, 3, 1, 4, 2, 5]])
    assert torch.equal(shuffled, nn.functional.channel_shuffle(x, 2))


@pytest.mark.parametrize("channels", [3, 8])
def test_a_shuffle_in_channels_last_is_the_same_and_stays_so(channels):
    parts = torch.randn(2, 2 * channels, 4, 5, dtype=torch.double)
    last = parts.contiguous(memory_format=torch.channels_last)
    halved = [half.contiguous(memory_format=torch.channels_last) for half in halves(last)]
    for pair in (halves(last), halved):
        shuffled = shuffle(pair[0].requires_grad_(), halved[1].requires_grad_())
        assert torch.equal(shuffled, shuffle(*halves(parts)))
        assert shuffled.is_contiguous(memory_format=torch.channels_last)
    assert torch.autograd.gradcheck(shuffle, [half.detach().requires_grad_() for half in halved])


def test_a_shuffle_block_leaves_the_first_half_alone():
    block, x = ShuffleBlock(8).eval(), torch.randn(2, 8, 4, 4)
    assert torch.equal(block(x)[:, ::2], x[:, :4])


def weights_of(module: nn.Module, inputs: list[Tensor]) -> list[Tensor]:
    with torch.no_grad():
        return [y / x for y, x in zip(module(inputs), inputs, strict=True)]


def test_cross_resolution_weights_belong_to_positions_of_the_lowest_stream():
    module = CrossResolutionWeighting((4, 8, 16), reduction=4).eval()
    inputs = [stream.abs() + 1 for stream in streams((4, 8, 16), side=8)]
    for steps, weights in zip((2, 1, 0), weights_of(module, inputs), strict=True):
        assert 0 < weights.min() < weights.max() < 1
        coarse = weights[:, :, :: 2**steps, :: 2**steps]
        assert coarse.shape[-2:] == (2, 2)
        assert close(weights, nn.functional.interpolate(coarse, scale_factor=2**steps))
        assert not close(coarse, coarse.mean((2, 3), keepdim=True).expand_as(coarse))


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_every_stream_decides_about_the_channels_of_all(changed):
    module = CrossResolutionWeighting((4, 8, 16), reduction=2).eval()
    inputs = [stream.abs() + 1 for stream in streams((4, 8, 16), side=8)]
    other = [stream * (3 if i == changed else 1) for i, stream in enumerate(inputs)]
    for before, after in zip(weights_of(module, inputs), weights_of(module, other), strict=True):
        assert not close(after, before)


def test_spatial_weights_are_one_a_channel():
    x = torch.rand(2, 8, 4, 6) + 1
    with torch.no_grad():
        weights = SpatialWeighting(8, reduction=4)(x) / x
    assert 0 < weights.min() < weights.max() < 1
    assert close(weights, weights[:, :, :1, :1].expand_as(weights))


def test_spatial_weighting_is_the_same_in_training():
    module = SpatialWeighting(8, reduction=4).double()
    x = torch.randn(2, 8, 4, 6, dtype=torch.double, requires_grad=True)
    answers = [module.train(mode)(x) for mode in (True, False)]
    assert close(*answers)
    assert close(*(torch.autograd.grad(y.square().sum(), x)[0] for y in answers))


# The network


PARAMETERS = {
    "litehrnet_18": 1_130_769,
    "litehrnet_30": 1_763_717,
    "naive_litehrnet_18": 760_365,
    "wider_naive_litehrnet_18": 1_318_625,
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_have_the_published_sizes(variant):
    with torch.device("meta"):
        model = create_model(variant)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[variant]


def test_no_convolution_is_computed_twice():
    """198.6M multiply-adds; the official code executes 242.3M, as its exchange repeats paths."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        create_model("litehrnet_18").eval()(torch.empty(1, 3, 256, 192))
    assert counter.get_total_flops() // 2 == 198_626_688


@both_weightings
def test_a_custom_network_gives_all_streams(weighting):
    backbone = tiny(weighting)
    outputs = backbone(torch.randn(2, 3, 64, 96))
    assert [tuple(y.shape) for y in outputs] == [
        (2, 8, 16, 24), (2, 16, 8, 12), (2, 32, 4, 6), (2, 64, 2, 3),
    ]  # fmt: skip
    assert backbone.channels == WIDTHS


@both_weightings
def test_the_head_has_any_number_of_keypoints_and_a_batch_is_its_singles(weighting):
    network, images = tiny_network(weighting), torch.randn(3, 3, 64, 32)
    with torch.no_grad():
        batch = network(images)
        singles = torch.cat([network(image[None]) for image in images])
    assert batch.shape == (3, 5, 16, 8)
    assert close(batch, singles)


def test_every_stream_reaches_the_heatmaps_and_learns():
    inputs = [stream.requires_grad_() for stream in streams()]
    LiteHead(WIDTHS, 3)(inputs).square().sum().backward()
    assert all(stream.grad is not None and stream.grad.any() for stream in inputs)


def test_widths_without_halves_are_refused():
    with pytest.raises(InputError, match=r"expected even widths.*got \[15\]"):
        LiteHRNetConfig((StageConfig(1, 1, (15, 30)),))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="multiples of 32, got 96x72"):
        tiny()(torch.empty(1, 3, 96, 72))


# Ways of running


@both_weightings
def test_channels_last_gives_the_same(weighting):
    network, images = tiny_network(weighting), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network(images)
        last = network.to(memory_format=torch.channels_last)
        assert close(last(images.contiguous(memory_format=torch.channels_last)), expected)


@both_weightings
def test_channels_last_learns_the_same(weighting):
    network = tiny_network(weighting).train().double()
    images = torch.randn(4, 3, 64, 64, dtype=torch.double)
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    network(images).square().sum().backward()
    last(images.contiguous(memory_format=torch.channels_last)).square().sum().backward()
    for ours, expected in zip(last.parameters(), network.parameters(), strict=True):
        assert torch.allclose(ours.grad, expected.grad, rtol=1e-8, atol=1e-10)


def test_export_and_compile_capture_the_whole_network():
    """With conditional blocks; naive ones hold nothing that these do not."""
    network, images = tiny_network("conditional", SMALLEST), torch.randn(2, 3, 32, 32)
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(network, (images,), dynamic_shapes=({0: batch},))
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    more = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        expected = network(more)
        assert close(program.module()(more), expected)
        assert close(compiled(more), expected)
