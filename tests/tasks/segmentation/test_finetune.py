"""The training that is chosen for masks of one's own."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.errors import InputError
from hrnet.recipes.finetune import OwnData, own_experiment
from hrnet.recipes.segmentation import finetune
from hrnet.tasks.segmentation.dataset import read_dataset


def write(root: Path, count: int, size=(160, 200), part: str = "") -> Path:
    for folder in ("images", "masks"):
        (root / part / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / part / "images" / f"{number}.png")
        mask = rng.integers(0, 2, size, dtype=np.uint8)
        Image.fromarray(mask).save(root / part / "masks" / f"{number}.png")
    (root / "classes.json").write_text(json.dumps({"classes": ["soil", "leaf"]}))
    return root


def choose(data: Path, tmp_path: Path, *settings: str, **more):
    images, val = more.pop("images", None), more.pop("val", None)
    return own_experiment(data, images, val=val, out=tmp_path / "run", settings=settings, **more)


def test_a_tenth_is_set_apart_and_the_person_finders_backbone_is_the_start(tmp_path):
    root = write(tmp_path / "data", 20)
    experiment, lines = choose(root, tmp_path)
    model, train = experiment.model, experiment.train
    assert (model.variant, model.options.head, model.input_size) == (
        "small_hrnet_w16",
        "v2",
        (160, 160),
    )
    assert (train.init, train.init_head, train.loss) == ("person_finder", False, "cross_entropy")
    assert lines[0].startswith("data: 18 images to train on, 2 to measure on (10% of the images")
    assert lines[1] == "classes: 2: soil, leaf"
    assert experiment.data.path == tmp_path / "run/data/train.csv"
    # The same command makes the same parts again; what it says can be read.
    again, _ = choose(root, tmp_path)
    assert again == experiment
    assert len(read_dataset(experiment.data.training()).samples) == 18
    source = experiment.data.validation()
    assert source is not None and len(read_dataset(source).samples) == 2


def test_parts_and_named_folders_are_taken(tmp_path):
    root = tmp_path / "data"
    for part, count in (("train", 6), ("val", 3)):
        write(root, count, part=part)
    experiment, lines = choose(root, tmp_path)
    assert (experiment.data.split, experiment.data.val_split) == ("train", "val")
    assert "6 images to train on, 3 to measure on (of the part val)" in lines[0]
    folder = root / "train"
    experiment, _ = choose(folder / "images", tmp_path, masks=folder / "masks", val=root / "val")
    assert experiment.data.masks == folder / "masks"
    assert experiment.data.val == root / "val"
    assert not (tmp_path / "run").exists()  # nothing had to be dealt out


def test_inputs_follow_the_pictures_within_bounds(tmp_path):
    for name, size, side in (("small", (64, 90), 128), ("large", (700, 900), 320)):
        experiment, _ = choose(write(tmp_path / name, 10, size), tmp_path / name)
        assert experiment.model.input_size == (side, side)


def test_with_a_gpu_a_larger_network_starts_from_published_weights(tmp_path, monkeypatch):
    class Cuda:
        type = "cuda"

    monkeypatch.setattr(finetune, "pick_device", lambda name: Cuda())
    monkeypatch.setattr(finetune, "start_of", lambda *_: ("hrnet_w18-imagenet", ""))
    monkeypatch.setattr("hrnet.recipes.finetune.start_of", lambda *_: ("hrnet_w18-imagenet", ""))
    experiment, _ = choose(write(tmp_path / "data", 20, (700, 900)), tmp_path)
    assert experiment.model.variant == "hrnet_w18"
    assert experiment.model.input_size == (512, 512)
    assert experiment.train.init == "hrnet_w18-imagenet"


def test_other_data_are_left_to_other_tasks_and_mistakes_leave_nothing(tmp_path):
    def fits(path: Path, **more) -> bool:
        return finetune.fits(OwnData(path, None, None, tmp_path / "run", None, (), **more))

    root = write(tmp_path / "data", 4)
    assert fits(root) and fits(tmp_path, masks=root)
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    assert not fits(tmp_path / "pets") and not fits(tmp_path / "x.json")
    for settings, words in (
        (("model.input_size=5",), "input_size"),
        (("train.loss=mine",), "train.loss"),
    ):
        with pytest.raises(InputError, match=words):
            choose(root, tmp_path, *settings)
    with pytest.raises(InputError, match="expected no category for masks"):
        choose(root, tmp_path, category="leaf")
    (root / "masks" / "0.png").unlink()
    with pytest.raises(InputError, match="pictures without a mask"):
        choose(root, tmp_path)
    assert not (tmp_path / "run").exists()
