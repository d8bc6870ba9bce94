"""HRNet: parallel convolution streams with repeated exchange.

The network of figure 1 of Sun et al., "Deep High-Resolution Representation Learning for Human
Pose Estimation" (CVPR 2019). What differs from the other families: residual blocks in every
stream, 3x3 convolutions on the way down, 1x1 convolution and up-sampling on the way up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from torch import nn

from hrnet.models.family import Family
from hrnet.models.highres import (
    BackboneParts,
    HighResBackbone,
    Parallel,
    StageConfig,
    Stages,
    doubling_stages,
    plain_sum,
    resized_sum,
)
from hrnet.models.layers import (
    BasicBlock,
    Bottleneck,
    ConvNorm,
    bottleneck_stem,
    conv_transition,
    nearest_up,
    project_up,
)
from hrnet.spec import NetworkOptions

# The published segmentation code up-samples bilinearly, to the size of the target stream.
_DEFAULTS = {"segmentation": NetworkOptions(upsampling="bilinear")}


@dataclass(frozen=True, slots=True)
class HRNetConfig:
    """The hyper-parameters of one HRNet.

    stem_planes, stem_blocks: of the Bottlenecks behind the two strided convolutions ("layer1").
    stages: stages 2, 3 and 4 with 2, 3 and 4 streams.
    defaults: task -> options, see `hrnet.models.family.Config`.
    """

    stem_planes: int
    stem_blocks: int
    stages: Stages
    defaults: Mapping[str, NetworkOptions] = field(default_factory=lambda: dict(_DEFAULTS))


def _config(width: int) -> HRNetConfig:
    """Return HRNet-W`width` of table 1 of Wang et al. 2020."""
    return HRNetConfig(stem_planes=64, stem_blocks=4, stages=doubling_stages(width, (1, 4, 3), 4))


def _small_config(width: int) -> HRNetConfig:
    """Return the small HRNet-W`width`, the baseline of Lite-HRNet (Yu et al. 2021)."""
    return HRNetConfig(stem_planes=32, stem_blocks=1, stages=doubling_stages(width, (1, 1, 1), 2))


VARIANTS: dict[str, HRNetConfig] = {
    "hrnet_w18_small_v1": _small_config(16),  # 18 in name only: its widths are 16, 32, 64, 128
    "hrnet_w18_small_v2": HRNetConfig(
        stem_planes=64, stem_blocks=2, stages=doubling_stages(18, (1, 3, 2), 2)
    ),
    **{f"hrnet_w{width}": _config(width) for width in (18, 30, 32, 40, 44, 48, 64)},
    "small_hrnet_w16": _small_config(16),
}


def _body(stage: StageConfig, _depth: int) -> Parallel:
    return Parallel(
        nn.Sequential(*(BasicBlock(width) for _ in range(stage.num_blocks)))
        for width in stage.widths
    )


def _down(in_channels: int, out_channels: int, steps: int, *, same: bool) -> nn.Sequential:
    """Make strided 3x3 convolutions; all but the last keep the channels and have ReLU."""
    # A convolution halves the size once, so `steps` of them are needed.
    keep = (ConvNorm(in_channels, in_channels, 3, stride=2, same=same) for _ in range(steps - 1))
    last = ConvNorm(in_channels, out_channels, 3, stride=2, relu=False, same=same)
    return nn.Sequential(*keep, last)


def _up_unsized(in_channels: int, out_channels: int, _steps: int) -> nn.Sequential:
    """Make the projection alone; `resized_sum` brings it to its target's size."""
    return project_up(in_channels, out_channels)


def make_backbone(
    config: HRNetConfig, options: NetworkOptions, *, num_outputs: int | None = None
) -> HighResBackbone:
    """Build the backbone.

    Nearest up-sampling (the default) needs image sides in multiples of 32. Bilinear up-sampling
    goes to the size of the target stream, so it takes any size; it aligns corners by default.
    """
    bilinear = options.upsampling == "bilinear"
    align_corners = options.align_corners is not False
    same = options.strided_padding == "same"
    parts = BackboneParts(
        stem=lambda: bottleneck_stem(
            config.stem_planes, config.stem_blocks, options.num_channels, same=same
        ),
        body=_body,
        transition=partial(conv_transition, same=same),
        down=partial(_down, same=same),
        up=_up_unsized if bilinear else nearest_up,
        sum=resized_sum(align_corners) if bilinear else plain_sum,
    )
    return HighResBackbone(
        parts,
        config.stages,
        stem_channels=config.stem_planes * Bottleneck.expansion,
        num_outputs=num_outputs,
        any_size=bilinear,
    )


FAMILY = Family(
    config=HRNetConfig,
    variants=VARIANTS,
    make_backbone=make_backbone,
    options=("head", "upsampling", "align_corners", "strided_padding", "in_channels"),
)
