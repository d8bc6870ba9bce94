"""The part of the recordings that is kept here, so that every run of the tests proves parity.

networks.json has for each model the number of parameters, a digest of all names and shapes, the
multiply-adds, and 64 values of each output. Where the recordings hold no output of a model, the
values are our own in float64 ("source": "ours"): they pin what this code gives.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch

from .models import MODELS
from .recordings import digest, recorded, recorded_arrays, recorded_shapes, spread
from .runs import run, tags_of

FILE = Path(__file__).with_name("networks.json")
SMALL = ("64x64", "b2_64x32", "96x64", "96x72")
"""Tags whose values are kept: the first of these that a model has, and 96x72 where it works."""


def read() -> dict:
    return json.loads(FILE.read_text())


def derive_facts(folder: Path, name: str) -> dict:
    """The facts in the recordings alone: all but the values of models without recorded outputs."""
    record, arrays = recorded(folder, name), recorded_arrays(folder, name)
    facts = {
        "parameters": record["params"],
        "names_and_shapes": digest(recorded_shapes(record)),
        "macs": {"x".join(map(str, m["input"][2:])): m["macs"] for m in record["macs"]},
        "refused": [run["tag"] for run in record["golden"] if "error" in run],
    }
    if not arrays:
        return facts
    return facts | {"source": "published code", "values": kept_values(arrays)}


def derive(folder: Path, name: str) -> dict:
    """The facts of one model."""
    facts = derive_facts(folder, name)
    if "values" in facts:
        return facts
    outputs = _our_outputs(name, recorded(folder, name))
    return facts | {"source": "ours", "values": kept_values(outputs)}


def _our_outputs(name: str, record: dict) -> dict[str, np.ndarray]:
    tags = [run["tag"] for run in record["golden"] if "error" not in run]
    tag = next((tag for tag in SMALL if tag in tags), tags[0])
    outputs_of_run = run(name, tag, torch.float64)
    outputs = (label for label in outputs_of_run if label.startswith("out"))
    return {f"{tag}/{label}__f64run": outputs_of_run[label] for label in outputs}


def kept_values(arrays: dict[str, np.ndarray]) -> dict[str, dict]:
    """64 values of each output at one small size, and at 96x72 too if that is another."""
    tags = tags_of(arrays)
    chosen = {next((tag for tag in SMALL if tag in tags), None), "96x72"} & set(tags)
    doubles = {key.removesuffix("__f64run") for key in arrays if key.endswith("__f64run")}
    return {
        key: {
            "largest": float(np.abs(array).max()),
            "64": [float(f"{value:.9g}") for value in spread(array).tolist()],
        }
        for key, array in sorted(arrays.items())
        if key.split("/")[0] in chosen
        and re.fullmatch(r"[^/]+/out\d?(__f64run)?", key)
        and key not in doubles
    }


def write(folder: Path) -> None:
    """Write networks.json anew from a folder of recordings."""
    text = json.dumps({name: derive(folder, name) for name in MODELS}, indent=1)
    FILE.write_text(re.sub(r",\n\s+(?=-?\d)", ", ", text) + "\n")  # one line for 64 numbers
