"""Our own checkpoint files: safetensors with the network's description in the header.

No code of a file is run. The header holds `spec` (see `ModelSpec`) where all is known that
prediction needs, else `network` (see `NetworkSpec`); `experiment`, the JSON of the run that
made it, or an empty object; and `conversion` where the weights came from a foreign file.
Weights fit a network tensor by tensor, or not at all: there is no partial loading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from os import PathLike
from pathlib import Path

import torch
from pydantic import model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path, is_file
from hrnet.models import build_network
from hrnet.spec import ModelSpec, NetworkSpec
from hrnet.tasks import get_task, read_spec

FORMAT = "hrnet"
"""The format named in the header of our files."""

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Types that weights may be stored as; every network computes with them in float32."""

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
_COUNTERS = ("num_batches_tracked", "n_averaged")  # the second is of averaged weights


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file of ours; `model` is None where only the network is described."""

    state: dict[str, Tensor]
    network: NetworkSpec
    model: ModelSpec | None


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


def save_checkpoint(
    path: str | PathLike[str],
    network: nn.Module | Mapping[str, Tensor],
    spec: ModelSpec | NetworkSpec,
    experiment: str = "{}",
    conversion: str | None = None,
) -> None:
    """Write weights with their description; the file is complete or not there.

    path: by convention ends in .safetensors; `hrnet.load` takes it where `spec` is a ModelSpec.
    network: as `hrnet.create_model` builds it, or its state dict.
    spec: the description of the trained model. experiment, conversion: JSON to keep in the header.
    Raises InputError where a network given as such is not that of `spec` or has weights that are
    not finite, and where the file cannot be written.
    """
    # A network can be compared with its description; a bare state dict may be a part of one.
    kind = spec.network if isinstance(spec, ModelSpec) else spec
    if isinstance(network, nn.Module):
        network = network.state_dict()
        _expect_described(network, kind)
    # Describe it in the header, which other programs can read too.
    field = "spec" if isinstance(spec, ModelSpec) else "network"
    header = {"format": FORMAT, field: spec.to_json(), "experiment": experiment}
    if conversion is not None:
        header["conversion"] = conversion
    # Write weights in the layout of safetensors: on the CPU and contiguous.
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.items()}
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(save(tensors, header))


def _expect_described(state: Mapping[str, Tensor], spec: NetworkSpec) -> None:
    """Raise InputError where weights are not those of a description, or not finite."""
    misfit = compare(expected_state(spec), state)
    if misfit.names:
        raise InputError(
            f"expected the network that the description names ({spec.variant}), got another: "
            f"{misfit}; give the bare network, unwrapped, and its own description"
        )
    for name, values in state.items():
        if values.is_floating_point() and not values.isfinite().all():
            raise InputError(
                f"expected finite weights, got NaN or infinity in {name}; train it anew with a "
                "lower learning rate"
            )


def load_checkpoint(path: Path) -> tuple[nn.Module, ModelSpec]:
    """Load a checkpoint ready to predict: (N, C, H, W) -> its outputs, in eval mode."""
    state, spec = read_checkpoint(path)
    network = build_network(spec.network)
    fill(network, state, str(path))
    return with_activation(network, spec).eval(), spec


def with_activation(network: nn.Module, spec: ModelSpec) -> nn.Module:
    """Return the network as it predicts, see `predictor` of the task's network module."""
    predictor = getattr(import_module(get_task(spec.task).network), "predictor", None)
    predicting: nn.Module = predictor(network, spec) if predictor else network
    return predicting


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], ModelSpec]:
    """Read weights and description of a model; InputError with one line for any other file."""
    found = as_checkpoint(*read_safetensors(path))
    if found is None:
        raise InputError(
            f"{path} is not a checkpoint of this program; make one of it with "
            f"`hrnet convert {path} NEW.safetensors`"
        )
    if found.model is None:
        raise InputError(
            f"{path} describes its network, but not its input; add that with "
            f"`hrnet convert {path} NEW.safetensors --input HxW` and the task's other options"
        )
    return found.state, found.model


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and header of any safetensors file; InputError with one line for others."""
    if not is_file(path):
        raise InputError(f"no checkpoint at {path}; check the path")
    try:
        with safe_open(path, framework="pt") as file:
            header = dict(file.metadata() or {})
            return {key: file.get_tensor(key) for key in file.keys()}, header  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, RuntimeError) as error:  # a size that overflows
        raise InputError(f"{path} is not a readable safetensors file: {one_line(error)}") from None


class _StoredSpec(NetworkSpec):
    """The description in a header; before `num_outputs` it had a count for each task."""

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, fields: object) -> object:
        if not isinstance(fields, dict):
            return fields
        counts = ("num_keypoints", "num_classes")
        known = {k: v for k, v in fields.items() if k not in counts or v is not None}
        current = {"task": "pose", **known}
        given = [name for name in counts if name in current]
        if len(given) == 1 and "num_outputs" not in current:  # else refused as unknown fields
            current["num_outputs"] = current.pop(given[0])
        return current


def as_checkpoint(state: dict[str, Tensor], header: dict[str, str]) -> Checkpoint | None:
    """Read the header of a safetensors file; None where it is not of ours.

    Raises InputError for a header of ours that this version cannot read.
    """
    if header.get("format") != FORMAT:
        return None
    if "network" in header and "spec" not in header:
        stored = _StoredSpec.from_json(header["network"])
        return Checkpoint(state, NetworkSpec.model_validate(stored.model_dump()), None)
    model = read_spec(header.get("spec", ""))
    return Checkpoint(state, model.network, model)


def expected_state(spec: NetworkSpec) -> dict[str, Tensor]:
    """Return the names and shapes of a network's tensors, without memory for their values."""
    with torch.device("meta"):
        return build_network(spec).state_dict()


def compare(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Misfit:
    """Compare the tensors of a network with those of a file, by name and shape."""
    both = own.keys() & state.keys()
    return Misfit(
        missing=tuple(sorted(own.keys() - state.keys())),
        unknown=tuple(sorted(state.keys() - own.keys())),
        reshaped=tuple(sorted(key for key in both if own[key].shape != state[key].shape)),
    )


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load all weights into a network; InputError names the first tensor that does not fit."""
    misfit = compare(network.state_dict(), state)
    if misfit.names:
        raise InputError(
            f"{source} does not fit the network: {misfit}; check variant and number of outputs"
        )
    check_values(state, source)
    network.load_state_dict(state)


def check_values(state: Mapping[str, Tensor], source: str) -> None:
    """Raise InputError for tensors that are no weights of a network, by our names.

    Weights are finite floats within float32, variances not negative, and batch counters whole.
    """
    for name, value in state.items():
        problem = _problem(name.rpartition(".")[2], value)
        if problem:
            raise InputError(f"{source} cannot be used as weights: {one_line(name)} {problem}")


def _problem(kind: str, value: Tensor) -> str:
    """Describe the first error of a tensor; "" where it has none. kind: last part of its name."""
    dtype = str(value.dtype).removeprefix("torch.")
    # Counters may be integers; all others are floats.
    if kind in _COUNTERS and value.dtype in _INTEGERS:
        return ""
    if value.dtype not in FLOATS:
        return f"is of type {dtype}; expected floating-point numbers, such as float32"
    # A counter that is stored as a float must still be whole, and no value may be NaN.
    finite = bool(torch.isfinite(value).all())
    if kind in _COUNTERS and not (finite and bool((value == value.round()).all())):
        return "is no whole number; it counts batches"
    if not finite:
        return "holds NaN or infinity; take a file of before the training went wrong"
    # float64 may hold numbers that become infinite in float32.
    if value.dtype == torch.float64 and not bool(torch.isfinite(value.float()).all()):
        return f"holds {value.abs().max():.3g}, which is beyond float32"
    if kind == "running_var" and bool((value < 0).any()):
        return f"holds {value.min():.3g}, and no variance is negative"
    return ""
