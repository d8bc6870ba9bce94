"""The relation of printed compute to multiply-adds: three families, three ways to count.

Sources: the tables in the README files of leoxiaobin/deep-high-resolution-net.pytorch,
HRNet-Image-Classification, HRNet-Semantic-Segmentation, HRNet-Object-Detection, Lite-HRNet and
HRFormer. Each way was found by comparing those figures with counts of the published networks.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from hrnet.geometry import Size
from hrnet.models.cost import NetworkStatistics, on_meta
from hrnet.models.create import VARIANTS, Network
from hrnet.models.highres import Exchange
from hrnet.models.hrformer import HRFormerConfig
from hrnet.models.hrnet import HRNetConfig
from hrnet.models.litehrnet import LiteHRNetConfig, SpatialWeighting
from hrnet.spec import NetworkSpec, Task

_Case = tuple[str, Task, Size, int]
"""Variant, task, input size, and how many keypoints or classes."""

BILLIONS: Mapping[_Case, str] = {
    ("hrnet_w32", "pose", (256, 192), 17): "7.1",
    ("hrnet_w32", "pose", (384, 288), 17): "16.0",
    ("hrnet_w48", "pose", (256, 192), 17): "14.6",
    ("hrnet_w48", "pose", (384, 288), 17): "32.9",
    ("hrnet_w18_small_v1", "classification", (224, 224), 1000): "1.49",
    ("hrnet_w18_small_v2", "classification", (224, 224), 1000): "2.42",
    ("hrnet_w18", "classification", (224, 224), 1000): "3.99",
    ("hrnet_w30", "classification", (224, 224), 1000): "7.55",
    ("hrnet_w32", "classification", (224, 224), 1000): "8.31",
    ("hrnet_w40", "classification", (224, 224), 1000): "11.8",
    ("hrnet_w44", "classification", (224, 224), 1000): "13.9",
    ("hrnet_w48", "classification", (224, 224), 1000): "16.1",
    ("hrnet_w64", "classification", (224, 224), 1000): "26.9",
    ("hrnet_w18_small_v1", "segmentation", (1024, 2048), 19): "31.1",
    ("hrnet_w18_small_v2", "segmentation", (1024, 2048), 19): "71.6",
    ("hrnet_w48", "segmentation", (1024, 2048), 19): "696.2",
    ("hrformer_tiny", "classification", (224, 224), 1000): "1.83",
    ("hrformer_small", "classification", (224, 224), 1000): "3.56",
    ("hrformer_base", "classification", (224, 224), 1000): "13.71",
}
"""Published GFLOPs."""

MILLIONS: Mapping[_Case, str] = {
    ("litehrnet_18", "pose", (256, 192), 17): "205.2",
    ("litehrnet_18", "pose", (384, 288), 17): "461.6",
    ("litehrnet_18", "pose", (256, 256), 16): "273.4",
    ("litehrnet_30", "pose", (256, 192), 17): "319.2",
    ("litehrnet_30", "pose", (384, 288), 17): "717.8",
    ("litehrnet_30", "pose", (256, 256), 16): "425.3",
    ("naive_litehrnet_18", "pose", (256, 192), 17): "194.8",
    ("naive_litehrnet_18", "pose", (256, 256), 16): "259.6",
    ("wider_naive_litehrnet_18", "pose", (256, 192), 17): "311.1",
    ("wider_naive_litehrnet_18", "pose", (256, 256), 16): "418.7",  # by their own tool 414.6
}
"""Published MFLOPs."""

_DETECTORS: Mapping[str, str] = {"hrnet_w18": "159.1", "hrnet_w32": "245.3"}
"""Published GFLOPs of a whole Faster R-CNN on a variant, at no stated input size."""

_OUTPUTS: Mapping[Task, int] = {"pose": 17, "segmentation": 19, "classification": 1000}


def relate(network: Network, statistics: NetworkStatistics) -> str:
    """Say in a sentence or two how the papers' figures relate to a network's multiply-adds.

    Empty where the papers say nothing about the family at this task.
    """
    task = network.spec.task
    match VARIANTS.get(network.spec.variant):
        case HRNetConfig() if task == "detection":
            return _relate_detector(network.spec.variant)
        case HRNetConfig() if task != "features":
            return (
                "In the unit of the HRNet papers, multiply-adds / 1024^3: "
                f"{statistics.macs / 1024**3:.4g} GFLOPs"
                + _published(BILLIONS, network.spec, statistics.input_size, "GFLOPs")
            )
        case LiteHRNetConfig() if task == "pose":
            count = torchstat_flops(network, statistics.input_size) / 1024**2
            return (
                "As the Lite-HRNet paper counts (torchstat's FLOPs / 1024^2: biases, batch "
                f"normalisation, ReLU and pooling too): {count:.1f}M FLOPs"
                + _published(MILLIONS, network.spec, statistics.input_size, "M")
                + " Its code computes the exchange's paths from stream 0 twice but counts them "
                "once; here they are computed once."
            )
        case HRFormerConfig() if task == "classification":
            return (
                "The HRFormer paper counts more than multiply-adds: batch normalisation, sums and "
                "softmax too" + _published(BILLIONS, network.spec, statistics.input_size, "GFLOPs")
            )
        case _:
            return ""


def _relate_detector(variant: str) -> str:
    if variant not in _DETECTORS:
        return ""
    return (
        f"Published: {_DETECTORS[variant]} GFLOPs for a whole Faster R-CNN, of which this is the "
        "backbone and the pyramid."
    )


def _published(figures: Mapping[_Case, str], spec: NetworkSpec, size: Size, unit: str) -> str:
    """End the sentence, with the printed figure where there is one for this very network."""
    outputs = spec.num_keypoints or spec.num_classes or _OUTPUTS[spec.task]
    figure = figures.get((spec.variant, spec.task, size, outputs))
    standard_head = spec.head in (None, "v1" if spec.task == "pose" else "v2")
    if figure is None or not standard_head:
        return "."
    space = "" if unit == "M" else " "
    return f" (published: {figure}{space}{unit})."


def torchstat_flops(model: nn.Module, input_size: Size) -> int:
    """Count a network as torchstat, in the form that the Lite-HRNet code carries, would.

    It looks at layers, not at operations, and each layer counts once: a convolution one for each
    multiply-add and bias, batch normalisation two and ReLU one for each number, the pooling of
    `SpatialWeighting` (H + 1) * (W + 1) for each channel, up-sampling in an exchange H * W of the
    result whatever its channels. The ReLU behind an exchange is one layer for all streams there, of
    which the last call counts. What is no layer there, such as the pooling and resizing of
    `CrossResolutionWeighting` and the resizing in the head, counts nothing.

    The published figures are this divided by 1024^2.
    """
    counts: list[int] = []
    twin = on_meta(model).eval()
    for name, layer in twin.named_modules():
        if rule := _rule(name, layer):
            layer.register_forward_hook(_counter(rule, counts))
    with torch.no_grad():
        twin(torch.empty(1, 3, *input_size, device="meta"))
    return sum(counts)


_Rule = Callable[[Tensor], int]
"""The count of a layer, from its first output; for an exchange from that of its last stream."""


def _counter(rule: _Rule, counts: list[int]) -> Callable[[nn.Module, object, object], None]:
    def count(_: nn.Module, __: object, output: object) -> None:
        last = output[-1] if isinstance(output, list) else output
        assert isinstance(last, Tensor)
        counts.append(rule(last))

    return count


def _rule(name: str, layer: nn.Module) -> _Rule | None:
    match layer:
        case nn.Conv2d():
            each = layer.weight[0].numel() + (layer.bias is not None)
            return lambda out: each * out.numel()
        case nn.BatchNorm2d():
            return lambda out: 2 * out.numel()
        case nn.ReLU() | Exchange():
            return Tensor.numel
        case nn.Upsample() if "exchange" in name:
            return lambda out: out[0, 0].numel()
        case SpatialWeighting():
            inner = layer.reduce.out_channels
            return lambda out: inner + out.shape[1] * (out.shape[2] + 1) * (out.shape[3] + 1)
        case _:
            return None
