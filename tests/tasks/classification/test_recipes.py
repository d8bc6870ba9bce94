"""The published settings of classification trainings, and those chosen for one's own pictures."""

import numpy as np
import pytest
from PIL import Image
from torch import nn

from hrnet.errors import InputError
from hrnet.recipes import get_recipe
from hrnet.recipes.classification.common import PICTURES
from hrnet.recipes.classification.finetune import fits
from hrnet.recipes.finetune import OwnData, own_experiment
from hrnet.training.optim import lr_at, make_optimizer


def test_hrnet_is_trained_as_published():
    experiment = get_recipe("classification/hrnet_w18_imagenet_224x224")
    train, augmentation = experiment.train, experiment.augmentation
    steps = PICTURES // 128
    rates = [lr_at(train, epoch * steps, steps_per_epoch=steps) for epoch in (0, 29, 30, 60, 90)]
    assert rates == pytest.approx([0.05, 0.05, 0.005, 5e-4, 5e-5])
    assert (augmentation.scale, augmentation.ratio) == ((0.08, 1), (3 / 4, 4 / 3))
    assert (experiment.model.short_side, experiment.model.interpolation) == (256, "bilinear")
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    groups = make_optimizer(network, train).param_groups
    assert {group["weight_decay"] for group in groups} == {1e-4}
    assert sum(len(group["params"]) for group in groups) == 4
    assert all(group["nesterov"] for group in groups)


def test_hrformer_is_trained_as_published():
    experiment = get_recipe("classification/hrformer_small_imagenet_224x224")
    train, augmentation = experiment.train, experiment.augmentation
    steps = PICTURES // 1024
    assert train.warmup_steps == 20 * steps
    half = lr_at(train, 150 * steps, steps_per_epoch=steps)
    assert half == pytest.approx(0.5e-3, rel=1e-3)
    assert lr_at(train, 20 * steps, steps_per_epoch=steps) == pytest.approx(
        0.5e-3 * (1 + np.cos(np.pi * 20 / 300)), rel=1e-6
    )
    assert (augmentation.mixup, augmentation.cutmix, augmentation.erasing) == (0.8, 1.0, 0.25)
    assert augmentation.randaugment == "rand-m9-mstd0.5-inc1"
    assert (train.label_smoothing, train.clip_norm) == (0.1, 5.0)
    network = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    decays = {
        len(group["params"]): group["weight_decay"]
        for group in make_optimizer(network, train).param_groups
    }
    assert sorted(decays.values()) == [0.0, 0.05]


def choose(data, tmp_path, *settings: str, val=None):
    usual = ("train.init=null",)  # nothing is downloaded
    return own_experiment(data, None, val=val, out=tmp_path / "run", settings=[*usual, *settings])


def test_own_pictures_are_split_by_class_and_small_ones_have_a_small_input(class_folder, tmp_path):
    experiment, lines = choose(class_folder(tmp_path / "pets", 10), tmp_path)
    assert experiment.task == "classification"
    assert experiment.data.path == tmp_path / "run" / "data" / "train.csv"
    assert experiment.model.input_size == (96, 96)  # short sides of 70 to 90
    assert experiment.model.short_side == 110
    text = "\n".join(lines)
    assert "27 images to train on, 3 to measure on (10% of each class, set apart in" in text
    assert "classes: 3: cat, dog, owl" in text


def test_parts_of_a_folder_are_taken_as_they_are(class_folder, tmp_path):
    class_folder(tmp_path / "pets" / "train", 3)
    class_folder(tmp_path / "pets" / "val", 1)
    experiment, lines = choose(tmp_path / "pets", tmp_path, "model.variant=small_hrnet_w16")
    assert experiment.data.path == tmp_path / "pets" / "train"
    assert experiment.data.val == tmp_path / "pets" / "val"
    assert experiment.model.variant == "small_hrnet_w16"
    assert experiment.train.init is None
    assert "9 images to train on, 3 to measure on (of" in lines[0]
    assert not (tmp_path / "run").exists()


def test_large_pictures_have_the_published_input(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "big" / name).mkdir(parents=True)
        for number in range(5):
            picture = Image.fromarray(np.full((400, 600, 3), number, np.uint8))
            picture.save(tmp_path / "big" / name / f"{number}.png")
    experiment, _ = choose(tmp_path / "big", tmp_path)
    assert experiment.model.input_size == (224, 224)
    assert experiment.model.short_side == 256
    assert experiment.run.cache_images


def test_a_category_is_refused(class_folder, tmp_path):
    with pytest.raises(InputError, match="expected no category for classes, got cat"):
        own_experiment(
            class_folder(tmp_path / "pets", 2), None, val=None, out=tmp_path, category="cat"
        )


def test_what_is_a_folder_or_a_list_is_for_classification(tmp_path):
    def own(name):
        return OwnData(tmp_path / name, None, None, tmp_path / "run", None, ())

    (tmp_path / "folder.json").mkdir()
    assert fits(own("folder.json"))
    assert fits(own("list.csv"))
    assert not fits(own("keypoints.json"))


def test_the_embedded_model_of_poses_is_no_start_for_classes(class_folder, tmp_path):
    """Its backbone lacks the last exchange of the lower streams, which classification reads."""
    data = class_folder(tmp_path / "pets", 10)
    experiment, lines = own_experiment(
        data, None, val=None, out=tmp_path / "run", settings=["model.variant=small_hrnet_w16"]
    )
    assert experiment.train.init is None
    assert lines[-1].startswith("NEW WEIGHTS: no published weights of small_hrnet_w16")


def test_what_follows_from_a_setting_follows_a_changed_one(class_folder, tmp_path):
    data = class_folder(tmp_path / "pets", 10)
    experiment, lines = choose(data, tmp_path, "model.input_size=[64,64]", "train.epochs=2")
    assert experiment.model.short_side == 73
    assert experiment.train.warmup_steps == 0
    assert experiment.train.evaluate_every == 1
    assert "evaluated every 1 epochs and at the end" in "\n".join(lines)


def test_a_wrong_setting_leaves_nothing_behind(class_folder, tmp_path):
    data = class_folder(tmp_path / "pets", 10)
    with pytest.raises(InputError, match=r"unknown setting train\.epoch;"):
        choose(data, tmp_path, "train.epoch=2")
    assert not (tmp_path / "run").exists()
