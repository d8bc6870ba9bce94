"""Weights of RGB in networks of other channels: the first layer is adapted, by one rule."""

import numpy as np
import pytest
import torch

import hrnet
from hrnet.errors import InputError
from hrnet.models import FAMILIES, create_model
from hrnet.weights.checkpoint import save_checkpoint

VARIANTS = ("hrnet_w18_small_v1", "litehrnet_18", "hrformer_tiny")


def outputs(network: torch.nn.Module, images: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return network.eval()(torch.from_numpy(images))


@pytest.fixture(params=VARIANTS)
def trained(request, tmp_path):
    """A file with a network for RGB, and the network; its outputs are not near 0."""
    torch.manual_seed(0)
    network = create_model(request.param, num_outputs=2)
    for name, weight in network.named_parameters():
        if weight.ndim == 4:
            torch.nn.init.kaiming_normal_(weight)
        if name.endswith("bias"):
            torch.nn.init.uniform_(weight, -0.1, 0.1)
    save_checkpoint(tmp_path / "a.safetensors", network, network.spec)
    return tmp_path / "a.safetensors", network


def test_every_family_is_here():
    assert {hrnet.models.family_of(variant) for variant in VARIANTS} == set(FAMILIES)


@pytest.mark.parametrize("channels", [1, 2, 5, 32])
@pytest.mark.parametrize("new_head", [False, True])
def test_equal_channels_give_what_rgb_gave(trained, channels, new_head):
    file, network = trained
    adapted = create_model(network.spec.variant, num_outputs=2, in_channels=channels)
    notes = hrnet.load_weights(adapted, file, new_head=new_head)
    assert sum("a first layer for" in note for note in notes) == 1
    adapted.head.load_state_dict(network.head.state_dict())
    grey = np.random.default_rng(0).standard_normal((2, 1, 64, 64)).astype(np.float32)
    expected = outputs(network, grey.repeat(3, axis=1))
    found = outputs(adapted, grey.repeat(channels, axis=1))
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_the_sum_over_the_three_is_shared_evenly(trained):
    file, network = trained
    own = network.state_dict()
    (first,) = (name for name, one in own.items() if one.ndim == 4 and one.shape[1] == 3
                and name.startswith("backbone.stem"))  # fmt: skip
    for channels in (1, 4):
        adapted = create_model(network.spec.variant, num_outputs=2, in_channels=channels)
        hrnet.load_weights(adapted, file)
        weight = adapted.state_dict()[first]
        assert weight.shape[1] == channels
        torch.testing.assert_close(
            weight, own[first].sum(1, keepdim=True).expand_as(weight) / channels
        )
        others = {name: one for name, one in adapted.state_dict().items() if name != first}
        assert all(one.equal(own[name]) for name, one in others.items())


def test_the_model_in_the_package_starts_one_of_one_channel():
    options = {"presence": True}
    network = create_model("wider_naive_litehrnet_18", in_channels=1, options=options)
    (note,) = hrnet.load_weights(network, "default")
    assert note == "a first layer for 1 channel, the sum of red, green and blue, made"


@pytest.mark.parametrize("channels", [None, 5])
@pytest.mark.parametrize("new_head", [False, True])
def test_other_weights_than_those_of_rgb_are_not_adapted(tmp_path, channels, new_head):
    one = create_model("litehrnet_18", num_outputs=2, in_channels=1)
    save_checkpoint(tmp_path / "a.safetensors", one, one.spec)
    other = create_model("litehrnet_18", num_outputs=2, in_channels=channels)
    count = channels or 3
    with pytest.raises(InputError, match=f"for in_channels 1, but this network has {count};"):
        hrnet.load_weights(other, tmp_path / "a.safetensors", new_head=new_head)
    same = create_model("litehrnet_18", num_outputs=2, in_channels=1)
    hrnet.load_weights(same, tmp_path / "a.safetensors", new_head=new_head)


@pytest.mark.parametrize("count", [0, 33, 2.5, "many"])
def test_a_number_of_channels_that_is_none_is_refused(count):
    with pytest.raises(InputError, match="cannot build litehrnet_18: in_channels: Input should be"):
        create_model("litehrnet_18", in_channels=count)


@pytest.mark.parametrize("task", ["segmentation", "classification", "detection"])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_tasks_keep_three_channels(task, channels):
    with pytest.raises(InputError, match=f"the task {task} reads 3 channels, got in_channels"):
        create_model("hrnet_w18_small_v1", task=task, in_channels=channels)


def test_three_channels_by_name_are_the_usual_network():
    usual, named = (create_model("litehrnet_18", in_channels=count) for count in (None, 3))
    assert [one.shape for one in usual.parameters()] == [one.shape for one in named.parameters()]
