"""Keypoints of one's own from the check to an exported model that predicts, by commands alone."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.coco import read_keypoints
from hrnet.errors import InputError
from hrnet.recipes import finetune as own
from hrnet.recipes.finetune import about_training, own_experiment
from hrnet.skeleton import COCO_PERSON
from hrnet.tasks import read_experiment
from hrnet.tasks.pose.config import PoseTrain

PAW = ("pad", "left_claw", "right_claw", "left_toe", "right_toe")
HAND = ("wrist", *(f"finger{i // 4}_joint{i % 4}" for i in range(20)))


def write_things(folder: Path, names, *, images: int = 12, box=(5, 5, 40, 60)) -> Path:
    """Pictures of noise with a bright dot for each keypoint, in images/ beside the annotations."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    pictures, annotations = [], []
    x, y, wide, high = box
    for index in range(images):
        pixels = rng.integers(0, 90, (80, 100, 3), dtype=np.uint8)
        points = rng.uniform((x + 2, y + 2), (x + wide - 3, y + high - 3), (len(names), 2))
        for px, py in points.astype(int):
            pixels[py - 1 : py + 2, px - 1 : px + 2] = 255
        Image.fromarray(pixels).save(folder / "images" / f"{index}.png")
        pictures.append({"id": index, "file_name": f"{index}.png", "height": 80, "width": 100})
        triples = [float(number) for point in points for number in (*point, 2)]
        entry = {"id": index, "image_id": index, "category_id": 1, "iscrowd": 0}
        annotations.append(
            entry | {"bbox": list(box), "area": wide * high * 0.6, "keypoints": triples}
        )
    category = {"id": 1, "name": "thing", "keypoints": list(names), "skeleton": [[1, 2]]}
    content = {"images": pictures, "annotations": annotations, "categories": [category]}
    file = folder / "things.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("names", [PAW, HAND], ids=["K=5", "K=21"])
def test_from_the_check_to_an_exported_model(run, tmp_path, monkeypatch, names):
    monkeypatch.chdir(tmp_path)
    write_things(tmp_path, names)
    code, out, err = run("data", "check", "things.json", "--images", "images")
    assert (code, err) == (0, "")
    assert all(name in out for name in names)

    quick = ["--set", "train.epochs=1", "--set", "train.batch_size=4", "--set", "run.workers=0"]
    code, out, _ = run("train", "--data", "things.json", *quick, "--set", "run.device=cpu")
    assert code == 0
    assert f"keypoints: {len(names)}:" in out
    assert "training: 1 epoch of batches of 4" in out
    loud = "NO MIRRORING" in out
    assert ("left_claw/right_claw" in out) == (names == PAW)
    assert loud == (names == HAND)

    folder = tmp_path / "runs" / "things"
    experiment = read_experiment(folder / "experiment.json")
    assert experiment.train.init == "default"
    code, _, _ = run("export", folder, "--out", "things.onnx")
    assert code == 0
    for model in ("runs/things", "things.onnx"):
        code, out, _ = run("predict", "images/3.png", "--model", model, "--json", "found.json")
        assert code == 0
        (found,) = json.loads((tmp_path / "found.json").read_text())
        assert found["keypoint_names"] == list(names)
        assert np.isfinite(found["keypoints"]).all()


def test_a_tenth_of_the_images_is_set_apart(tmp_path):
    file = write_things(tmp_path, PAW, images=20)
    experiment, lines = own_experiment(file, None, val=None, out=tmp_path / "run")
    parts = [
        read_keypoints(path, experiment.data.images)
        for path in (experiment.data.annotations, experiment.data.val_annotations)
    ]
    ids = [{sample.image_id for sample in part.samples} for part in parts]
    assert list(map(len, ids)) == [18, 2]
    assert not ids[0] & ids[1]
    assert any("18 subjects in 18 images" in line for line in lines)


def test_validation_of_ones_own_is_taken_as_it_is(tmp_path):
    file = write_things(tmp_path, PAW)
    experiment, _ = own_experiment(file, None, val=file, out=tmp_path / "run")
    assert experiment.data.val_annotations == file
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("box", "size"),
    [((5, 5, 30, 60), (256, 192)), ((5, 5, 50, 50), (256, 256)), ((5, 5, 70, 40), (192, 256))],
)
def test_the_input_follows_the_boxes(tmp_path, box, size):
    file = write_things(tmp_path, PAW, box=box)
    experiment, _ = own_experiment(file, None, val=file, out=tmp_path / "run")
    assert experiment.model.input_size == size
    assert any(f"{size[0]}x{size[1]}" in line for line in about_training(experiment))


def test_one_category_of_several(tmp_path):
    file = write_things(tmp_path, PAW)
    content = json.loads(file.read_text())
    content["categories"].append({"id": 2, "name": "toy", "keypoints": ["wheel"]})
    for one in content["annotations"][:5]:
        one |= {"category_id": 2, "keypoints": [10, 10, 2]}
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="--category NAME"):
        own_experiment(file, None, val=None, out=tmp_path / "run")
    experiment, lines = own_experiment(file, None, val=None, out=tmp_path / "run", category="toy")
    assert experiment.data.category == "toy"
    assert experiment.data.images == tmp_path / "images"
    assert any(line.startswith("keypoints: 1: wheel") for line in lines)
    assert any("4 subjects in 4 images to train on, 1 subjects" in line for line in lines)


def test_persons_start_from_all_weights(tmp_path):
    file = write_things(tmp_path, COCO_PERSON.names)
    experiment, _ = own_experiment(file, None, val=file, out=tmp_path / "run")
    assert experiment.train.init_head
    assert any("from all weights of default" in line for line in about_training(experiment))


@pytest.mark.parametrize(
    ("settings", "init", "head", "lr"),
    [
        ([], "default", True, 2e-4),
        (["model.variant=hrnet_w32"], "hrnet_w32-imagenet-backbone", False, 1e-3),
        (["model.variant=litehrnet_18"], "litehrnet_18-coco-256x192", False, 1e-3),
        (["model.variant=hrnet_w18_small_v1"], None, False, 1e-3),
        (["model.variant=hrnet_w32", "train.init=mine"], "mine", True, 2e-4),
        (["model.variant=hrnet_w32", "train.init=null"], None, False, 1e-3),
        (["train.lr=0.5"], "default", True, 0.5),
    ],
)
def test_what_is_started_from_follows_the_variant(tmp_path, monkeypatch, settings, init, head, lr):
    monkeypatch.setattr(own, "find_model", lambda name: tmp_path / name)
    file = write_things(tmp_path, COCO_PERSON.names)
    experiment, lines = own_experiment(
        file, None, val=file, out=tmp_path / "run", settings=settings
    )
    train = experiment.train
    assert (train.init, train.init_head, train.lr) == (init, head, lr)
    assert any(("new weights" if init is None else f"of {init};") in line for line in lines)
    told = any("NEW WEIGHTS: no published weights of hrnet_w18_small_v1" in line for line in lines)
    assert told == (settings == ["model.variant=hrnet_w18_small_v1"])


def test_weights_that_cannot_be_had_are_done_without_and_said(run, tmp_path, monkeypatch):
    """The hint of the command itself is followed, on a machine without network."""
    monkeypatch.setenv("HRNET_OFFLINE", "1")
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path / "cache"))
    file = write_things(tmp_path, PAW, images=4)
    more = ["model.input_size=[64,64]", "train.epochs=1", "train.batch_size=2", "run.workers=0"]
    more += ["model.variant=litehrnet_18", "run.device=cpu"]
    settings = [part for one in more for part in ("--set", one)]
    code, out, err = run("train", "--data", file, "--out", tmp_path / "run", *settings)
    assert (code, err) == (0, "")
    assert "NEW WEIGHTS: litehrnet_18-coco-256x192 cannot be had" in out
    assert "litehrnet_18 at 64x64 (height x width), from new weights" in out


@pytest.mark.parametrize(("count", "epochs"), [(12, 150), (1000, 40), (5000, 20)])
def test_few_subjects_are_seen_more_often(count, epochs):
    from hrnet.recipes.finetune import schedule

    train = schedule(PoseTrain(), count, is_known=False)
    assert train.epochs == epochs
    known = schedule(PoseTrain(), count, is_known=True)
    assert known.lr < train.lr
    assert known.epochs <= train.epochs
    assert 0.9 <= train.ema <= 0.999
    assert train.precision in ("float32", "bf16")


def test_a_folder_with_a_run_is_left_alone(run, tmp_path):
    file = write_things(tmp_path, PAW)
    out = tmp_path / "run"
    (out / "data").mkdir(parents=True)
    (out / "last.safetensors").write_text("precious")
    (out / "data" / "train.json").write_text("precious too")
    code, _, err = run("train", "--data", file, "--out", out)
    assert code == 2
    assert "already holds a run" in err
    assert (out / "data" / "train.json").read_text() == "precious too"


@pytest.mark.parametrize("name", ["photo.jpg", "notes.md", "nothing"])
def test_data_of_no_task_are_one_line_with_what_is_taken(run, tmp_path, name):
    (tmp_path / "photo.jpg").write_bytes(b"")
    code, out, err = run("train", "--data", tmp_path / name, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "or a COCO keypoint file (.json) or a folder" in err
    assert name in err
    assert not (tmp_path / "run").exists()
