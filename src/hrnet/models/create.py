"""Build a network by its name: a backbone of any family and the head of any task."""

import math
from collections.abc import Mapping
from difflib import get_close_matches

from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.models import hrformer, hrnet, litehrnet
from hrnet.models.heads.classification import ClassificationHead
from hrnet.models.heads.heatmap import HeatmapHead
from hrnet.models.heads.lite import LiteHead
from hrnet.models.heads.ocr import OCRHead
from hrnet.models.heads.pyramid import PyramidHead
from hrnet.models.heads.streams import JoinedHead
from hrnet.models.highres import HighResBackbone
from hrnet.models.hrformer import HRFormerConfig
from hrnet.models.hrnet import HRNetConfig
from hrnet.models.litehrnet import LiteHRNetConfig
from hrnet.spec import NetworkOptions, NetworkSpec, Task

Config = HRNetConfig | LiteHRNetConfig | HRFormerConfig

VARIANTS: Mapping[str, Config] = {
    **hrnet.VARIANTS,
    **litehrnet.VARIANTS,
    **hrformer.VARIANTS,
}
"""Name -> the figures of the network."""


class Network(nn.Module):
    """A backbone and a head: images (N, 3, H, W), normalised RGB -> the head's output.

    spec: what it was built from, for files to say.
    """

    def __init__(self, backbone: HighResBackbone, head: nn.Module, spec: NetworkSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.spec = spec

    def forward(self, images: Tensor) -> Tensor | list[Tensor] | tuple[Tensor, Tensor]:
        answer: Tensor | list[Tensor] = self.head(self.backbone(images))
        return answer


def make_backbone(config: Config, task: Task, options: NetworkOptions) -> HighResBackbone:
    """Build the backbone of any family as a task needs it."""
    match config:
        case HRNetConfig():
            return hrnet.make_backbone(config, task, options)
        case LiteHRNetConfig():
            return litehrnet.make_backbone(config, task, options)
        case HRFormerConfig():
            return hrformer.make_backbone(config, task, options)


def make_head(config: Config, channels: tuple[int, ...], spec: NetworkSpec) -> nn.Module:
    """Build the head of a task over streams of these channels."""
    align_corners = spec.align_corners is not False
    match spec.task, spec.head:
        case "features", _:
            return nn.Identity()
        case "detection", _:
            return PyramidHead(channels)
        case "classification", _:
            depthwise = isinstance(config, HRFormerConfig)
            return ClassificationHead(channels, spec.num_classes or 1000, depthwise=depthwise)
        case "segmentation", "ocr" | "ocr_v3":
            return _ocr_head(config, channels, spec, align_corners)
        case "segmentation", _:
            return JoinedHead(channels, spec.num_classes or 19, align_corners=align_corners)
        case _, "v2":
            # The published V2 pose heads (of mmpose) do not align corners.
            return JoinedHead(
                channels, spec.num_keypoints or 17, align_corners=bool(spec.align_corners)
            )
        case _:
            if isinstance(config, LiteHRNetConfig):
                return LiteHead(channels, spec.num_keypoints or 17)
            return HeatmapHead(channels[0], spec.num_keypoints or 17)


def _ocr_head(
    config: Config, channels: tuple[int, ...], spec: NetworkSpec, align_corners: bool
) -> OCRHead:
    classes = spec.num_classes or 19
    if not isinstance(config, HRFormerConfig):
        return OCRHead.for_hrnet(channels, classes, align_corners=align_corners)
    if spec.head == "ocr":
        return OCRHead.for_hrformer(channels, classes, align_corners=align_corners)
    groups = math.gcd(sum(channels), 512)
    return OCRHead.for_hrformer(
        channels, classes, align_corners=align_corners, kernel=7, groups=groups
    )


def build_network(spec: NetworkSpec, config: Config | None = None) -> Network:
    """Build the network of a description with freshly initialised weights.

    config: the figures, where they are not those of the variant that the description names.
    Raises InputError for an unknown variant or an option that the network does not have.
    """
    config = config or _find(spec.variant)
    _check(config, spec)
    backbone = make_backbone(config, spec.task, spec.options)
    network = Network(backbone, make_head(config, backbone.channels, spec), spec)
    initialise(network, spec.task)
    return network


def _find(variant: str) -> Config:
    if variant not in VARIANTS:
        near = get_close_matches(variant, VARIANTS, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`hrnet models` lists them"
        raise InputError(f"unknown variant {variant!r}; {hint}")
    return VARIANTS[variant]


_HEADS: Mapping[Task, tuple[str, ...]] = {
    "pose": ("v1", "v2"),
    "segmentation": ("v2", "ocr", "ocr_v3"),
}
_COUNTS: tuple[tuple[str, tuple[Task, ...], int], ...] = (
    ("num_keypoints", ("pose",), 10_000),
    ("num_classes", ("segmentation", "classification"), 1_000_000),
)
"""Options that count outputs, the tasks that have them, and the most that a network is for."""

_FAMILY_OPTIONS = {
    "relative_position": (HRFormerConfig,),
    "window": (HRFormerConfig,),
    "drop_path": (HRFormerConfig,),
    "exchange": (LiteHRNetConfig,),
    "upsampling": (HRNetConfig, HRFormerConfig),
}


def _check(config: Config, spec: NetworkSpec) -> None:
    """Raise InputError for an option that would change nothing, or a count out of bounds."""
    heads = _HEADS.get(spec.task, ())
    if spec.head is not None and spec.head not in heads:
        known = f"one of {', '.join(heads)}" if heads else "none"
        raise InputError(f"expected {known} as the head for {spec.task}, got {spec.head!r}")
    if spec.head == "ocr_v3" and not isinstance(config, HRFormerConfig):
        raise InputError("the head ocr_v3 is HRFormer's; take head 'ocr'")
    for option, families in _FAMILY_OPTIONS.items():
        value = getattr(spec, option)
        if value is not None and not isinstance(config, families):
            raise InputError(f"{spec.variant} has no {option}, got {value!r}; leave it out")
    for name, tasks, most in _COUNTS:
        count = getattr(spec, name)
        if count is not None and spec.task not in tasks:
            raise InputError(f"the task {spec.task} has no {name}, got {count}; leave it out")
        if count is not None and not 1 <= count <= most:
            raise InputError(f"expected {name} of 1 or more, got {count}; at most {most:,}")


def initialise(network: nn.Module, task: Task) -> None:
    """Draw the weights as the official code does for the task.

    Convolutions from N(0, 0.001), or after He et al. 2015 (fan out) for classification; attention's
    linear layers from N(0, 0.02); biases 0. Weights on the meta device have no values to draw.
    """
    if next(network.parameters()).is_meta:
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            if task == "classification":
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.normal_(module.weight, std=0.001)
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)
