"""HRNet: parallel convolution streams with repeated exchange.

The network of figure 1 of Sun et al., "Deep High-Resolution Representation Learning for Human
Pose Estimation" (CVPR 2019). What differs from the other families: residual blocks in every
stream, 3x3 convolutions on the way down, 1x1 convolution and nearest up-sampling on the way up.
"""

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from hrnet.models.highres import Family, HighResBackbone, Parallel, StageConfig, plain_sum
from hrnet.models.layers import BasicBlock, Bottleneck, ConvNorm


@dataclass(frozen=True, slots=True)
class HRNetConfig:
    """The figures of one HRNet.

    stem_planes and stem_blocks: Bottlenecks behind the two strided convolutions ("layer1").
    stages: stages 2, 3, 4 with 2, 3 and 4 streams.
    """

    stem_planes: int
    stem_blocks: int
    stages: tuple[StageConfig, StageConfig, StageConfig]


def _config(width: int) -> HRNetConfig:
    """HRNet-W`width` as in table 1 of Wang et al. 2020."""
    return HRNetConfig(stem_planes=64, stem_blocks=4, stages=_stages(width, (1, 4, 3), 4))


def _small_config(width: int) -> HRNetConfig:
    """Small HRNet-W`width`, the baseline that Lite-HRNet (Yu et al. 2021) is compared with."""
    return HRNetConfig(stem_planes=32, stem_blocks=1, stages=_stages(width, (1, 1, 1), 2))


def _stages(
    width: int, num_modules: tuple[int, int, int], num_blocks: int
) -> tuple[StageConfig, StageConfig, StageConfig]:
    """Stages 2, 3 and 4: each has one stream more than the one before, of twice the width."""
    widths = tuple(width * 2**i for i in range(4))
    second, third, fourth = (
        StageConfig(modules, num_blocks, widths[: index + 2])
        for index, modules in enumerate(num_modules)
    )
    return second, third, fourth


VARIANTS: dict[str, HRNetConfig] = {
    "hrnet_w32": _config(32),
    "hrnet_w48": _config(48),
    "small_hrnet_w16": _small_config(16),
}


def _stem(config: HRNetConfig) -> nn.Sequential:
    """Two strided 3x3 convolutions, then Bottlenecks at a quarter of the resolution."""
    channels = [64] + [config.stem_planes * Bottleneck.expansion] * config.stem_blocks
    return nn.Sequential(
        ConvNorm(3, 64, 3, stride=2),
        ConvNorm(64, 64, 3, stride=2),
        nn.Sequential(*(Bottleneck(c, config.stem_planes) for c in channels[:-1])),
    )


def _body(stage: StageConfig) -> Parallel:
    return Parallel(
        nn.Sequential(*(BasicBlock(width) for _ in range(stage.num_blocks)))
        for width in stage.widths
    )


def _transition(in_channels: int, out_channels: int, downsample: bool) -> nn.Module:
    return ConvNorm(in_channels, out_channels, 3, stride=2 if downsample else 1)


def _down(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
    """Strided 3x3 convolutions; all but the last keep the channels and end in ReLU."""
    keep = (ConvNorm(in_channels, in_channels, 3, stride=2) for _ in range(steps - 1))
    return nn.Sequential(*keep, ConvNorm(in_channels, out_channels, 3, stride=2, relu=False))


def _up(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
    project = ConvNorm(in_channels, out_channels, 1, relu=False)
    resize = nn.Upsample(scale_factor=2**steps, mode="nearest")
    return nn.Sequential(OrderedDict(project=project, resize=resize))


def make_backbone(config: HRNetConfig, num_outputs: int) -> HighResBackbone:
    """Build the backbone; `num_outputs` streams come out, see `HighResBackbone`."""
    family = Family(
        stem=lambda: _stem(config),
        body=_body,
        transition=_transition,
        down=_down,
        up=_up,
        sum=plain_sum,
    )
    stem_channels = config.stem_planes * Bottleneck.expansion
    return HighResBackbone(family, stem_channels, config.stages, num_outputs)
