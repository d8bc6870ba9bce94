"""Networks with random weights, and files of them as other projects write them."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from hrnet.models import Network, build_network
from hrnet.spec import NetworkSpec

StateDict = dict[str, Tensor]


class Foreign:
    """Stands for classes of other projects in their files, such as mmengine's HistoryBuffer."""


def network(variant: str, **options: object) -> Network:
    """Build a network whose every tensor differs from every other, with sane values."""
    spec = NetworkSpec.model_validate({"variant": variant, "task": "pose", **options})
    model = build_network(spec).eval()
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            noise = torch.rand(value.shape, generator=generator)
            centred = (noise - 0.5) / max(1, value[0].numel() if value.dim() > 1 else 1) ** 0.5
            value.copy_(noise + 0.5 if name.endswith("running_var") else centred)
        else:
            value.fill_(7)
    return model


def outputs(model: torch.nn.Module, size: tuple[int, int] = (64, 64)) -> Tensor:
    """Return the outputs of a network for one image of noise, as one row of numbers."""
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        answer = model(images)
    parts = [answer] if isinstance(answer, Tensor) else list(answer)
    return torch.cat([part.flatten() for part in parts])


def prefixed(state: StateDict, prefix: str) -> StateDict:
    return {prefix + name: value for name, value in state.items()}


def bare(state: StateDict) -> object:
    return state


def pose_checkpoint(state: StateDict) -> object:
    """checkpoint.pth of leoxiaobin's training."""
    return {
        "epoch": 210,
        "model": "pose_hrnet",
        "state_dict": prefixed(state, "module."),
        "best_state_dict": state,
        "perf": 0.75,
        "optimizer": {"state": {}, "param_groups": []},
    }


def in_state_dict(state: StateDict) -> object:
    return {"state_dict": state}


def full_model(state: StateDict) -> object:
    """The segmentation code saves the network and its loss as one module."""
    return prefixed(state, "model.") | {"loss.criterion.weight": torch.ones(19)}


def openmmlab(state: StateDict) -> object:
    return {
        "meta": {"epoch": 210, "dataset_meta": {"names": Foreign()}},
        "state_dict": state,
        "message_hub": {"log_scalars": {"loss": Foreign()}},
        "optimizer": {"state": {0: torch.ones(3)}, "param_groups": []},
        "param_schedulers": [{"last_step": 3}],
    }


def swin(state: StateDict) -> object:
    """HRFormer's classification training, which is that of Swin."""
    return {"model": state, "optimizer": {}, "lr_scheduler": {}, "epoch": 299, "config": Foreign()}


def openseg(state: StateDict) -> object:
    return {"state_dict": prefixed(state, "module."), "config_dict": {}, "optimizer": {}}


def snapshot(state: StateDict) -> object:
    """DeepLabCut's."""
    return {"model": state, "metadata": {"epoch": 200, "metrics": {"mAP": 90.0}}}


@dataclass(frozen=True)
class Case:
    """A network as a project saves it. writers: part of what the report says who does so.

    old: as torch before 1.6. suffix: .pdparams for files of Paddle, which hold no counters.
    """

    scheme: str
    variant: str
    options: dict[str, object]
    wrap: Callable[[StateDict], object] = bare
    writers: str = ""
    old: bool = False
    suffix: str = ".pth"

    def network(self) -> Network:
        return network(self.variant, **self.options)


def as_paddle(state: StateDict, protocol: Literal[2, 3, 4] = 4) -> bytes:
    """Return the pickle that paddle.save writes of a state dict."""
    arrays: dict[str, object] = {name: value.numpy() for name, value in state.items()}
    names = {name: f"conv2d_{place}.w_0" for place, name in enumerate(state)}
    return pickle.dumps(arrays | {"StructuredToParameterName@@": names}, protocol)


def save(content: object, path: Path, *, old: bool = False) -> Path:
    """Write as torch.save, as safetensors or as Paddle by the suffix; old: as torch before 1.6."""
    if path.suffix == ".pdparams":
        assert isinstance(content, dict)
        path.write_bytes(as_paddle(content))
    elif path.suffix == ".safetensors":
        assert isinstance(content, dict)
        save_file({name: value.contiguous() for name, value in content.items()}, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path
