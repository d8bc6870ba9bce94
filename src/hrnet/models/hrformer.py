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

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.models.attention import BucketTable, WindowAttention
from hrnet.models.highres import (
    Family,
    HighResBackbone,
    Parallel,
    StageConfig,
    Stages,
    doubling_stages,
    num_streams_read,
    resized_sum,
)
from hrnet.models.layers import Bottleneck, ConvNorm, bottleneck_stem, conv_transition
from hrnet.spec import NetworkOptions, Task


@dataclass(frozen=True, slots=True)
class HRFormerConfig:
    """The figures of one HRFormer.

    stages: stages 2, 3, 4 with 2, 3 and 4 streams.
    num_heads: of each of the 4 streams; each divides its stream's width.
    window: side of the attention windows in tokens, where the options name none.
    mlp_ratio: how many times wider than its stream a feed-forward network is inside.
    stem_planes and stem_blocks: Bottlenecks behind the two strided convolutions ("layer1").
    drop_path, drop_path_pose, drop_path_segmentation: the share of samples that the last block
    leaves out in training, less for the earlier ones down to none for the first; `drop_path` is for
    the tasks without a figure of their own. The option `drop_path` takes the place of all three.
    """

    stages: Stages
    num_heads: tuple[int, int, int, int]
    window: int = 7
    mlp_ratio: int = 4
    stem_planes: int = 64
    stem_blocks: int = 2
    drop_path: float = 0.0
    drop_path_pose: float = 0.1
    drop_path_segmentation: float = 0.2


VARIANTS: dict[str, HRFormerConfig] = {
    "hrformer_tiny": HRFormerConfig(doubling_stages(18, (1, 3, 2), 2), (1, 2, 4, 8)),
    "hrformer_small": HRFormerConfig(doubling_stages(32, (1, 4, 2), 2), (1, 2, 4, 8)),
    "hrformer_base": HRFormerConfig(
        doubling_stages(78, (1, 4, 2), 2), (2, 4, 8, 16), drop_path=0.2, drop_path_pose=0.2
    ),
}
"""Table 1 of the paper. The published drop path of the base is 0.3 for pose at 384x288 and, for
segmentation, 0.4 on Cityscapes, as the option `drop_path` sets them; tiny has no published figures
for pose and segmentation."""


class DropPath(nn.Module):
    """Leaves out a branch of the network for a share of the samples in training.

    Samples that keep it get it divided by the share that does, so the mean stays (Huang et al.
    2016, "Deep Networks with Stochastic Depth"). Raises InputError for a rate that is no share.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise InputError(f"expected a drop path from 0 to below 1, got {rate}; 0 keeps all")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
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
    """Attention within windows and a feed-forward network, each normalised first and added.

    (N, channels, H, W) -> the same shape. Inside, channels are last, as both norms read them.
    """

    def __init__(self, attention: WindowAttention, channels: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels, eps=1e-6)
        self.attention = attention
        self.feed_forward_norm = nn.LayerNorm(channels, eps=1e-6)
        self.feed_forward = FeedForward(channels, hidden)
        self.drop_path = DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.permute(0, 2, 3, 1)  # (N, H, W, C)
        tokens = tokens + self.drop_path(self.attention(self.attention_norm(tokens)))
        normed = self.feed_forward_norm(tokens).permute(0, 3, 1, 2)  # (N, C, H, W)
        out: Tensor = tokens.permute(0, 3, 1, 2) + self.drop_path(self.feed_forward(normed))
        return out


def _down(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
    """Strided separable convolutions; all but the last keep the channels and end in ReLU."""
    keep = (_separable(in_channels, in_channels, relu=True) for _ in range(steps - 1))
    return nn.Sequential(*keep, _separable(in_channels, out_channels, relu=False))


def _separable(in_channels: int, out_channels: int, *, relu: bool) -> nn.Sequential:
    depthwise = ConvNorm(in_channels, in_channels, 3, stride=2, relu=False, groups=in_channels)
    pointwise = ConvNorm(in_channels, out_channels, 1, relu=relu)
    return nn.Sequential(OrderedDict(depthwise=depthwise, pointwise=pointwise))


def _up(in_channels: int, out_channels: int, resize: nn.Module) -> nn.Sequential:
    project = ConvNorm(in_channels, out_channels, 1, relu=False)
    return nn.Sequential(OrderedDict(project=project, resize=resize))


def _drop_rates(config: HRFormerConfig, task: Task, last: float | None) -> Iterator[float]:
    """Yield each block's rate, stage 2's first to stage 4's last; the streams share it.

    last: that of the last block; None takes the variant's own for the task.
    """
    if last is None:
        special = {"pose": config.drop_path_pose, "segmentation": config.drop_path_segmentation}
        last = special.get(task, config.drop_path)
    depth = sum(stage.num_modules * stage.num_blocks for stage in config.stages)
    yield from torch.linspace(0, last, depth, device="cpu").tolist()


def make_backbone(config: HRFormerConfig, task: Task, options: NetworkOptions) -> HighResBackbone:
    """Build the backbone for a task.

    Pose reads the highest stream alone, unless its head is "v2", up-samples bilinearly and adds no
    position bias; the other tasks up-sample by the nearest value and add a table a layer.
    Where streams do not meet at exact factors of two, a bilinear resize follows, with
    `align_corners` as in the published code: not for pose, for all others.

    Raises InputError for a window below 1, and for widths that the heads do not divide.
    """
    window = config.window if options.window is None else options.window
    if window < 1:
        raise InputError(
            f"expected a window of 1 or more tokens, got {window}; published: 7, 13, 15"
        )
    position = options.relative_position or ("none" if task == "pose" else "table")
    shared = BucketTable(max(config.num_heads)) if position == "t5" else None
    bilinear = (options.upsampling or ("bilinear" if task == "pose" else "nearest")) == "bilinear"
    align_corners = not bilinear if options.align_corners is None else options.align_corners
    # The skeleton asks for bodies from the first to the last.
    rates = _drop_rates(config, task, options.drop_path)

    def block(width: int, num_heads: int, rate: float) -> Block:
        attention = WindowAttention(
            width, num_heads, window=window, use_table=position == "table", shared=shared
        )
        return Block(attention, width, width * config.mlp_ratio, rate)

    def body(stage: StageConfig) -> Parallel:
        drops = [next(rates) for _ in range(stage.num_blocks)]
        streams = zip(stage.widths, config.num_heads, strict=False)
        return Parallel(
            nn.Sequential(*(block(*stream, drop) for drop in drops)) for stream in streams
        )

    def up(in_channels: int, out_channels: int, steps: int) -> nn.Sequential:
        mode, corners = ("bilinear", align_corners) if bilinear else ("nearest", None)
        resize = nn.Upsample(scale_factor=2**steps, mode=mode, align_corners=corners)
        return _up(in_channels, out_channels, resize)

    backbone = HighResBackbone(
        Family(
            lambda: bottleneck_stem(config.stem_planes, config.stem_blocks),
            body,
            conv_transition,
            _down,
            up,
            resized_sum(align_corners),
        ),
        config.stem_planes * Bottleneck.expansion,
        config.stages,
        num_outputs=num_streams_read(task, options, len(config.stages) + 1),
        any_size=True,
    )
    if shared is not None:
        backbone.add_module("relative_position", shared)
    return backbone
