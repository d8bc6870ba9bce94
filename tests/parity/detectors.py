"""The recordings of whole detectors and of their parts, and our detectors with their weights.

det_*.npz with a json of the same name. Those whose json has `state_dict` are whole detectors: the
picture, the maps of the network, proposals and detections. det_units_* are parts of detectors.
`PYTHONPATH=tests python -m parity.detectors FOLDER` cuts the files in kept_detectors/ anew; there
the json has the network in place of `state_dict`, and pictures lie in files of their own.
"""

import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from hrnet.models import Network, build_network
from hrnet.predict import Model
from hrnet.runtime.torch_engine import TorchEngine
from hrnet.spec import NetworkSpec
from hrnet.tasks.detection.coco import COCO_CLASSES
from hrnet.tasks.detection.predictor import Predictor
from hrnet.tasks.detection.spec import DetectionSpec
from hrnet.weights.schemes import KEY_MAPS, from_upstream, to_upstream
from hrnet.weights.schemes.recognise import recognise

from .recordings import Arrays, digest, fill

KEPT = Path(__file__).with_name("kept_detectors")
BESIDE = Path(__file__).parents[3] / "shared" / "reference" / "golden_tasks"
FOLDER = Path(os.environ.get("HRNET_GOLDEN_TASKS") or BESIDE)
UNITS = "det_units_"
ROWS = 12
"""Rows that are kept of long lists."""


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("det_*.npz") if path.with_suffix(".json").exists())


def units_of(folder: Path) -> list[Path]:
    return [path for path in files_of(folder) if path.name.startswith(UNITS)]


def wholes_of(folder: Path) -> list[Path]:
    found = (path for path in files_of(folder) if not path.name.startswith(UNITS))
    return [path for path in found if {"state_dict", "network"} & facts_of(path).keys()]


@cache
def facts_of(path: Path) -> dict:
    return json.loads(path.with_suffix(".json").read_text())


@cache
def arrays_of(path: Path) -> Arrays:
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a detector's tensors: the recorded ones, or ours by their names."""
    facts = facts_of(path)
    if "state_dict" in facts:
        return {key: tuple(shape) for key, shape in facts["state_dict"].items()}
    network = NetworkSpec(**facts["network"])
    with torch.device("meta"):
        state = build_network(network).state_dict()
        theirs = to_upstream(state, network, facts["scheme"])
    return {key: tuple(value.shape) for key, value in theirs.items()}


def weights_of(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """The recordings' weights; without these factors no box would survive."""

    def factor(key: str) -> float:
        if "reduction_conv" in key and key.endswith("weight"):
            return 2e-4
        return 4 if key.endswith("fc_cls.weight") else 1

    return {key: fill(key, shape, factor(key)) for key, shape in shapes.items()}


@dataclass(frozen=True, eq=False)
class Recorded:
    """One recorded detector with ours of the same weights."""

    facts: dict
    arrays: Arrays
    network: Network
    spec: DetectionSpec

    @property
    def legacy(self) -> bool:
        return self.spec.conventions == "legacy"

    @property
    def image(self) -> np.ndarray:
        """The stored picture in RGB."""
        kept = arrays_of(KEPT / f"picture_{self.facts['image_seed']}.npz")
        found = self.arrays if "image_rgb" in self.arrays or "image_bgr" in self.arrays else kept
        if "image_rgb" in found:
            return found["image_rgb"]
        return np.ascontiguousarray(found["image_bgr"][..., ::-1])

    @property
    def scale(self) -> float | np.ndarray:
        """Pixels of the stored picture for one of the original picture; it may be resized."""
        same = list(self.image.shape[:2]) == self.facts.get("input_hw")
        return np.tile(self.facts["scale_factor"], 2) if same else 1.0

    @property
    def model(self) -> Model:
        return Model(TorchEngine(Predictor(self.network, self.spec)), self.spec)

    def detections(self) -> Arrays:
        """The recorded detections, the best first, in pixels of the stored picture."""
        columns, arrays = self.arrays["det_bboxes"], self.arrays
        scores = arrays["det_scores"] if "det_scores" in arrays else columns[:, 4]
        order = np.argsort(-scores, kind="stable")
        boxes = columns[:, :4] * self.scale + (np.array([0, 0, 1, 1]) if self.legacy else 0)
        found = {"boxes": boxes, "scores": scores, "labels": arrays["det_labels"]}
        if "masks_packed" in arrays:
            width = self.facts["masks_shape"][2]
            found["masks"] = np.unpackbits(arrays["masks_packed"], axis=-1)[..., :width].astype(
                bool
            )
        return {name: values[order] for name, values in found.items()}


@cache
def recorded(path: Path) -> Recorded:
    facts = facts_of(path)
    weights = weights_of(shapes_of(path))
    if "network" in facts:
        spec, scheme = NetworkSpec(**facts["network"]), facts["scheme"]
        state = from_upstream(weights, spec, scheme)
        maps = (one for one in KEY_MAPS if one.scheme == scheme and one.task == "detection")
        fields = next(one.facts for one in maps if one.options.head == spec.head)
    else:
        found = recognise(weights, path.name)
        spec, state, fields = found.network, found.taken.state, found.key_map.facts
    network = build_network(spec).eval()
    network.load_state_dict(state)
    fit = tuple(sorted(facts.get("img_scale") or facts["input_hw"]))
    described = {**fields, "fit": fit, "class_names": COCO_CLASSES[: spec.num_outputs]}
    return Recorded(
        facts, arrays_of(path), network, DetectionSpec(name=path.stem, network=spec, **described)
    )


def _cut(path: Path, target: Path) -> None:
    """Keep the picture and the first rows of what was found in it; of units small arrays alone."""
    facts, arrays = dict(facts_of(path)), arrays_of(path)
    if path.name.startswith(UNITS):
        skipped = ("assign", "fcos_targets", "roialign")
        kept = {key: value for key, value in arrays.items() if not key.startswith(skipped)}
    else:
        found = recognise(weights_of(shapes_of(path)), path.name)
        names = "config image_seed input_hw img_scale scale_factor masks_shape params".split()
        facts = {name: facts[name] for name in names if name in facts} | {
            "network": json.loads(found.network.to_json()),
            "scheme": found.key_map.scheme,
            "names_and_shapes": digest(shapes_of(path)),
        }
        scores = arrays["det_scores"] if "det_scores" in arrays else arrays["det_bboxes"][:, 4]
        best = np.argsort(-scores, kind="stable")[:ROWS]
        names = "det_bboxes det_scores det_labels masks_packed".split()
        kept = {name: arrays[name][best] for name in names if name in arrays}
        picture = {name: arrays[name] for name in ("image_bgr", "image_rgb") if name in arrays}
        np.savez_compressed(target / f"picture_{facts['image_seed']}.npz", **picture)
    np.savez_compressed(target / path.name, **kept)
    text = json.dumps(facts, indent=1)
    (target / path.name).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    KEPT.mkdir(exist_ok=True)
    for file in [*units_of(Path(sys.argv[1])), *wholes_of(Path(sys.argv[1]))]:
        _cut(file, KEPT)
