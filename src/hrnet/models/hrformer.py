"""HRFormer: the parallel streams of HRNet with transformer blocks in place of convolutions.

Figure 2 of "HRFormer: High-Resolution Transformer for Dense Prediction" (Yuan et al., 2021). What
differs from HRNet: two Bottlenecks in the stem, attention within windows and a feed-forward network
with a depthwise convolution in every stream, depthwise separable convolutions on the way down.
Input of any size. Three things follow the published code where it departs from the paper:

- The feed-forward network is convolution, BatchNorm and GELU three times, so there is a GELU behind
  the last BatchNorm, right before the sum.
- The position bias is a table a layer. The paper's text speaks of T5's scheme, which is
  `relative_position="t5"` here, and the code for pose adds no bias at all, which is "none".
- The exchange up-samples bilinearly for pose and takes the nearest value for the other tasks.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.models.attention import BucketTable, WindowAttention
from hrnet.models.family import Family
from hrnet.models.heads import IMAGE_CLASSES, PIXEL_CLASSES, Head
from hrnet.models.heads.classification import ClassificationHead
from hrnet.models.heads.ocr import OCRHead
from hrnet.models.highres import (
    BackboneParts,
    HighResBackbone,
    Parallel,
    StageConfig,
    Stages,
    doubling_stages,
    resized_sum,
)
from hrnet.models.layers import (
    Bottleneck,
    ConvNorm,
    bottleneck_stem,
    conv_transition,
    project_up,
    separable_down,
)
from hrnet.spec import NetworkOptions

_POSE = NetworkOptions(upsampling="bilinear", relative_position="none", drop_path=0.1)
_DEFAULTS = {"pose": _POSE, "segmentation": NetworkOptions(drop_path=0.2)}


@dataclass(frozen=True, slots=True)
class HRFormerConfig:
    """The hyper-parameters of one HRFormer.

    stages: stages 2, 3 and 4 with 2, 3 and 4 streams.
    num_heads: of each of the 4 streams; each divides its stream's width.
    window: side of the attention windows in tokens.
    mlp_ratio: width inside a feed-forward network, by that of its stream.
    stem_planes, stem_blocks: of the Bottlenecks behind the two strided convolutions ("layer1").
    drop_path: share of samples for which training skips the last block's branches; it falls evenly
        to 0 for the first block.
    defaults: task -> options, see `hrnet.models.family.Config`.

    `window` and `drop_path` are used where neither the options nor the defaults name another one.
    """

    stages: Stages
    num_heads: tuple[int, int, int, int]
    window: int = 7
    mlp_ratio: int = 4
    stem_planes: int = 64
    stem_blocks: int = 2
    drop_path: float = 0.0
    defaults: Mapping[str, NetworkOptions] = field(default_factory=lambda: dict(_DEFAULTS))


VARIANTS: dict[str, HRFormerConfig] = {
    "hrformer_tiny": HRFormerConfig(doubling_stages(18, (1, 3, 2), 2), (1, 2, 4, 8)),
    "hrformer_small": HRFormerConfig(doubling_stages(32, (1, 4, 2), 2), (1, 2, 4, 8)),
    "hrformer_base": HRFormerConfig(
        doubling_stages(78, (1, 4, 2), 2),
        (2, 4, 8, 16),
        drop_path=0.2,
        defaults={**_DEFAULTS, "pose": _POSE.model_copy(update={"drop_path": 0.2})},
    ),
}
"""Table 1 of the paper. The recipes of the base set drop_path to 0.3 for pose at 384x288 and to 0.4
for segmentation on Cityscapes; nothing is published for pose and segmentation with tiny."""


class DropPath(nn.Module):
    """Stochastic depth: zero a branch for a share `rate` of the samples in training.

    The other samples are divided by 1 - rate, which keeps the mean (Huang et al. 2016, "Deep
    Networks with Stochastic Depth"). Raises InputError for a rate outside of 0 <= rate < 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise InputError(f"expected a drop path from 0 to below 1, got {rate}; 0 keeps all")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        # One draw a sample, 1 with probability 1 - rate.
        kept = x.new_empty(x.shape[0], *(1 for _ in x.shape[1:])).bernoulli_(1 - self.rate)
        return x * kept / (1 - self.rate)


class FeedForward(nn.Module):
    """1x1, depthwise 3x3 and 1x1 convolutions, each with BatchNorm and GELU.

    (N, channels, H, W) -> the same shape; `hidden` channels inside. Figure 2b of the paper, with
    the norms and the last GELU of the published code.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.expand = ConvNorm(channels, hidden, 1, relu=False, bias=True)
        self.depthwise = ConvNorm(hidden, hidden, 3, relu=False, bias=True, groups=hidden)
        self.project = ConvNorm(hidden, channels, 1, relu=False, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.expand, self.depthwise, self.project):
            x = nn.functional.gelu(conv(x))
        return x


class Block(nn.Module):
    """A transformer block: x + attention(norm(x)), then x + feed_forward(norm(x)).

    (N, channels, H, W) -> the same shape. Inside, channels are last, as both norms need them.
    """

    def __init__(self, attention: WindowAttention, channels: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels, eps=1e-6)
        self.attention = attention
        self.feed_forward_norm = nn.LayerNorm(channels, eps=1e-6)
        self.feed_forward = FeedForward(channels, hidden)
        self.drop_path = DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        # x + drop(attention(norm(x))), channels last
        tokens = x.permute(0, 2, 3, 1)  # (N, H, W, C)
        tokens = tokens + self.drop_path(self.attention(self.attention_norm(tokens)))
        # x + drop(feed_forward(norm(x))), channels first as convolutions need them
        normed = self.feed_forward_norm(tokens).permute(0, 3, 1, 2)  # (N, C, H, W)
        out: Tensor = tokens.permute(0, 3, 1, 2) + self.drop_path(self.feed_forward(normed))
        return out


def _drop_rates(config: HRFormerConfig, last: float) -> list[float]:
    """Return each block's rate, from 0 for stage 2's first to `last` for stage 4's last block."""
    depth = sum(stage.num_modules * stage.num_blocks for stage in config.stages)
    rates: list[float] = torch.linspace(0, last, depth, device="cpu").tolist()
    return rates


def _path_up(mode: str, align_corners: bool) -> Callable[[int, int, int], nn.Sequential]:
    """Return the maker of an exchange's paths to higher streams."""

    def make(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
        corners = align_corners if mode == "bilinear" else None  # nearest has no such choice
        resize = nn.Upsample(scale_factor=2**steps, mode=mode, align_corners=corners)
        return project_up(in_channels, out_channels, resize)

    return make


def _stem(config: HRFormerConfig, num_channels: int) -> nn.Module:
    return bottleneck_stem(config.stem_planes, config.stem_blocks, num_channels)


def make_backbone(
    config: HRFormerConfig, options: NetworkOptions, *, num_outputs: int | None = None
) -> HighResBackbone:
    """Build the backbone.

    Usual choices: nearest up-sampling in the exchange and a table of position biases a layer. Where
    streams do not meet at exact factors of two, a bilinear resize follows. It aligns corners unless
    the up-sampling is bilinear too.

    Raises InputError for a window below 1, and for widths that the heads do not divide.
    """
    # The choices, of the options or as usual.
    window = config.window if options.window is None else options.window
    if window < 1:
        raise InputError(
            f"expected a window of 1 or more tokens, got {window}; published: 7, 13, 15"
        )
    position = options.relative_position or "table"
    shared = BucketTable(max(config.num_heads)) if position == "t5" else None
    bilinear = options.upsampling == "bilinear"
    align_corners = not bilinear if options.align_corners is None else options.align_corners
    drop_path = config.drop_path if options.drop_path is None else options.drop_path
    rates = _drop_rates(config, drop_path)

    # Attention and feed-forward network of one block of one stream.
    def block(width: int, num_heads: int, rate: float) -> Block:
        attention = WindowAttention(
            width, num_heads, window=window, use_table=position == "table", shared=shared
        )
        return Block(attention, width, width * config.mlp_ratio, rate)

    # The blocks of one module; all streams have the same drop rates.
    def body(stage: StageConfig, depth: int) -> Parallel:
        drops = rates[depth : depth + stage.num_blocks]
        streams = zip(stage.widths, config.num_heads, strict=False)
        return Parallel(
            nn.Sequential(*(block(width, heads, drop) for drop in drops))
            for width, heads in streams
        )

    parts = BackboneParts(
        stem=partial(_stem, config, options.num_channels),
        body=body,
        transition=conv_transition,
        down=separable_down,
        up=_path_up("bilinear" if bilinear else "nearest", align_corners),
        sum=resized_sum(align_corners),
    )
    backbone = HighResBackbone(
        parts,
        config.stages,
        stem_channels=config.stem_planes * Bottleneck.expansion,
        num_outputs=num_outputs,
        any_size=True,
    )
    # T5's table belongs to the backbone; the layers only refer to it.
    if shared is not None:
        backbone.add_module("relative_position", shared)
    return backbone


def _ocr_v3(channels: tuple[int, ...], count: int, align: bool) -> nn.Module:
    """Make the OCR head of the published "V3" networks, with grouped 7x7 convolutions."""
    return OCRHead.for_hrformer(
        channels,
        count,
        align_corners=align,
        kernel=7,
        groups=math.gcd(sum(channels), 512),
    )


FAMILY = Family(
    config=HRFormerConfig,
    variants=VARIANTS,
    make_backbone=make_backbone,
    options=(
        *("head", "upsampling", "align_corners", "in_channels"),
        *("relative_position", "window", "drop_path"),
    ),
    heads={
        ("segmentation", "ocr"): Head(
            lambda channels, count, align: OCRHead.for_hrformer(
                channels, count, align_corners=align
            ),
            PIXEL_CLASSES,
        ),
        ("segmentation", "ocr_v3"): Head(_ocr_v3, PIXEL_CLASSES),
        ("classification", None): Head(
            lambda channels, count, _: ClassificationHead(channels, count, depthwise=True),
            IMAGE_CLASSES,
            he_init=True,
        ),
    },
)
