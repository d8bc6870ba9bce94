"""The part of a training that changes while it goes on, and its beginning."""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.models import Network, build_network
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.training.distributed import World, synchronise_norms
from hrnet.training.optim import freeze, make_optimizer
from hrnet.weights.load import load_weights


@dataclass(slots=True)
class Position:
    """Where a run is: `epoch` and `batch` count from 0 and are the next to be done.

    step: updates made so far. loss_sum, samples, skipped: of the epoch so far. best: the best main
    figure so far, None before the first; best_epoch: its epoch, from 1, or 0 for the weights the
    training started from. rows: lines of log.jsonl that belong to this position.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    samples: int = 0
    skipped: int = 0
    best: float | None = None
    best_epoch: int = 0
    rows: int = 0

    def next_epoch(self) -> None:
        """Go to the start of the next epoch."""
        self.epoch, self.batch = self.epoch + 1, 0
        self.loss_sum, self.samples, self.skipped = 0.0, 0, 0


@dataclass(slots=True)
class Run:
    """The network in training, with everything that must be kept to go on later.

    network: the bare network. forward: what is called in training, the network as it is, wrapped
    for several processes, or compiled. average: the moving average of the weights, or None.
    """

    network: Network
    forward: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    position: Position = field(default_factory=Position)

    def weights(self) -> dict[str, Tensor]:
        """The weights to evaluate and save: the moving average where there is one."""
        return self.smoothed().state_dict()

    def smoothed(self) -> nn.Module:
        """The network with the averaged weights, or the trained one where none is kept."""
        return self.average.module if self.average is not None else self.network

    def predictor(self) -> nn.Module:
        """A copy of the network to evaluate: the trained one goes on in training mode."""
        return copy.deepcopy(self.smoothed()).eval()


def start(experiment: Experiment, spec: PoseSpec, world: World, *, goes_on: bool = False) -> Run:
    """Build the network, its average and the optimiser; the same in every process.

    goes_on: leave `train.init` alone, since the weights will come from a saved state.

    Raises InputError where weights to start from do not fit, or a pattern of names fits nothing.
    """
    config = experiment.train
    torch.manual_seed(config.seed)
    network = build_network(spec.network)
    if config.init is not None and not goes_on:
        try:
            load_weights(network, config.init, new_head=not config.init_head)
        except InputError as error:
            hint = (
                "" if not config.init_head else "train.init_head=false takes the backbone alone, "
            )
            raise InputError(f"train.init: {error}; {hint}train.init=null new weights") from None
    freeze(network, config.freeze)
    network = network.to(world.device)
    if experiment.run.channels_last:
        convert_conv2d_weight_memory_format(network, torch.channels_last)
    if world.size > 1 and config.sync_norm:
        synchronise_norms(network, world)
    average = None
    if config.ema:
        decay = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]
        average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    return Run(
        network,
        _wrapped(network, experiment, world),
        average,
        make_optimizer(network, config),
        torch.amp.GradScaler(world.device.type, enabled=config.precision == "fp16"),
    )


def _wrapped(network: nn.Module, experiment: Experiment, world: World) -> nn.Module:
    """The network as it is called in training."""
    forward: nn.Module = network
    if world.size > 1:
        devices = [world.device] if world.device.type == "cuda" else None
        forward = DistributedDataParallel(network, device_ids=devices)
    if experiment.run.compile:
        forward.compile()  # in place, so that names and methods stay
    return forward
