"""The whole state of a training in one safetensors file, from which it resumes bit by bit.

Random numbers of a step follow from the seed and the step, so no generator's state is saved.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from itertools import zip_longest
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from hrnet.config import MAX_COUNT
from hrnet.errors import InputError
from hrnet.files import atomic_path, parse_json
from hrnet.numbers import to_float, to_int
from hrnet.training.run import Position, Run
from hrnet.weights.checkpoint import compare, read_safetensors

_FORMAT = "hrnet-training-1"


def save_state(path: Path, run: Run) -> None:
    """Write network, EMA, optimizer and position; the file is complete or not there."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(run)}
    header = {
        "format": _FORMAT,
        "position": json.dumps(asdict(run.position)),
        "scaler": json.dumps(run.scaler.state_dict()),
        "labels": json.dumps(run.spec.labels),
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

    Raises InputError where the file is not a state, or of another network or optimizer, or holds
    values that no training writes.
    """
    tensors, header = read_safetensors(path)
    if header.get("format") != _FORMAT:
        raise InputError(f"{path} is not the state of a training of this version; start a new run")
    # Check everything before anything is changed.
    _expect_labels(path, header, run.spec.labels)
    position, scaler = _position(path, header), _scaler(path, header, run)
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
    for key, value in tensors.items():
        part, _, name = key.partition(".")
        if part not in parts:
            raise _damaged(path, f"the tensor {key} is of no part of it")
        parts[part][name] = value
    # Fill the network, its EMA and the optimizer.
    if (run.average is not None) != bool(parts["average"]):
        raise InputError(f"{path} was written with another train.ema; leave that setting as it was")
    _fill(run.network, parts["network"], path)
    if run.average is not None:
        _fill(run.average, parts["average"], path)
    _load_optimizer(path, run.optimizer, parts["optimizer"])
    run.scaler.load_state_dict(scaler)
    run.position = position


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} is damaged: {reason}; put back a copy of it, or start a new run with "
        "--config experiment.json"
    )


def _expect_labels(path: Path, header: dict[str, str], labels: Sequence[str]) -> None:
    """Raise InputError where the labels of the data changed, in number or order."""
    if "labels" not in header:  # written by an earlier version
        return
    saved = parse_json(header["labels"], f"the labels in {path}")
    if not isinstance(saved, list):
        raise _damaged(path, "its labels are no list")
    if saved == list(labels):
        return
    old, new = (
        next((str(one) for one, other in pairs if one != other), "none")
        for pairs in (zip_longest(saved, labels), zip_longest(labels, saved))
    )
    raise InputError(
        f"expected the {len(saved)} labels that the run began with, in their order, got "
        f"{len(labels)}: the first change is {new:.60} in place of {old:.60}; restore the data, or "
        "start a new run"
    )


def _position(path: Path, header: dict[str, str]) -> Position:
    """Read the position of a header and check each of its values."""
    where = f"the position in {path}"
    values = parse_json(header.get("position", ""), where)
    names = {one.name for one in fields(Position)}
    if isinstance(values, dict):
        values = {"best_name": "", **values}  # which older states do not have
    if not isinstance(values, dict) or values.keys() != names:
        raise _damaged(path, f"expected {', '.join(sorted(names))} as its position")
    whole = {name: to_int(values[name]) for name in names - {"loss_sum", "best", "best_name"}}
    loss_sum, best = to_float(values["loss_sum"]), to_float(values["best"])
    wrong = [name for name, value in whole.items() if value is None or not 0 <= value <= MAX_COUNT]
    wrong += ["loss_sum"] if loss_sum is None else []
    wrong += [] if isinstance(values["best_name"], str) else ["best_name"]
    wrong += ["best"] if best is None and values["best"] is not None else []
    if wrong or loss_sum is None:
        raise _damaged(path, f"its position holds no valid {', '.join(sorted(wrong))}")
    counts = {name: value for name, value in whole.items() if value is not None}
    return Position(**counts, loss_sum=loss_sum, best=best, best_name=str(values["best_name"]))


def _scaler(path: Path, header: dict[str, str], run: Run) -> dict[str, float]:
    """Read the scale of the loss with fp16; empty without."""
    values = parse_json(header.get("scaler", ""), f"the scaler in {path}")
    expected = run.scaler.state_dict().keys()
    if not isinstance(values, dict):
        raise _damaged(path, "its scaler is none")
    if values.keys() != expected:
        raise InputError(f"{path} was written with another train.precision; leave it as it was")
    numbers = {name: to_float(value) for name, value in values.items()}
    kept = {name: value for name, value in numbers.items() if value is not None and value >= 0}
    if len(kept) < len(values) or 0 in (kept.get("scale"), kept.get("growth_interval")):
        raise _damaged(path, "its scaler holds what is no number above 0")
    return {name: values[name] for name in kept}


def _fill(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Put weights into a network whose tensors they match in names, shapes and types."""
    own = network.state_dict()
    misfit = compare(own, state)
    if misfit.names:
        raise InputError(
            f"{path} does not fit the network: {misfit}; leave the settings of the model and the "
            "labels of the data as they were"
        )
    for name, value in state.items():
        if value.dtype != own[name].dtype:
            raise _damaged(path, f"{name} is of {value.dtype}, not {own[name].dtype}")
    network.load_state_dict(state)


def _load_optimizer(
    path: Path, optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]
) -> None:
    """Restore the optimizer's tensors, each in the memory layout of its parameter.

    The layout decides the order of arithmetic in some kernels, and so the last bits.
    """
    # torch numbers the parameters over all groups, and so does the saved state.
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    found: dict[Tensor, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        number = to_int(index)
        if number is None or not 0 <= number < len(parameters):
            raise InputError(f"{path} was written with other trained parameters; start a new run")
        parameter = parameters[number]
        if not _fits(name, value, parameter):
            raise InputError(
                f"{path} was written with another train.optimizer, or is damaged "
                f"(optimizer.{key}); leave that setting as it was"
            )
        if name != "step":
            value = torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(value)
        found.setdefault(parameter, {})[name] = value
    # Each trained parameter has all tensors of this optimizer.
    names = _NAMES[type(optimizer).__name__]
    if any(state.keys() != names for state in found.values()):
        raise InputError(
            f"{path} was written with another train.optimizer; leave that setting as it was"
        )
    optimizer.state.update(found)


_NAMES = {
    "Adam": {"step", "exp_avg", "exp_avg_sq"},
    "AdamW": {"step", "exp_avg", "exp_avg_sq"},
    "SGD": {"momentum_buffer"},
}
"""The tensors that an optimizer keeps of each parameter."""


def _fits(name: str, value: Tensor, parameter: nn.Parameter) -> bool:
    """Return True where a tensor can be one that an optimizer keeps of a parameter."""
    if name == "step":
        return value.shape == () and value.is_floating_point() and 0 <= value.item() <= MAX_COUNT
    return value.shape == parameter.shape and value.dtype == parameter.dtype
