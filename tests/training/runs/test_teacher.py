"""A trained model as teacher: its answers are targets, and only of models that fit."""

from pathlib import Path

import numpy as np
import pytest
import torch

import hrnet
from hrnet.config import override
from hrnet.errors import InputError
from hrnet.tasks.classification.network import teaching as class_teaching
from hrnet.tasks.pose.network import LOSSES, teaching
from hrnet.training.teacher import find_teacher
from hrnet.training.train import train

from .discs import experiment_of, rows_of, write_discs


@pytest.fixture(scope="module")
def discs(tmp_path_factory) -> Path:
    """Annotations of 8 pictures: one step an epoch."""
    return write_discs(tmp_path_factory.mktemp("data"), 8)


@pytest.fixture(scope="module")
def taught(discs, tmp_path_factory) -> Path:
    """The folder of a run of three epochs, to be a teacher."""
    out = tmp_path_factory.mktemp("runs") / "teacher"
    train(experiment_of(discs, epochs=3), out)
    return out


def first_loss(discs: Path, out: Path, *settings: str) -> float:
    """The loss of the first step of a training with settings."""
    train(override(experiment_of(discs, epochs=1), settings), out)
    return next(row["loss"] for row in rows_of(out) if row["kind"] == "epoch")


def test_the_loss_is_shared_between_teacher_and_labels(discs, taught, tmp_path):
    labels = first_loss(discs, tmp_path / "labels")
    teacher = f"train.teacher={taught}"
    alone = first_loss(discs, tmp_path / "alone", teacher, "train.teacher_share=1")
    both = first_loss(discs, tmp_path / "both", teacher, "train.teacher_share=0.25")
    assert alone != pytest.approx(labels, rel=1e-3)
    assert both == pytest.approx(0.25 * alone + 0.75 * labels, rel=1e-5)


def test_a_student_with_the_teachers_weights_has_nothing_to_learn(discs, taught):
    """Its heatmaps are the targets, at every keypoint, labelled or not."""
    teacher = find_teacher(str(taught), hrnet.load(taught).spec)
    crops = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    targets = teacher.targets(crops, channels_last=True)
    assert LOSSES["mse"](targets["heatmaps"], targets) == 0
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())


@pytest.mark.parametrize(("activation", "weights"), [("none", [1, 1]), ("softmax", [0.25, 1])])
def test_flat_heatmaps_teach_heights_but_no_distribution(discs, taught, activation, weights):
    spec = hrnet.load(taught).spec
    student = spec.model_copy(update={"activation": activation})
    heatmaps = torch.zeros(1, 2, 4, 4)
    heatmaps[0, :, 1, 2] = torch.tensor([0.25, 1.5])
    targets = teaching(spec, student)(heatmaps)
    assert targets["weights"].tolist() == [weights]
    assert torch.equal(targets["heatmaps"], heatmaps)


def test_a_teacher_of_classes_gives_soft_targets():
    targets = class_teaching(None, None)(torch.tensor([[0.0, np.log(3.0)]]))
    assert targets["classes"].numpy() == pytest.approx(np.array([[0.25, 0.75]]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("model.sigma=3",), "model.sigma"),
        (("model.codec=classic",), "model.codec"),
        (("train.teacher=default",), "labels of the training data"),
        (("train.teacher=nowhere.safetensors",), "there is no nowhere.safetensors"),
    ],
)
def test_a_teacher_that_does_not_fit(discs, taught, tmp_path, settings, words):
    experiment = override(experiment_of(discs, epochs=1), (f"train.teacher={taught}", *settings))
    with pytest.raises(InputError, match=words):
        train(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()
