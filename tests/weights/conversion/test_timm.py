"""timm's HRNet and ours, both ways: the same tensors, and the same answers."""

import pytest
import torch

from hrnet.models import create_model
from hrnet.weights.load import load_network
from hrnet.weights.schemes import to_upstream

from . import files


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("hrnet_w18_small", "hrnet_w18_small_v1"), ("hrnet_w18_small_v2", "hrnet_w18_small_v2")],
)
def test_weights_go_both_ways_and_answer_alike(theirs, ours, timm, tmp_path):
    torch.manual_seed(0)
    model = timm.create_model(theirs).eval()
    path = files.save(model.state_dict(), tmp_path / "model.safetensors")
    loaded = load_network(path)
    assert (loaded.spec.variant, loaded.spec.task) == (ours, "classification")
    expected = files.outputs(model)
    torch.testing.assert_close(files.outputs(loaded), expected, rtol=1e-5, atol=1e-6)

    network = files.network(ours, task="classification")
    model.load_state_dict(to_upstream(network.state_dict(), network.spec, "timm"), strict=True)
    tolerance = 1e-6 * float(files.outputs(network).abs().max())
    torch.testing.assert_close(
        files.outputs(model), files.outputs(network), rtol=1e-5, atol=tolerance
    )


@pytest.mark.parametrize("width", [18, 30, 32, 40, 44, 48, 64])
def test_names_and_shapes_are_alike(width, timm):
    with torch.device("meta"):
        model = timm.create_model(f"hrnet_w{width}")
        network = create_model(f"hrnet_w{width}", task="classification")
    written = to_upstream(network.state_dict(), network.spec, "timm")
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in written.items()} == shapes


def test_deeplabcut_holds_timm_s_features(timm):
    with torch.device("meta"):
        model = timm.create_model(
            "hrnet_w18_small", features_only=True, feature_location="", out_indices=(1, 2, 3, 4)
        )
        network = create_model("hrnet_w18_small_v1", task="features")
    written = to_upstream(network.state_dict(), network.spec, "DeepLabCut")
    names = {f"backbone.model.{name}": value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in written.items()} == names
