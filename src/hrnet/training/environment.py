"""The software and machine of a run, written beside its settings."""

import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from hrnet.files import sha256_of, write_text
from hrnet.run_folder import ENVIRONMENT
from hrnet.tasks.pose.dataset import PoseDataset
from hrnet.training.distributed import World

_PACKAGES = ("hrnet", "torch", "numpy", "pillow", "safetensors", "pycocotools")


def environment(world: World, datasets: Mapping[str, PoseDataset]) -> dict[str, object]:
    """Versions, machine, command and data sets (by their role), as plain values for JSON."""
    return {
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


def write_environment(folder: Path, values: Mapping[str, object]) -> None:
    """Write the values to environment.json in a run folder."""
    write_text(folder / ENVIRONMENT, json.dumps(values, indent=2) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name, which Linux has in /proc alone."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _facts(dataset: PoseDataset) -> dict[str, object]:
    names = dataset.keypoints.skeleton.names
    skeleton = dataset.keypoints.skeleton
    return {
        "annotations": str(dataset.path),
        "sha256": sha256_of(dataset.path),
        "images": len({sample.image_id for sample in dataset.samples}),
        "subjects": len(dataset.samples),
        "keypoints": list(names),
        "flip_pairs": [[names[left], names[right]] for left, right in skeleton.flip_pairs],
        "sigmas": dataset.keypoints.sigmas_source,
    }
