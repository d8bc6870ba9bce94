"""The backbone that all families share: figure 2 of "Deep High-Resolution Representation Learning
for Visual Recognition" (Wang et al., 2020; first in Sun et al., CVPR 2019, figure 1).

    image -> stem -> [stream 0] -> stage 2 -> stage 3 -> stage 4 -> streams 0..3

Stream i is (N, widths[i], H / 2**(i+2), W / 2**(i+2)): stream 0 keeps a quarter of the image's
resolution from the stem to the end. A stage first adds one lower stream (`Transition`), then runs
modules; a module runs blocks on each stream (`body`) and then gives each stream the sum of all
(`Exchange`). Everything inside a stage is Streams -> Streams.

A family (HRNet, Lite-HRNet, HRFormer) is the six callables of `BackboneParts`, not a subclass.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hrnet.models.layers import resize_like

Streams = list[Tensor]
"""High to low resolution; see the module's docstring for the shapes."""

ExchangeSum = Callable[[nn.ModuleList, Streams], Streams]
"""Applies paths[i][j] (from stream j to stream i) and adds them up."""


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One stage: its number of modules, of blocks a stream in each, and the streams' channels."""

    num_modules: int
    num_blocks: int
    widths: tuple[int, ...]


Stages = tuple[StageConfig, StageConfig, StageConfig]


def doubling_stages(width: int, num_modules: tuple[int, int, int], num_blocks: int) -> Stages:
    """Make stages 2, 3 and 4, each with one more stream than the last, of twice the width."""
    widths = tuple(width * 2**i for i in range(4))
    second, third, fourth = (
        StageConfig(modules, num_blocks, widths[: index + 2])
        for index, modules in enumerate(num_modules)
    )
    return second, third, fourth


@dataclass(frozen=True, slots=True)
class BackboneParts:
    """The parts of a backbone that differ between families.

    stem: makes image (N, C, H, W) -> (N, stem_channels, H/4, W/4).
    body: (stage, depth) makes the blocks of one module, Streams -> Streams; depth is the number of
        blocks that a stream has passed before, from stage 2 on.
    transition: (in, out, downsample) makes the path to a stream of a new stage.
    down: (in, out, steps) makes the path to a stream `steps` times half as large.
    up: (in, out, steps) makes the path to a stream `steps` times twice as large.
    sum: combines the paths of an exchange.
    """

    stem: Callable[[], nn.Module]
    body: Callable[[StageConfig, int], nn.Module]
    transition: Callable[[int, int, bool], nn.Module]
    down: Callable[[int, int, int], nn.Module]
    up: Callable[[int, int, int], nn.Module]
    sum: ExchangeSum


class Parallel(nn.ModuleList):
    """One module for each stream: Streams -> Streams."""

    def forward(self, streams: Streams) -> Streams:
        return [body(stream) for body, stream in zip(self, streams, strict=True)]


class Transition(nn.ModuleList):
    """One path to each stream of a new stage; the last starts from the lowest stream before it.

    `nn.Identity` where the width stays.
    """

    def forward(self, streams: Streams) -> Streams:
        # The new stream starts from the lowest one, which has a path of its own too.
        sources = [*streams, streams[-1]]
        return [path(source) for path, source in zip(self, sources, strict=True)]


class Exchange(nn.Module):
    """A sum over all streams for each of the first `len(paths)` streams.

    paths[i][j]: the path from stream j to stream i.
    """

    def __init__(self, paths: nn.ModuleList, combine: ExchangeSum) -> None:
        super().__init__()
        self.paths = paths
        self.combine = combine

    def forward(self, streams: Streams) -> Streams:
        return self.combine(self.paths, streams)


def plain_sum(paths: nn.ModuleList, streams: Streams) -> Streams:
    """Compute the papers' exchange: stream i = ReLU(sum over j of path_ij(stream j)), j upwards."""
    return [_relu_of_sum(row) for row in _path_outputs(paths, streams)]


def resized_sum(align_corners: bool) -> ExchangeSum:
    """Make `plain_sum` with a bilinear resize of each path's output to the size of its target.

    With it the sides of an image need not be multiples of 32.
    """

    def combine(paths: nn.ModuleList, streams: Streams) -> Streams:
        rows = zip(_path_outputs(paths, streams), streams, strict=False)
        return [
            _relu_of_sum(resize_like(term, target, align_corners=align_corners) for term in row)
            for row, target in rows
        ]

    return combine


def _path_outputs(paths: nn.ModuleList, streams: Streams) -> Iterator[Iterator[Tensor]]:
    """Yield for each target stream the outputs of the paths to it, computed one by one."""
    for row in paths:
        assert isinstance(row, nn.ModuleList)
        yield (path(stream) for path, stream in zip(row, streams, strict=True))


def _relu_of_sum(terms: Iterator[Tensor]) -> Tensor:
    """Add two or more maps in order and apply ReLU.

    Each term is computed when it is added, so only one is in memory beside the sum.
    """
    total = next(terms) + next(terms)
    for term in terms:
        total += term
    return total.relu_()


def _make_transition(
    parts: BackboneParts, before: Sequence[int], after: Sequence[int]
) -> Transition:
    """Make the paths from streams of widths `before` to those of `after`, which are one more."""
    kept = [
        nn.Identity() if old == new else parts.transition(old, new, False)
        for old, new in zip(before, after, strict=False)
    ]
    return Transition([*kept, parts.transition(before[-1], after[-1], True)])


def _make_exchange(parts: BackboneParts, widths: Sequence[int], num_outputs: int) -> Exchange:
    """Make the paths from every stream to each of the first `num_outputs` streams."""

    def path(target: int, source: int) -> nn.Module:
        if source == target:
            return nn.Identity()
        make = parts.up if source > target else parts.down
        return make(widths[source], widths[target], abs(source - target))

    # Row i holds the paths to stream i.
    rows = [
        nn.ModuleList(path(target, source) for source in range(len(widths)))
        for target in range(num_outputs)
    ]
    return Exchange(nn.ModuleList(rows), parts.sum)


class Stage(nn.Sequential):
    """A transition and some modules: Streams -> Streams.

    gradient_checkpointing: in training, keep only the inputs of each part and compute it again in
    the backward pass: less memory for about a third more time. Running statistics move once.
    """

    gradient_checkpointing = False

    def forward(self, streams: Streams) -> Streams:
        for part in self:
            if self.gradient_checkpointing and self.training:
                streams = checkpoint(
                    part, streams, use_reentrant=False, context_fn=_recompute_context(part)
                )
            else:
                streams = part(streams)
        return streams


def _recompute_context(
    part: nn.Module,
) -> Callable[[], tuple[AbstractContextManager[None], AbstractContextManager[None]]]:
    return lambda: (nullcontext(), _frozen_statistics(part))


@contextmanager
def _frozen_statistics(part: nn.Module) -> Iterator[None]:
    """Keep the running statistics of all norms while they use those of the batch."""
    # With momentum 0 the running statistics move by nothing; None stops the counter.
    norms = [module for module in part.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


def _make_stage(
    parts: BackboneParts,
    before: Sequence[int],
    config: StageConfig,
    *,
    num_outputs: int,
    depth: int,
) -> Stage:
    """Make a transition and `num_modules` modules; the last one returns `num_outputs` streams."""
    stage = Stage(OrderedDict(transition=_make_transition(parts, before, config.widths)))
    for index in range(config.num_modules):
        last = index == config.num_modules - 1
        outputs = num_outputs if last else len(config.widths)
        body = parts.body(config, depth + index * config.num_blocks)
        exchange = _make_exchange(parts, config.widths, outputs)
        stage.add_module(
            f"module{index}", nn.Sequential(OrderedDict(streams=body, exchange=exchange))
        )
    return stage


class HighResBackbone(nn.Module):
    """Stem and stages 2, 3 and 4: image (N, C, H, W) -> Streams.

    stem_channels: of the stem's output.
    num_outputs: number of streams that the last exchange makes, from the highest down: 1 where a
        head reads only the highest resolution (V1); None makes all.
    any_size: True where the exchange fits streams of any size. Otherwise H and W must be multiples
        of 32, since streams meet at exact factors of two; other sizes raise ValueError.

    channels, strides: of the streams that come out; stream i is (N, channels[i], H / strides[i],
    W / strides[i]), sizes rounded up.
    """

    def __init__(
        self,
        parts: BackboneParts,
        stages: Sequence[StageConfig],
        *,
        stem_channels: int,
        num_outputs: int | None = None,
        any_size: bool = False,
    ) -> None:
        super().__init__()
        num_outputs = num_outputs or len(stages) + 1
        self.stem = parts.stem()
        self.stages = nn.Sequential()
        before: Sequence[int] = (stem_channels,)
        depth = 0
        for number, config in enumerate(stages, start=2):
            # Only the last stage may leave out low streams.
            outputs = num_outputs if number == len(stages) + 1 else len(config.widths)
            stage = _make_stage(parts, before, config, num_outputs=outputs, depth=depth)
            self.stages.add_module(f"stage{number}", stage)
            before = config.widths
            depth += config.num_modules * config.num_blocks
        self.multiple = 1 if any_size else 2 ** (len(before) + 1)
        self.channels = tuple(before[:num_outputs])
        self.strides = tuple(2 ** (i + 2) for i in range(num_outputs))

    def checkpoint_gradients(self, on: bool = True) -> None:
        """Turn gradient checkpointing on or off, see `Stage`."""
        for stage in self.stages:
            assert isinstance(stage, Stage)
            stage.gradient_checkpointing = on

    def forward(self, images: Tensor) -> Streams:
        height, width = images.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"expected height and width in multiples of {self.multiple}, "
                f"got {height}x{width}; resize or pad the images"
            )
        streams: Streams = self.stages([self.stem(images)])
        return streams
