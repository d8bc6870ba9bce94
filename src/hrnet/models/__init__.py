"""Build a network by its name."""

from collections import OrderedDict
from difflib import get_close_matches
from typing import Literal

from torch import nn

from hrnet.errors import InputError
from hrnet.models.heads.heatmap import HeatmapHead
from hrnet.models.hrnet import VARIANTS, make_backbone

Task = Literal["pose"]


def create_model(variant: str, *, task: Task = "pose", num_keypoints: int = 17) -> nn.Module:
    """Build a network with freshly initialised weights.

    variant: a key of `VARIANTS`, such as "hrnet_w32".
    task: "pose" maps images (N, 3, H, W), normalised RGB with H and W multiples of 32, to
    heatmaps (N, num_keypoints, H/4, W/4).

    Raises InputError for an unknown variant or task or a count below 1.
    """
    if variant not in VARIANTS:
        near = get_close_matches(variant, VARIANTS, n=3) or list(VARIANTS)
        raise InputError(f"unknown variant {variant!r}; did you mean {' or '.join(near)}?")
    if task != "pose":
        raise InputError(f"expected task 'pose', got {task!r}; other tasks are not built yet")
    if num_keypoints < 1:
        raise InputError(f"expected num_keypoints of 1 or more, got {num_keypoints}")
    config = VARIANTS[variant]
    model = nn.Sequential(
        OrderedDict(
            backbone=make_backbone(config, num_outputs=1),
            head=HeatmapHead(config.stages[-1].widths[0], num_keypoints),
        )
    )
    initialise(model)
    return model


def initialise(model: nn.Module) -> None:
    """Draw convolutions from N(0, 0.001) with zero bias, as the official pose code does."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
