"""`load_network` and `load_weights`: everything fits, or nothing is changed."""

import pytest
import torch

from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.models.highres import StageConfig
from hrnet.models.hrnet import HRNetConfig
from hrnet.weights.checkpoint import save_checkpoint
from hrnet.weights.load import load_network, load_weights
from hrnet.weights.schemes import to_upstream

from . import files

BODY = "hrnet_w18_small_v1"
CLASSES = {"task": "classification", "num_outputs": 3}


def upstream_file(path, network, scheme="official", extra=None):
    state = to_upstream(network.state_dict(), network.spec, scheme)
    return files.save(state | (extra or {}), path)


def backbone(model):
    state = model.state_dict()
    return {name: value for name, value in state.items() if name.startswith("backbone.")}


def head(model):
    state = model.state_dict()
    return {name: value for name, value in state.items() if name.startswith("head.")}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def within(part, network):
    whole = network.state_dict()
    return all(torch.equal(value, whole[key]) for key, value in part.items())


@pytest.fixture(scope="module")
def classifier():
    return files.network(BODY, **CLASSES)


@pytest.fixture(scope="module")
def classifier_file(classifier, tmp_path_factory):
    return upstream_file(tmp_path_factory.mktemp("weights") / "imagenet.pth", classifier)


def test_a_new_head_on_the_backbone_of_a_classifier(classifier, classifier_file):
    model = create_model("small_hrnet_w16", num_outputs=5)
    before = {name: value.clone() for name, value in head(model).items()}
    notes = load_weights(model, classifier_file, new_head=True)
    assert backbone(model).keys() < backbone(classifier).keys()
    assert within(backbone(model), classifier)
    assert equal(head(model), before)
    assert any("paths of the last exchange to the lower streams left out" in note for note in notes)
    assert any("tensors beside the backbone left out: the head stays new" in note for note in notes)


def test_a_head_over_all_streams_takes_the_whole_exchange(classifier, classifier_file):
    model = create_model(BODY, task="segmentation", num_outputs=2)
    load_weights(model, classifier_file, new_head=True)
    assert equal(backbone(model), backbone(classifier))


@pytest.mark.parametrize("scheme", ["mmpretrain", "official"])
def test_a_backbone_comes_out_of_foreign_heads(scheme, classifier, tmp_path):
    extra = {"neck.of.its.own.weight": torch.ones(3)}
    path = upstream_file(tmp_path / "a.pth", classifier, scheme, extra)
    model = create_model(BODY, task="detection")
    load_weights(model, path, new_head=True)
    assert equal(backbone(model), backbone(classifier))
    with pytest.raises(InputError, match=r"tensors have no place.*new_head"):
        load_network(path)


def test_a_backbone_of_deeplabcut_with_location_refinement(tmp_path):
    trained = files.network(BODY, task="features")
    state = to_upstream(trained.state_dict(), trained.spec, "DeepLabCut")
    state["heads.bodypart.locref_head.deconv_layers.0.weight"] = torch.ones(16, 10, 3, 3)
    path = files.save(files.snapshot(state), tmp_path / "snapshot.pt")
    model = create_model("small_hrnet_w16", num_outputs=5)
    load_weights(model, path, new_head=True)
    assert within(backbone(model), trained)
    with pytest.raises(InputError, match=r"1 of .* no place .*heads.bodypart.locref_head"):
        load_network(path)


def test_deeplabcut_heatmaps_of_one_convolution_load_whole(tmp_path):
    trained = files.network("small_hrnet_w16", num_outputs=5)
    lower = files.network(BODY, task="features")
    state = to_upstream(lower.state_dict(), lower.spec, "DeepLabCut")
    state |= to_upstream(trained.state_dict(), trained.spec, "DeepLabCut")
    path = files.save(files.snapshot(state), tmp_path / "snapshot.pt")
    loaded = load_network(path)
    assert loaded.spec.variant == "small_hrnet_w16"
    assert equal(loaded.state_dict(), trained.state_dict())


def test_our_own_files_load_whole_and_as_backbones(classifier, tmp_path):
    path = tmp_path / "ours.safetensors"
    save_checkpoint(path, classifier.state_dict(), classifier.spec)
    assert equal(load_network(path).state_dict(), classifier.state_dict())
    same = create_model(BODY, **CLASSES)
    assert load_weights(same, path) == ()
    assert equal(same.state_dict(), classifier.state_dict())
    model = create_model("small_hrnet_w16")
    load_weights(model, path, new_head=True)
    assert within(backbone(model), classifier)


def test_a_network_of_ones_own_figures_loads_foreign_files(tmp_path):
    stages = tuple(StageConfig(1, 1, (4, 8, 16, 32)[:n]) for n in (2, 3, 4))
    config = HRNetConfig(stem_planes=8, stem_blocks=1, stages=stages)
    trained, fresh = create_model(config, num_outputs=3), create_model(config, num_outputs=3)
    path = upstream_file(tmp_path / "own.pth", trained, "mmpose 1.x")
    load_weights(fresh, path)
    assert equal(fresh.state_dict(), trained.state_dict())
    with pytest.raises(InputError, match="none of the known networks"):
        load_network(path)


REFUSED = {
    "other head": ({"variant": "small_hrnet_w16"}, False, "holds hrnet_w18_small_v1 for classif"),
    "other classes": ({"variant": BODY, "task": "classification"}, False, "num_outputs 3"),
    "other variant": ({"variant": "hrnet_w18_small_v2"}, True, "does not fit the network"),
    "other family": ({"variant": "naive_litehrnet_18"}, True, "holds hrnet, but the network is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_changes_nothing(name, classifier_file):
    options, new_head, words = REFUSED[name]
    model = create_model(**options)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load_weights(model, classifier_file, new_head=new_head)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert equal(model.state_dict(), before)


def test_a_backbone_with_modules_too_many_is_refused(tmp_path):
    network = files.network("hrnet_w18_small_v2", task="features")
    state = to_upstream(network.state_dict(), network.spec, "official")
    name = "stage4.2.branches.0.0.conv1.weight"
    path = files.save(state | {name: torch.ones(18, 18, 3, 3)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="1 unknown"):
        load_weights(create_model("hrnet_w18_small_v2", task="detection"), path, new_head=True)


def test_the_packaged_model_loads_as_a_network():
    network = load_network("default")
    assert (network.spec.task, network.training) == ("pose", False)
    assert files.outputs(network).isfinite().all()


def test_exported_models_are_refused(tmp_path):
    path = tmp_path / "a.onnx"
    path.touch()
    with pytest.raises(InputError, match="is an exported model"):
        load_network(path)
    with pytest.raises(InputError, match="there is no"):
        load_network(tmp_path / "none.pth")
