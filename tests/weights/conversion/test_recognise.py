"""Recognition of files by names and shapes, and one line for every file that is nothing exact."""

import pytest
import torch

from hrnet.errors import InputError
from hrnet.models import VARIANTS, build_network, create_model
from hrnet.spec import NetworkOptions, NetworkSpec
from hrnet.weights.files.unwrap import unwrap
from hrnet.weights.schemes import to_upstream
from hrnet.weights.schemes.recognise import recognise

from . import files

WIDE = ("hrnet_w30", "hrnet_w40", "hrnet_w44", "hrnet_w48", "hrnet_w64")
"""These differ from hrnet_w32 in nothing but their width."""


def weightless(variant, scheme="official", **options):
    """The upstream names and shapes of a network, and its description."""
    with torch.device("meta"):
        network = build_network(
            NetworkSpec.model_validate({"variant": variant, "task": "pose", **options})
        )
    return to_upstream(network.state_dict(), network.spec, scheme), network.spec


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name not in WIDE])
def test_every_variant_is_told_from_the_others(variant):
    task = "pose" if "lite" in variant or variant.startswith("small") else "classification"
    state, spec = weightless(variant, task=task)
    found = recognise(state, "file")
    options = {"num_outputs": 17 if task == "pose" else 1000}
    assert found.network == spec.model_copy(update=options)


def test_two_names_of_one_body_go_by_the_task():
    pose, _ = weightless("hrnet_w18_small_v1")
    classes, _ = weightless("small_hrnet_w16", task="classification")
    assert recognise(pose, "file").network.variant == "small_hrnet_w16"
    assert recognise(classes, "file").network.variant == "hrnet_w18_small_v1"


def test_what_weights_cannot_tell_is_usual_or_asked_for():
    segmentation, _ = weightless("hrnet_w18_small_v1", task="segmentation")
    assert recognise(segmentation, "file").network.align_corners is True
    other = recognise(segmentation, "file", NetworkOptions(align_corners=False))
    assert other.network.align_corners is False
    fcn, _ = weightless("hrnet_w18_small_v1", "mmsegmentation", task="segmentation")
    assert recognise(fcn, "file").network.align_corners is False
    official, _ = weightless("hrformer_small")
    mmpose, _ = weightless("hrformer_small", "mmpose 1.x")
    assert recognise(official, "file").network.relative_position == "none"
    assert recognise(mmpose, "file").network.relative_position == "table"
    asked = NetworkOptions(relative_position="none")
    assert recognise(mmpose, "file", asked).network.relative_position == "none"


@pytest.mark.parametrize("window", [5, 15])
def test_windows_are_read_from_the_tables(window):
    state, _ = weightless("hrformer_small", window=window)
    assert recognise(state, "file").network.window == window


def drop(state, name):
    del state[name]


def reshape(state, name):
    state[name] = torch.zeros(2, 3)


def add(state, name):
    state[name] = torch.zeros(1)


CONV = "stage4.0.branches.0.1.conv1.weight"
NEAREST = (
    "none of the known networks; the nearest is small_hrnet_w16 for pose, from which 1 tensors"
)
SPOILERS = {
    "missing": (lambda s: drop(s, CONV), f"{NEAREST} differ: {CONV} is missing"),
    "of another shape": (
        lambda s: reshape(s, CONV),
        f"{NEAREST} differ: {CONV} is [2, 3] and there [16, 16, 3, 3]",
    ),
    "one more module": (
        lambda s: add(s, "stage4.1.branches.0.1.conv1.weight"),
        f"{NEAREST} differ: stage4.1.branches.0.1.conv1.weight is one too many",
    ),
    "unknown": (lambda s: add(s, "colour.weight"), "1 of 351 tensors have no place"),
    "unknown, named": (lambda s: add(s, "colour.weight"), "such as 'colour.weight'"),
    "other network": (lambda s: drop(s, "stage2.0.branches.0.0.conv1.weight"), "is not of HRNet"),
    "no stage": (
        lambda s: drop(s, "stage2.0.fuse_layers.0.1.0.weight"),
        "is not complete: a stage is missing",
    ),
    "nothing": (lambda s: s.clear(), "it begins with nothing"),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_anything_else_is_one_line_that_names_it(name):
    spoil, words = SPOILERS[name]
    state, _ = weightless("small_hrnet_w16")
    spoil(state)
    with pytest.raises(InputError) as caught:
        recognise(state, "file.pth")
    message = str(caught.value)
    assert message.startswith("file.pth")
    assert words in message
    assert len(message.splitlines()) == 1


def test_the_nearest_variant_is_named_for_a_network_of_no_variant():
    state, _ = weightless("hrnet_w32")
    for name in [name for name in state if name.startswith("stage3.3.")]:
        del state[name]
    with pytest.raises(InputError, match=r"nearest is hrnet_w32 for pose.* stage3\.3\..* missing"):
        recognise(state, "file.pth")


def test_a_layer_that_is_split_there_is_named_as_there():
    state, _ = weightless("hrformer_tiny", task="classification")
    name = "stage2.0.branches.0.0.attn.attn.q_proj.weight"
    state[name] = torch.zeros(20, 18, device="meta")
    with pytest.raises(InputError, match=r"q_proj.weight is \[56, 18\] and there \[54, 18\]"):
        recognise(state, "file.pth")


MARK = "stage2.0.branches.0.0.conv1.weight"
STATE = {"conv1.weight": torch.ones(2), MARK: torch.ones(3)}
"""A beginning of a network: what it is found by."""
BEHIND_BACKBONE = {f"backbone.{MARK}": torch.ones(2), "head.final_layer.weight": torch.ones(3)}
COUNTER = {"n_averaged": torch.tensor(5)}


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        files.in_state_dict(STATE),
        files.pose_checkpoint(STATE),
        files.full_model(STATE),
        files.swin(STATE),
        files.openseg(STATE),
        files.openmmlab(STATE),
        {"model": {"state_dict": STATE, "epoch": 3}},
        {"ema": STATE, "args": None},
        {"state_dict": files.prefixed(STATE, "module.model.")},
        {"state_dict": files.prefixed(STATE, "_orig_mod.")},
        COUNTER | files.prefixed(STATE, "module."),
        {"state_dict": files.prefixed(STATE, "model.net.") | {"criterion.weight": torch.ones(19)}},
        files.prefixed(STATE, "net._orig_mod.") | {"loss_fn.sigmas": torch.ones(17)},
        {"weights": STATE, "optimizer_states": [{"state": {}}]},
        {"student": STATE, "teacher": STATE},
        {"teacher": STATE, "student": STATE},
        files.prefixed(STATE, "teacher.") | files.prefixed(STATE, "student."),
        {"ema": {"shadow": STATE, "decay": 0.999}},
        {"ema_state_dict": COUNTER | files.prefixed(STATE, "module.")},
        {"state_dict_ema": STATE, "epoch": 3},
        STATE | files.prefixed(STATE, "ema."),
        STATE | {f"ema_{name.replace('.', '_')}": value for name, value in STATE.items()},
        {"any": {"thing": {"at": {"all": STATE}}}},
        {"model": STATE | {"criterion.weight": torch.ones(19)} | COUNTER},
    ],
)
def test_weights_are_unwrapped(content):
    assert unwrap(content, "file").state == STATE


def test_parts_of_a_network_may_lie_in_dictionaries_of_their_own():
    backbone, head = {MARK: torch.ones(2)}, {"final_layer.weight": torch.ones(3)}
    state = unwrap({"net": {"backbone": backbone, "head": head}}, "file").state
    assert state == {
        **{f"backbone.{k}": v for k, v in backbone.items()},
        "head.final_layer.weight": head["final_layer.weight"],
    }


def test_what_is_left_out_has_a_reason():
    reasons = {part.what: part.reason for part in unwrap(files.pose_checkpoint(STATE), "f").dropped}
    assert reasons == {
        "epoch": "notes about the training",
        "model": "no weights",
        "best_state_dict": "weights of another moment or average; state_dict was taken",
        "perf": "no weights",
        "optimizer": "for the training to go on",
    }
    (loss,) = unwrap(files.full_model(STATE), "f").dropped
    assert (loss.what, loss.count) == ("loss.*", 1)
    (note,) = unwrap(STATE | {"version": 3}, "f").dropped
    assert note.what == "version"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            COUNTER | files.prefixed(STATE, "module."),
            [("n_averaged", 1, "a counter or figure of the training")],
        ),
        (
            {"student": STATE, "teacher": STATE, "step": 3},
            [
                ("teacher", 1, "weights of another moment or average; student was taken"),
                ("step", 1, "no weights"),
            ],
        ),
        (
            STATE | files.prefixed(STATE, "ema."),
            [("ema.*", 2, "weights of another moment or average; what has no prefix was taken")],
        ),
        (
            {"state_dict": files.prefixed(STATE, "net.") | {"val_ap.total": torch.tensor(3)}},
            [("state_dict.val_ap.*", 1, "a counter or figure of the training")],
        ),
        (
            {"net": BEHIND_BACKBONE, "projector": {"0.weight": torch.ones(2)}},
            [("projector", 1, "beside the network, no part of it")],
        ),
        (
            STATE | {"ema_conv1_weight": torch.ones(2), "ema_conv1_bias": torch.ones(2)},
            [("ema_*", 2, "beside the network, no part of it")],
        ),
    ],
)
def test_what_is_left_out_is_counted_by_name(content, expected):
    dropped = unwrap(content, "f").dropped
    assert [(part.what, part.count, part.reason) for part in dropped] == expected


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"state_dict": {}},
        {"a": 1, "model": [torch.ones(1)]},
        {"state": {0: {"exp_avg": torch.ones(1)}}, "param_groups": []},
        {"optimizer": {"exp_avg": torch.ones(1)}, "epoch": 3},
        {"ema": {"shadow_params": [torch.ones(1)]}},
    ],
)
def test_files_without_weights_are_refused(content):
    with pytest.raises(InputError, match="file holds no weights: expected tensors, got"):
        unwrap(content, "file")


def test_official_names_of_a_detector_leave_its_heads_out():
    with torch.device("meta"):
        network = create_model("hrnet_w18_small_v1", task="detection")
    state = to_upstream(network.state_dict(), network.spec, "official")
    heads = {"rpn_head.rpn_conv.weight": torch.ones(1), "bbox_head.fc_cls.bias": torch.ones(1)}
    found = recognise(state | heads, "file")
    assert found.network.task == "detection"
    assert [(part.what, part.count) for part in found.taken.dropped] == [
        ("rpn_head.*", 1),
        ("bbox_head.*", 1),
    ]
    with pytest.raises(InputError, match="no place"):
        recognise(state | {"my_head.weight": torch.ones(1)}, "file")
