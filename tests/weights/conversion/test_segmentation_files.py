"""Files of segmentation of all projects: by names alone to a model that predicts as it should."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.parity.recordings import fill
from torch.nn import functional as F

import hrnet
from hrnet.data.mask_tables import class_table
from hrnet.errors import InputError
from hrnet.models import build_network
from hrnet.spec import IMAGENET_MEAN, NetworkSpec
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.weights.checkpoint import load_checkpoint
from hrnet.weights.convert import convert_file
from hrnet.weights.schemes import from_upstream, to_upstream

from . import files

BESIDE = Path(__file__).parents[4] / "shared" / "reference" / "golden_tasks"
FOLDER = Path(os.environ.get("HRNET_GOLDEN_TASKS") or BESIDE)

HRNET, HRFORMER = "hrnet_w18_small_v1", "hrformer_tiny"


def network_of(variant: str, count: int, **options) -> NetworkSpec:
    return NetworkSpec(variant=variant, task="segmentation", num_outputs=count, **options)


CASES = {
    "official": (network_of(HRNET, 19, align_corners=True), "official", "hrnet/cityscapes"),
    "official, OCR": (
        network_of(HRNET, 150, head="ocr", align_corners=True),
        "official",
        "hrnet/ade20k",
    ),
    "openseg": (
        network_of(HRFORMER, 59, head="ocr", align_corners=True),
        "official",
        "hrformer/pascal_context59",
    ),
    "mmsegmentation": (
        network_of(HRNET, 19, align_corners=False),
        "mmsegmentation",
        "mmsegmentation/cityscapes",
    ),
    "mmsegmentation, OCR": (
        network_of(HRNET, 60, head="ocr", align_corners=False),
        "mmsegmentation",
        "mmsegmentation/pascal_context60",
    ),
}


@pytest.mark.parametrize(("network", "scheme", "protocol"), CASES.values(), ids=CASES)
def test_a_file_becomes_a_model_with_the_properties_of_its_project(
    network, scheme, protocol, tmp_path
):
    torch.manual_seed(0)
    ours = build_network(network).eval()
    content = files.openmmlab(to_upstream(ours.state_dict(), ours.spec, scheme))
    path = files.save(content, tmp_path / "theirs.pth")
    out = tmp_path / "ours.safetensors"
    report = convert_file(
        path, out, facts={"protocol": protocol}, options={"align_corners": network.align_corners}
    )
    assert report.can_predict and not report.assumed
    predicting, spec = load_checkpoint(out)
    assert isinstance(spec, SegmentationSpec)
    project, data_set = protocol.split("/")
    assert spec.conventions == project
    assert spec.class_names == class_table(data_set).names
    assert spec.network.align_corners is network.align_corners
    assert spec.keep_padding is (protocol == "hrnet/ade20k")
    # HRFormer's files take blue first, with the mean of red.
    assert spec.channels == ("bgr" if project == "hrformer" else "rgb")
    assert spec.mean == IMAGENET_MEAN
    # The same answers, and classes for each pixel of the input.
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected, (logits, classes) = ours(images), predicting(images)
    expected = expected if isinstance(expected, torch.Tensor) else expected[-1]
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    large = F.interpolate(expected, (64, 96), mode="bilinear", align_corners=network.align_corners)
    assert (classes == large.argmax(dim=1)).float().mean() > 0.999
    found = hrnet.load(out).predict(np.zeros((70, 50, 3), np.uint8))
    assert found.classes.shape == (70, 50)


def test_what_a_file_lacks_is_assumed_and_said(tmp_path):
    ours = build_network(network_of(HRNET, 19))
    path = files.save(to_upstream(ours.state_dict(), ours.spec, "official"), tmp_path / "a.pth")
    out = tmp_path / "a.safetensors"
    report = convert_file(path, out, facts={"input_size": (512, 1024)})
    assert "class_names" in report.assumed
    _, spec = load_checkpoint(out)
    assert spec.class_names == class_table("cityscapes").names
    assert (spec.conventions, spec.window) == ("plain", (1024, 1024))
    # Without anything the network alone is described.
    assert not convert_file(path, tmp_path / "b.safetensors").can_predict
    with pytest.raises(InputError, match="expected a protocol of hrnet/cityscapes"):
        convert_file(path, out, facts={"protocol": "mine"})
    with pytest.raises(InputError, match="the network has 19 classes and there are 150 names"):
        convert_file(path, out, facts={"protocol": "hrnet/ade20k"})


def test_the_command_takes_a_protocol(run, tmp_path):
    ours = build_network(network_of(HRNET, 19))
    path = files.save(to_upstream(ours.state_dict(), ours.spec, "official"), tmp_path / "a.pth")
    out = tmp_path / "a.safetensors"
    code, _, err = run("convert", path, out, "--protocol", "hrnet/cityscapes")
    assert (code, err) == (0, "")
    assert load_checkpoint(out)[1].long_side == 2048
    code, _, err = run("convert", path, out, "--protocol", "cityscapes")
    assert code == 2 and "expected a protocol of" in err and len(err.splitlines()) == 1


VARIANTS = {"hr18s": "hrnet_w18_small_v2", "hr18": "hrnet_w18", "hr48": "hrnet_w48"}
HEADS = {"fcn": "v2", "ocrnet": "ocr"}


def named(name: str) -> NetworkSpec:
    """Our network of a name such as fcn_hr18s."""
    head, _, width = name.partition("_")
    return network_of(VARIANTS[width], 19, head=HEADS[head], align_corners=False)


def listed_names() -> list:
    """Configurations whose names and shapes are recorded, and the names of their networks."""
    file = FOLDER / "seg_mmseg_keys.json"
    if not file.is_file():
        return [pytest.param("", "", marks=pytest.mark.skip(reason=f"there is no {file}"))]
    configs = json.loads(file.read_text())
    names = [re.search(r"(fcn|ocrnet)_hr\d+s?", key).group() for key in configs]
    return [pytest.param(*pair, id=pair[1]) for pair in zip(configs, names, strict=True)]


@pytest.mark.parametrize(("config", "name"), listed_names())
def test_names_and_shapes_are_those_of_mmsegmentation(config, name):
    recorded = json.loads((FOLDER / "seg_mmseg_keys.json").read_text())[config]
    with torch.device("meta"):
        ours = build_network(named(name))
    state = to_upstream(ours.state_dict(), ours.spec, "mmsegmentation")
    shapes = {key: list(value.shape) for key, value in state.items()}
    head = {key: shape for key, shape in shapes.items() if not key.startswith("backbone.")}
    assert head == recorded["state_dict"]
    assert len(shapes) == recorded["n_state_keys"]
    sample = recorded["backbone_stage_shapes_sample"] if "fcn" in name else {}
    assert {key: shapes[key] for key in sample} == sample


@pytest.mark.parametrize(
    "path",
    sorted(FOLDER.glob("seg_mmseg_*.npz"))
    or [pytest.param(None, marks=pytest.mark.skip(reason=f"{FOLDER} has no seg_mmseg_*.npz"))],
    ids=lambda path: getattr(path, "stem", ""),
)
def test_networks_of_mmsegmentation_answer_as_recorded(path):
    ours = build_network(named(path.stem.removeprefix("seg_mmseg_"))).eval()
    state = {
        key: fill(key, tuple(value.shape))
        for key, value in to_upstream(ours.state_dict(), ours.spec, "mmsegmentation").items()
    }
    ours.load_state_dict(from_upstream(state, ours.spec, "mmsegmentation"))
    draw = np.random.Generator(np.random.PCG64(0))
    images = torch.from_numpy(draw.standard_normal((1, 3, 64, 96)).astype(np.float32))
    with torch.no_grad():
        outputs = ours(images)
    logits = outputs if isinstance(outputs, torch.Tensor) else outputs[-1]
    large = F.interpolate(logits, (64, 96), mode="bilinear", align_corners=False)
    flat = large.numpy().ravel()
    with np.load(path) as arrays:
        for key, found in (("first64", flat[:64]), ("out_64x96_stride11", flat[::11])):
            assert np.abs(found - arrays[key]).max() < 2e-5 * np.abs(flat).max()
