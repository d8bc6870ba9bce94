"""Checkpoints of networks that were trained in a loop of one's own."""

import numpy as np
import pytest
import torch

import hrnet
from hrnet.errors import InputError


def test_a_checkpoint_of_ones_own_network_predicts(tmp_path):
    spec = hrnet.PoseSpec(
        network=hrnet.NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=1),
        name="own",
        input_size=(64, 64),
        skeleton=hrnet.Skeleton(("a",)),
    )
    network = hrnet.create_model("small_hrnet_w16", num_outputs=1)
    file = tmp_path / "own.safetensors"
    hrnet.save_checkpoint(file, network, spec)
    picture = np.zeros((60, 50, 3), np.uint8)
    assert hrnet.load(file).predict(picture).keypoints.shape == (1, 1, 2)
    difference = hrnet.export(file, tmp_path / "own.onnx")
    assert difference < 1e-3
    assert hrnet.load(tmp_path / "own.onnx").spec == spec


def test_a_checkpoint_of_another_network_than_described_is_refused(tmp_path):
    spec = hrnet.PoseSpec(
        network=hrnet.NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=1),
        name="own",
        input_size=(64, 64),
        skeleton=hrnet.Skeleton(("a",)),
    )
    for network in (
        hrnet.create_model("small_hrnet_w16", num_outputs=2),
        torch.nn.Sequential(hrnet.create_model("small_hrnet_w16", num_outputs=1)),
    ):
        with pytest.raises(InputError, match="expected the network that the description names"):
            hrnet.save_checkpoint(tmp_path / "own.safetensors", network, spec)
    assert not list(tmp_path.iterdir())
