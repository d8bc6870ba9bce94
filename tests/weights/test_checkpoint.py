"""Checkpoints: what is written is read back, and any other file is one clear line."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from hrnet.errors import InputError
from hrnet.models import build_network
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.checkpoint import (
    as_checkpoint,
    fill,
    load_checkpoint,
    read_checkpoint,
    save_checkpoint,
    with_activation,
)

SPEC = PoseSpec(
    network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=5),
    name="five",
    input_size=(64, 32),
    codec="udp",
    sigma=1.5,
    skeleton=Skeleton(
        tuple("abcde"), edges=((0, 1),), flip_pairs=((1, 2),), sigmas=(0.1, 0.2, 0.3, 0.4, 0.5)
    ),
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network(SPEC.network).eval()


@pytest.fixture
def file(network, tmp_path):
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, network.state_dict(), SPEC, '{"name": "run"}')
    return path


def rewrite(path, *, change=None, header=None):
    """Write the file again with other tensors or another header."""
    tensors = load_file(path)
    metadata = {"format": "hrnet", "spec": SPEC.to_json()}
    if change:
        change(tensors)
    save_file(tensors, path, metadata if header is None else header)


def test_round_trip(file, network):
    state, spec = read_checkpoint(file)
    assert spec == SPEC
    expected = network.state_dict()
    assert sorted(state) == sorted(expected)
    for key, value in expected.items():
        assert torch.equal(state[key], value)
        assert state[key].dtype == value.dtype
    assert [path.name for path in file.parent.iterdir()] == ["model.safetensors"]


def test_loaded_networks_answer_as_the_saved_one(file, network):
    loaded, spec = load_checkpoint(file)
    images = torch.randn(2, 3, *SPEC.input_size, generator=torch.Generator().manual_seed(0))
    assert not loaded.training
    assert spec == SPEC
    with torch.inference_mode():
        torch.testing.assert_close(loaded(images), network(images), rtol=0, atol=0)


def test_the_header_is_readable_by_others(file):
    from safetensors import safe_open

    with safe_open(file, framework="np") as opened:
        header = opened.metadata()
    assert header["format"] == "hrnet"
    assert json.loads(header["spec"])["skeleton"]["names"] == list("abcde")
    assert json.loads(header["experiment"]) == {"name": "run"}


def test_channels_last_weights_are_saved_as_any_other(network, file):
    turned = build_network(SPEC.network).to(memory_format=torch.channels_last)
    fill(turned, network.state_dict(), "test")
    other = file.with_name("other.safetensors")
    save_checkpoint(other, turned.state_dict(), SPEC, '{"name": "run"}')
    one, another = load_file(file), load_file(other)
    assert one.keys() == another.keys()
    assert all(torch.equal(one[key], another[key]) for key in one)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    network = build_network(SPEC.network)
    with torch.no_grad():
        next(network.parameters())[0] = float("nan")
    with pytest.raises(
        InputError, match="expected finite weights, got NaN or infinity in backbone"
    ):
        save_checkpoint(tmp_path / "a.safetensors", network, SPEC)
    assert list(tmp_path.iterdir()) == []


def test_softmax_makes_heatmaps_of_height_one(file):
    spec = SPEC.model_copy(update={"activation": "softmax"})
    state, _ = read_checkpoint(file)
    save_checkpoint(file, state, spec)
    loaded, _ = load_checkpoint(file)
    with torch.inference_mode():
        heatmaps = loaded(torch.randn(1, 3, *SPEC.input_size))
    assert (heatmaps >= 0).all()
    volume = 2 * torch.pi * SPEC.sigma**2
    torch.testing.assert_close(heatmaps.sum(dim=(2, 3)), torch.full((1, 5), volume))
    bare = build_network(spec.network)
    assert with_activation(bare, SPEC) is bare


def truncate(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])


def set_spec(path, **changes):
    tree = json.loads(SPEC.to_json()) | changes
    rewrite(path, header={"format": "hrnet", "spec": json.dumps(tree)})


def set_network(path, skeleton=None, **changes):
    tree = json.loads(SPEC.to_json())
    set_spec(path, network=tree["network"] | changes, skeleton=skeleton or tree["skeleton"])


HEAD = "head.conv.weight"
SPOILERS = {
    "text": (lambda path: path.write_text("no weights"), "not a readable safetensors"),
    "empty": (lambda path: path.write_bytes(b""), "not a readable safetensors"),
    "long header": (lambda path: path.write_bytes(b"\xff" * 64), "not a readable safetensors"),
    "truncated": (lambda path: truncate(path, 0.9), "not a readable safetensors"),
    "truncated early": (lambda path: truncate(path, 0.0005), "not a readable safetensors"),
    "missing": (lambda path: path.unlink(), "no checkpoint at"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "no checkpoint at"),
    "pickle": (lambda path: torch.save({"a": 1}, path), "not a readable safetensors"),
    "foreign": (
        lambda path: rewrite(path, header={"format": "pt"}),
        "not a checkpoint of this program",
    ),
    "no header": (lambda path: rewrite(path, header={}), "not a checkpoint of this program"),
    "no spec": (
        lambda path: rewrite(path, header={"format": "hrnet"}),
        "not the description of a model",
    ),
    "later format": (lambda path: set_spec(path, format=3), "format"),
    "unknown entry": (lambda path: set_spec(path, colour="blue"), "colour"),
    "unknown variant": (
        lambda path: set_network(path, variant="hrnet_w23"),
        "did you mean hrnet_w32",
    ),
    "other variant": (lambda path: set_network(path, variant="hrnet_w32"), "does not fit"),
    "odd size": (lambda path: set_spec(path, input_size=[102, 64]), "multiples of 4"),
    "wrong K": (
        lambda path: set_network(path, skeleton={"names": ["a", "b"]}, num_outputs=2),
        "0 tensors missing, 0 unknown, 2 of another shape, such as head.conv.bias",
    ),
    "missing tensor": (
        lambda path: rewrite(path, change=lambda tensors: tensors.pop(HEAD)),
        f"1 tensors missing, 0 unknown, 0 of another shape, such as {HEAD}",
    ),
    "extra tensor": (
        lambda path: rewrite(path, change=lambda tensors: tensors.update(more=torch.ones(1))),
        "0 tensors missing, 1 unknown, 0 of another shape, such as more",
    ),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_other_files_are_one_line(file, name):
    spoil, words = SPOILERS[name]
    spoil(file)
    with pytest.raises(InputError) as caught:
        load_checkpoint(file)
    message = str(caught.value)
    assert words in message
    assert len(message.splitlines()) == 1


def test_a_failed_loading_leaves_the_network_as_it_was(network):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = {key: value + 1 for key, value in before.items()}
    del state[HEAD]
    with pytest.raises(InputError, match="source does not fit"):
        fill(network, state, "source")
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize(
    ("text", "task", "num_outputs"),
    [
        ('{"variant": "hrnet_w32", "num_keypoints": 16}', "pose", 16),
        ('{"variant": "hrnet_w32", "task": "pose", "num_keypoints": 5}', "pose", 5),
        ('{"variant": "hrnet_w32", "task": "segmentation", "num_classes": 59}', "segmentation", 59),
        ('{"variant": "hrnet_w32", "task": "detection", "num_classes": null}', "detection", None),
        ('{"variant": "hrnet_w32", "task": "pose", "num_outputs": 3}', "pose", 3),
    ],
)
def test_descriptions_of_older_versions_are_read(text, task, num_outputs):
    found = as_checkpoint({}, {"format": "hrnet", "network": text})
    assert found is not None
    expected = NetworkSpec(variant="hrnet_w32", task=task, num_outputs=num_outputs)
    assert (found.network, found.model) == (expected, None)
    again = as_checkpoint({}, {"format": "hrnet", "network": expected.to_json()})
    assert again == found


@pytest.mark.parametrize("other", ["num_classes", "num_outputs"])
def test_a_description_with_two_counts_is_refused(other):
    text = json.dumps({"variant": "a", "task": "pose", "num_keypoints": 3, other: 3})
    with pytest.raises(InputError, match=r"num_(keypoints|classes): Extra inputs"):
        as_checkpoint({}, {"format": "hrnet", "network": text})
