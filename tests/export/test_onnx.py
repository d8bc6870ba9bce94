"""Exported models: any batch size, their own description, and the network's answers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import hrnet
from hrnet.errors import InputError
from hrnet.exporters.onnx import TOLERANCE, export_onnx
from hrnet.models import build_network
from hrnet.models.heads.heatmap import SpatialSoftmax
from hrnet.runtime import open_engine, read_spec
from hrnet.skeleton import Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.checkpoint import save_checkpoint, with_activation

SPEC = PoseSpec(
    network=NetworkSpec(variant="small_hrnet_w16", task="pose", num_outputs=5),
    name="five",
    input_size=(64, 96),
    codec="udp",
    sigma=1.5,
    activation="softmax",
    padding=1.1,
    skeleton=Skeleton(tuple("abcde"), edges=((0, 1),), flip_pairs=((1, 2),)),
    mean=(0.1, 0.2, 0.3),
)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A network whose weights and running statistics are those of no fresh one."""
    torch.manual_seed(0)
    network = build_network(SPEC.network)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 2)
                module.bias.uniform_(-0.1, 0.1)
    network.head.conv.weight.data *= 0.1
    return with_activation(network, SPEC).eval()


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    """Two files: single precision, and half precision of the weights."""
    folder = tmp_path_factory.mktemp("models")
    for half in (False, True):
        difference = export_onnx(network, SPEC, folder / f"{half}.onnx", half=half)
        assert 0 <= difference < TOLERANCE[half]
    return folder


def images_of(count: int) -> np.ndarray:
    noise = np.random.default_rng(count).standard_normal((count, 3, *SPEC.input_size))
    return noise.astype(np.float32)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_both_engines_answer_as_the_network_for_any_batch(network, exported, engine, half, count):
    images = images_of(count)
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    (found,) = open_engine(exported / f"{half}.onnx", engine)(images)
    assert found.shape == (count, 5, 16, 24)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < TOLERANCE[half] * np.abs(expected).max()


@pytest.mark.parametrize("half", [False, True])
def test_the_description_is_in_the_file(exported, half):
    assert read_spec(exported / f"{half}.onnx") == SPEC


@pytest.mark.parametrize("half", [False, True])
def test_the_file_is_a_valid_model_with_named_ends(exported, half):
    model = onnx.load(exported / f"{half}.onnx")
    onnx.checker.check_model(model, full_check=True)
    (images,), (heatmaps,) = model.graph.input, model.graph.output
    assert (images.name, heatmaps.name) == ("images", "heatmaps")
    batch, *others = images.type.tensor_type.shape.dim
    assert batch.dim_param
    assert [dim.dim_value for dim in others] == [3, 64, 96]
    assert {entry.domain for entry in model.opset_import} <= {"", "ai.onnx"}


def test_factors_of_resizing_are_constants_of_the_file(exported):
    """OpenCV 5 loads no model where they are computed, be it by a cast from half precision.

    A Resize to the size of another map has no factors.
    """
    embedded = Path(hrnet.__file__).parent / "assets" / "default.onnx"
    for path in (exported / "False.onnx", exported / "True.onnx", embedded):
        graph = onnx.load(path).graph
        constants = {tensor.name for tensor in graph.initializer}
        resizes = [node for node in graph.node if node.op_type == "Resize"]
        assert resizes
        assert {node.input[2] for node in resizes} - {""} <= constants
        assert all(node.input[2] or node.input[3] for node in resizes)


def test_the_padding_of_strided_convolutions_is_fixed_in_the_file(network, tmp_path):
    """Of a side of 96 and one of 64; other zeros would be another network's."""
    same = SPEC.network.model_copy(update={"strided_padding": "same"})
    spec = SPEC.model_copy(update={"network": same})
    padded = with_activation(build_network(same), spec).eval()
    padded.load_state_dict(network.state_dict())
    path = tmp_path / "same.onnx"
    assert export_onnx(padded, spec, path) < TOLERANCE[False]
    images = images_of(1)
    (answer,) = open_engine(path)(images)
    with torch.inference_mode():
        usual = network(torch.from_numpy(images)).numpy()
    assert np.abs(answer - usual).max() > 1e-3 * np.abs(usual).max()
    graph = onnx.load(path).graph
    pads = [node.input[1] for node in graph.node if node.op_type == "Pad"]
    assert pads and set(pads) <= {constant.name for constant in graph.initializer}
    assert read_spec(path).network.strided_padding == "same"


def test_lite_hrnet_is_exported_without_the_slow_way(tmp_path, monkeypatch):
    monkeypatch.setattr("hrnet.exporters.onnx._capture", None)
    spec = SPEC.model_copy(update={"variant": "litehrnet_18", "activation": "none"})
    torch.manual_seed(0)
    assert (
        export_onnx(build_network(spec.network), spec, tmp_path / "model.onnx") < TOLERANCE[False]
    )


def test_the_slow_way_is_taken_where_the_other_is_gone(network, tmp_path, monkeypatch):
    asked = []

    def refuse(*arguments, dynamo, **options):
        asked.append(dynamo)
        raise TypeError("no such exporter")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(TypeError):
        export_onnx(network, SPEC, tmp_path / "model.onnx")
    assert asked == [False, True]


def test_nothing_of_the_source_code_is_in_the_file(exported):
    data = (exported / "False.onnx").read_bytes()
    for words in (b"Traceback", b"site-packages", b"/src/", b".py"):
        assert words not in data


def test_half_precision_is_half_the_size(exported):
    whole, half = ((exported / f"{kind}.onnx").stat().st_size for kind in (False, True))
    assert half < 0.6 * whole


def test_no_temporary_files_stay(exported):
    assert sorted(path.name for path in exported.iterdir()) == ["False.onnx", "True.onnx"]


def test_a_file_that_differs_is_not_written(network, tmp_path, monkeypatch):
    monkeypatch.setattr("hrnet.exporters.onnx._difference", lambda *args: 0.5)
    with pytest.raises(InputError, match=r"differs .* 0\.5 .* nothing was written"):
        export_onnx(network, SPEC, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_gives_no_numbers_is_not_written(tmp_path):
    spec = SPEC.model_copy(update={"activation": "none"})
    network = build_network(spec.network)
    with torch.no_grad():
        network.head.conv.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="nothing was written"):
        export_onnx(network, spec, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_softmax_is_part_of_the_exported_network(network, exported):
    assert isinstance(network[1], SpatialSoftmax)
    (heatmaps,) = open_engine(exported / "False.onnx")(images_of(2))
    np.testing.assert_allclose(heatmaps.sum(axis=(2, 3)), 2 * np.pi * 1.5**2, rtol=1e-4)


@pytest.fixture(scope="module")
def checkpoint(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    save_checkpoint(folder / "last.safetensors", network[0].state_dict(), SPEC)
    return folder / "last.safetensors"


def test_the_command(run, checkpoint, exported, tmp_path):
    target = tmp_path / "new" / "model.onnx"
    code, out, _ = run("export", checkpoint.parent, "--out", target, "--half")
    assert code == 0
    assert f"{target}: {target.stat().st_size / 1e6:.2f} MB" in out
    assert read_spec(target) == SPEC
    images = images_of(1)
    (expected,) = open_engine(exported / "True.onnx")(images)
    np.testing.assert_allclose(open_engine(target)(images)[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("nothing.safetensors", "nothing.safetensors"),
        ("True.onnx", "expected a .safetensors checkpoint"),
        ("text.safetensors", "not a readable safetensors file"),
        ("empty", "neither"),
    ],
)
def test_what_cannot_be_exported_is_one_line(run, exported, tmp_path, model, words):
    (tmp_path / "text.safetensors").write_text("no weights")
    (tmp_path / "empty").mkdir()
    source = exported / model if (exported / model).exists() else tmp_path / model
    code, _, err = run("export", source, "--out", tmp_path / "model.onnx")
    assert code == 2
    assert words in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "model.onnx").exists()


def test_an_output_that_cannot_be_written_is_one_line(run, checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "a.pt", tmp_path, tmp_path / "file" / "model.onnx"):
        code, _, err = run("export", checkpoint, "--out", out)
        assert code == 2
        assert len(err.splitlines()) == 1
