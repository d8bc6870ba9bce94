"""The names of PaddleDetection, PaddleSeg and PaddleClas, and what their files do not show."""

from hashlib import sha256

import pytest
import torch

import hrnet
from hrnet.errors import InputError
from hrnet.models import build_network, create_model
from hrnet.spec import NetworkSpec
from hrnet.weights.checkpoint import read_checkpoint, save_checkpoint
from hrnet.weights.convert import convert_file
from hrnet.weights.load import load_network, load_weights
from hrnet.weights.published.rows import find_row, rows
from hrnet.weights.schemes import from_upstream, to_upstream
from hrnet.weights.source import read_raw

from . import files

POSE, CLASSES = {"task": "pose"}, {"task": "classification"}
SEGMENTATION = {"task": "segmentation", "strided_padding": "same"}
SMALL, BODY = "small_hrnet_w16", "hrnet_w18_small_v1"
KINDS = {
    "PaddleDetection": (SMALL, POSE),
    "PaddleSeg": (BODY, SEGMENTATION),
    "PaddleClas": (BODY, CLASSES),
    "PaddleClas 2021": (BODY, CLASSES),
}


def meta(variant, **options):
    spec = NetworkSpec.model_validate({"variant": variant, **options})
    with torch.device("meta"):
        return build_network(spec)


@pytest.mark.parametrize(
    ("scheme", "variant", "options", "count", "digest"),
    [
        ("PaddleDetection", "wider_naive_litehrnet_18", POSE, 1342, "cde6060f3ed9a9ff"),
        ("PaddleDetection", "litehrnet_18", POSE, 1214, "9f429238d7a82e0d"),
        ("PaddleDetection", "hrnet_w32", POSE, 1462, "7d833a08eeb987f9"),
        ("PaddleSeg", "hrnet_w18", SEGMENTATION, 1533, "48079bf86ad26e44"),
        ("PaddleClas", "hrnet_w18", CLASSES, 1627, "a18adc71cbf2e363"),
    ],
)
def test_names_and_shapes_are_those_that_paddle_wrote(scheme, variant, options, count, digest):
    """The digest is that of the sorted lines "name (shape)" of a state dict of Paddle's network."""
    network = meta(variant, **options)
    theirs = to_upstream(network.state_dict(), network.spec, scheme)
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in theirs.items())
    assert len(lines) == count
    assert sha256("\n".join(lines).encode()).hexdigest()[:16] == digest


MODULE = "backbone.stages.stage4.module2"


@pytest.mark.parametrize(
    ("scheme", "theirs", "ours"),
    [
        ("PaddleDetection", "conv_layer1_2.norm._mean", "backbone.stem.1.norm.running_mean"),
        ("PaddleDetection", "la1.block_layer2_4.conv3.conv.weight", "stem.2.3.conv3.conv.weight"),
        (
            "PaddleDetection",
            "la1.block_layer2_1.conv_down.norm.bias",
            "stem.2.0.shortcut.norm.bias",
        ),
        (
            "PaddleDetection",
            "tr3.transition_tr3_layer_4.norm._variance",
            "backbone.stages.stage4.transition.3.norm.running_var",
        ),
        (
            "PaddleDetection",
            "st4.stage_st4_3.branches_func.bb_st4_3_branch_layer_2_4.conv1.conv.weight",
            f"{MODULE}.streams.1.3.conv1.conv.weight",
        ),
        (
            "PaddleDetection",
            "st4.stage_st4_3.fuse_func.residual_st4_3_layer_1_4.conv.weight",
            f"{MODULE}.exchange.paths.0.3.project.conv.weight",
        ),
        (
            "PaddleSeg",
            "st4.stage_st4_3.fuse_func.residual_st4_3_layer_4_1_3._batch_norm.weight",
            f"{MODULE}.exchange.paths.3.0.2.norm.weight",
        ),
        ("PaddleSeg", "la1.bb_layer2_2.conv1._conv.weight", "backbone.stem.2.1.conv1.conv.weight"),
        ("PaddleSeg", "head.conv_1._conv.bias", "head.fuse.conv.bias"),
        ("PaddleClas", "layer1.3.conv2.bn._mean", "backbone.stem.2.3.conv2.norm.running_mean"),
        ("PaddleClas", "conv_tr1_2.conv.weight", "backbone.stages.stage2.transition.1.conv.weight"),
        ("PaddleClas 2021", "tr2._conv.weight", "backbone.stages.stage3.transition.2.conv.weight"),
        (
            "PaddleClas 2021",
            "st3.stage_func_list.1.fuse_func.residual_func_list.6._conv.weight",
            "backbone.stages.stage3.module1.exchange.paths.2.1.0.conv.weight",
        ),
        ("PaddleClas", "cls_head_conv_list.2.bn.bias", "head.down.2.norm.bias"),
        ("PaddleClas", "last_cls.func_list.3.conv_down.conv.weight", "increase.3.shortcut"),
        ("PaddleClas 2021", "out.bias", "head.classifier.bias"),
    ],
)
def test_names_by_hand(scheme, theirs, ours):
    variant, options = KINDS[scheme]
    spec = NetworkSpec.model_validate({"variant": variant, **options})
    headless = not theirs.startswith("head.")
    prefix = "backbone." if headless and scheme in ("PaddleDetection", "PaddleSeg") else ""
    back = from_upstream({f"{prefix}{theirs}": torch.ones(1)}, spec, scheme)
    (name,) = (name for name in back if not name.endswith("num_batches_tracked"))
    assert ours in name
    assert to_upstream({name: torch.ones(1)}, spec, scheme).keys() == {f"{prefix}{theirs}"}


@pytest.mark.parametrize(
    "name",
    [
        "la1.block_layer2_0.conv1.conv.weight",
        "la1.block_layer2_01.conv1.conv.weight",
        "la1.block_layer2_1.conv1.norm",
        "st4.stage_st4_3.branches_func.bb_st4_2_branch_layer_2_4.conv1.conv.weight",
        "st4.stage_st4_3.branches_func.bb_st3_3_branch_layer_2_4.conv1.conv.weight",
        "st4.stage_st4_3.fuse_func.residual_st4_3_layer_4_1_0.conv.weight",
    ],
)
def test_numbers_that_cannot_be_have_no_place(name):
    """A number counts from 1, and is the same wherever it stands in a name."""
    with pytest.raises(InputError, match="1 of 1 tensors have no place"):
        from_upstream(
            {f"backbone.{name}": torch.ones(1)},
            NetworkSpec(variant="hrnet_w32", task="pose"),
            "PaddleDetection",
        )


@pytest.mark.parametrize("scheme", ["PaddleClas", "PaddleClas 2021"])
def test_the_linear_layer_is_turned(scheme):
    network = files.network(BODY, task="classification", num_outputs=7)
    theirs = to_upstream(network.state_dict(), network.spec, scheme)
    layer = "fc" if scheme == "PaddleClas" else "out"
    weight = network.head.classifier.weight
    assert torch.equal(theirs[f"{layer}.weight"], weight.T)
    assert theirs[f"{layer}.weight"].shape == (2048, 7)
    back = from_upstream(theirs, network.spec, scheme)
    assert torch.equal(back["head.classifier.weight"], weight)


def pdparams(path, network, scheme, extra=()):
    theirs = to_upstream(network.state_dict(), network.spec, scheme)
    added = {name: torch.ones(1) for name in extra}
    return files.save(theirs | added, path)


@pytest.mark.parametrize(
    ("scheme", "extra", "words"),
    [
        ("PaddleDetection", "backbone.la1.block_layer2_1.se.squeeze.weight", "squeeze-and-exc"),
        ("PaddleSeg", "backbone.la1.bb_layer2_1.se.squeeze.weight", "squeeze-and-excitation"),
        ("PaddleClas", "layer1.0.se.squeeze.weight", "an HRNet with squeeze-and-excitation"),
        ("PaddleDetection", "hrhrnet_head.conv1.weight", "HigherHRNet, which finds all persons"),
        ("PaddleDetection", "final_conv_new.weight", "TinyPose3D, whose keypoints have a depth"),
        ("PaddleSeg", "head.spatial_ocr.conv1x1.0._conv.weight", "PaddleSeg's OCRNet"),
    ],
)
def test_other_networks_of_the_projects_are_refused(scheme, extra, words, tmp_path):
    variant, options = KINDS[scheme]
    network = files.network(variant, **options)
    path = pdparams(tmp_path / "a.pdparams", network, scheme, [extra])
    if words.startswith(("HigherHRNet", "PaddleSeg")):  # in place of the usual head
        content = dict(read_raw(path)[0].state)
        del content["final_conv.weight" if "Higher" in words else "head.cls.weight"]
        files.save(content, path)
    with pytest.raises(InputError, match=f"a.pdparams is of .*{words}.*, which is not built here"):
        load_network(path)


def test_a_backbone_comes_out_of_another_head_but_not_out_of_other_blocks(tmp_path):
    network = files.network(SMALL)
    own = network.state_dict()
    for extra, taken in (("hrhrnet_head.a.weight", True), ("backbone.a.se.squeeze.weight", False)):
        path = pdparams(tmp_path / "a.pdparams", network, "PaddleDetection", [extra])
        model = create_model(SMALL, num_outputs=5)
        if not taken:
            with pytest.raises(InputError, match="squeeze-and-excitation, which is not built"):
                load_weights(model, path, new_head=True)
            continue
        load_weights(model, path, new_head=True)
        same = [
            torch.equal(own[name], value)
            for name, value in model.backbone.state_dict(prefix="backbone.").items()
            if not name.endswith("num_batches_tracked")
        ]
        assert all(same) and len(same) > 200


def test_paddleseg_pads_otherwise_and_a_network_that_does_not_is_refused(tmp_path):
    """Names and shapes are alike, so nothing else would notice."""
    options = {"align_corners": False, "strided_padding": "same"}
    network = files.network(BODY, task="segmentation", num_outputs=4, **options)
    path = pdparams(tmp_path / "a.pdparams", network, "PaddleSeg")
    assert load_network(path).spec == network.spec
    report = convert_file(path, tmp_path / "a.safetensors")
    assert report.network.strided_padding == "same"
    assert "strided_padding same" in report.summary()
    converted = load_network(tmp_path / "a.safetensors")
    assert converted.spec == network.spec
    assert torch.equal(files.outputs(converted), files.outputs(network))

    # The usual padding gives other outputs; weights of one do not go into the other.
    usual = {"align_corners": False}
    model = create_model(BODY, task="segmentation", num_outputs=4, options=usual)
    model.load_state_dict(network.state_dict())
    difference = files.outputs(model.eval()) - files.outputs(network)
    assert difference.abs().max() > 1e-3 * files.outputs(network).abs().max()
    for source in (path, tmp_path / "a.safetensors"):
        for new_head in (False, True):
            with pytest.raises(InputError, match="strided_padding same, but this one has symm"):
                load_weights(model, source, new_head=new_head)
    load_weights(create_model(BODY, task="segmentation", num_outputs=4, options=options), path)
    with pytest.raises(InputError, match=r"with strided_padding same; schemes that do: PaddleSeg$"):
        to_upstream(network.state_dict(), network.spec, "official")
    with pytest.raises(InputError, match=r"schemes that do: official, mmsegmentation$"):
        to_upstream(model.state_dict(), model.spec, "PaddleSeg")


def test_published_files_need_no_further_facts(tmp_path):
    row = find_row("small")
    network = files.network(row.network.variant, num_outputs=17)
    path = pdparams(tmp_path / "tinypose_256x192.pdparams", network, "PaddleDetection")
    report = convert_file(path, tmp_path / "a.safetensors")
    assert report.can_predict
    _, spec = read_checkpoint(tmp_path / "a.safetensors")
    assert (spec.codec, spec.sigma, spec.input_size) == ("dark", 2.0, (256, 192))
    assert spec.network.exchange == "official"
    assert spec.name == row.name
    assert hrnet.load(tmp_path / "a.safetensors").spec == spec
    other = path.rename(tmp_path / "mine.pdparams")
    assert not convert_file(other, tmp_path / "b.safetensors").can_predict


def test_the_published_poses_of_paddle():
    """By hand from the configurations of PaddleDetection, against slips of the table."""
    found = {row.file_name: row for row in rows() if row.source == "PaddlePaddle/PaddleDetection"}
    facts = {
        name: (row.network.variant, row.spec.codec, row.spec.sigma, row.spec.input_size)
        for name, row in found.items()
    }
    wide, small, large = "wider_naive_litehrnet_18", (256, 192), (384, 288)
    assert facts == {
        "tinypose_256x192.pdparams": (wide, "dark", 2.0, small),
        "tinypose_128x96.pdparams": (wide, "dark", 1.0, (128, 96)),
        "wider_naive_hrnet_18_256x192_coco.pdparams": (wide, "classic", 2.0, small),
        "lite_hrnet_18_256x192_coco.pdparams": ("litehrnet_18", "classic", 2.0, small),
        "lite_hrnet_18_384x288_coco.pdparams": ("litehrnet_18", "classic", 3.0, large),
        "lite_hrnet_30_256x192_coco.pdparams": ("litehrnet_30", "classic", 2.0, small),
        "lite_hrnet_30_384x288_coco.pdparams": ("litehrnet_30", "classic", 3.0, large),
        "hrnet_w32_256x192.pdparams": ("hrnet_w32", "dark", 2.0, small),
        "hrnet_w32_384x288.pdparams": ("hrnet_w32", "dark", 2.0, large),
        "dark_hrnet_w32_256x192.pdparams": ("hrnet_w32", "dark", 2.0, small),
        "dark_hrnet_w32_384x288.pdparams": ("hrnet_w32", "dark", 2.0, large),
        "hrnet_w32_256x256_mpii.pdparams": ("hrnet_w32", "dark", 2.0, (256, 256)),
    }
    assert all(row.url.endswith(name) and row.licence for name, row in found.items())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.pdopt", "the state of Paddle's optimizer, no network; name the .pdparams file beside"),
        ("a.pdema", "the second set of weights of a training of Paddle"),
        ("a.pdmodel", "of an exported model of Paddle; name the checkpoint"),
        ("a.pdiparams", "of an exported model of Paddle"),
        ("a.nb", "an exported model of Paddle Lite"),
        ("a.xml", "of an exported model of OpenVINO; name the checkpoint"),
        ("a.bin", "of an exported model of OpenVINO"),
    ],
)
def test_files_that_are_never_read_are_one_line(name, words, tmp_path):
    (tmp_path / "a.xml").write_text("<net/>")
    (tmp_path / name).write_bytes(b"\x80\x04}.")
    with pytest.raises(InputError, match=f"{name} is {words}"):
        load_network(tmp_path / name)
    with pytest.raises(InputError, match=f"{name} is {words}"):
        convert_file(tmp_path / name, tmp_path / "new.safetensors")
    assert not (tmp_path / "new.safetensors").exists()


def test_a_checkpoint_keeps_the_padding(tmp_path):
    network = files.network(SMALL, strided_padding="same")
    save_checkpoint(tmp_path / "a.safetensors", network, network.spec)
    loaded = load_network(tmp_path / "a.safetensors")
    assert loaded.spec.strided_padding == "same"
    assert torch.equal(files.outputs(loaded), files.outputs(network))
