"""Trainings of segmentation on pictures of rectangles: learned, resumed, refused."""

import json

import numpy as np
import pytest
from PIL import Image

import hrnet
from hrnet.config import override
from hrnet.weights.checkpoint import load_checkpoint

from .shapes import NAMES, experiment_of, write_shapes


def tensors_of(folder) -> dict[str, bytes]:
    network, _ = load_checkpoint(folder / "last.safetensors")
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


def rows_of(folder, kind="epoch") -> list[dict]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


@pytest.mark.parametrize("head", ["v2", pytest.param("ocr", marks=pytest.mark.slow)])
def test_a_network_learns_pictures_by_heart(tmp_path, head):
    data, out = write_shapes(tmp_path / "data", 8), tmp_path / "run"
    settings = ["train.epochs=40", "train.optimizer=adamw", "train.lr=3e-3"]
    quiet = ["augmentation.scale=[1,1]", "augmentation.crop=[96,96]", "augmentation.colour=0"]
    experiment = experiment_of(data, *settings, *quiet, f"data.val={data}", head=head)
    hrnet.train(experiment, out)
    rows = rows_of(out)
    assert rows[-1]["loss"] < 0.15 * rows[0]["loss"]
    assert rows[-1]["mIoU"] > 0.85
    # The description of the model is that of the data and the settings.
    _, spec = load_checkpoint(out / "last.safetensors")
    assert spec.class_names == NAMES
    assert (spec.window, spec.conventions, spec.network.head) == ((1024, 1024), "plain", head)


@pytest.mark.parametrize("loss", ["cross_entropy", "ohem", "ohem_hrformer"])
def test_a_run_that_goes_on_ends_with_the_same_weights(tmp_path, loss):
    """Scales, places and colours are drawn at random, and a second process prepares the inputs."""
    data = write_shapes(tmp_path / "data", 8)
    settings = [f"train.loss={loss}", "train.ohem_keep=500", "train.ema=0.5", "train.epochs=3"]
    random = ["augmentation.distortion=true", "augmentation.most_of_one=0.75"]
    usual = experiment_of(data, *settings, *random, "train.schedule=constant", head="ocr")
    hrnet.train(usual, tmp_path / "whole")
    workers = override(usual, ["run.workers=1"])
    hrnet.train(override(workers, ["train.epochs=1"]), tmp_path / "parts")
    hrnet.train(workers, tmp_path / "parts", resume=True)
    assert tensors_of(tmp_path / "parts") == tensors_of(tmp_path / "whole")


def test_parts_of_a_batch_and_half_precision(tmp_path):
    data = write_shapes(tmp_path / "data", 4)
    settings = ("train.accumulate=2", "train.precision=bf16", "train.epochs=1")
    hrnet.train(experiment_of(data, *settings, head="ocr"), tmp_path / "run")
    assert np.isfinite(rows_of(tmp_path / "run")[0]["loss"])


@pytest.mark.parametrize("conventions", ["hrnet", "hrformer", "mmsegmentation"])
def test_each_convention_trains(tmp_path, conventions):
    """Inputs of 41 x 57 pixels: published windows are no multiples of 32 either."""
    data = write_shapes(tmp_path / "data", 4)
    model = [f"model.conventions={conventions}", "model.short_side=48", "model.pad_to=8"]
    experiment = experiment_of(
        data, *model, "augmentation.crop=[41,57]", "train.epochs=1", "model.channels=bgr"
    )
    hrnet.train(experiment, tmp_path / "run")
    assert np.isfinite(rows_of(tmp_path / "run")[0]["loss"])
    _, spec = load_checkpoint(tmp_path / "run" / "last.safetensors")
    # HRFormer's published BGR inputs have mean and deviation of RGB, in that order.
    first = 0.485 if conventions == "hrformer" else 0.406
    assert (spec.channels, spec.mean[0], spec.short_side) == ("bgr", first, 48)


@pytest.fixture
def broken(tmp_path):
    """Four pictures, the mask of one with a value of no class."""
    data = write_shapes(tmp_path / "data", 4)
    mask = np.zeros((64, 96), np.uint8)
    mask[:4] = 7
    Image.fromarray(mask).save(data / "masks" / "1.png")
    return data


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mask_that_cannot_be_used_ends_a_training_in_one_line(run, broken, tmp_path, workers):
    file = tmp_path / "settings.json"
    file.write_text(experiment_of(broken, f"run.workers={workers}").to_json())
    code, _, err = run("train", "--config", file, "--out", tmp_path / "run")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "1.png: 384 pixels have values of no class (7)" in err


def test_masks_that_cannot_be_used_are_skipped_and_counted(broken, tmp_path):
    experiment = experiment_of(broken, "run.broken_images=skip", "train.epochs=1")
    hrnet.train(experiment, tmp_path / "run")
    (row,) = rows_of(tmp_path / "run")
    assert row["skipped"] == 1


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.class_weights=[1,2]", "expected train.class_weights for the 3 classes of"),
        ("train.class_weights=[0,0,0]", "expected train.class_weights above 0"),
        ("train.loss=mse", "setting train.loss: Input should be 'cross_entropy', 'ohem'"),
        ("augmentation.scale=[2,1]", "expected scale as [least, most], got [2, 1]"),
        ("augmentation.crop=[4096,4096]", "expected crop of at most 2,097,152 pixels in all"),
        ("augmentation.crop=[4,64]", "setting augmentation.crop"),
        ("model.stride=[2000,100]", "stride must be at most window"),
        ("train.teacher=default", "segmentation has no training with a teacher; set null"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line(run, tmp_path, setting, words):
    data, file = write_shapes(tmp_path / "data", 2), tmp_path / "settings.json"
    file.write_text(experiment_of(data).to_json())
    code, out, err = run("train", "--config", file, "--out", tmp_path / "run", "--set", setting)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()
