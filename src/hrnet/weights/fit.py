"""The fit of weights and a network, tensor by tensor: there is no partial loading."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hrnet.errors import InputError, one_line


@dataclass(frozen=True, slots=True)
class Misfit:
    """The differences that keep weights from fitting a network, by the network's names."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.missing, *self.unknown, *self.reshaped)

    def __str__(self) -> str:
        return (
            f"{len(self.missing)} tensors missing, {len(self.unknown)} unknown, "
            f"{len(self.reshaped)} of another shape, such as {one_line(self.names[0])}"
        )


def compare(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Misfit:
    """Compare the tensors that a network has with those that there are, by name and shape."""
    both = own.keys() & state.keys()
    return Misfit(
        missing=tuple(sorted(own.keys() - state.keys())),
        unknown=tuple(sorted(state.keys() - own.keys())),
        reshaped=tuple(sorted(key for key in both if own[key].shape != state[key].shape)),
    )


FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Types that weights may be stored as; every network computes with them in float32."""

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_COUNTERS = ("num_batches_tracked", "n_averaged")  # the second is of averaged weights


def check_values(state: Mapping[str, Tensor], source: str) -> None:
    """Raise InputError for tensors that are no weights of a network, by our names.

    Weights are finite floats within float32, variances not negative, and batch counters whole.
    """
    for name, value in state.items():
        problem = _problem(name.rpartition(".")[2], value)
        if problem:
            raise InputError(f"{source} cannot be used as weights: {one_line(name)} {problem}")


def _problem(kind: str, value: Tensor) -> str:
    """Name what is wrong with a tensor; "" where nothing is."""
    dtype = str(value.dtype).removeprefix("torch.")
    if kind in _COUNTERS and value.dtype in _INTEGERS:
        return ""
    if value.dtype not in FLOATS:
        return f"is of type {dtype}; expected floating-point numbers, such as float32"
    finite = bool(torch.isfinite(value).all())
    if kind in _COUNTERS and not (finite and bool((value == value.round()).all())):
        return "is no whole number; it counts batches"
    if not finite:
        return "holds NaN or infinity; take a file of before the training went wrong"
    if value.dtype == torch.float64 and not bool(torch.isfinite(value.float()).all()):
        return f"holds {value.abs().max():.3g}, which is beyond float32"
    if kind == "running_var" and bool((value < 0).any()):
        return f"holds {value.min():.3g}, and no variance is negative"
    return ""


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Put weights into a network; InputError names what does not fit. Nothing is left out."""
    misfit = compare(network.state_dict(), state)
    if misfit.names:
        raise InputError(
            f"{source} does not fit the network: {misfit}; check variant and keypoints"
        )
    check_values(state, source)
    network.load_state_dict(state)
