"""A background map: K + 1 maps within, K without, trained, predicted and exported by commands."""

import json

import numpy as np
import pytest
import torch

import hrnet
from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.network import predictor
from hrnet.tasks.pose.spec import PoseSpec

from . import pitch

NETWORK = {"variant": "small_hrnet_w16", "task": "pose", "num_outputs": 3, "background": True}


def spec_of(**changes: object) -> PoseSpec:
    fields = {
        "name": "pitch",
        "network": NetworkSpec(**NETWORK),
        "input_size": (64, 96),
        "skeleton": Skeleton(names=("a", "b", "c")),
    }
    return PoseSpec(**(fields | changes))


def test_a_model_predicts_the_chances_of_its_keypoints():
    network = create_model("small_hrnet_w16", num_outputs=3, options={"background": True}).eval()
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        logits, chances = network(images), predictor(network, spec_of())(images)
    assert logits.shape == (2, 4, 16, 24)
    assert chances.shape == (2, 3, 16, 24)
    torch.testing.assert_close(chances, logits.softmax(dim=1)[:, :3])


def test_a_softmax_over_pixels_is_another_thing():
    with pytest.raises(ValueError, match="no activation softmax of their own"):
        spec_of(activation="softmax")


@pytest.mark.slow
def test_by_commands(tmp_path, run):
    data = pitch.write(tmp_path / "pitch", 12)
    images, folder = data.parent / "images", tmp_path / "run"
    code, _, err = run(
        *("train", "--data", data, "--images", images, "--out", folder),
        *("--set", "train.epochs=1", "--set", "train.loss=map_cross_entropy"),
        *("--set", "model.options.heatmap_stride=2", "--set", "model.input_size=[108,192]"),
        *("--set", "model.variant=small_hrnet_w16", "--set", "train.init=null"),
    )
    assert code == 0, err
    model = hrnet.load(folder)
    assert model.spec.network.background
    assert model.spec.heatmap_codec.heatmap_size == (54, 96)
    picture = images / "0001.jpg"
    poses = model.predict(picture)
    assert poses.keypoints.shape == (1, 57, 2)
    assert 0 <= poses.keypoint_scores.min() <= poses.keypoint_scores.max() <= 1
    # The exported network ends in the same maps.
    assert run("export", folder, "--out", tmp_path / "pitch.onnx")[0] == 0
    again = hrnet.load(tmp_path / "pitch.onnx").predict(picture)
    np.testing.assert_allclose(again.keypoint_scores, poses.keypoint_scores, atol=1e-3)
    # Drawn with ellipses, and reported.
    drawn = tmp_path / "drawn"
    assert run("predict", picture, "--model", folder, "--out", drawn)[0] == 0
    assert (drawn / "0001_pose.jpg").is_file()
    assert run("report", folder)[0] == 0
    page = (folder / "report.html").read_text()
    assert "Points with a smaller error" in page
    assert "error px" in page


def test_a_background_needs_its_loss(tmp_path, run):
    data = pitch.write(tmp_path / "pitch", 3)
    code, _, err = run(
        *("train", "--data", data, "--images", data.parent / "images", "--out", tmp_path / "run"),
        *("--set", "model.options.background=true"),
    )
    assert code == 2
    assert "with train.loss=map_cross_entropy, got cross_entropy; leave it out" in err


def test_ellipses_are_refused_where_there_are_none(astronaut):
    poses = hrnet.load("default").predict(astronaut)
    with pytest.raises(InputError, match=r"train it with model\.ellipses=true"):
        poses.ellipses()
    assert "keypoint_covariances" not in json.dumps(poses.to_coco(1))
