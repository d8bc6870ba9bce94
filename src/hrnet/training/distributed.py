"""The process group of a training, as torchrun starts it, or one process alone."""

import gc
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from hrnet.errors import InputError
from hrnet.models.cpu_kernels import BatchNorm2d
from hrnet.runtime.devices import first_sentence, pick_device
from hrnet.training.launch import Launch, launched

T = TypeVar("T")

MEETING_S = 600.0
MEETING_S_WITHOUT_TORCHRUN = 30.0
"""Seconds for which the processes of a training wait for each other when they start."""

_WITHIN_A_RUN = timedelta(minutes=30)
"""torch's own limit for processes that wait for each other later."""


@dataclass(frozen=True, slots=True)
class World:
    """The device of this process, and its rank among all; rank 0 writes and prints."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of a tensor over all ranks."""
        if self.size == 1:
            return values
        total = values.to(self.device)
        dist.all_reduce(total)
        return total / self.size

    def gather(self, value: T) -> list[T]:
        """Return the values of all ranks, in their order, on each of them."""
        if self.size == 1:
            return [value]
        gathered: list[T] = [value] * self.size
        dist.all_gather_object(gathered, value)
        return gathered


@contextmanager
def process_group(device: str) -> Iterator[World]:
    """Join the process group that torchrun started, for the block; alone where it started none.

    device: as `pick_device` takes it; of several GPUs of a machine each process takes its own.
    Raises InputError where the others do not come.
    """
    # One process needs no group.
    launch = launched()
    own = pick_device(device)
    if launch.size == 1:
        yield World(own)
        return
    # Each process takes its own GPU of this machine.
    if own.type == "cuda":
        own = pick_device(f"cuda:{launch.local_rank}")
        torch.cuda.set_device(own)
    _meet(launch, "nccl" if own.type == "cuda" else "gloo")
    try:
        yield World(own, launch.rank, launch.size)
        dist.barrier()  # none leaves while another still writes
    finally:
        gc.collect()  # networks hold on to the group in cycles; its threads must end before Python
        dist.destroy_process_group()


def _meet(launch: Launch, backend: str) -> None:
    """Wait for the other ranks for a limited time: WORLD_SIZE may be left over in a shell."""
    # torchrun starts all processes at once, so it may take its time.
    by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    wait = MEETING_S if by_torchrun else MEETING_S_WITHOUT_TORCHRUN
    limit = timedelta(seconds=wait)
    names = [f"hrnet/{rank}" for rank in range(launch.size)]
    try:
        if not by_torchrun and not launch.is_main:
            _expect_listener(wait)
        # Meet in the store first: init_process_group alone would wait for half an hour.
        store, rank, size = next(rendezvous("env://", timeout=limit))
        store.set(names[launch.rank], "here")
        store.wait(names, limit)
        store.set_timeout(_WITHIN_A_RUN)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"WORLD_SIZE={launch.size}, but the other processes did not come within {wait:g} s "
            f"({first_sentence(error)}); start all by torchrun, or unset WORLD_SIZE to train in one"
        ) from None


def _expect_listener(wait: float) -> None:
    """Wait for rank 0 to listen; torch would print a page of errors where it does not."""
    place = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    end = time.monotonic() + wait
    while True:
        try:
            socket.create_connection(place, timeout=wait).close()
            return
        except (OSError, ValueError):
            if time.monotonic() > end:
                raise
        time.sleep(0.2)


class _MeanOverProcesses(torch.autograd.Function):
    """Compute the mean over all ranks; its gradient is the mean of their gradients."""

    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        total = values / dist.get_world_size()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return _MeanOverProcesses.forward(ctx, gradient)


def _differentiable_mean(values: Tensor) -> Tensor:
    mean: Tensor = _MeanOverProcesses.apply(values)
    return mean


class SyncBatchNorm2d(BatchNorm2d):
    """Batch normalisation with the statistics of all processes, on any device.

    (N, C, H, W) -> the same shape. torch's own works on GPUs alone; this one does where it does
    not. Every process must have the same N, H and W. State-dict names are those of BatchNorm2d.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        # mean and variance over (N, H, W) of all ranks
        own = x.float()
        mean = _differentiable_mean(own.mean(dim=(0, 2, 3)))
        spread = (own - mean[:, None, None]).square().mean(dim=(0, 2, 3))
        variance = _differentiable_mean(spread)
        count = x.numel() // x.shape[1] * dist.get_world_size()
        self.update_running_stats(mean.detach(), variance.detach(), count)
        # y = (x - mean) / sqrt(variance + eps) * weight + bias, as scale * x + shift
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        out: Tensor = x * scale[:, None, None].to(x.dtype) + shift[:, None, None].to(x.dtype)
        return out


def synchronise_norms(network: nn.Module, world: World) -> None:
    """Replace the norms of a network by those that share statistics between ranks, in place."""
    if world.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for parent in list(network.modules()):
        for name, norm in parent.named_children():
            if isinstance(norm, nn.BatchNorm2d):
                shared = SyncBatchNorm2d(norm.num_features, norm.eps, norm.momentum)
                for tensor in ("weight", "bias", *dict(norm.named_buffers())):
                    setattr(shared, tensor, getattr(norm, tensor))
                setattr(parent, name, shared)
