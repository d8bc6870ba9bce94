"""Training of a small network on generated pictures: it learns, resumes and gives a model."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

import hrnet
from hrnet.config import override
from hrnet.errors import InputError
from hrnet.tasks import DataSource
from hrnet.tasks.classification.config import (
    ClassAugmentation,
    ClassData,
    ClassificationExperiment,
    ClassificationModelConfig,
    ClassTrain,
)
from hrnet.weights.checkpoint import load_checkpoint


def experiment_of(path, val=None, *settings: str) -> ClassificationExperiment:
    usual = ClassificationExperiment(
        name="pets",
        model=ClassificationModelConfig(variant="small_hrnet_w16", input_size=(64, 64), resize=64),
        data=ClassData(path=path, val=val),
        augmentation=ClassAugmentation(flip=0, scale=(1, 1), ratio=(1, 1)),
        train=ClassTrain(
            epochs=2, batch_size=3, optimizer="adamw", lr=1e-3, schedule="cosine", seed=1
        ),
    )
    fixed = ("run.device=cpu", "run.workers=0", "run.tensorboard=false")
    return override(usual, [*fixed, *settings])


def tensors_of(run) -> dict[str, bytes]:
    network, _ = load_checkpoint(run / "last.safetensors")
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


def rows_of(run) -> list[dict]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == "epoch"]


def test_it_over_fits_eight_noisy_pictures(tmp_path):
    """Noise has no rule, so that the network must remember each picture.

    Each picture stands 20 times in the list: the running statistics of the norms need as many
    updates, and an epoch of 20 updates saves its weights once.
    """
    rng = np.random.default_rng(0)
    lines = ["file,class"]
    for number in range(8):
        pixels = np.kron(rng.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1)))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{number}.png")
        lines += [f"{number}.png,{'ab'[number % 2]}"] * 20
    data = tmp_path / "pets.csv"
    data.write_text("\n".join(lines))
    settings = ("train.epochs=4", "train.batch_size=8", "train.lr=2e-4", "train.evaluate_every=4")
    hrnet.train(experiment_of(data, data, *settings), tmp_path / "run")
    assert rows_of(tmp_path / "run")[-1]["top-1"] == 1.0
    assert hrnet.evaluate(tmp_path / "run", data=data).metrics["top-1"] == 1.0


def test_a_run_that_goes_on_ends_with_the_same_weights(timm, class_folder, tmp_path):
    """With all augmentations, and with another number of workers."""
    data = class_folder(tmp_path / "pets", 2)
    strong = ClassAugmentation(
        randaugment="rand-m9-mstd0.5-inc1", erasing=0.25, mixup=0.8, cutmix=1.0, colour=0.2
    )
    usual = experiment_of(data, None, "train.schedule=constant")  # of any number of epochs
    usual = usual.model_copy(update={"augmentation": strong})
    hrnet.train(usual, tmp_path / "whole")
    workers = override(usual, ["run.workers=2"])
    hrnet.train(override(workers, ["train.epochs=1"]), tmp_path / "parts")
    hrnet.train(workers, tmp_path / "parts", resume=True)
    assert tensors_of(tmp_path / "parts") == tensors_of(tmp_path / "whole")


def test_a_trained_model_knows_its_classes(class_folder, tmp_path):
    data = class_folder(tmp_path / "pets", 3)
    hrnet.train(experiment_of(data, data, "train.epochs=1"), tmp_path / "run")
    model = hrnet.load(tmp_path / "run")
    labels = model.predict(data / "dog" / "0.png")
    assert labels.class_names == ("cat", "dog", "owl")
    assert labels.scores.sum() == pytest.approx(1, rel=1e-5)
    assert model.task.dataset(DataSource(data)).class_names == labels.class_names


def test_a_run_does_not_go_on_with_other_classes(class_folder, tmp_path):
    """A renamed class keeps their number and shifts the others, which fits the weights."""
    data = class_folder(tmp_path / "pets", 2)
    usual = experiment_of(data)
    hrnet.train(override(usual, ["train.epochs=1"]), tmp_path / "run")
    before = (tmp_path / "run" / "state.safetensors").read_bytes()
    (data / "cat").rename(data / "zebra")
    with pytest.raises(InputError, match="the first change is dog in place of cat; restore the"):
        hrnet.train(usual, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == before
    # A class more is refused by its name, too.
    (data / "zebra").rename(data / "cat")
    shutil.copytree(data / "owl", data / "yak")
    with pytest.raises(InputError, match=r"the 3 labels .*got 4: the first change is yak in place"):
        hrnet.train(usual, tmp_path / "run", resume=True)
    # The old classes go on.
    shutil.rmtree(data / "yak")
    hrnet.train(usual, tmp_path / "run", resume=True)
    assert len(rows_of(tmp_path / "run")) == 2


def test_batches_of_one_that_no_norm_can_take_are_one_line(class_folder, tmp_path):
    data = class_folder(tmp_path / "pets", 2)
    experiment = experiment_of(
        data, None, "model.input_size=[32,32]", "train.batch_size=1", "model.variant=hrnet_w18"
    )
    with pytest.raises(InputError, match="more than one sample for so small an input; take a l"):
        hrnet.train(experiment, tmp_path / "run")


def test_classes_that_no_description_can_hold_are_one_line(tmp_path):
    """Each name may stand in a model, but not all of them."""
    Image.new("RGB", (32, 32)).save(tmp_path / "0.png")
    lines = ["file,class", "0.png,a"]
    (tmp_path / "classes.txt").write_text(
        "\n".join(["a", "b", *(f"{n:05d}{'x' * 100}" for n in range(6000))])
    )
    shutil.copy(tmp_path / "0.png", tmp_path / "1.png")
    (tmp_path / "pets.csv").write_text("\n".join([*lines, "1.png,b"]))
    with pytest.raises(InputError, match=r"class_names: class names take more than .*correct the"):
        hrnet.train(experiment_of(tmp_path / "pets.csv"), tmp_path / "run")


def test_a_class_that_no_description_can_hold_is_one_line(class_folder, tmp_path):
    data = class_folder(tmp_path / "pets", 1)
    (data / "cat").rename(data / os.fsdecode(b"\xff"))
    with pytest.raises(InputError, match=r"pets: class_names: .* text that can be written; rename"):
        hrnet.train(experiment_of(data), tmp_path / "run")


def test_pictures_of_names_that_are_not_utf8(class_folder, tmp_path):
    """They are drawn for the event files, too."""
    data = class_folder(tmp_path / "pets", 2)
    (data / "cat" / "0.png").rename(data / "cat" / os.fsdecode(b"\xff.png"))
    experiment = experiment_of(data, data, "train.epochs=1", "run.tensorboard=true")
    hrnet.train(experiment, tmp_path / "run")
    drawn = (tmp_path / "run" / "pictures").iterdir()
    assert any("\udcff" in one.name for one in drawn)
