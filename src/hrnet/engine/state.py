"""The whole state of a training in one safetensors file, from which it goes on bit by bit.

What a step draws at random follows from the seed and the step, so no generator's state is kept.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from hrnet.engine.run import Position, Run
from hrnet.errors import InputError
from hrnet.files import atomic_path
from hrnet.weights.checkpoint import read_safetensors
from hrnet.weights.fit import fill

_FORMAT = "hrnet-training-1"


def save_state(path: Path, run: Run) -> None:
    """Write network, average, optimiser and position; the file is complete or not there."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(run)}
    header = {
        "format": _FORMAT,
        "position": json.dumps(asdict(run.position)),
        "scaler": json.dumps(run.scaler.state_dict()),
    }
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(save(tensors, header))
        file.flush()
        os.fsync(file.fileno())  # on the disk before it takes the old one's place


def _tensors(run: Run) -> Iterator[tuple[str, Tensor]]:
    for name, value in run.network.state_dict().items():
        yield f"network.{name}", value
    if run.average is not None:
        for name, value in run.average.state_dict().items():
            yield f"average.{name}", value
    for index, state in run.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if value is not None:
                yield f"optimizer.{index}.{name}", value


def load_state(path: Path, run: Run) -> None:
    """Put a saved state into a run that was started with the same settings.

    Raises InputError where the file is none of a training, or of another network.
    """
    tensors, header = read_safetensors(path)
    if header.get("format") != _FORMAT:
        raise InputError(f"{path} is not the state of a training of this version; start a new run")
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        parts[part][name] = value
    fill(run.network, parts["network"], str(path))
    if (run.average is not None) != bool(parts["average"]):
        raise InputError(f"{path} was written with another train.ema; leave that setting as it was")
    if run.average is not None:
        fill(run.average, parts["average"], str(path))
    _load_optimizer(path, run.optimizer, parts["optimizer"])
    run.scaler.load_state_dict(json.loads(header["scaler"]))
    run.position = Position(**json.loads(header["position"]))


def _load_optimizer(
    path: Path, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Restore the optimiser's tensors, each in the memory layout of its parameter.

    The layout decides the order of arithmetic in some kernels, and so the last bits.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        if int(index) >= len(parameters):
            raise InputError(f"{path} was written with other trained parameters; start a new run")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            value = torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(value)
        optimizer.state[parameter][name] = value
