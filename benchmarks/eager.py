"""Our networks beside the same networks of other packages, eager, on the CPU: seconds a batch.

Run on a quiet machine: python benchmarks/eager.py [--rounds N] [--batches 1 16] [--threads 2].
HRNet-W18 for classification at 224x224 beside timm's; the backbones of HRNet-W32, Lite-HRNet-18
and HRFormer-S at 256x192 beside mmpose's, where `mmpose` and `mmcv-lite` are installed. Both have
the same weights, carried over by the converter, and their answers are compared first. The two take
turns batch by batch, each going first in every second round, float32, inference mode. Printed are
the medians, and the median over the rounds of our time by theirs: below 1 ours is faster.
"""

import argparse
import importlib
import importlib.util
import platform
import statistics
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from hrnet.models import create_model
from hrnet.weights.schemes import to_upstream

WARM_UP = 2


def pairs() -> Iterator[tuple[str, tuple[int, int], nn.Module, nn.Module]]:
    """Yield name, input size, our network and the other with the same weights."""
    if found("timm"):
        ours = random_weights(create_model("hrnet_w18", task="classification"))
        theirs = importlib.import_module("timm").create_model("hrnet_w18")
        theirs.load_state_dict(to_upstream(ours.state_dict(), ours.spec, "official"))
        yield "hrnet_w18 classification, timm", (224, 224), ours, theirs.eval()
    if found("mmpose"):
        for variant, make, options in mmpose_backbones():
            ours = random_weights(create_model(variant, options=options))
            yield f"{variant} pose, mmpose", (256, 192), ours, mmpose_twin(ours, make).eval()


def mmpose_twin(ours: nn.Module, make: Callable[[], nn.Module]) -> nn.Module:
    """A network of mmpose's backbone that `make` builds, with the weights of ours."""
    state = to_upstream(ours.state_dict(), ours.spec, "mmpose 1.x")
    prefix, final = "backbone.", "head.final_layer."
    backbone = make()
    backbone.load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )
    last = nn.Conv2d(state[final + "weight"].shape[1], 17, 1)
    last.load_state_dict({"weight": state[final + "weight"], "bias": state[final + "bias"]})
    return nn.Sequential(backbone, Highest(), last)


class Highest(nn.Module):
    """Takes the highest stream."""

    def forward(self, streams: list[Tensor]) -> Tensor:
        return streams[0]


def found(package: str) -> bool:
    if importlib.util.find_spec(package) is None:
        print(f"{package} is not installed and not compared")
        return False
    return True


def mmpose_backbones() -> Iterator[tuple[str, Callable[[], nn.Module], dict[str, str]]]:
    """Import the backbones' files alone, since the package as a whole needs a compiled mmcv."""
    spec = importlib.util.find_spec("mmpose")
    assert spec is not None
    assert spec.origin is not None
    for name in ("mmpose", "mmpose.models", "mmpose.models.backbones"):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(spec.origin).parent.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    backbone = importlib.import_module

    def stage(modules: int, blocks: int, widths: tuple[int, ...], **more: object) -> dict:
        return {
            "num_modules": modules,
            "num_branches": len(widths),
            "num_blocks": (blocks,) * len(widths),
            "num_channels": widths,
            **more,
        }

    def hrnet() -> nn.Module:
        widths = (32, 64, 128, 256)
        first = stage(1, 4, (64,), block="BOTTLENECK")
        rest = {
            f"stage{n}": stage(modules, 4, widths[:n], block="BASIC")
            for n, modules in ((2, 1), (3, 4), (4, 3))
        }
        return backbone("mmpose.models.backbones.hrnet").HRNet({"stage1": first, **rest})

    def lite() -> nn.Module:
        widths = (40, 80, 160, 320)
        extra = {
            "stem": {"stem_channels": 32, "out_channels": 32, "expand_ratio": 1},
            "num_stages": 3,
            "stages_spec": {
                "num_modules": (2, 4, 2),
                "num_branches": (2, 3, 4),
                "num_blocks": (2, 2, 2),
                "module_type": ("LITE",) * 3,
                "with_fuse": (True,) * 3,
                "reduce_ratios": (8, 8, 8),
                "num_channels": tuple(widths[:n] for n in (2, 3, 4)),
            },
            "with_head": True,
        }
        return backbone("mmpose.models.backbones.litehrnet").LiteHRNet(extra)

    def former() -> nn.Module:
        widths, heads = (32, 64, 128, 256), (1, 2, 4, 8)
        first = stage(1, 2, (64,), block="BOTTLENECK", num_heads=(2,), num_mlp_ratios=(4,))
        rest = {
            f"stage{n}": stage(
                modules,
                2,
                widths[:n],
                block="HRFORMERBLOCK",
                num_heads=heads[:n],
                mlp_ratios=(4,) * n,
                window_sizes=(7,) * n,
            )
            for n, modules in ((2, 1), (3, 4), (4, 2))
        }
        extra = {"drop_path_rate": 0.1, "with_rpe": True, "stage1": first, **rest}
        make = backbone("mmpose.models.backbones.hrformer").HRFormer
        return make(extra, norm_cfg={"type": "BN"})

    yield "hrnet_w32", hrnet, {}
    yield "litehrnet_18", lite, {}
    yield "hrformer_small", former, {"relative_position": "table"}


def random_weights(network: nn.Module) -> nn.Module:
    """Weights that keep the signal's size, so that the answers can be compared."""
    draw = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, parameter[0].numel() ** -0.5, generator=draw)
    return network.eval()


def seconds(network: nn.Module, images: Tensor) -> float:
    start = time.perf_counter()
    with torch.inference_mode():
        network(images)
    return time.perf_counter() - start


def compare(ours: nn.Module, theirs: nn.Module, images: Tensor, rounds: int) -> str:
    with torch.inference_mode():
        a, b = ours(images), theirs(images)
    difference = ((a - b).abs().max() / b.abs().max()).item()
    networks = (ours, theirs)
    for network in networks * WARM_UP:
        seconds(network, images)
    times = []
    for number in range(rounds):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        taken = {index: seconds(networks[index], images) for index in order}
        times.append((taken[0], taken[1]))
    mine, other = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    return f"{mine:.4f} s | {other:.4f} s | {ratio:.2f} | {difference:.0e}"


def main() -> None:
    """Print a line for each pair and batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {platform.processor()}, {arguments.threads} threads")
    print("network, other | batch | ours | theirs | ours / theirs | difference")
    for name, size, ours, theirs in pairs():
        for batch in arguments.batches:
            images = torch.randn(batch, 3, *size)
            print(name, batch, compare(ours, theirs, images, arguments.rounds), sep=" | ")


if __name__ == "__main__":
    main()
