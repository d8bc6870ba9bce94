"""The skeleton that all families share: figure 2 of "Deep High-Resolution Representation Learning
for Visual Recognition" (Wang et al., 2020; first in Sun et al., CVPR 2019, figure 1).

    image -> stem -> [stream 0] -> stage 2 -> stage 3 -> stage 4 -> streams 0..3

Stream i is (N, widths[i], H / 2**(i+2), W / 2**(i+2)): stream 0 keeps a quarter of the image's
resolution from the stem to the end. A stage first adds one lower stream (`Transition`), then runs
modules; a module lets every stream work for itself (`parallel body`) and then gives each stream
the sum of all (`Exchange`). Everything inside a stage is Streams -> Streams.

A family (HRNet, Lite-HRNet, HRFormer) is the six callables of `Family`, not a subclass.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from hrnet.models.layers import resize_like
from hrnet.spec import NetworkOptions, Task

Streams = list[Tensor]
"""High to low resolution; see the module's docstring for the shapes."""

ExchangeSum = Callable[[nn.ModuleList, Streams], Streams]
"""Applies paths[i][j] (from stream j to stream i) and adds them up."""


@dataclass(frozen=True, slots=True)
class StageConfig:
    """One stage: how many modules, how many blocks a stream in each, and the streams' channels."""

    num_modules: int
    num_blocks: int
    widths: tuple[int, ...]


Stages = tuple[StageConfig, StageConfig, StageConfig]


def doubling_stages(width: int, num_modules: tuple[int, int, int], num_blocks: int) -> Stages:
    """Stages 2, 3 and 4: each has one stream more than the one before, of twice the width."""
    widths = tuple(width * 2**i for i in range(4))
    second, third, fourth = (
        StageConfig(modules, num_blocks, widths[: index + 2])
        for index, modules in enumerate(num_modules)
    )
    return second, third, fourth


def num_streams_read(task: Task, options: NetworkOptions, num_streams: int) -> int:
    """Return the number of streams a head reads: all, but for pose without V2 the highest."""
    return 1 if task == "pose" and options.head != "v2" else num_streams


@dataclass(frozen=True, slots=True)
class Family:
    """The parts that a family puts into the skeleton.

    stem: makes image (N, 3, H, W) -> (N, stem_channels, H/4, W/4).
    body: makes the streams' own work in one module, Streams -> Streams.
    transition: (in, out, downsample) makes the path to a stream of a new stage.
    down: (in, out, steps) makes the path to a stream `steps` times half as large.
    up: (in, out, steps) makes the path to a stream `steps` times twice as large.
    sum: combines the paths of an exchange.
    """

    stem: Callable[[], nn.Module]
    body: Callable[[StageConfig], nn.Module]
    transition: Callable[[int, int, bool], nn.Module]
    down: Callable[[int, int, int], nn.Module]
    up: Callable[[int, int, int], nn.Module]
    sum: ExchangeSum


class Parallel(nn.ModuleList):
    """Runs one module on each stream: Streams -> Streams."""

    def forward(self, streams: Streams) -> Streams:
        return [body(stream) for body, stream in zip(self, streams, strict=True)]


class Transition(nn.ModuleList):
    """Adapts the streams to a stage's widths and adds one stream of half the last resolution.

    Holds one path for each stream of the new stage; `nn.Identity` where the width stays.
    """

    def forward(self, streams: Streams) -> Streams:
        sources = [*streams, streams[-1]]
        return [path(source) for path, source in zip(self, sources, strict=True)]


class Exchange(nn.Module):
    """Gives each of the first `len(paths)` streams a sum over all streams."""

    def __init__(self, paths: nn.ModuleList, combine: ExchangeSum) -> None:
        super().__init__()
        self.paths = paths
        self.combine = combine

    def forward(self, streams: Streams) -> Streams:
        return self.combine(self.paths, streams)


def plain_sum(paths: nn.ModuleList, streams: Streams) -> Streams:
    """The papers' exchange: stream i = ReLU(sum over j of path_ij(stream j)), j from 0 up."""
    return [relu_of_sum(row) for row in path_outputs(paths, streams)]


def resized_sum(align_corners: bool) -> ExchangeSum:
    """Make `plain_sum` for paths that need not end at the size of their target.

    Their outputs are resized bilinearly to the size of the target stream, so that an image's sides
    need not be multiples of 32.
    """

    def combine(paths: nn.ModuleList, streams: Streams) -> Streams:
        rows = zip(path_outputs(paths, streams), streams, strict=False)
        return [
            relu_of_sum(resize_like(term, target, align_corners=align_corners) for term in row)
            for row, target in rows
        ]

    return combine


def path_outputs(paths: nn.ModuleList, streams: Streams) -> Iterator[Iterator[Tensor]]:
    """Yield for each target stream what the paths from all streams to it give, one by one."""
    for row in paths:
        assert isinstance(row, nn.ModuleList)
        yield (path(stream) for path, stream in zip(row, streams, strict=True))


def relu_of_sum(terms: Iterator[Tensor]) -> Tensor:
    """Add two or more maps from the first on, each as it comes, and apply ReLU.

    Only one term is held beside the sum, which saves memory.
    """
    total = next(terms) + next(terms)
    for term in terms:
        total += term
    return total.relu_()


def make_transition(family: Family, before: Sequence[int], after: Sequence[int]) -> Transition:
    """One path a stream of the new stage: width changes, and the new stream from the last one."""
    kept = [
        nn.Identity() if old == new else family.transition(old, new, False)
        for old, new in zip(before, after, strict=False)
    ]
    return Transition([*kept, family.transition(before[-1], after[-1], True)])


def make_exchange(family: Family, widths: Sequence[int], num_outputs: int) -> Exchange:
    """Paths from every stream to each of the first `num_outputs` streams."""

    def path(target: int, source: int) -> nn.Module:
        if source == target:
            return nn.Identity()
        make = family.up if source > target else family.down
        return make(widths[source], widths[target], abs(source - target))

    rows = [
        nn.ModuleList(path(target, source) for source in range(len(widths)))
        for target in range(num_outputs)
    ]
    return Exchange(nn.ModuleList(rows), family.sum)


class Stage(nn.Sequential):
    """A transition and some modules: Streams -> Streams.

    gradient_checkpointing: in training, keep only what enters each part and compute the rest again
    on the way back: less memory for about a third more time. Running statistics are updated once.
    """

    gradient_checkpointing = False

    def forward(self, streams: Streams) -> Streams:
        for part in self:
            if self.gradient_checkpointing and self.training:
                streams = checkpoint(
                    part, streams, use_reentrant=False, context_fn=_second_time(part)
                )
            else:
                streams = part(streams)
        return streams


def _second_time(
    part: nn.Module,
) -> Callable[[], tuple[AbstractContextManager[None], AbstractContextManager[None]]]:
    return lambda: (nullcontext(), _frozen_statistics(part))


@contextmanager
def _frozen_statistics(part: nn.Module) -> Iterator[None]:
    """Let norms use the batch's statistics without adding them to the running ones."""
    norms = [module for module in part.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count


def make_stage(
    family: Family, before: Sequence[int], config: StageConfig, num_outputs: int
) -> Stage:
    """A transition and `num_modules` modules; only the last module may drop low streams."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["transition"] = make_transition(family, before, config.widths)
    for index in range(config.num_modules):
        last = index == config.num_modules - 1
        outputs = num_outputs if last else len(config.widths)
        parts[f"module{index}"] = nn.Sequential(
            OrderedDict(
                streams=family.body(config),
                exchange=make_exchange(family, config.widths, outputs),
            )
        )
    return Stage(parts)


class HighResBackbone(nn.Module):
    """Stem and stages 2, 3 and 4: image (N, 3, H, W) -> Streams.

    num_outputs: how many streams the last exchange makes: 1 where a head reads only the highest
    resolution (V1), 4 where it reads all.
    any_size: whether the family's exchange fits streams of any size. Otherwise H and W must be
    multiples of 32, since streams meet at exact factors of two, and others raise a ValueError.

    channels, strides: of the streams that come out; stream i is (N, channels[i], H / strides[i],
    W / strides[i]), sizes rounded up.
    """

    def __init__(
        self,
        family: Family,
        stem_channels: int,
        stages: Sequence[StageConfig],
        *,
        num_outputs: int,
        any_size: bool = False,
    ) -> None:
        super().__init__()
        self.stem = family.stem()
        self.stages = nn.Sequential()
        before: Sequence[int] = (stem_channels,)
        for number, config in enumerate(stages, start=2):
            outputs = num_outputs if number == len(stages) + 1 else len(config.widths)
            self.stages.add_module(f"stage{number}", make_stage(family, before, config, outputs))
            before = config.widths
        self.multiple = 1 if any_size else 2 ** (len(before) + 1)
        self.channels = tuple(before[:num_outputs])
        self.strides = tuple(2 ** (i + 2) for i in range(num_outputs))

    def checkpoint_gradients(self, on: bool = True) -> None:
        """Switch the saving of memory in training on or off, see `Stage`."""
        for stage in self.stages:
            assert isinstance(stage, Stage)
            stage.gradient_checkpointing = on

    def features(self, images: Tensor) -> Streams:
        """Compute the streams of images (N, 3, H, W), as `channels` and `strides` declare them."""
        height, width = images.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"expected height and width in multiples of {self.multiple}, "
                f"got {height}x{width}; resize or pad the images"
            )
        streams: Streams = self.stages([self.stem(images)])
        return streams

    def forward(self, images: Tensor) -> Streams:
        return self.features(images)
