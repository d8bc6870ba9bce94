"""The software and machine of a run, written beside its settings."""

import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from hrnet.files import write_text
from hrnet.run_folder import ENVIRONMENT
from hrnet.tasks import Dataset
from hrnet.training.distributed import World

_PACKAGES = ("hrnet", "torch", "numpy", "pillow", "safetensors", "pycocotools")


def write_environment(folder: Path, world: World, datasets: Mapping[str, Dataset]) -> None:
    """Write environment.json: versions, machine, command, and the data sets by their role."""
    values = {
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "device": _device(world.device),
        "processes": world.size,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "command": ["hrnet", *sys.argv[1:]],
        "data": {role: _facts(dataset) for role, dataset in datasets.items()},
    }
    write_text(folder / ENVIRONMENT, json.dumps(values, indent=2) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the processor's name; Linux has it in /proc alone."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _facts(dataset: Dataset) -> dict[str, object]:
    """Return where a data set is, its number of samples, and the task's own facts about it."""
    facts = dataset.facts().get("data")
    own = dict(facts) if isinstance(facts, Mapping) else {}
    return {"path": str(dataset.path), "samples": len(dataset.samples), **own}
