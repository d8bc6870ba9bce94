"""`hrnet train` and `hrnet recipes`: a run by settings alone, and every mistake as one line."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.config import override
from hrnet.recipes import RECIPES, get_recipe
from hrnet.tasks import read_experiment

SMALL = "pose/small_hrnet_w16_few_128x96"


@pytest.fixture
def data(tmp_path):
    """Two pictures of noise with one subject of four keypoints each."""
    folder = tmp_path / "data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for index in (1, 2):
        pixels = rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
        images.append({"id": index, "file_name": f"{index}.png", "height": 50, "width": 40})
        entry = {"id": index, "image_id": index, "category_id": 1, "bbox": [2, 2, 30, 40]}
        annotations.append(entry | {"keypoints": [10, 10, 2, 20, 20, 2, 30, 30, 1, 0, 0, 0]})
    names = {"id": 1, "name": "thing", "keypoints": ["nose", "left_ear", "right_ear", "tail"]}
    content = {"images": images, "annotations": annotations, "categories": [names]}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def settings_of(data, **more):
    settings = {
        "data.annotations": data / "annotations.json",
        "data.images": data,
        "data.val_annotations": "null",
        "data.val_images": "null",
        "model.input_size": "[64,64]",
        "train.epochs": 1,
        "run.device": "cpu",
        "run.workers": 0,
    } | {name.replace("__", "."): value for name, value in more.items()}
    return [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]


def test_a_recipe_with_settings_trains_and_repeats(run, data, tmp_path):
    out = tmp_path / "runs" / "one"
    code, stdout, _ = run("train", SMALL, *settings_of(data), "--out", out)
    assert code == 0
    assert str(out / "last.safetensors") in stdout
    assert "loss" in stdout
    experiment = read_experiment(out / "experiment.json")
    assert experiment.model.input_size == (64, 64)
    assert experiment.train.lr == get_recipe(SMALL).train.lr
    assert experiment.data.val_annotations is None

    again = tmp_path / "runs" / "two"
    code, *_ = run(
        "train", "--config", out / "experiment.json", "--set", "train.seed=3", "--out", again
    )
    assert code == 0
    changed = read_experiment(again / "experiment.json")
    assert changed.train.seed == 3
    train = experiment.train.model_copy(update={"seed": 3})
    assert changed == experiment.model_copy(update={"train": train})

    code, stdout, err = run("train", SMALL, *settings_of(data), "--out", out)
    assert (code, stdout) == (2, "")
    assert "already holds a run" in err
    assert len(err.splitlines()) == 1


def test_what_was_trained_predicts(run, data, tmp_path):
    out = tmp_path / "run"
    assert run("train", SMALL, *settings_of(data), "--out", out)[0] == 0
    code, stdout, _ = run("predict", data / "1.png", "--model", out)
    assert code == 0
    for name in ("nose", "left_ear", "right_ear", "tail"):
        assert name in stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["expected one of RECIPE, --config", "got none"]),
        (["pose/hrnet_w32_coco"], ["unknown recipe", "pose/hrnet_w32_coco_256x192"]),
        ([SMALL, "--config", "x.json"], ["expected one of", "got RECIPE and --config"]),
        ([SMALL, "--images", "."], ["--images and --val go with --data"]),
        (["--resume", "run"], ["leave --out away"]),
        (["--config", "nothing.json"], ["cannot read the experiment", "nothing.json"]),
        (["--config", "."], ["expected the experiment in a file"]),
        ([SMALL, "--set", "train.lr"], ["NAME=VALUE"]),
        ([SMALL, "--set", "train.lrr=1"], ["unknown setting train.lrr", "train.lr"]),
        ([SMALL, "--set", "train.lr=fast"], ["train.lr", "'fast'"]),
        ([SMALL, "--set", "model.input_size=[102,100]"], ["multiples of 4"]),
        ([SMALL], ["cannot read annotations", "person_keypoints_train2017.json"]),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(run, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = run("train", *arguments, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err
    assert not (tmp_path / "run" / "log.jsonl").exists()


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.annotations=nothing.json", ["cannot read annotations", "nothing.json"]),
        ("data.images=nowhere", ["nowhere", "missing"]),
        ("data.val_annotations=nothing.json", ["cannot read annotations", "nothing.json"]),
        ("model.variant=hrnet_w23", ["hrnet_w23", "hrnet_w32"]),
        ("train.init=nothing.safetensors", ["there is no", "nothing.safetensors"]),
        ("run.device=gpu", ["device gpu cannot be used"]),
    ],
)
def test_data_that_cannot_be_used_is_one_line(run, data, tmp_path, monkeypatch, setting, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("train", SMALL, *settings_of(data), "--set", setting, "--out", "run")
    assert code == 2
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err


def test_a_folder_is_found_where_none_is_named(run, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("small_hrnet_w16_few_128x96", "small_hrnet_w16_few_128x96_2"):
        code, stdout, _ = run("train", SMALL, *settings_of(data))
        assert code == 0
        assert f"--model {Path('runs') / name}`" in stdout
        assert (tmp_path / "runs" / name / "last.safetensors").is_file()


def test_several_processes_need_a_folder(run, data, monkeypatch):
    environment = {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "MASTER_PORT": "29598"}
    for name, value in (environment | {"MASTER_ADDR": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    code, _, err = run("train", SMALL, *settings_of(data))
    assert code == 2
    assert "--out RUN, which several processes need" in err


def test_a_recipe_shows_its_settings_with_what_each_means(run):
    code, out, err = run("recipes", SMALL)
    assert (code, err) == (0, "")
    shown = [line for line in out.splitlines() if re.match(r"[a-z_.]+=", line)]
    assert override(get_recipe(SMALL), shown) == get_recipe(SMALL)
    assert "train.lr=0.0015\n    Learning rate" in out
    assert out.startswith("First of three phases from few persons")


def test_an_unknown_recipe_is_one_line(run):
    code, out, err = run("recipes", "pose/hrnet")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_the_only_epoch_is_not_the_best_of_one(run, data, tmp_path):
    settings = settings_of(data, data__val_annotations=data / "annotations.json")
    code, out, _ = run("train", SMALL, *settings, "--out", tmp_path / "run")
    assert code == 0
    assert "the only epoch reached" in out


def test_a_full_disk_is_found_before_the_training(run, data, tmp_path, monkeypatch):
    def refuse(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    code, out, err = run("train", SMALL, *settings_of(data), "--out", tmp_path / "run")
    assert (code, "loss" in out) == (2, False)
    assert len(err.splitlines()) == 1
    assert "No space left on device" in err


def test_recipes_are_listed_with_what_they_are(run):
    code, out, _ = run("recipes")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert all(len(line.split()) > 5 for line in lines)
