"""Detectors on pictures of rectangles: trained, resumed, evaluated, reported, exported, used."""

import json

import numpy as np
import pytest

import hrnet
from hrnet.config import override
from hrnet.models.heads import two_stage
from hrnet.tasks.detection import two_stage_loss
from hrnet.weights.checkpoint import load_checkpoint

from .conftest import experiment_of


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Fewer regions and hidden numbers than published, so that tests are quick."""
    monkeypatch.setattr(two_stage_loss, "REGIONS_DRAWN", (64, 0.25))
    monkeypatch.setattr(two_stage_loss, "LOOKED_AT", 200)
    monkeypatch.setattr(two_stage, "_HIDDEN", 32)


def tensors_of(run) -> dict[str, bytes]:
    network, _ = load_checkpoint(run / "last.safetensors")
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


def rows_of(run) -> list[dict]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == "epoch"]


@pytest.mark.parametrize("head", ["faster", "fcos", "light"])
def test_from_pictures_to_an_exported_model(run, write_shapes, tmp_path, head):
    data, out = write_shapes(tmp_path / "data", 4), tmp_path / "run"
    experiment = experiment_of(data, data, "train.evaluate_every=2", head=head)
    hrnet.train(experiment, out)
    rows = rows_of(out)
    assert rows[1]["loss"] < rows[0]["loss"]
    assert 0 <= rows[1]["AP"] <= rows[1]["AP50"] <= 1
    metrics = hrnet.evaluate(out, data=data, images=data.parent).metrics
    assert metrics["AP"] == pytest.approx(rows[1]["AP"], abs=1e-6)
    code, _, err = run("report", out)
    assert (code, err) == (0, "")
    page = (out / "report.html").read_text("utf-8")
    assert 'id="classes"' in page and 'id="precision"' in page
    # The exported model finds what the checkpoint finds.
    code, _, err = run("export", out, "--out", tmp_path / "shapes.onnx")
    assert (code, err) == (0, "")
    picture = data.parent / "0.png"
    found = [
        hrnet.load(model).predict(picture)
        for model in (out / "best.safetensors", tmp_path / "shapes.onnx")
    ]
    assert found[0].class_names == found[1].class_names == ("red", "blue")
    assert len(found[0]) == len(found[1])
    np.testing.assert_allclose(found[1].scores, found[0].scores, atol=1e-3)
    code, out_text, err = run("predict", picture, "--model", tmp_path / "shapes.onnx")
    assert (code, err) == (0, "")
    assert "0.png 64x96" in out_text


@pytest.mark.parametrize("head", ["mask", "fcos", "light"])
def test_a_run_that_goes_on_ends_with_the_same_weights(write_shapes, tmp_path, head):
    """Regions and sizes are drawn at random, and a second process prepares the pictures."""
    data = write_shapes(tmp_path / "data", 4)
    usual = experiment_of(data, None, "train.schedule=constant", "train.ema=0.5", head=head)
    hrnet.train(usual, tmp_path / "whole")
    workers = override(usual, ["run.workers=1"])
    hrnet.train(override(workers, ["train.epochs=1"]), tmp_path / "parts")
    hrnet.train(workers, tmp_path / "parts", resume=True)
    assert tensors_of(tmp_path / "parts") == tensors_of(tmp_path / "whole")


def test_frozen_statistics_are_those_of_the_start_weights(write_shapes, tmp_path):
    data = write_shapes(tmp_path / "data", 2)
    hrnet.train(experiment_of(data, None, "train.epochs=1"), tmp_path / "first")
    settings = (f"train.init={tmp_path / 'first'}", "train.freeze_norms=true", "train.epochs=1")
    hrnet.train(experiment_of(data, None, *settings), tmp_path / "second")
    before, after = tensors_of(tmp_path / "first"), tensors_of(tmp_path / "second")
    changed = {name for name in before if before[name] != after[name]}
    assert any(name.endswith("norm.weight") for name in changed)
    assert not [name for name in changed if "running" in name]


def test_parts_of_a_batch_and_half_precision(write_shapes, tmp_path):
    data = write_shapes(tmp_path / "data", 2)
    settings = ("train.accumulate=2", "train.precision=bf16", "train.epochs=1")
    hrnet.train(experiment_of(data, None, *settings, head="cascade_mask"), tmp_path / "run")
    assert np.isfinite(rows_of(tmp_path / "run")[0]["loss"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["--set", "model.options.head=fcos"], "expected train.loss=fcos for the head fcos"),
        (["--set", "model.conventions=legacy"], "expected train.loss=two_stage_legacy"),
        (["--set", "model.options.head=pyramid"], "others find no boxes"),
        (["--set", "train.freeze_norms=true"], "init is null; take train.freeze_norms=false"),
        (["--set", "augmentation.crop=[200,100]"], "expected (short side, long side)"),
        (["--set", "data.category=owl"], "expected categories (red, blue), got owl"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line(
    run, write_shapes, tmp_path, settings, words
):
    data, file = write_shapes(tmp_path / "data", 2), tmp_path / "settings.json"
    file.write_text(experiment_of(data).to_json())
    code, out, err = run("train", "--config", file, "--out", tmp_path / "run", *settings)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_head_with_masks_needs_masks(run, write_shapes, tmp_path):
    data, file = write_shapes(tmp_path / "data", 2), tmp_path / "settings.json"
    content = json.loads(data.read_text())
    for annotation in content["annotations"]:
        del annotation["segmentation"]
    data.write_text(json.dumps(content))
    file.write_text(experiment_of(data, head="mask").to_json())
    code, _, err = run("train", "--config", file, "--out", tmp_path / "run")
    assert code == 2
    assert "expected masks (segmentation) for the head mask, got boxes alone" in err
    assert len(err.splitlines()) == 1
