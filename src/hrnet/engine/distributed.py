"""Several processes that train one network, as torchrun starts them, or one alone.

Source of the environment's names: https://docs.pytorch.org/docs/stable/elastic/run.html
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hrnet.engine.devices import pick_device
from hrnet.models.norm import BatchNorm2d

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """Which of how many processes this is, and the device it works on.

    rank: 0 is the one that writes and prints. local_rank: which of this machine's.
    """

    device: torch.device
    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        if self.size == 1:
            return values
        total = values.to(self.device)
        dist.all_reduce(total)
        return total / self.size

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in the order of their ranks, in each of them."""
        if self.size == 1:
            return [value]
        gathered: list[T] = [value] * self.size
        dist.all_gather_object(gathered, value)
        return gathered


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, for the block; alone where it started none.

    device: as `pick_device` takes it; of several GPUs of a machine each process takes its own.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(pick_device(device))
        return
    rank, local_rank = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    own = pick_device(device)
    if own.type == "cuda":
        own = torch.device("cuda", local_rank)
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield World(own, rank, size, local_rank)
        dist.barrier()  # none leaves while another still writes
    finally:
        gc.collect()  # networks hold on to the group in cycles; its threads must end before Python
        dist.destroy_process_group()


class _MeanOverProcesses(torch.autograd.Function):
    """The mean of a tensor over all processes, through which gradients flow back to all of them."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        total = values / dist.get_world_size()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return _MeanOverProcesses.forward(ctx, gradient)


def _differentiable_mean(values: Tensor) -> Tensor:
    mean: Tensor = _MeanOverProcesses.apply(values)  # type: ignore[no-untyped-call]
    return mean


class SyncBatchNorm2d(BatchNorm2d):
    """Batch normalisation with the statistics of all processes, on any device.

    (N, C, H, W) -> the same shape. torch's own works on GPUs alone; this one does where it does
    not. Every process must have the same N, H and W. State-dict names are those of BatchNorm2d.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        own = x.float()
        mean = _differentiable_mean(own.mean(dim=(0, 2, 3)))
        spread = (own - mean[:, None, None]).square().mean(dim=(0, 2, 3))
        variance = _differentiable_mean(spread)
        count = x.numel() // x.shape[1] * dist.get_world_size()
        self.remember(mean.detach(), variance.detach(), count)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        out: Tensor = x * scale[:, None, None].to(x.dtype) + shift[:, None, None].to(x.dtype)
        return out


def synchronise_norms(network: nn.Module, world: World) -> None:
    """Let the norms of a network share their statistics between processes, in place."""
    if world.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = SyncBatchNorm2d
