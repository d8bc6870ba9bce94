"""Our own checkpoint files: safetensors with the model's description in the header.

No code of a file is run. The header holds `spec` (see `PoseSpec`) and `experiment` (the JSON of
the run that made it, or an empty object).
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path
from hrnet.models import create_model
from hrnet.models.heads.heatmap import SpatialSoftmax
from hrnet.spec import PoseSpec


def save_checkpoint(
    path: Path, state: dict[str, Tensor], spec: PoseSpec, experiment: str = "{}"
) -> None:
    """Write weights, description and experiment; the file is complete or not there."""
    header = {"format": "hrnet", "spec": spec.to_json(), "experiment": experiment}
    tensors = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, header))


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], PoseSpec]:
    """Read weights and description; InputError with one line for any other file."""
    if not path.is_file():
        raise InputError(f"no checkpoint at {path}; check the path")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != "hrnet":
                raise InputError(f"{path} is not a checkpoint of this program; convert it first")
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a readable safetensors file: {one_line(error)}") from None
    return state, PoseSpec.from_json(header.get("spec", ""))


def load_weights(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Put weights into a network; InputError names what does not fit. Nothing is left out."""
    own = model.state_dict()
    missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    wrong = [key for key in own.keys() & state.keys() if own[key].shape != state[key].shape]
    if missing or unknown or wrong:
        first = (missing or unknown or sorted(wrong))[0]
        raise InputError(
            f"{source} does not fit the network: {len(missing)} tensors missing, {len(unknown)} "
            f"unknown, {len(wrong)} of another shape, such as {first}; check variant and keypoints"
        )
    model.load_state_dict(state)


def build_network(spec: PoseSpec) -> nn.Module:
    """The bare network of a description, as it is trained."""
    keypoints = spec.skeleton.num_keypoints
    return create_model(spec.variant, task=spec.task, num_keypoints=keypoints)


def with_activation(network: nn.Module, spec: PoseSpec) -> nn.Module:
    """The network as it predicts: heatmaps of Gaussians of height 1."""
    if spec.activation == "none":
        return network
    return nn.Sequential(network, SpatialSoftmax(spec.sigma))


def load_checkpoint(path: Path) -> tuple[nn.Module, PoseSpec]:
    """Load a checkpoint ready to predict: (N, 3, H, W) -> heatmaps, in eval mode."""
    state, spec = read_checkpoint(path)
    network = build_network(spec)
    load_weights(network, state, str(path))
    return with_activation(network, spec).eval(), spec
