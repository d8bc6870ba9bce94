"""`hrnet convert` from the outside."""

import pytest
import torch

from hrnet.models import create_model
from hrnet.weights.checkpoint import read_checkpoint
from hrnet.weights.load import load_network, load_weights
from hrnet.weights.schemes import to_upstream


@pytest.fixture
def pose(tmp_path):
    network = create_model("small_hrnet_w16")
    path = tmp_path / "pose.pth"
    state = to_upstream(network.state_dict(), network.spec, "mmpose 1.x")
    torch.save({"meta": {}, "state_dict": state}, path)
    return path


def test_a_file_is_converted_and_says_what_it_is(run, pose, tmp_path):
    out = tmp_path / "a.safetensors"
    code, text, errors = run("convert", pose, out)
    assert code == 0
    assert text.splitlines() == [
        f"{out}: small_hrnet_w16 for pose, num_outputs 17; 350 tensors named as in mmpose 1.x, "
        "1 entries left out"
    ]
    assert errors == "to predict with it, convert it with --input and --skeleton\n"
    assert load_network(out).spec.variant == "small_hrnet_w16"


def test_the_report_and_the_description(run, pose, tmp_path):
    out = tmp_path / "a.safetensors"
    described = ["--input", "64x32", "--skeleton", "coco", "--codec", "dark", "--sigma", "3"]
    described += ["--blur-kernel", "11"]
    code, text, errors = run("convert", pose, out, "--report", *described)
    assert (code, errors) == (0, "")
    kinds = [line.split()[0] for line in text.splitlines()]
    assert kinds == ["network", "names", "tensors", "left", "fingerprint", f"{out}:"]
    spec = read_checkpoint(out)[1]
    assert (spec.input_size, spec.codec, spec.sigma) == ((64, 32), "dark", 3.0)
    assert spec.blur_kernel == 11


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--input", "64"], "expected --input as HEIGHTxWIDTH"),
        (["--input", "64x32"], "expected an input size and a skeleton"),
        (["--input", "64x32", "--skeleton", "coco", "--codec", "wave"], "codec: Input should be"),
        (["--input", "64x32", "--skeleton", "coco", "--blur-kernel", "4"], "from 3 to 99, got 4"),
        (["--relative-position", "none"], "has no relative_position"),
        (["--window", "7"], "has no tables of position biases"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(run, pose, tmp_path, options, words):
    out = tmp_path / "a.safetensors"
    code, text, errors = run("convert", pose, out, *options)
    assert (code, text) == (2, "")
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert not out.exists()


def save_classifier(path, classes):
    network = create_model("hrnet_w18_small_v1", task="classification", num_outputs=classes)
    torch.save(to_upstream(network.state_dict(), network.spec, "official"), path)
    return path


def test_a_classification_file_gets_usual_facts_with_its_input(run, tmp_path):
    path, out = save_classifier(tmp_path / "own.pth", 3), tmp_path / "own.safetensors"
    code, _, errors = run("convert", path, out)
    assert (code, errors) == (0, "to predict with it, convert it with --input\n")
    code, text, errors = run("convert", path, out, "--input", "192x224")
    assert (code, errors) == (0, "")
    assert text.splitlines()[1] == (
        "note: not in the file and not given: resize and class_names; the usual is taken: short "
        "side 256 bilinear, 3 classes, class 0, class 1, class 2"
    )
    spec = read_checkpoint(out)[1]
    assert (spec.input_size, spec.resize, spec.interpolation) == ((192, 224), 256, "bilinear")
    assert spec.class_names == ("class 0", "class 1", "class 2")
    code, text, errors = run("convert", path, out, "--input", "64x64", "--skeleton", "coco")
    assert code == 2
    assert "classification, which has no skeleton; leave it out" in errors


def test_1000_classes_are_those_of_imagenet(run, tmp_path):
    path, out = save_classifier(tmp_path / "own.pth", 1000), tmp_path / "own.safetensors"
    code, text, _ = run("convert", path, out, "--input", "224x224")
    assert code == 0
    assert "1000 classes, tench" in text
    # Its own description is known by now, so that nothing is assumed.
    code, text, _ = run("convert", out, tmp_path / "again.safetensors")
    assert (code, "note:" in text) == (0, False)


def test_options_of_segmentation(run, tmp_path):
    network = create_model("hrnet_w18_small_v1", task="segmentation")
    path, out = tmp_path / "seg.pth", tmp_path / "seg.safetensors"
    torch.save(to_upstream(network.state_dict(), network.spec, "official"), path)
    for option, expected in (("--align-corners", True), ("--no-align-corners", False)):
        assert run("convert", path, out, option)[0] == 0
        assert load_network(out).spec.align_corners is expected


def prefixed(state, prefix):
    return {prefix + name: value for name, value in state.items()}


WRAPPED = {
    "an average of torch": (
        lambda state: {"n_averaged": torch.tensor(5), **prefixed(state, "module.")},
        ["left out     1 x n_averaged: a counter or figure of the training"],
        "named as in official, 1 entries left out\n",
    ),
    "Lightning": (
        lambda state: {
            "state_dict": prefixed(state, "net.") | {"criterion.weight": torch.ones(17)},
            "global_step": 4,
            "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}],
        },
        [
            "left out     1 x state_dict.criterion.*: the loss, which is no part of the network",
            "left out     1 x global_step: no weights",
            "left out     1 x optimizer_states: for the training to go on",
        ],
        "named as in official, 3 entries left out\n",
    ),
    "student and teacher": (
        lambda state: {"teacher": state, "student": prefixed(state, "model.")},
        ["left out     1 x teacher: weights of another moment or average; student.model was taken"],
        "1 entries left out; teacher: weights of another moment or average; student.model was "
        "taken\n",
    ),
    "an average alone": (lambda state: {"ema": {"shadow": state}}, [], "named as in official\n"),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_what_a_training_wraps_around_is_taken_off_and_named(case, run, tmp_path):
    wrap, left_out, summary = WRAPPED[case]
    network = create_model("small_hrnet_w16")
    path, out = tmp_path / "a.pth", tmp_path / "a.safetensors"
    torch.save(wrap(to_upstream(network.state_dict(), network.spec, "official")), path)
    code, text, _ = run("convert", path, out, "--report")
    assert code == 0
    assert [line for line in text.splitlines() if line.startswith("left out")] == left_out
    assert text.endswith(summary)
    converted = load_network(out).state_dict()
    assert all(torch.equal(converted[name], own) for name, own in network.state_dict().items())


def test_a_backbone_beside_a_head_that_is_not_known_is_not_taken_for_all(run, tmp_path):
    network = create_model("small_hrnet_w16", task="features")
    state = to_upstream(network.state_dict(), network.spec, "official")
    path, out = tmp_path / "a.pth", tmp_path / "a.safetensors"
    torch.save({"encoder": state, "decoder": {"weight": torch.ones(3, 2)}}, path)
    code, _, errors = run("convert", path, out)
    assert (code, errors.count("\n"), out.exists()) == (2, 1, False)
    assert "holds a backbone, and beside it decoder, which may be its head" in errors
    backbone = create_model("small_hrnet_w16")
    left = load_weights(backbone, path, new_head=True)
    assert "1 x decoder left out: beside the network, no part of it" in left


@pytest.mark.parametrize("kind", [torch.complex64, torch.int32, torch.bool])
def test_weights_that_are_none_are_one_line(kind, run, tmp_path):
    network = create_model("small_hrnet_w16")
    state = to_upstream(network.state_dict(), network.spec, "official")
    state["final_layer.weight"] = state["final_layer.weight"].to(kind)
    path, out = tmp_path / "a.pth", tmp_path / "a.safetensors"
    torch.save(state, path)
    code, text, errors = run("convert", path, out)
    assert (code, text, errors.count("\n"), out.exists()) == (2, "", 1, False)
    assert f"head.conv.weight is of type {str(kind).removeprefix('torch.')}" in errors
