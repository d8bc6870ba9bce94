"""Every scheme both ways: a file as that project writes it is recognised and loads as it was."""

import pytest
import torch
from safetensors.torch import save_file

from hrnet.errors import InputError
from hrnet.models import create_model, family_of
from hrnet.spec import NetworkSpec
from hrnet.weights.load import load_network
from hrnet.weights.schemes import KEY_MAPS, from_upstream, to_upstream
from hrnet.weights.source import open_source

from . import files
from .files import Case

POSE: dict[str, object] = {"num_outputs": 5}
CLASSES: dict[str, object] = {"task": "classification", "num_outputs": 7}
SEGMENTATION: dict[str, object] = {"task": "segmentation", "num_outputs": 4}
OCR = SEGMENTATION | {"head": "ocr"}
DETECTION: dict[str, object] = {"task": "detection"}
FACES = POSE | {"head": "v2", "upsampling": "bilinear", "align_corners": False}
SMALL, BODY = "small_hrnet_w16", "hrnet_w18_small_v1"
LITE, FORMER = "naive_litehrnet_18", "hrformer_tiny"
PADDLE = ".pdparams"
TABLE, NONE = {"relative_position": "table"}, {"relative_position": "none"}

CASES = {
    "pose, final_state": Case("official", SMALL, POSE, files.bare, "leoxiaobin"),
    "pose, of torch 0.4": Case("official", SMALL, POSE, files.bare, "leoxiaobin", old=True),
    "pose, checkpoint": Case("official", SMALL, POSE, files.pose_checkpoint),
    "faces": Case("official", SMALL, FACES, files.bare, "HRNet-Facial-Landmark-Detection"),
    "classification": Case("official", BODY, CLASSES, files.bare, "timm"),
    "classification, cosinelr": Case("official", BODY, CLASSES, files.in_state_dict),
    "segmentation": Case(
        "official", BODY, SEGMENTATION | {"align_corners": True}, files.full_model
    ),
    "OCR": Case("official", BODY, OCR | {"align_corners": True}, files.full_model, "HRNet-OCR"),
    "detection": Case("official", BODY, DETECTION, files.openmmlab, "HRNet-Object-Detection"),
    "Lite-HRNet": Case("official", LITE, POSE, files.openmmlab, "Lite-HRNet"),
    "HRFormer classification": Case("official", FORMER, CLASSES, files.swin, "HRFormer"),
    "HRFormer pose": Case("official", FORMER, POSE | NONE, files.openmmlab),
    "HRFormer OCR": Case("official", FORMER, OCR, files.openseg),
    "HRFormer OCR, windows of 9": Case("official", FORMER, OCR | {"window": 9}, files.openseg),
    "HRFormer OCR V3": Case(
        "official", "hrformer_small", SEGMENTATION | {"head": "ocr_v3"}, files.openseg
    ),
    "mmpose 0.x": Case("mmpose 0.x", SMALL, POSE, files.openmmlab),
    "mmpose 0.x, V2": Case("mmpose 0.x", SMALL, POSE | {"head": "v2"}, files.openmmlab),
    "mmpose 1.x": Case("mmpose 1.x", SMALL, POSE, files.openmmlab),
    "mmpose 1.x, V2": Case("mmpose 1.x", SMALL, POSE | {"head": "v2"}, files.openmmlab),
    "mmpose 1.x, Lite-HRNet": Case("mmpose 1.x", LITE, POSE, files.openmmlab),
    "mmpose 1.x, HRFormer": Case("mmpose 1.x", FORMER, POSE | TABLE, files.openmmlab),
    "mmsegmentation": Case(
        "mmsegmentation", BODY, SEGMENTATION | {"align_corners": False}, files.openmmlab
    ),
    "mmsegmentation, OCR": Case(
        "mmsegmentation", BODY, OCR | {"align_corners": False}, files.openmmlab
    ),
    "mmdetection": Case("mmdetection", BODY, DETECTION, files.openmmlab),
    "mmdetection 1.x": Case("mmdetection 1.x", BODY, DETECTION, files.openmmlab),
    **{
        f"{scheme}, {head}": Case(
            scheme, BODY, DETECTION | {"head": head, "num_outputs": 3}, files.openmmlab
        )
        for scheme in ("official", "mmdetection", "mmdetection 1.x")
        for head in ("faster", "mask", "cascade", "cascade_mask", "fcos")
        if (scheme, head) != ("official", "fcos")
    },
    "mmpretrain": Case("mmpretrain", BODY, CLASSES, files.openmmlab),
    "DeepLabCut": Case("DeepLabCut", SMALL, POSE, files.snapshot),
    "PaddleDetection": Case("PaddleDetection", SMALL, POSE, suffix=PADDLE),
    "PaddleDetection, Lite-HRNet": Case(
        "PaddleDetection", LITE, POSE | {"exchange": "official"}, suffix=PADDLE
    ),
    "PaddleSeg": Case(
        "PaddleSeg",
        BODY,
        SEGMENTATION | {"align_corners": False, "strided_padding": "same"},
        suffix=PADDLE,
    ),
    "PaddleClas": Case("PaddleClas", BODY, CLASSES, suffix=PADDLE),
    "PaddleClas of 2021": Case("PaddleClas 2021", BODY, CLASSES, suffix=PADDLE),
    "a backbone of PaddleDetection": Case(
        "PaddleDetection", BODY, {"task": "features"}, suffix=PADDLE
    ),
    "a backbone of PaddleClas": Case("PaddleClas", BODY, {"task": "features"}, suffix=PADDLE),
    "a bare backbone": Case("official", BODY, {"task": "features"}),
    "a bare backbone of mmpose": Case("mmpose 1.x", BODY, {"task": "features"}),
}

FOLDED = ("mmsegmentation", "mmpretrain", "PaddleClas", "PaddleClas 2021")
"""Schemes without biases before norms: not the tensors come back, but what they compute."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * ("cascade" in name)) for name in CASES],
)
def test_a_file_is_recognised_and_loads_as_it_was(name, tmp_path):
    case = CASES[name]
    network = case.network()
    theirs = to_upstream(network.state_dict(), network.spec, case.scheme)
    if case.old:
        theirs = {key: value for key, value in theirs.items() if "num_batches" not in key}
    path = files.save(case.wrap(theirs), tmp_path / f"model{case.suffix}", old=case.old)

    source = open_source(path)
    assert source.scheme == case.scheme
    assert case.writers in source.writers
    assert source.network == network.spec
    assert source.mapped + sum(int(made.split()[0]) for made in source.made) == len(source.state)
    if case.scheme in FOLDED and network.spec.task != "features":
        assert any("zero biases" in made for made in source.made)
        expected = files.outputs(network)
        network.load_state_dict(source.state, strict=True)
        tolerance = 1e-4 * float(expected.std())
        torch.testing.assert_close(files.outputs(network), expected, rtol=1e-4, atol=tolerance)
        return
    own = network.state_dict()
    assert source.state.keys() == own.keys()
    for key, value in own.items():
        counter = key.endswith("num_batches_tracked")
        uncounted = counter and (case.old or case.suffix == PADDLE)
        expected = torch.zeros_like(value) if uncounted else value
        assert torch.equal(source.state[key], expected)


@pytest.mark.parametrize("name", ["classification", "mmpose 1.x, HRFormer"])
def test_safetensors_of_others_are_read_too(name, tmp_path):
    case = CASES[name]
    network = case.network()
    theirs = to_upstream(network.state_dict(), network.spec, case.scheme)
    path = tmp_path / "model.safetensors"
    save_file({key: value.contiguous() for key, value in theirs.items()}, path, {"format": "pt"})
    loaded = load_network(path)
    assert loaded.spec == network.spec
    assert not loaded.training
    assert torch.equal(files.outputs(loaded), files.outputs(network))


def test_every_form_has_a_case():
    tried = {
        (case.scheme, family_of(case.variant), case.options.get("task", "pose"), form_head(case))
        for case in CASES.values()
    }
    written = {
        (one.scheme, one.family, one.task, one.options.head)
        for one in KEY_MAPS
        if one.scheme != "timm"
    }
    assert written <= tried


def form_head(case):
    return case.options.get("head")


@pytest.mark.parametrize("variant", ["hrnet_w18_small_v2", "litehrnet_18", LITE, FORMER])
@pytest.mark.parametrize("task", ["pose", "classification", "segmentation", "features"])
def test_names_go_there_and_back(variant, task):
    with torch.device("meta"):
        network = create_model(variant, task=task)
    unpublished = [
        ("litehrnet", "classification"),
        ("litehrnet", "segmentation"),
        ("hrformer", "segmentation"),
    ]
    if (family_of(variant), task) in unpublished:
        with pytest.raises(InputError, match="schemes that do: none"):
            to_upstream(network.state_dict(), network.spec, "official")
        return
    theirs = to_upstream(network.state_dict(), network.spec, "official")
    back = from_upstream(theirs, network.spec, "official")
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    assert {key: value.shape for key, value in back.items()} == shapes


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("bn2", "backbone.stem.1.norm"),
        ("layer1.3.conv3", "backbone.stem.2.3.conv3.conv"),
        ("layer1.0.downsample.1", "backbone.stem.2.0.shortcut.norm"),
        ("transition1.0.0", "backbone.stages.stage2.transition.0.conv"),
        ("transition1.1.0.0", "backbone.stages.stage2.transition.1.conv"),
        ("transition3.3.0.1", "backbone.stages.stage4.transition.3.norm"),
        (
            "stage3.2.branches.1.3.bn2",
            "backbone.stages.stage3.module2.streams.1.3.conv2.norm",
        ),
        (
            "stage4.0.fuse_layers.0.3.0",
            "backbone.stages.stage4.module0.exchange.paths.0.3.project.conv",
        ),
        (
            "stage4.0.fuse_layers.3.0.2.1",
            "backbone.stages.stage4.module0.exchange.paths.3.0.2.norm",
        ),
        ("final_layer", "head.conv"),
    ],
)
def test_names_by_hand(theirs, ours):
    spec = NetworkSpec(variant="hrnet_w32", task="pose")
    tensor = {f"{ours}.bias": torch.ones(1)}
    assert to_upstream(tensor, spec, "official").keys() == {f"{theirs}.bias"}
    back = from_upstream({f"{theirs}.bias": torch.ones(1)}, spec, "official")
    assert back.keys() == {f"{ours}.bias"}


@pytest.mark.parametrize(
    "name",
    ["classifier.weight", "conv1.weight.extra", "conv1xweight", "conv3.weight", "xconv1.weight"],
)
def test_names_without_a_place_are_refused(name):
    spec = NetworkSpec(variant="hrnet_w32", task="pose")
    with pytest.raises(InputError, match=f"1 of 1 tensors have no place.*{name}"):
        from_upstream({name: torch.ones(1)}, spec, "official")
    with pytest.raises(InputError, match="no place"):
        to_upstream({name: torch.ones(1)}, spec, "official")


def test_a_scheme_without_such_a_network_names_those_with_one():
    spec = NetworkSpec(variant="hrnet_w32", task="segmentation", head="ocr")
    with pytest.raises(InputError, match=r"'mmpose 1.x' hold hrnet_w32 for segmentation with head"):
        to_upstream({}, spec, "mmpose 1.x")
    with pytest.raises(InputError, match=r"schemes that do: official, mmsegmentation$"):
        to_upstream({}, spec, "paddle")


def test_a_bias_before_a_norm_goes_into_its_mean_exactly():
    network = files.network(BODY, **SEGMENTATION)
    ours = network.state_dict()
    theirs = to_upstream(ours, network.spec, "mmsegmentation")
    assert "decode_head.convs.0.conv.bias" not in theirs
    expected = ours["head.fuse.norm.running_mean"] - ours["head.fuse.conv.bias"]
    assert torch.equal(theirs["decode_head.convs.0.bn.running_mean"], expected)
    assert torch.equal(
        ours["head.fuse.norm.running_mean"], network.head.fuse.norm.running_mean
    )  # the argument is left alone
