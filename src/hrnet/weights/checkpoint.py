"""Our own checkpoint files: safetensors with the network's description in the header.

No code of a file is run. The header holds `spec` (see `ModelSpec`) where all is known that
prediction needs, else `network` (see `NetworkSpec`); `experiment`, the JSON of the run that
made it, or an empty object; and `conversion` where the weights came from a foreign file.
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

from hrnet import models
from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path, is_file
from hrnet.models import Network
from hrnet.spec import ModelSpec, NetworkSpec
from hrnet.tasks import get_task, read_spec
from hrnet.weights.fit import compare, fill

FORMAT = "hrnet"
"""The format named in the header of our files."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The content of a file of ours; `model` is None where only the network is described."""

    state: dict[str, Tensor]
    network: NetworkSpec
    model: ModelSpec | None


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
    spec: what the network was trained for. experiment, conversion: JSON to keep in the header.
    Raises InputError where a network given as such is not that of `spec` or has weights that are
    not finite, and where the file cannot be written.
    """
    kind = spec.network if isinstance(spec, ModelSpec) else spec
    if isinstance(network, nn.Module):
        network = network.state_dict()
        _expect_described(network, kind)
    field = "spec" if isinstance(spec, ModelSpec) else "network"
    header = {"format": FORMAT, field: spec.to_json(), "experiment": experiment}
    if conversion is not None:
        header["conversion"] = conversion
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.items()}
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(save(tensors, header))


def _expect_described(state: Mapping[str, Tensor], spec: NetworkSpec) -> None:
    """Raise InputError where weights are not those of a description, or are no numbers."""
    with torch.device("meta"):  # without weights: only names and shapes
        described = models.build_network(spec).state_dict()
    misfit = compare(described, state)
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

    Raises InputError where it is, but says nothing that this version understands.
    """
    if header.get("format") != FORMAT:
        return None
    if "network" in header and "spec" not in header:
        stored = _StoredSpec.from_json(header["network"])
        return Checkpoint(state, NetworkSpec.model_validate(stored.model_dump()), None)
    model = read_spec(header.get("spec", ""))
    return Checkpoint(state, model.network, model)


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
            f"{path} does not say its input size and keypoints; add them with "
            f"`hrnet convert {path} NEW.safetensors --input HxW --skeleton NAME`"
        )
    return found.state, found.model


def build_network(spec: ModelSpec) -> Network:
    """The bare network of a description, as it is trained."""
    return models.build_network(spec.network)


def with_activation(network: nn.Module, spec: ModelSpec) -> nn.Module:
    """Return the network as it predicts, see `predictor` of the task's network module."""
    predictor = getattr(import_module(get_task(spec.task).network), "predictor", None)
    predicting: nn.Module = predictor(network, spec) if predictor else network
    return predicting


def load_checkpoint(path: Path) -> tuple[nn.Module, ModelSpec]:
    """Load a checkpoint ready to predict: (N, 3, H, W) -> its outputs, in eval mode."""
    state, spec = read_checkpoint(path)
    network = build_network(spec)
    fill(network, state, str(path))
    return with_activation(network, spec).eval(), spec
