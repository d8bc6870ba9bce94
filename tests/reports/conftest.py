"""A run folder made by hand: a small network with random weights, and two drawn pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.config import KeypointData, PoseExperiment, PoseModelConfig, PoseTrain
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.checkpoint import build_network, save_checkpoint

NAMES = ("nose", "left_hand", "right_hand")
HOSTILE = "<script>alert('&')</script>"


def write_data(folder: Path) -> Path:
    """Two pictures with two subjects each, one of them without its last label."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for image_id in (9, 4):
        name = f"<b>{image_id}.png"
        Image.fromarray(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)).save(folder / name)
        images.append({"id": image_id, "file_name": name, "height": 96, "width": 128})
        for left in (4, 66):
            points = [left + 30, 20, 2, left + 10, 60, 2, left + 50, 60, 1 if left == 4 else 0]
            entry = {"id": len(annotations) + 1, "image_id": image_id, "category_id": 1}
            entry |= {"keypoints": points, "bbox": [left, 10, 58, 70], "area": 3000 + left}
            annotations.append(entry)
    category = {"id": 1, "name": "thing", "keypoints": list(NAMES), "skeleton": [[1, 2], [1, 3]]}
    file = folder / "val.json"
    content = {"images": images, "annotations": annotations, "categories": [category]}
    file.write_text(json.dumps(content))
    return file


def make_experiment(data: Path, *, validation: bool = True) -> PoseExperiment:
    return PoseExperiment(
        name=f"try {HOSTILE}",
        model=PoseModelConfig(variant="small_hrnet_w16", input_size=(64, 64)),
        data=KeypointData(
            annotations=data,
            images=data.parent,
            val_annotations=data if validation else None,
        ),
        train=PoseTrain(epochs=4, lr=0.002, evaluate_every=2),
    )


def make_log() -> list[dict]:
    rows: list[dict] = []
    for epoch in (1, 2, 3):
        for step in (10 * epoch - 5, 10 * epoch):
            rows.append({"kind": "step", "step": step, "epoch": epoch, "loss": 1 / step})
            rows[-1] |= {"lr": 0.002, "images_per_s": 50.0, "data_wait": 0.1, "memory_mb": 900}
        rows.append({"kind": "epoch", "step": 10 * epoch, "epoch": epoch, "loss": 2 / epoch})
        rows[-1] |= {"lr": 0.002, "images_per_s": 48.0, "data_wait": 0.1, "memory_mb": 900}
        rows[-1] |= {"seconds": 61.0, "skipped": 1}
    rows[5] |= {"AP": 0.25, "AP50": 0.5, "AP75": 0.1, "AR": 0.3}
    return rows


class RunMaker:
    """A run folder, and its parts to be changed."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.folder = folder / "run"
        self.folder.mkdir()
        self.data = write_data(folder / "images")
        self.experiment(make_experiment(self.data))
        self.log(make_log())
        self.environment({"packages": {"torch": "2.x"}, "command": ["hrnet", HOSTILE]})
        (self.folder / "best.safetensors").write_bytes(checkpoint.read_bytes())

    def experiment(self, value: PoseExperiment) -> None:
        (self.folder / "experiment.json").write_text(value.to_json())

    def log(self, rows: list[dict], more: str = "") -> None:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (self.folder / "log.jsonl").write_text(lines + more)

    def environment(self, value: object) -> None:
        (self.folder / "environment.json").write_text(json.dumps(value))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small_hrnet_w16 of three keypoints with random weights."""
    edges, pairs = ((0, 1), (0, 2)), ((1, 2),)
    spec = PoseSpec(
        network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=len(NAMES)),
        name="random",
        input_size=(64, 64),
        skeleton=Skeleton(NAMES, edges=edges, flip_pairs=pairs),
    )
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "best.safetensors"
    save_checkpoint(path, build_network(spec).state_dict(), spec)
    return path


@pytest.fixture
def made(tmp_path: Path, checkpoint: Path) -> RunMaker:
    return RunMaker(tmp_path, checkpoint)


@pytest.fixture
def experiment_of() -> Callable[..., PoseExperiment]:
    return make_experiment
