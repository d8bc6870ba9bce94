"""`convert_file`: a whole new file with its description and a report, or none at all."""

import json

import pytest
import torch
from safetensors import safe_open

from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON
from hrnet.spec import NetworkOptions, NetworkSpec
from hrnet.tasks import TASKS
from hrnet.weights.checkpoint import load_checkpoint, read_checkpoint
from hrnet.weights.convert import convert_file, fingerprint
from hrnet.weights.load import load_network
from hrnet.weights.published.rows import PublishedWeight, find_row
from hrnet.weights.schemes import to_upstream

from . import files

SMALL = "small_hrnet_w16"


def foreign(path, variant, scheme="official", wrap=files.openmmlab, **options):
    network = files.network(variant, **options)
    content = wrap(to_upstream(network.state_dict(), network.spec, scheme))
    return files.save(content, path), network


@pytest.fixture(scope="module")
def pose(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "pose.pth"
    return foreign(path, SMALL, "mmpose 1.x", num_outputs=17)


def header(path):
    with safe_open(path, framework="np") as file:
        return file.metadata()


def test_without_an_input_size_the_network_alone_is_described(pose, tmp_path):
    path, network = pose
    out = tmp_path / "a.safetensors"
    report = convert_file(path, out)
    assert [entry.name for entry in tmp_path.iterdir()] == [out.name]
    assert "spec" not in header(out)
    assert load_network(out).spec == network.spec == report.network
    assert torch.equal(files.outputs(load_network(out)), files.outputs(network))
    assert not report.can_predict
    with pytest.raises(InputError, match=r"`hrnet convert .*a.safetensors .* --input HxW"):
        load_checkpoint(out)


def test_with_input_size_and_skeleton_a_pose_model_predicts(pose, tmp_path):
    path, network = pose
    out = tmp_path / "a.safetensors"
    facts = {"input_size": (64, 32), "skeleton": "coco", "codec": "udp", "sigma": 1.5}
    report = convert_file(path, out, facts=facts | {"blur_kernel": 11})
    loaded, spec = load_checkpoint(out)
    assert report.can_predict
    assert (spec.input_size, spec.codec, spec.sigma) == ((64, 32), "udp", 1.5)
    assert spec.blur_kernel == 11
    assert spec.skeleton == COCO_PERSON
    assert spec.network == network.spec
    assert torch.equal(files.outputs(loaded), files.outputs(network))


def test_our_own_file_is_described_later(pose, tmp_path):
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    convert_file(pose[0], first)
    convert_file(first, second, facts={"input_size": (64, 64), "skeleton": "coco"})
    third = tmp_path / "c.safetensors"
    report = convert_file(second, third, facts={"sigma": 3.0})
    assert report.scheme == "hrnet"
    assert read_checkpoint(third)[1] == read_checkpoint(second)[1].model_copy(update={"sigma": 3.0})


def test_files_of_the_face_models_are_known_by_their_names(tmp_path):
    """The authors' download has no checksum; its name says crop, codec and sigma."""
    row = find_row("hrnet_w18_v2-300w-256x256-official")
    path, network = foreign(
        tmp_path / "HR18-300W.pth",
        "hrnet_w18",
        wrap=files.in_state_dict,
        num_outputs=68,
        head="v2",
        upsampling="bilinear",
        align_corners=False,
    )
    assert network.spec == row.network
    convert_file(path, tmp_path / "a.safetensors")
    loaded, spec = load_checkpoint(tmp_path / "a.safetensors")
    assert (spec.codec, spec.sigma, spec.input_size) == ("face", 1.0, (256, 256))
    assert spec.skeleton.names[0] == "kpt-0"
    assert torch.equal(files.outputs(loaded), files.outputs(network))


def test_the_catalogue_describes_files_that_it_knows(pose, tmp_path, monkeypatch):
    row = PublishedWeight(
        name="small-coco-64x32",
        network=NetworkSpec(variant=SMALL, task="pose", num_outputs=17),
        facts={"input_size": (64, 32), "skeleton": "coco", "codec": "dark"},
        dataset="coco",
        scheme="mmpose",
        page="",
        source="",
    )
    monkeypatch.setattr("hrnet.weights.source.row_of_file", lambda path: row)
    out = tmp_path / "a.safetensors"
    convert_file(pose[0], out)
    spec = read_checkpoint(out)[1]
    assert (spec.name, spec.input_size, spec.codec) == (row.name, (64, 32), "dark")
    convert_file(pose[0], out, facts={"input_size": (96, 96)})
    assert read_checkpoint(out)[1].input_size == (96, 96)

    other = find_row("hrnet_w32-coco-256x192")
    monkeypatch.setattr("hrnet.weights.source.row_of_file", lambda path: other)
    with pytest.raises(InputError, match=r"catalogued as .* variant hrnet_w32, but its weights"):
        convert_file(pose[0], out)


def test_the_catalogue_describes_what_each_task_needs(tmp_path, monkeypatch):
    path, network = foreign(tmp_path / "a.pth", "hrnet_w18_small_v1", task="classification")
    row = find_row("hrnet_w18_small_v1-imagenet-timm_gluon")
    monkeypatch.setattr("hrnet.weights.source.row_of_file", lambda path: row)
    out = tmp_path / "a.safetensors"
    report = convert_file(path, out)
    assert report.network == row.network
    assert report.can_predict == ("classification" in TASKS)
    if report.can_predict:
        spec = read_checkpoint(out)[1]
        assert spec == row.spec
        assert (spec.input_size, spec.resize, spec.interpolation) == ((224, 224), 256, "bicubic")
    assert torch.equal(files.outputs(load_network(out)), files.outputs(network))


def test_of_a_catalogued_backbone_nothing_else_is_taken(tmp_path, monkeypatch):
    path, network = foreign(tmp_path / "a.pth", "hrnet_w18_small_v1", task="detection")
    row = PublishedWeight(
        name="small-fcos",
        network=NetworkSpec(variant="hrnet_w18_small_v1", task="features"),
        dataset="coco",
        scheme="mmdet",
        page="",
        source="",
    )
    monkeypatch.setattr("hrnet.weights.source.row_of_file", lambda path: row)
    report = convert_file(path, tmp_path / "a.safetensors")
    assert report.network.task == "features"
    assert {"tensors beside the backbone"} < {part.what for part in report.dropped}
    assert report.tensors == len(network.backbone.state_dict())


def test_the_report_says_what_was_done(tmp_path):
    path, network = foreign(
        tmp_path / "a.pth", "hrnet_w18_small_v1", "mmsegmentation", task="segmentation"
    )
    out = tmp_path / "a.safetensors"
    report = convert_file(path, out)
    assert report.tensors == len(network.state_dict()) - 1
    assert report.parameters == 1_540_819  # as published for HRNetV2-W18-Small-v1
    assert report.made == ("1 zero biases of convolutions that have none there",)
    assert {part.what for part in report.dropped} == {
        "meta",
        "message_hub",
        "optimizer",
        "param_schedulers",
    }
    text = "\n".join(report.lines())
    assert "mmsegmentation" in text
    assert f"{report.fingerprint[0]:.5g}" in text
    stored = json.loads(header(out)["conversion"])
    assert stored["scheme"] == "mmsegmentation"
    assert stored["fingerprint"] == [float(f"{value:.5g}") for value in report.fingerprint]
    assert report.summary().startswith("hrnet_w18_small_v1 for segmentation")


def test_the_fingerprint_is_the_network_s_answer_to_noise(pose):
    import numpy as np

    _, network = pose
    noise = np.random.Generator(np.random.PCG64(0)).standard_normal((1, 3, 64, 64))
    with torch.inference_mode():
        flat = network(torch.from_numpy(noise.astype(np.float32))).flatten()
    values = fingerprint(network)
    assert len(values) == 16
    assert (values[0], values[-1]) == (flat[0], flat[-1])
    assert values[7] == flat[7 * (len(flat) - 1) // 15]


def test_fingerprints_of_several_outputs():
    pyramid = files.network("hrnet_w18_small_v1", task="detection")
    assert len(set(fingerprint(pyramid))) == 16


def test_windows_are_interpolated_where_asked_for(tmp_path):
    path, network = foreign(
        tmp_path / "a.pth", "hrformer_tiny", wrap=files.swin, task="classification"
    )
    out = tmp_path / "a.safetensors"
    report = convert_file(path, out, options={"window": 9})
    assert report.network == network.spec.model_copy(update={"window": 9, "num_outputs": 1000})
    assert any("for windows of 9, interpolated" in made for made in report.made)
    assert load_network(out).spec.window == 9
    with pytest.raises(InputError, match="expected a window of 1 or more, got 0"):
        convert_file(path, out, options={"window": 0})


def test_half_precision_is_brought_to_float32(pose, tmp_path):
    network = pose[1]
    state = to_upstream(network.state_dict(), network.spec, "mmpose 1.x")
    halved = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    path = files.save(halved, tmp_path / "half.pth")
    report = convert_file(path, tmp_path / "a.safetensors")
    kinds = {
        value.dtype for value in load_network(tmp_path / "a.safetensors").state_dict().values()
    }
    assert kinds == {torch.float32, torch.int64}
    assert any("tensors of float16" in made for made in report.made)


REFUSED = {
    "half described": ({"input_size": (64, 64)}, "give both: with 17 keypoints are known coco, "),
    "skeleton alone": ({"skeleton": "coco"}, "expected an input size and a skeleton"),
    "codec alone": ({"codec": "udp"}, "expected an input size and a skeleton"),
    "odd size": ({"input_size": (65, 64), "skeleton": "coco"}, "multiples of 4, got"),
    "other skeleton": (
        {"input_size": (64, 64), "skeleton": "mpii"},
        "expected a skeleton of 17 keypoints",
    ),
    "no skeleton": ({"input_size": (64, 64), "skeleton": "coca"}, "expected the name of a skelet"),
    "position": (
        NetworkOptions(relative_position="table"),
        "small_hrnet_w16 has no relative_position",
    ),
    "window": (NetworkOptions(window=7), "has no tables of position biases; leave window out"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_belong_together_is_one_line_and_no_file(name, pose, tmp_path):
    asked, words = REFUSED[name]
    named = "options" if isinstance(asked, NetworkOptions) else "facts"
    with pytest.raises(InputError) as caught:
        convert_file(pose[0], tmp_path / "a.safetensors", **{named: asked})
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_pose_settings_are_refused_for_other_tasks(tmp_path):
    path, _ = foreign(tmp_path / "a.pth", "hrnet_w18_small_v1", task="features")
    with pytest.raises(InputError, match="is of features, which has no input_size; leave it out"):
        facts = {"input_size": (64, 64), "skeleton": "coco"}
        convert_file(path, tmp_path / "a.safetensors", facts=facts)


def test_an_input_is_never_replaced(pose, tmp_path):
    out = tmp_path / "a.safetensors"
    convert_file(pose[0], out)
    before = out.read_bytes()
    with pytest.raises(InputError, match="is read by this command and would be lost"):
        convert_file(out, out)
    assert out.read_bytes() == before
    with pytest.raises(InputError, match=r"expected a .safetensors file to write, got .*b.pth"):
        convert_file(out, tmp_path / "b.pth")


@pytest.mark.parametrize(
    ("name", "words"),
    [("none.pth", "there is none at"), ("hrnet_w32-coco-256x19", "did you mean")],
)
def test_files_and_names_that_are_not_there(name, words, tmp_path):
    with pytest.raises(InputError, match=words):
        convert_file(name, tmp_path / "a.safetensors")
