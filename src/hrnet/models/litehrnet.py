"""Lite-HRNet: an HRNet made of shuffle blocks whose 1x1 convolutions became channel weights.

The network of Yu et al., "Lite-HRNet: A Lightweight High-Resolution Network" (CVPR 2021). What
differs from the other families is what a block does; figure 1 shows both kinds:

    (a) shuffle block            x -> halves a, b;  b -> 1x1 -> depthwise 3x3 -> 1x1
    (b) conditional weighting    x -> halves a, b;  b -> H -> depthwise 3x3 -> F
        then, in both,           a, b -> shuffle -> out

H (`CrossResolutionWeighting`) weights the channels at each position by all streams of a module,
F (`SpatialWeighting`) those of one stream by the mean over its positions. Naive Lite-HRNet has
blocks (a), Lite-HRNet blocks (b). Stem, transitions and the way down are made of depthwise
separable convolutions; the way up is that of HRNet.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.models.cpu_kernels import shuffle_channels_last, spatial_mean
from hrnet.models.family import Family
from hrnet.models.heads import KEYPOINTS, Head
from hrnet.models.heads.lite import LiteHead
from hrnet.models.highres import (
    BackboneParts,
    HighResBackbone,
    Parallel,
    StageConfig,
    Streams,
    doubling_stages,
    plain_sum,
)
from hrnet.models.layers import ConvNorm, depthwise, nearest_up, separable, separable_down
from hrnet.spec import NetworkOptions


@dataclass(frozen=True, slots=True)
class LiteHRNetConfig:
    """The hyper-parameters of one Lite-HRNet. Raises InputError for odd widths.

    stages: stages 2, 3 and 4 with 2, 3 and 4 streams.
    weighting: "conditional" for blocks (b), "naive" for blocks (a) of the module's docstring.
    cross_reduction, spatial_reduction: factors by which H and F have fewer channels inside.
    stem_channels: of the first convolution and of the stem's output.
    defaults: task -> options, see `hrnet.models.family.Config`.
    """

    stages: tuple[StageConfig, ...]
    weighting: Literal["conditional", "naive"] = "conditional"
    cross_reduction: int = 8
    spatial_reduction: int = 4
    stem_channels: int = 32
    defaults: Mapping[str, NetworkOptions] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Blocks split their channels in two halves.
        widths = {width for stage in self.stages for width in stage.widths}
        odd = sorted(width for width in widths | {self.stem_channels} if width % 2)
        if odd:
            raise InputError(f"expected even widths, which blocks can halve, got {odd}")


VARIANTS: dict[str, LiteHRNetConfig] = {
    "litehrnet_18": LiteHRNetConfig(doubling_stages(40, (2, 4, 2), 2)),
    "litehrnet_30": LiteHRNetConfig(doubling_stages(40, (3, 8, 3), 2)),
    "naive_litehrnet_18": LiteHRNetConfig(doubling_stages(30, (2, 4, 2), 2), "naive"),
    "wider_naive_litehrnet_18": LiteHRNetConfig(doubling_stages(40, (2, 4, 2), 2), "naive"),
}


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split (N, C, H, W) into its first and its last C / 2 channels."""
    first, last = x.chunk(2, dim=1)
    return first, last


def shuffle(first: Tensor, last: Tensor) -> Tensor:
    """Join two halves (N, C, H, W) channel by channel: f0, l0, f1, l1, ... (N, 2C, H, W).

    This is concatenation and the channel shuffle with two groups of ShuffleNet (Zhang et al. 2018),
    with one copy of the data in place of two.
    """
    if last.is_contiguous(memory_format=torch.channels_last) and not torch.compiler.is_compiling():
        return shuffle_channels_last(first, last)
    return torch.stack((first, last), dim=2).flatten(1, 2)  # (N, C, 2, H, W) -> (N, 2C, H, W)


class Stem(nn.Module):
    """A strided convolution and a strided shuffle block (table 1).

    image (N, in_channels, H, W) -> (N, channels, H/4, W/4). Unlike in later blocks both halves are
    convolved, since both must become smaller.
    """

    def __init__(self, channels: int, in_channels: int = 3) -> None:
        super().__init__()
        half = channels // 2
        self.conv = ConvNorm(in_channels, channels, 3, stride=2)
        self.first = separable(half, half, stride=2)
        self.last = nn.Sequential(
            OrderedDict(
                expand=ConvNorm(half, channels, 1),
                depthwise=depthwise(channels, stride=2),
                project=ConvNorm(channels, half, 1),
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        first, last = halves(self.conv(images))
        return shuffle(self.first(first), self.last(last))


class ShuffleBlock(nn.Module):
    """Figure 1 (a), the block of ShuffleNet V2 (Ma et al. 2018): (N, C, H, W) -> the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.last = nn.Sequential(
            ConvNorm(half, half, 1),
            depthwise(half),
            ConvNorm(half, half, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        first, last = halves(x)
        return shuffle(first, self.last(last))


class CrossResolutionWeighting(nn.Module):
    """H of figure 1 (b), section 3.2: a weight for each channel and position, from all streams.

    Streams -> Streams of the same shapes, with `channels`. The streams meet at the size of the
    lowest one, where two 1x1 convolutions make the weights in 0..1; nearest up-sampling brings
    them back. Pooling is by exact factors, as each stream is half the size of the one before.
    """

    def __init__(self, channels: Sequence[int], reduction: int) -> None:
        super().__init__()
        total = sum(channels)
        inner = max(1, total // reduction)
        factors = [2**steps for steps in range(len(channels) - 1, 0, -1)]
        self.channels = list(channels)
        self.pool = nn.ModuleList([*(nn.AvgPool2d(f) for f in factors), nn.Identity()])
        self.reduce = ConvNorm(total, inner, 1)
        self.expand = ConvNorm(inner, total, 1, relu=False)
        self.enlarge = nn.ModuleList(
            [*(nn.Upsample(scale_factor=f, mode="nearest") for f in factors), nn.Identity()]
        )

    def forward(self, streams: Streams) -> Streams:
        # Bring all streams to the lowest resolution and compute weights (N, total, h, w) there.
        pooled = [pool(stream) for pool, stream in zip(self.pool, streams, strict=True)]
        weights = torch.sigmoid(self.expand(self.reduce(torch.cat(pooled, dim=1))))
        # Give each stream its channels of the weights, at its own resolution.
        parts = zip(streams, self.enlarge, torch.split(weights, self.channels, dim=1), strict=True)
        return [stream * enlarge(weight) for stream, enlarge, weight in parts]


class SpatialWeighting(nn.Module):
    """F of figure 1 (b), section 3.2: one weight in 0..1 for each channel from the whole stream.

    (N, channels, H, W) -> the same shape. Despite its name no weight differs between positions:
    as in the official code it is a squeeze-and-excitation block (Hu et al. 2018).
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.reduce = nn.Conv2d(channels, inner, 1)
        self.expand = nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = spatial_mean(x, training=self.training)  # (N, channels, 1, 1)
        return x * torch.sigmoid(self.expand(torch.relu(self.reduce(mean))))


class ConditionalBlock(nn.Module):
    """Figure 1 (b) for all streams of a module at once, since H joins them: Streams -> Streams."""

    def __init__(self, widths: Sequence[int], config: LiteHRNetConfig) -> None:
        super().__init__()
        channels = [width // 2 for width in widths]
        self.cross = CrossResolutionWeighting(channels, config.cross_reduction)
        self.depthwise = Parallel(depthwise(c) for c in channels)
        self.spatial = Parallel(SpatialWeighting(c, config.spatial_reduction) for c in channels)

    def forward(self, streams: Streams) -> Streams:
        # Only the last halves are weighted, by all streams and then each by itself.
        firsts, lasts = zip(*map(halves, streams), strict=True)
        weighted = self.spatial(self.depthwise(self.cross(lasts)))
        return [shuffle(first, last) for first, last in zip(firsts, weighted, strict=True)]


def _body(config: LiteHRNetConfig, stage: StageConfig) -> nn.Module:
    if config.weighting == "conditional":
        blocks = (ConditionalBlock(stage.widths, config) for _ in range(stage.num_blocks))
        return nn.Sequential(*blocks)
    return Parallel(
        nn.Sequential(*(ShuffleBlock(width) for _ in range(stage.num_blocks)))
        for width in stage.widths
    )


def _transition(in_channels: int, out_channels: int, downsample: bool) -> nn.Module:
    return separable(in_channels, out_channels, stride=2 if downsample else 1)


def official_sum(paths: nn.ModuleList, streams: Streams) -> Streams:
    """Compute the exchange that the published weights were trained with; not that of the paper.

    With the streams o_j and the paths F_ij, of which F_ii changes nothing,

        s_0 = 2 o_0      + F_01(o_1) + F_02(o_2) + ...          out_0 = ReLU(s_0)
        s_i = 2 F_i0(s_0) + F_i1(o_1) + F_i2(o_2) + ...         out_i = ReLU(s_i)   for i > 0

    where `plain_sum` has o_0 and F_i0(o_0) in place of the terms with a 2. The reason: the official
    loop begins each sum with the term of stream 0 and then adds all terms, this one again; and it
    adds in place, so stream 0 is s_0 from then on. mmpose keeps this and reports that the textbook
    sum costs these weights 0.5 to 1 AP.

    Deviation: the official code computes F_i0(s_0) twice, this function once. The result is equal,
    in training too, but the running statistics of F_i0 move once a batch and not twice.
    """
    # Stream 0 first, since all other sums take it in place of o_0.
    first, *others = paths
    top = _doubled_first(first, streams)
    below = [_doubled_first(row, [top, *streams[1:]]) for row in others]
    return [torch.relu(total) for total in (top, *below)]


def _doubled_first(row: nn.Module, streams: Streams) -> Tensor:
    """Add up the outputs of a row of paths, the first of them twice."""
    assert isinstance(row, nn.ModuleList)
    first, *others = (path(stream) for path, stream in zip(row, streams, strict=True))
    total: Tensor = reduce(torch.add, others, 2 * first)
    return total


def make_backbone(
    config: LiteHRNetConfig, options: NetworkOptions, *, num_outputs: int | None = None
) -> HighResBackbone:
    """Build the backbone; its exchange is `official_sum` unless the options ask for "textbook"."""
    parts = BackboneParts(
        stem=lambda: Stem(config.stem_channels, options.num_channels),
        body=lambda stage, _depth: _body(config, stage),
        transition=_transition,
        down=separable_down,
        up=nearest_up,
        sum=plain_sum if options.exchange == "textbook" else official_sum,
    )
    return HighResBackbone(
        parts, config.stages, stem_channels=config.stem_channels, num_outputs=num_outputs
    )


FAMILY = Family(
    config=LiteHRNetConfig,
    variants=VARIANTS,
    make_backbone=make_backbone,
    options=("head", "align_corners", "exchange", "in_channels"),
    heads={("pose", "v1"): Head(lambda channels, count, _: LiteHead(channels, count), KEYPOINTS)},
)
