"""`hrnet convert` from the outside."""

import pytest
import torch

from hrnet.models import create_model
from hrnet.weights.checkpoint import read_checkpoint
from hrnet.weights.load import load_network
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
        f"{out}: small_hrnet_w16 for pose, num_keypoints 17; 350 tensors named as in mmpose 1.x, "
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


def test_options_of_segmentation(run, tmp_path):
    network = create_model("hrnet_w18_small_v1", task="segmentation")
    path, out = tmp_path / "seg.pth", tmp_path / "seg.safetensors"
    torch.save(to_upstream(network.state_dict(), network.spec, "official"), path)
    for option, expected in (("--align-corners", True), ("--no-align-corners", False)):
        assert run("convert", path, out, option)[0] == 0
        assert load_network(out).spec.align_corners is expected
