"""HRNet: parallel convolution streams with repeated exchange.

The network of figure 1 of Sun et al., "Deep High-Resolution Representation Learning for Human
Pose Estimation" (CVPR 2019). What differs from the other families: residual blocks in every
stream, 3x3 convolutions on the way down, 1x1 convolution and up-sampling on the way up.
"""

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from hrnet.models.highres import (
    Family,
    HighResBackbone,
    Parallel,
    StageConfig,
    Stages,
    doubling_stages,
    num_streams_read,
    plain_sum,
    resized_sum,
)
from hrnet.models.layers import BasicBlock, Bottleneck, ConvNorm, bottleneck_stem, conv_transition
from hrnet.spec import NetworkOptions, Task


@dataclass(frozen=True, slots=True)
class HRNetConfig:
    """The figures of one HRNet.

    stem_planes and stem_blocks: Bottlenecks behind the two strided convolutions ("layer1").
    stages: stages 2, 3, 4 with 2, 3 and 4 streams.
    """

    stem_planes: int
    stem_blocks: int
    stages: Stages


def _config(width: int) -> HRNetConfig:
    """HRNet-W`width` as in table 1 of Wang et al. 2020."""
    return HRNetConfig(stem_planes=64, stem_blocks=4, stages=doubling_stages(width, (1, 4, 3), 4))


def _small_config(width: int) -> HRNetConfig:
    """Small HRNet-W`width`, the baseline that Lite-HRNet (Yu et al. 2021) is compared with."""
    return HRNetConfig(stem_planes=32, stem_blocks=1, stages=doubling_stages(width, (1, 1, 1), 2))


VARIANTS: dict[str, HRNetConfig] = {
    "hrnet_w18_small_v1": _small_config(16),  # 18 in name only: its widths are 16, 32, 64, 128
    "hrnet_w18_small_v2": HRNetConfig(
        stem_planes=64, stem_blocks=2, stages=doubling_stages(18, (1, 3, 2), 2)
    ),
    **{f"hrnet_w{width}": _config(width) for width in (18, 30, 32, 40, 44, 48, 64)},
    "small_hrnet_w16": _small_config(16),
}


def _body(stage: StageConfig) -> Parallel:
    return Parallel(
        nn.Sequential(*(BasicBlock(width) for _ in range(stage.num_blocks)))
        for width in stage.widths
    )


def _down(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
    """Strided 3x3 convolutions; all but the last keep the channels and end in ReLU."""
    keep = (ConvNorm(in_channels, in_channels, 3, stride=2) for _ in range(steps - 1))
    return nn.Sequential(*keep, ConvNorm(in_channels, out_channels, 3, stride=2, relu=False))


def _up_nearest(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
    project = ConvNorm(in_channels, out_channels, 1, relu=False)
    resize = nn.Upsample(scale_factor=2**steps, mode="nearest")
    return nn.Sequential(OrderedDict(project=project, resize=resize))


def _up_unsized(in_channels: int, out_channels: int, _steps: int) -> nn.Sequential:
    """Only the projection; `resized_sum` brings it to its target's size."""
    return nn.Sequential(OrderedDict(project=ConvNorm(in_channels, out_channels, 1, relu=False)))


def make_backbone(config: HRNetConfig, task: Task, options: NetworkOptions) -> HighResBackbone:
    """Build the backbone for a task.

    Pose reads the highest stream alone, unless its head is "v2". The exchange up-samples nearest
    and needs multiples of 32, except for segmentation, whose official code interpolates
    bilinearly to the size of the target stream.
    """
    usual = "bilinear" if task == "segmentation" else "nearest"
    bilinear = (options.upsampling or usual) == "bilinear"
    align_corners = options.align_corners is not False
    family = Family(
        stem=lambda: bottleneck_stem(config.stem_planes, config.stem_blocks),
        body=_body,
        transition=conv_transition,
        down=_down,
        up=_up_unsized if bilinear else _up_nearest,
        sum=resized_sum(align_corners) if bilinear else plain_sum,
    )
    return HighResBackbone(
        family,
        config.stem_planes * Bottleneck.expansion,
        config.stages,
        num_outputs=num_streams_read(task, options, len(config.stages) + 1),
        any_size=bilinear,
    )
