"""Run our networks with the recordings' weights and inputs, and measure how far they are off."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from unittest.mock import patch

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hrnet.models import Network
from hrnet.models.highres import Exchange
from hrnet.weights.schemes import from_upstream, to_upstream

from .models import MODELS
from .recordings import Arrays, Shapes, cut, fill, images, spread

TOLERANCE = 2e-5
"""Of the largest value of the tensor, in float32."""
TOLERANCE_FLOAT64 = 1e-6
"""The same where the recording was computed in float64."""


def upstream_state(name: str) -> dict[str, torch.Tensor]:
    """The state dictionary under its upstream names, without values."""
    model = MODELS[name]
    network = model.weightless()
    return to_upstream(network.state_dict(), network.spec, model.scheme)


def upstream_shapes(name: str) -> Shapes:
    return {key: tuple(value.shape) for key, value in upstream_state(name).items()}


@lru_cache(maxsize=1)
def filled(name: str) -> Network:
    """Our network with the recordings' weights, which came through the converter."""
    model = MODELS[name]
    network = model.weightless()
    state = {
        key: fill(key, tuple(value.shape)) if value.is_floating_point() else value
        for key, value in to_upstream(network.state_dict(), network.spec, model.scheme).items()
    }
    ours = from_upstream(state, network.spec, model.scheme)
    network.load_state_dict(ours, strict=True, assign=True)
    return network


STAGES = ("stage2", "stage3", "stage4")


def _points(network: Network) -> Iterator[tuple[str, nn.Module]]:
    """Recorded place -> the module of ours with the same output."""
    lite = network.spec.variant.find("litehrnet") >= 0
    stages = network.backbone.stages
    yield "stem" if lite else "layer1", network.backbone.stem
    for number, stage in enumerate(STAGES):
        yield f"stage{number}" if lite else stage, stages.get_submodule(stage)
    if lite:
        for number, project in enumerate(network.head.project):
            yield f"head_layer{len(network.head.project) - 1 - number}", project
    if network.spec.task == "classification":
        yield "final_layer", network.head.final


def run(name: str, tag: str, dtype: torch.dtype = torch.float32) -> Arrays:
    """Outputs (out, or out0, out1, ...) and streams (feat_...) of the filled network."""
    network = filled(name).to(dtype)
    seen: Arrays = {}

    def keep(label: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                seen[f"feat_{label}"] = output.numpy().copy()
            else:
                seen.update({f"feat_{label}{i}": y.numpy().copy() for i, y in enumerate(output)})

        return hook

    handles = [module.register_forward_hook(keep(label)) for label, module in _points(network)]
    try:
        with torch.no_grad():
            outputs = MODELS[name].answer(network, torch.from_numpy(images(tag)).to(dtype))
    finally:
        for handle in handles:
            handle.remove()
        network.float()
    names = ["out"] if len(outputs) == 1 else [f"out{i}" for i in range(len(outputs))]
    return seen | {label: out.numpy() for label, out in zip(names, outputs, strict=True)}


@dataclass(frozen=True)
class Comparison:
    """key: of the recording. error: largest difference by the largest value of the tensor."""

    key: str
    error: float
    allowed: float

    @property
    def passed(self) -> bool:
        return self.error <= self.allowed  # False where the error is no number


def compare(name: str, recorded: Arrays) -> Iterator[Comparison]:
    """Compare every recorded array of a model with what our network gives.

    Where a recording has an output in float64 too, its float32 arrays are noisier than the
    tolerance, and so would ours be, each machine in its own way. There our network runs in float64:
    it must give the float64 output, and their float32 arrays within twice the noise that their own
    output has.
    """
    for tag in sorted({key.split("/")[0] for key in recorded}):
        arrays = {key: recorded[key] for key in recorded if key.split("/")[0] == tag}
        exact = {key: array for key, array in arrays.items() if key.endswith("__f64run")}
        if not exact:
            yield from _compare(arrays, run(name, tag), TOLERANCE)
            continue
        answers = run(name, tag, torch.float64)
        noise = max(_noise(arrays[key.removesuffix("__f64run")], exact[key]) for key in exact)
        single = {key: array for key, array in arrays.items() if f"{key}__f64run" not in exact}
        rough = {key: array for key, array in single.items() if key not in exact}
        yield from _compare(exact, answers, TOLERANCE_FLOAT64)
        yield from _compare(rough, answers, max(TOLERANCE, 2 * noise))


def _noise(single: np.ndarray, double: np.ndarray) -> float:
    """The largest error of a float32 recording, by the largest value."""
    return float(np.abs(single.astype(np.float64) - double).max() / np.abs(double).max())


def _compare(recorded: Arrays, answers: Arrays, allowed: float) -> Iterable[Comparison]:
    for key, theirs in recorded.items():
        label, *forms = key.split("/")[1].split("__")
        ours = answers[label]
        forms = [form for form in forms if form != "f64run"]
        part = cut(ours, forms[0] if forms else "")
        if part.size != theirs.size:
            yield Comparison(key, float("inf"), allowed)
            continue
        scale = max(np.abs(theirs).max(), np.abs(ours).max() if forms else 0.0)
        error = np.abs(part.astype(np.float64) - theirs.ravel()).max() / scale
        yield Comparison(key, float(error), allowed)


def kept_part(name: str, key: str) -> np.ndarray:
    """The 64 values that networks.json has of an output, as ours come out."""
    tag, label = key.removesuffix("__f64run").split("/")
    dtype = torch.float64 if key.endswith("__f64run") else torch.float32
    return spread(run(name, tag, dtype)[label])


def compare_kept(name: str, values: dict[str, dict]) -> Iterator[Comparison]:
    """Compare the values of a model that networks.json has with what our network gives."""
    for key, kept in values.items():
        allowed = TOLERANCE_FLOAT64 if key.endswith("__f64run") else TOLERANCE
        difference = np.abs(kept_part(name, key) - np.array(kept["64"])).max()
        yield Comparison(key, float(difference / kept["largest"]), allowed)


def macs(name: str, height: int, width: int) -> int:
    """Multiply-adds of one image as the published code runs them.

    Lite-HRNet's code runs the path from stream 0 to each lower stream twice with the same input.
    Ours runs it once, so here it is run again before the count is compared.
    """
    network = MODELS[name].weightless()
    if "litehrnet" in network.spec.variant:
        for module in network.modules():
            if isinstance(module, Exchange):
                for row in list(module.paths)[1:]:
                    row[0].register_forward_hook(lambda path, inputs, _: path.forward(*inputs))
    # Norms and activations have none, and are most of the time on the meta device.
    same = dict.fromkeys(("batch_norm", "layer_norm", "relu", "gelu"), lambda x, *_, **__: x)
    image = torch.empty(1, 3, height, width, device="meta")
    with patch.multiple(nn.functional, **same), FlopCounterMode(display=False) as counter:
        network(image)
    return counter.get_total_flops() // 2


def tags_of(keys: Iterable[str]) -> list[str]:
    return sorted({key.split("/")[0] for key in keys if re.match(r"(b\d+_)?\d+x\d+/", key)})
