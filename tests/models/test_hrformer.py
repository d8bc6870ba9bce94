"""HRFormer: its options and what holds for any weights; its recorded outputs are in parity."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.models.attention import BucketTable, WindowAttention
from hrnet.models.highres import StageConfig
from hrnet.models.hrformer import VARIANTS, Block, DropPath, HRFormerConfig, make_backbone
from hrnet.spec import NetworkOptions

LITTLE = HRFormerConfig(
    stages=(
        StageConfig(1, 1, (8, 16)),
        StageConfig(1, 1, (8, 16, 24)),
        StageConfig(1, 1, (8, 16, 24, 32)),
    ),
    num_heads=(1, 2, 3, 4),
    stem_planes=8,
    stem_blocks=1,
)
"""Smaller than any published one, with widths that do not double."""


def ready(model: nn.Module) -> nn.Module:
    """In eval mode, with fixed weights that keep the signal's size, unlike those of training."""
    draw = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, parameter[0].numel() ** -0.5, generator=draw)
        elif name.endswith("bias"):
            parameter.data.normal_(0, 0.1, generator=draw)
    return model.eval()


def features(**options: object) -> nn.Module:
    return ready(make_backbone(LITTLE, NetworkOptions(**options)))


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(2, 3, 50, 75, generator=torch.Generator().manual_seed(1))


def difference(ours: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """The largest difference of any stream, relative to the stream's largest value."""
    pairs = zip(ours, expected, strict=True)
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in pairs)


def attentions(model: nn.Module) -> list[WindowAttention]:
    return [module for module in model.modules() if isinstance(module, WindowAttention)]


# Sizes and ways of running


@pytest.mark.parametrize("variant", [*VARIANTS, LITTLE])
@pytest.mark.parametrize("size", [(50, 75)])
def test_any_size_works_rounded_up(variant, size):
    with torch.device("meta"):
        model = create_model(variant, task="features")
        streams = model(torch.empty(2, 3, *size))
    height, width = size
    expected = [
        (2, channels, -(-height // stride), -(-width // stride))
        for channels, stride in zip(model.backbone.channels, model.backbone.strides, strict=True)
    ]
    assert [tuple(stream.shape) for stream in streams] == expected
    assert model.backbone.strides == (4, 8, 16, 32)


@torch.no_grad()
@pytest.mark.parametrize("position", ["table", "none", "t5"])
def test_channels_last_and_batches_change_nothing(position, images):
    model = features(relative_position=position)
    expected = model(images)
    last = model.to(memory_format=torch.channels_last)
    assert difference(last(images.to(memory_format=torch.channels_last)), expected) < 1e-5
    alone = [torch.cat(pair) for pair in zip(model(images[:1]), model(images[1:]), strict=True)]
    assert difference(alone, expected) < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("position", ["table", "t5"])
def test_the_network_can_be_captured(position, images):
    """With two streams: paths up and down, frames, both kinds of resize."""
    config = replace(LITTLE, stages=LITTLE.stages[:1])
    model = ready(make_backbone(config, NetworkOptions(relative_position=position)))
    expected = model(images)
    exported = torch.export.export(model, (images,)).module()
    assert difference(exported(images), expected) == 0
    torch.compiler.reset()
    assert difference(torch.compile(model, fullgraph=True, backend="eager")(images), expected) == 0


# Options


def test_a_network_of_ones_own_figures_can_be_built(images):
    model = create_model(LITTLE, task="segmentation", num_outputs=3)
    assert model(images).shape == (2, 3, 13, 19)
    assert model.backbone.channels == (8, 16, 24, 32)


def test_pose_keeps_the_table_and_does_not_learn_it():
    model = create_model("hrformer_tiny")
    tables = [layer.relative_position_bias_table for layer in attentions(model)]
    assert not any(table.requires_grad for table in tables)
    assert len(model.backbone.channels) == 1
    other = create_model("hrformer_tiny", task="classification")
    assert all(layer.relative_position_bias_table.requires_grad for layer in attentions(other))


@torch.no_grad()
def test_without_position_the_table_changes_nothing(images):
    model = features(relative_position="none")
    expected = model(images)
    for layer in attentions(model):
        layer.relative_position_bias_table += 10
    assert difference(model(images), expected) == 0
    assert difference(features(relative_position="table")(images), expected) > 1e-3


@torch.no_grad()
def test_every_option_of_the_exchange_changes_the_streams(images):
    options = [
        {"upsampling": "nearest"},
        {"upsampling": "nearest", "align_corners": False},
        {"upsampling": "bilinear"},
        {"upsampling": "bilinear", "align_corners": True},
    ]
    streams = [features(**option)(images) for option in options]
    for index, ours in enumerate(streams):
        assert all(difference(ours, other) > 1e-3 for other in streams[:index])
    assert difference(features()(images), streams[0]) == 0, "the nearest is the default"


@pytest.mark.parametrize(("task", "mode"), [("pose", "bilinear"), ("segmentation", "nearest")])
def test_the_task_decides_how_the_exchange_goes_up(task, mode):
    with torch.device("meta"):
        model = create_model(LITTLE, task=task)
    ups = [module for module in model.modules() if isinstance(module, nn.Upsample)]
    assert {up.mode for up in ups} == {mode}
    assert {up.scale_factor for up in ups} == {2.0, 4.0, 8.0}


@torch.no_grad()
@pytest.mark.parametrize("window", [7, 13, 15])
def test_the_window_is_an_option(window, images):
    model = features(window=window)
    rows = {layer.relative_position_bias_table.shape[0] for layer in attentions(model)}
    assert rows == {(2 * window - 1) ** 2}
    assert model(images)[0].shape == (2, 8, 13, 19)


def test_a_window_needs_a_token():
    with pytest.raises(InputError, match="a window of 1 or more tokens, got 0; published: 7"):
        create_model("hrformer_tiny", options={"window": 0})


# T5's shared position bias


@torch.no_grad()
def test_at_zero_the_shared_table_is_no_bias(images):
    shared, none = features(relative_position="t5"), features(relative_position="none")
    shared.relative_position.table.zero_()
    own = {name: value for name, value in shared.state_dict().items() if "relative" not in name}
    none.load_state_dict(own | {k: v for k, v in none.state_dict().items() if "relative" in k})
    expected = none(images)
    assert difference(shared(images), expected) < 1e-6
    shared.relative_position.table.normal_()
    assert difference(shared(images), expected) > 1e-3


def test_one_table_serves_all_layers(images):
    model = make_backbone(LITTLE, NetworkOptions(relative_position="t5"))
    tables = [name for name in model.state_dict() if "relative_position" in name]
    assert tables == ["relative_position.table"]
    assert sum(isinstance(module, BucketTable) for module in model.modules()) == 1
    assert {layer.shared_bias.__self__ for layer in attentions(model)} == {model.relative_position}
    assert model.relative_position.table.shape == (15, 15, 4)
    assert not model.relative_position.table.any()


def test_every_layer_teaches_the_columns_of_its_heads():
    model = features(relative_position="t5")
    for layer in attentions(model):
        model.zero_grad()
        layer(torch.randn(1, 9, 9, layer.qkv.in_features)).square().sum().backward()
        taught = model.relative_position.table.grad.abs().sum(dim=(0, 1)) > 0
        assert taught.tolist() == [head < layer.num_heads for head in range(4)]


@torch.no_grad()
def test_copies_and_loaded_networks_share_a_table_of_their_own(images):
    model = features(relative_position="t5")
    expected = model(images)
    with torch.device("meta"):
        loaded = make_backbone(LITTLE, NetworkOptions(relative_position="t5")).eval()
    loaded.load_state_dict(model.state_dict(), assign=True)
    copy = deepcopy(model)
    model.relative_position.table.zero_()
    assert difference(copy(images), expected) == 0
    assert difference(loaded(images), expected) > 1e-3, "assigned tensors are the model's own"
    loaded.load_state_dict(copy.state_dict())
    assert difference(loaded(images), expected) == 0


# Drop path


def test_drop_path_keeps_the_mean_and_takes_whole_samples():
    torch.manual_seed(0)
    out = DropPath(0.25).train()(torch.ones(4000, 2, 3))
    kept = out[:, 0, 0] > 0
    assert torch.equal(out[kept], torch.full_like(out[kept], 1 / 0.75))
    assert not out[~kept].any()
    assert 0.72 < kept.double().mean() < 0.78  # 4 standard deviations


@pytest.mark.parametrize("module", [DropPath(0.9).eval(), DropPath(0.0).train()])
def test_drop_path_does_nothing_in_use_or_without_a_rate(module):
    x = torch.ones(100, 2)
    assert module(x) is x


@pytest.mark.parametrize(
    ("variant", "task", "asked", "rate"),
    [
        ("hrformer_base", "classification", None, 0.2),
        ("hrformer_small", "classification", None, 0.0),
        ("hrformer_base", "pose", None, 0.2),
        ("hrformer_small", "pose", None, 0.1),
        ("hrformer_small", "segmentation", None, 0.2),
        ("hrformer_tiny", "features", None, 0.0),
        ("hrformer_base", "pose", 0.3, 0.3),
        ("hrformer_base", "segmentation", 0.4, 0.4),
        ("hrformer_small", "pose", 0.0, 0.0),
    ],
)
def test_drop_path_grows_evenly_to_the_rate_asked_for_or_published(variant, task, asked, rate):
    with torch.device("meta"):
        stages = create_model(variant, task=task, options={"drop_path": asked}).backbone.stages
    rates = [
        [[block.drop_path.rate for block in stream] for stream in module.streams]
        for stage in stages
        for module in list(stage)[1:]
    ]
    assert all(streams == [streams[0]] * len(streams) for streams in rates)
    by_depth = [rate for streams in rates for rate in streams[0]]
    assert by_depth == pytest.approx([rate * i / (len(by_depth) - 1) for i in range(len(by_depth))])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_drop_path_is_a_share(rate):
    with pytest.raises(InputError, match=f"from 0 to below 1, got {rate}; 0 keeps all"):
        DropPath(rate)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_network_with_a_drop_path_that_is_no_share(rate):
    with pytest.raises(InputError) as caught:
        create_model("hrformer_tiny", options={"drop_path": rate})
    assert str(caught.value).startswith("cannot build hrformer_tiny: drop_path: ")
    assert f"from 0 to below 1, got {rate}; 0 keeps all" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@torch.no_grad()
def test_a_drop_path_changes_training_alone(images):
    asked, own = features(drop_path=0.9), features()
    assert {n: w.shape for n, w in asked.state_dict().items()} == {
        n: w.shape for n, w in own.state_dict().items()
    }
    expected = own(images)
    assert all(map(torch.equal, asked(images), expected))
    assert not all(map(torch.equal, asked.train()(images), own.train()(images)))


def test_a_dropped_block_passes_its_input_on():
    config = replace(LITTLE, drop_path=1 - 1e-6)
    model = make_backbone(config, NetworkOptions())
    last = [module for module in model.modules() if isinstance(module, Block)][-1].train()
    x = torch.randn(3, 32, 5, 4)
    assert torch.equal(last(x), x)
    assert not torch.equal(last.eval()(x), x)
