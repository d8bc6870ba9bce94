"""Our networks compute what the published code computed: names, shapes, counts and outputs.

The first half compares with what is kept in networks.json and runs everywhere. The second half
compares with everything in the folder of recordings, or with another folder of the same form that
HRNET_GOLDEN names, and skips where there is none.
"""

import json

import numpy as np
import pytest
import torch

from hrnet.weights.schemes import from_upstream, to_upstream

from . import facts, runs
from .models import MODELS
from .recordings import (
    digest,
    fill,
    images,
    models_of,
    recorded,
    recorded_arrays,
    recorded_shapes,
)

KEPT = facts.read()

every_model = pytest.mark.parametrize("name", MODELS, scope="module")
"""The scope lets pytest run all tests of a model together, so that its weights are made once."""


@pytest.fixture(scope="module", autouse=True)
def _free_memory():
    yield
    runs.filled.cache_clear()


# With what is kept here


def test_every_model_has_facts():
    assert list(KEPT) == list(MODELS)


@every_model
def test_names_shapes_and_parameters_are_upstreams(name):
    network = MODELS[name].weightless()
    assert sum(parameter.numel() for parameter in network.parameters()) == KEPT[name]["parameters"]
    assert digest(runs.upstream_shapes(name)) == KEPT[name]["names_and_shapes"]


@every_model
def test_names_go_to_upstream_and_back(name):
    network, scheme = MODELS[name].weightless(), MODELS[name].scheme
    state = network.state_dict()
    back = from_upstream(to_upstream(state, network.spec, scheme), network.spec, scheme)
    assert back.keys() == state.keys()
    assert all(back[key].shape == state[key].shape for key in state)


@every_model
def test_multiply_adds_are_upstreams(name):
    for size, expected in KEPT[name]["macs"].items():
        assert runs.macs(name, *map(int, size.split("x"))) == expected


@every_model
def test_kept_values_come_out(name):
    values = KEPT[name]["values"]
    assert values
    assert all(len(kept["64"]) == 64 for kept in values.values())
    comparisons = list(runs.compare_kept(name, values))
    assert len(comparisons) == len(values)
    assert not [c for c in comparisons if not c.passed]


@every_model
def test_sizes_that_upstream_fails_at_are_refused_with_the_multiple_or_filled_up(name):
    for tag in KEPT[name]["refused"]:
        *_, height, width = images(tag).shape
        if MODELS[name].weightless().spec.task == "pose":
            maps = MODELS[name].weightless()(torch.empty(images(tag).shape, device="meta"))
            assert maps.shape[-2:] == (-(-height // 4), -(-width // 4))
            continue
        with pytest.raises(ValueError, match=f"multiples of 32, got {tag}; resize or pad"):
            MODELS[name].weightless()(torch.empty(images(tag).shape, device="meta"))


def test_small_hrnet_w16_has_the_published_size():
    """1.3M parameters and 0.54G multiply-adds (544M of 1024**2) in the Lite-HRNet paper.

    Nobody published its recorded outputs; its body is the one of cls_hrnet_w18_small_v1.
    """
    from hrnet.models import VARIANTS, create_model

    model = create_model("small_hrnet_w16")
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_284_961
    assert VARIANTS["small_hrnet_w16"] == VARIANTS["hrnet_w18_small_v1"]


# With the folder of recordings


def test_every_recorded_model_is_in_the_table(golden_dir):
    assert set(models_of(golden_dir)) <= set(MODELS)


def test_the_fill_and_the_input_are_those_of_the_recordings(golden_dir):
    file = golden_dir / "init_examples.json"
    if not file.exists():
        pytest.skip(f"{golden_dir} has no examples of the fill")
    for key, example in json.loads(file.read_text()).items():
        values = fill(key, tuple(example["shape"])).numpy()
        np.testing.assert_array_equal(values.ravel()[:4], np.float32(example["first4_f32"]))
        assert values.sum(dtype=np.float64) == pytest.approx(example["sum_f64"], abs=1e-5)
    inputs = recorded_arrays(golden_dir, "inputs")
    assert inputs
    for key, recording in inputs.items():
        tag, what = key.split("/")
        image = images(tag)
        if what == "sum_f64":
            assert image.sum(dtype=np.float64) == pytest.approx(float(recording), abs=1e-5)
        else:
            ours = image if what == "x" else image.ravel()[:64]
            np.testing.assert_array_equal(ours, recording)


@every_model
def test_facts_are_derived_from_the_recordings(name, golden_dir):
    if not recorded(golden_dir, name):
        pytest.skip(f"{golden_dir} has no figures of {name}")
    kept, derived = KEPT[name], facts.derive_facts(golden_dir, name)
    assert {key: kept[key] for key in derived} == derived


@every_model
def test_every_name_and_shape_is_the_recorded_one(name, golden_dir):
    record = recorded(golden_dir, name)
    if not record:
        pytest.skip(f"{golden_dir} has no figures of {name}")
    shapes = runs.upstream_shapes(name)
    assert shapes == recorded_shapes(record)
    assert len(shapes) == record["n_state_keys"]


@pytest.mark.slow
@every_model
def test_every_recorded_value_comes_out(name, golden_dir, record_property):
    arrays = recorded_arrays(golden_dir, name)
    if not arrays:
        pytest.skip(f"{golden_dir} has no recorded arrays of {name}")
    comparisons = list(runs.compare(name, arrays))
    assert comparisons
    record_property("largest relative error", max(c.error for c in comparisons))
    assert not [c for c in comparisons if not c.passed]
