"""The table of names: read both ways it loses nothing, and it refuses what it lacks."""

import re

import pytest
import torch

from hrnet.errors import InputError
from hrnet.models import VARIANTS, create_model
from hrnet.weights.convert import OFFICIAL_POSE, to_ours, to_upstream


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("points", [1, 17])
def test_names_go_there_and_back(variant, points):
    with torch.device("meta"):
        state = create_model(variant, num_keypoints=points).state_dict()
    upstream = to_upstream(state, OFFICIAL_POSE)
    assert len(upstream) == len(state)
    assert to_ours(upstream, OFFICIAL_POSE).keys() == state.keys()


def test_values_are_passed_on_and_the_argument_is_left_alone():
    state = {"backbone.stem.0.conv.weight": 1, "head.conv.bias": 2}
    assert to_upstream(state, OFFICIAL_POSE) == {"conv1.weight": 1, "final_layer.bias": 2}
    assert list(state) == ["backbone.stem.0.conv.weight", "head.conv.bias"]
    assert to_ours({}, OFFICIAL_POSE) == {}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("bn2.running_var", "backbone.stem.1.norm.running_var"),
        ("layer1.3.conv3.weight", "backbone.stem.2.3.conv3.conv.weight"),
        ("layer1.0.downsample.1.bias", "backbone.stem.2.0.shortcut.norm.bias"),
        ("transition1.0.0.weight", "backbone.stages.stage2.transition.0.conv.weight"),
        ("transition1.1.0.0.weight", "backbone.stages.stage2.transition.1.conv.weight"),
        ("transition3.3.0.1.weight", "backbone.stages.stage4.transition.3.norm.weight"),
        (
            "stage3.2.branches.1.3.bn2.running_mean",
            "backbone.stages.stage3.module2.streams.1.3.conv2.norm.running_mean",
        ),
        (
            "stage4.0.fuse_layers.0.3.0.weight",
            "backbone.stages.stage4.module0.exchange.paths.0.3.project.conv.weight",
        ),
        (
            "stage4.0.fuse_layers.3.0.2.1.num_batches_tracked",
            "backbone.stages.stage4.module0.exchange.paths.3.0.2.norm.num_batches_tracked",
        ),
        ("final_layer.weight", "head.conv.weight"),
    ],
)
def test_names_by_hand(theirs, ours):
    assert to_ours({theirs: None}, OFFICIAL_POSE) == {ours: None}
    assert to_upstream({ours: None}, OFFICIAL_POSE) == {theirs: None}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "classifier.weight",
        "conv1.weight.extra",
        "conv1xweight",
        "conv3.weight",
        "module.conv1.weight",
        "stage2.x.branches.0.0.conv1.weight",
        "transition2.0.0.weight",
        "xconv1.weight",
    ],
)
def test_unknown_names_are_refused(name):
    with pytest.raises(InputError, match=f"no place for tensor {re.escape(repr(name))}"):
        to_ours({name: None}, OFFICIAL_POSE)
    with pytest.raises(InputError, match="no place for tensor"):
        to_upstream({name: None}, OFFICIAL_POSE)
