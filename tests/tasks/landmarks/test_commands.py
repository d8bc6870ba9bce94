"""README's commands for landmarks on whole pictures, as they stand there, on drawn X-rays."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest

from . import xrays

README = Path(__file__).parents[3] / "README.md"
SMALL = (
    *("model.variant=small_hrnet_w16", "train.init=null", "train.epochs=1", "train.batch_size=4"),
    *("run.workers=0", "train.precision=float32", "train.warmup_steps=0", "run.tensorboard=false"),
)
"""A training of seconds in place of one of minutes."""


def commands() -> list[list[str]]:
    """Return the words of each command of the section, without `hrnet`."""
    section = README.read_text("utf-8").partition("## Mark landmarks on whole pictures")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    found = [shlex.split(line, comments=True) for line in block[1].splitlines() if line]
    assert {words[0] for words in found} == {"hrnet"}
    return [words[1:] for words in found]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The files that the commands name, of small pictures: xrays/, more/, new.png and the lists."""
    for name, count, seed in (("xrays", 10, 0), ("more", 3, 1)):
        made = tmp_path / f"drawn_{name}"
        file = xrays.write(made, count, seed=seed, size=(128, 96))
        (made / "images").rename(tmp_path / name)
        file.rename(tmp_path / f"{name}.json")
    (tmp_path / "new.png").write_bytes(next((tmp_path / "more").iterdir()).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_of_them(folder, run):
    """Check, train, evaluate, report, predict, export and cross-validate, in README's order."""
    seen = []
    for words in commands():
        changes = [part for one in SMALL for part in ("--set", one)] if words[0] == "train" else []
        code, text, err = run(*words, *changes)
        assert code == 0, (words, err)
        seen.append(words[0])
        if words[0] == "evaluate":
            assert {"MRE mm", "SDR 2mm", "error px", "within 90%"} <= set(_figures(text))
    assert seen == ["data", "train", "evaluate", "report", "predict", "export", "train"]
    # Whole pictures, of one channel, in millimetres; the points of a new one lie in it.
    description = json.loads((folder / "runs/spine/experiment.json").read_text())
    assert description["model"]["options"]["in_channels"] == 1
    assert description["model"]["metrics"][0] == "mm"
    assert "v1_upper_left" in (folder / "runs/spine/report.html").read_text()
    (found,) = json.loads((folder / "drawn/keypoints.json").read_text())
    points = np.reshape(found["keypoints"], (-1, 3))
    assert points.shape == (29, 3)
    assert ((points[:, :2] >= -8) & (points[:, :2] <= (104, 136))).all()
    assert np.shape(found["keypoint_covariances"]) == (29, 3)
    (size,) = {tuple(one.dim_value for one in _input(folder / "spine.onnx")[1:])}
    assert size[0] == 1
    folds = json.loads((folder / "runs/folds/folds.json").read_text())
    assert len(folds["folds"]) == 5
    assert {"mean", "sd"} == set(folds["over_folds"]["MRE mm"])


def _figures(text: str) -> list[str]:
    """Return the names of the metrics in a table."""
    return [row.split("│")[1].strip() for row in text.splitlines() if row.count("│") > 2]


def _input(path: Path):
    return onnx.load(path).graph.input[0].type.tensor_type.shape.dim
