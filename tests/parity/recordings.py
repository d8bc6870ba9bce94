"""The recordings of the published code in one folder, with their weights and inputs.

Each model has a NAME.json (facts, names and shapes) and may have a NAME.npz with arrays
TAG/out (out0, out1, ... for several outputs) and TAG/feat_STREAM__first64. A TAG is HxW or bN_HxW.
Large outputs are cut to `__first4096` and `__strideN` (every Nth value, 16384 of them at most);
`__f64run` was computed in float64.
"""

import hashlib
import json
import math
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

Shapes = Mapping[str, tuple[int, ...]]
Arrays = dict[str, np.ndarray]


def models_of(folder: Path) -> list[str]:
    """Names of the models that a folder has anything about."""
    files = [*folder.glob("*.json"), *folder.glob("*.npz")]
    return sorted({path.stem for path in files if _about_a_model(path)})


def _about_a_model(path: Path) -> bool:
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return any(re.fullmatch(r"(b\d+_)?\d+x\d+/(out|feat).*", key) for key in arrays.files)
    record = json.loads(path.read_text())
    return isinstance(record, dict) and "state_dict" in record


def recorded(folder: Path, name: str) -> dict:
    """The facts of a model; empty where only its arrays are there."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def recorded_arrays(folder: Path, name: str) -> Arrays:
    path = folder / f"{name}.npz"
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def recorded_shapes(record: dict) -> Shapes:
    return {key: tuple(shape) for key, shape in record["state_dict"].items()}


def digest(shapes: Shapes) -> str:
    """One number for all names and shapes, whatever their order."""
    lines = sorted(f"{key} {list(shape)}" for key, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def fill(key: str, shape: tuple[int, ...], factor: float = 1) -> torch.Tensor:
    """The weights of the recordings: drawn from the CRC of the tensor's upstream name."""
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    draw = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    if key.endswith("running_mean"):
        values = draw.standard_normal(shape) * 0.1
    elif key.endswith("running_var"):
        values = draw.uniform(0.5, 1.5, shape)
    elif len(shape) >= 2:
        values = draw.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
    elif key.endswith("bias"):
        values = draw.standard_normal(shape) * 0.1
    else:
        values = draw.uniform(0.5, 1.5, shape)
    return torch.from_numpy(np.asarray(values * factor, np.float32))


def images(tag: str) -> np.ndarray:
    """The recordings' input for a tag."""
    batch, height, width = re.fullmatch(r"(?:b(\d+)_)?(\d+)x(\d+)", tag).groups("1")
    draw = np.random.Generator(np.random.PCG64(0))
    return draw.standard_normal((int(batch), 3, int(height), int(width))).astype(np.float32)


def cut(values: np.ndarray, form: str) -> np.ndarray:
    """The part of a flat tensor that is recorded: "", first64, first4096 or strideN."""
    flat = values.ravel()
    if form.startswith("first"):
        return flat[: int(form[5:])]
    if form.startswith("stride"):
        return flat[:: int(form[6:])][:16384]
    return flat


def spread(values: np.ndarray, count: int = 64) -> np.ndarray:
    """Values evenly taken from a whole tensor."""
    return values.ravel()[:: max(values.size // count, 1)][:count]
