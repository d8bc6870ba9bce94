"""The scripts in examples/ do what the documentation says of them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import hrnet

ROOT = Path(__file__).resolve().parents[1]
BOX = [20, 10, 350, 500]


def in_plain_onnxruntime(model: Path, photo: Path) -> np.ndarray:
    """Rows of x, y and score (K, 3), as the script prints them."""
    script = ROOT / "examples" / "onnx_only.py"
    box = ",".join(map(str, BOX))
    done = subprocess.run(
        [sys.executable, str(script), str(model), str(photo), box],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.array([line.split()[1:] for line in done.stdout.splitlines()], dtype=float)


@pytest.mark.parametrize("codec", ["udp", "dark", "classic"])
def test_an_exported_model_needs_no_hrnet(tmp_path: Path, astronaut: Path, codec: str) -> None:
    """The script that docs/exported_model.md shows finds the same points."""
    file = onnx.load(ROOT / "src" / "hrnet" / "assets" / "default.onnx")
    (entry,) = (entry for entry in file.metadata_props if entry.key == "hrnet")
    entry.value = json.dumps(json.loads(entry.value) | {"codec": codec})
    onnx.save(file, tmp_path / "model.onnx")
    poses = hrnet.load(tmp_path / "model.onnx").predict(astronaut, boxes=[BOX])
    found = in_plain_onnxruntime(tmp_path / "model.onnx", astronaut)
    assert poses.presence is not None
    # A pixel of a map is ten of the image here, and the crops differ by a grey level.
    sure = (poses.keypoint_scores[0] > 0.3) & (poses.presence[0] > 0.5)
    assert sure.sum() >= 8
    assert np.abs(found[:, :2] - poses.keypoints[0])[sure].max() < 0.6
    assert np.abs(found[:, 2].clip(0, 1) - poses.keypoint_scores[0]).max() < 0.03


def test_a_decoder_of_ones_own_learns_on_the_streams() -> None:
    script = ROOT / "examples" / "own_decoder.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in done.stdout.splitlines()]
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert "logits (2, 3, 64, 96)" in done.stdout
