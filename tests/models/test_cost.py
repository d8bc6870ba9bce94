"""Costs of networks: by hand on tiny modules, and equal to counts of the published networks."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.models import Network, create_model
from hrnet.models.cost import NetworkStatistics, measure

PIXELS = 10 * 20


def weightless(variant: str, **arguments: object) -> Network:
    with torch.device("meta"):
        return create_model(variant, **arguments)


def macs_by_stage(statistics: NetworkStatistics) -> Counter[str]:
    """Multiply-adds by "stem", "stage2" without transition, ..., "transitions" and "head"."""
    totals: Counter[str] = Counter()
    for part in statistics.parts:
        stage, _, kind = part.name.partition(" ")
        totals["transitions" if kind == "transition" else stage] += part.macs
    return totals


def by_kind(macs: Mapping[str, int]) -> dict[str, int]:
    """A linear layer becomes addmm or mm by the memory layout of its input; join both."""
    kinds: Counter[str] = Counter()
    for operation, count in macs.items():
        kinds["linear" if operation in ("addmm", "mm") else operation] += count
    return dict(kinds)


# By hand


def test_two_convolutions_by_hand():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    found = measure(model, (10, 20))
    (rest,) = found.parts
    assert (rest.name, found.input_size) == ("rest", (10, 20))
    assert found.parameters == rest.parameters == (3 * 9 * 8 + 8) + (8 * 4 + 4)
    assert found.weight_bytes == 4 * found.parameters
    assert found.macs == PIXELS * (3 * 9 * 8 + 8 * 4)
    assert found.macs_by_operation == {"convolution": found.macs}
    # The most is alive in ReLU: the image, what goes in and what comes out.
    assert found.activation_bytes == 4 * PIXELS * (3 + 8 + 8)


class TwoParts(nn.Module):
    """A "stem" of strided convolution and batch normalisation, and a "head" of a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.ModuleDict(
            {"stem": nn.Sequential(nn.Conv2d(3, 8, 2, stride=2, bias=False), nn.BatchNorm2d(8))}
        )
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.backbone["stem"](images)  # (1, 8, 5, 10)
        del images
        tokens = maps.flatten(2).transpose(1, 2)  # (1, 50, 8), a view
        logits: Tensor = self.head(tokens)
        return logits @ logits.transpose(1, 2)  # (1, 50, 50)


def test_parts_are_told_apart():
    found = measure(TwoParts(), (10, 20))
    assert [part.name for part in found.parts] == ["stem", "head", "rest"]
    stem, head, rest = found.parts
    assert [part.parameters for part in found.parts] == [3 * 4 * 8 + 16, 8 * 5 + 5, 0]
    assert stem.weight_bytes == 4 * (3 * 4 * 8 + 4 * 8)  # with mean and variance
    assert (stem.macs, head.macs, rest.macs) == (50 * 3 * 4 * 8, 50 * 8 * 5, 50 * 5 * 50)
    assert found.macs == stem.macs + head.macs + rest.macs
    assert by_kind(found.macs_by_operation) == {
        "convolution": stem.macs,
        "linear": head.macs,
        "bmm": rest.macs,
    }


def test_each_part_has_its_own_peak():
    found = measure(TwoParts(), (10, 20))
    images, maps, logits, products = 4 * 3 * PIXELS, 4 * 50 * 8, 4 * 50 * 5, 4 * 50 * 50
    stem, _, rest = found.parts
    assert stem.activation_bytes == images + 2 * maps
    assert rest.activation_bytes == images + maps + logits + products
    assert found.activation_bytes == max(part.activation_bytes for part in found.parts)


def test_memory_is_given_back_and_writing_in_place_takes_none():
    chain = nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(9)), nn.ReLU(inplace=True))
    assert measure(chain, (10, 20)).activation_bytes == 4 * PIXELS * 3 * 3


def test_a_layer_that_runs_twice_counts_twice():
    layer = nn.Conv2d(3, 3, 1)
    once, twice = measure(layer, (10, 20)), measure(nn.Sequential(layer, layer), (10, 20))
    assert (once.macs, twice.macs) == (PIXELS * 9, 2 * PIXELS * 9)
    assert once.parameters == twice.parameters == 12


def test_attention_counts_both_products():
    class Attention(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            tokens = images.flatten(2).transpose(1, 2)[:, None]  # (1, 1, 200, 3)
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    assert measure(Attention(), (10, 20)).macs == 2 * PIXELS * PIXELS * 3


def test_the_model_is_left_as_it_is():
    model = create_model("small_hrnet_w16").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = measure(model, (64, 64))
    assert found == measure(weightless("small_hrnet_w16"), (64, 64))
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("task", "size", "message"),
    [
        (
            "classification",
            (100, 64),
            "expected height and width in multiples of 32, got 100x64; resize or",
        ),
        ("pose", (0, 64), "expected height and width of 1 to 32768 pixels, got 0x64"),
        ("pose", (64, 32800), "expected height and width of 1 to 32768 pixels, got 64x32800"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_in_one_line(task, size, message):
    with pytest.raises(InputError, match=message) as error:
        measure(weightless("small_hrnet_w16", task=task), size)
    assert "\n" not in str(error.value)


def test_a_size_that_torch_refuses_is_one_line_too():
    pyramid = nn.Sequential(nn.Conv2d(3, 3, 1), nn.AvgPool2d(16))
    with pytest.raises(InputError, match=r"takes no images of 8x8 \(.*too small\); take larger"):
        measure(pyramid, (8, 8))


# As counted on the published networks

RECORDED = {
    "pose_hrnet_w32_coco_256x192": ("hrnet_w32", {}),
    "cls_hrnet_w18_small_v2": ("hrnet_w18_small_v2", {"task": "classification"}),
    "det_hrnetv2p_w18_hrfpn": ("hrnet_w18", {"task": "detection"}),
    "hrformer_tiny_cls": ("hrformer_tiny", {"task": "classification"}),
    "hrformer_small_seg_ocr": (
        "hrformer_small",
        {"task": "segmentation", "options": {"head": "ocr"}},
    ),
}

STEM = ("conv1", "conv2", "layer1")


@pytest.mark.parametrize("name", RECORDED)
def test_counts_are_those_of_the_published_network(golden_dir: Path, name):
    variant, arguments = RECORDED[name]
    record = json.loads((golden_dir / f"{name}.json").read_text())
    recorded = record["macs"][-1]
    found = measure(weightless(variant, **arguments), tuple(recorded["input"][2:]))
    assert found.parameters == record["params"]
    assert found.macs == recorded["macs"]
    assert by_kind(found.macs_by_operation) == by_kind(recorded["by_op"])
    children, ours = recorded["by_child"], macs_by_stage(found)
    if "backbone" in children:
        assert found.macs - ours["head"] == children["backbone"]
        return
    assert ours["stem"] == sum(children[name] for name in STEM)
    assert [ours[f"stage{i}"] for i in (2, 3, 4)] == [children[f"stage{i}"] for i in (2, 3, 4)]


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("lite_hrnet_18_coco_256x192", "litehrnet_18"),
        ("naive_lite_hrnet_18_coco_256x192", "naive_litehrnet_18"),
    ],
)
def test_lite_hrnet_does_less_by_what_the_published_code_does_twice(golden_dir, name, variant):
    """The published code runs the exchange's paths from stream 0 to lower streams twice."""
    recorded = json.loads((golden_dir / f"{name}.json").read_text())["macs"][0]
    model, repeated = weightless(variant), []
    macs = measure(model, (256, 192)).macs
    for path, layer in model.named_modules():
        _, _, pair = path.partition("exchange.paths.")
        target, source, *_ = [*pair.split("."), "", ""]
        if isinstance(layer, nn.Conv2d) and source == "0" and target != "0":
            layer.register_forward_hook(
                lambda layer, _, out: repeated.append(layer.weight[0].numel() * out.numel())
            )
    model.eval()(torch.empty(1, 3, 256, 192, device="meta"))
    assert macs + sum(repeated) == recorded["macs"]
