"""The mutable state of a training: network, EMA, optimizer, position."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.models import Network, build_network
from hrnet.spec import ModelSpec
from hrnet.training.distributed import World, synchronise_norms
from hrnet.training.losses import Loss, find_loss
from hrnet.training.optim import freeze, make_optimizer
from hrnet.training.teacher import Teacher, find_teacher
from hrnet.weights.load import load_weights


@dataclass(slots=True)
class Position:
    """The position in a run: `epoch` and `batch` count from 0 and are the next to be done.

    step: updates made so far. loss_sum, samples, skipped: of the epoch so far. best: the best value
    so far of the main metric, None before the first evaluation; best_name: that metric's, "" where
    a state does not hold it; best_epoch: its epoch, from 1, or 0 for the weights that the training
    started from. rows: lines of log.jsonl up to this position.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    samples: int = 0
    skipped: int = 0
    best: float | None = None
    best_name: str = ""
    best_epoch: int = 0
    rows: int = 0

    def next_epoch(self) -> None:
        """Go to the start of the next epoch."""
        self.epoch, self.batch = self.epoch + 1, 0
        self.loss_sum, self.samples, self.skipped = 0.0, 0, 0


@dataclass(slots=True)
class Run:
    """A network in training on this rank, with everything that a saved state restores.

    spec: the model that is trained. network: the bare network. forward: the network as training
    calls it, wrapped for several processes, or compiled. loss: of its outputs, that is minimised.
    average: the EMA of the weights, or None.
    teacher: not trained, and found again by its name where a run is resumed.
    notes: what the weights that it starts from lack or have in excess, in lines.
    """

    spec: ModelSpec
    world: World
    network: Network
    forward: nn.Module
    loss: Loss
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    position: Position = field(default_factory=Position)
    teacher: Teacher | None = None
    notes: tuple[str, ...] = ()

    def smoothed(self) -> nn.Module:
        """Return the network to evaluate and save: the EMA where there is one."""
        return self.average.module if self.average is not None else self.network

    def weights(self) -> dict[str, Tensor]:
        """Return the weights to evaluate and save."""
        return self.smoothed().state_dict()


def start(experiment: Experiment, spec: ModelSpec, *, world: World, needs_init: bool = True) -> Run:
    """Build the network, its EMA and the optimizer; the same on every rank.

    needs_init: False leaves `train.init` alone, where the weights will come from a saved state.
    Raises InputError where weights to start from do not fit, or a pattern of names fits nothing.
    """
    config = experiment.train
    # The network, with new weights or those to start from.
    torch.manual_seed(config.seed)
    network = build_network(spec.network)
    notes: tuple[str, ...] = ()
    if config.init is not None and needs_init:
        notes = _load_init(network, config.init, new_head=not config.init_head)
    freeze(network, config.freeze)
    # Device, memory layout and shared batch statistics.
    network = network.to(world.device)
    if experiment.run.channels_last:
        convert_conv2d_weight_memory_format(network, torch.channels_last)
    if world.size > 1 and config.sync_norm:
        synchronise_norms(network, world)
    average = None
    if config.ema:
        average = AveragedModel(network, multi_avg_fn=moving_average(config.ema), use_buffers=True)
    teacher = find_teacher(config.teacher, spec) if config.teacher else None
    if teacher:
        teacher.network.to(world.device)
    return Run(
        spec,
        world,
        network,
        _wrapped(network, world, compiled=experiment.run.compile),
        find_loss(experiment, spec),
        average,
        make_optimizer(network, config),
        torch.amp.GradScaler(world.device.type, enabled=config.precision == "fp16"),
        teacher=teacher,
        notes=notes,
    )


_Tensors = tuple[Tensor, ...] | list[Tensor]
_MovingAverage = Callable[[_Tensors, _Tensors, Tensor | int], None]


def moving_average(ema: float) -> _MovingAverage:
    """Return the update of averages by weights: average = d * average + (1 - d) * weights.

    d = min(ema, (1 + n) / (10 + n)) after n updates, so that new weights do not linger at the start
    as in 500 updates of a decay of 0.998.
    """

    def update(averages: _Tensors, weights: _Tensors, count: Tensor | int) -> None:
        decay = min(ema, (1 + int(count)) / (10 + int(count)))
        get_ema_multi_avg_fn(decay)(averages, weights, count)  # type: ignore[no-untyped-call]

    return update


def _load_init(network: Network, init: str, *, new_head: bool) -> tuple[str, ...]:
    """Load `train.init` into a network; an InputError names the settings to change.

    Returns what was left out or added, one line each.
    """
    try:
        return load_weights(network, init, new_head=new_head)
    except InputError as error:
        hint = "" if new_head else "train.init_head=false takes the backbone alone, "
        raise InputError(f"train.init: {error}; {hint}train.init=null new weights") from None


def _wrapped(network: nn.Module, world: World, *, compiled: bool) -> nn.Module:
    """Return the network as it is called in training."""
    forward: nn.Module = network
    if world.size > 1:
        devices = [world.device] if world.device.type == "cuda" else None
        forward = DistributedDataParallel(network, device_ids=devices)
    if compiled:
        forward.compile()  # in place, so that names and methods stay
    return forward
