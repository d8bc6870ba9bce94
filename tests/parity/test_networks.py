"""Our networks compute what the published code computed: names, shapes, counts and outputs.

Outputs of the published code with weights drawn from each tensor's name were recorded outside this
project. Where that folder is, everything in it is compared; `networks.json` beside this file keeps
the counts, a digest of all names and shapes and some output values, which are compared everywhere.
A new network is one line in NETWORKS, and `python tests/parity/test_networks.py RECORDED_FOLDER`.
"""

import hashlib
import json
import math
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from hrnet.models import create_model
from hrnet.weights.convert import OFFICIAL_POSE, to_ours, to_upstream

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "pose_hrnet_w32_coco_256x192": partial(create_model, "hrnet_w32"),
    "pose_hrnet_w32_coco_384x288": partial(create_model, "hrnet_w32"),
    "pose_hrnet_w32_mpii_256x256": partial(create_model, "hrnet_w32", num_keypoints=16),
    "pose_hrnet_w48_coco_256x192": partial(create_model, "hrnet_w48"),
    "pose_hrnet_w48_coco_384x288": partial(create_model, "hrnet_w48"),
    "pose_hrnet_w48_mpii_256x256": partial(create_model, "hrnet_w48", num_keypoints=16),
    # Nobody published this one for pose; the classification network has the same body.
    "cls_hrnet_w18_small_v1": partial(create_model, "small_hrnet_w16"),
}
POSE = [name for name in NETWORKS if name.startswith("pose")]
NOT_BODY = re.compile(
    r"(incre_modules|downsamp_modules|final_layer|classifier)\..*|stage4\.0\.fuse_layers\.[123]\..*"
)
"""What a recorded classification network has behind the stream that a pose head reads."""
TOLERANCE = 2e-5
"""Of the largest value of the tensor; the recorded float32 runs are within 1.1e-6 of float64."""
FACTS = Path(__file__).with_name("networks.json")
Shapes = dict[str, tuple[int, ...]]

every_network = pytest.mark.parametrize("name", NETWORKS)
every_pose_network = pytest.mark.parametrize("name", POSE)


# What the recordings say


def recorded(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())


def recorded_arrays(folder: Path, name: str) -> dict[str, np.ndarray]:
    path = folder / f"{name}.npz"
    if not path.exists():
        return {}
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays}


def expected_shapes(record: dict) -> Shapes:
    """Names and shapes of the part that a pose network has too."""
    state = {key: tuple(shape) for key, shape in record["state_dict"].items()}
    body_only = not record["name"].startswith("pose")
    return {k: s for k, s in state.items() if not (body_only and NOT_BODY.fullmatch(k))}


def num_parameters(shapes: Mapping[str, tuple[int, ...]]) -> int:
    learned = (shape for key, shape in shapes.items() if not re.search("running_|num_batch", key))
    return sum(math.prod(shape) for shape in learned)


def digest(shapes: Mapping[str, tuple[int, ...]]) -> str:
    lines = sorted(f"{key} {list(shape)}" for key, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def spread(values: np.ndarray) -> np.ndarray:
    """64 values, evenly taken from the whole tensor."""
    return values.ravel()[:: values.size // 64][:64]


def largest(record: dict, key: str) -> float:
    """The largest magnitude in the whole recorded tensor `key`, TAG/out or TAG/feat_STREAM."""
    tag, tensor = key.split("/")
    run = next(run for run in record["golden"] if run["tag"] == tag)
    kind = "outputs" if tensor == "out" else "features"
    return run[kind][tensor.removeprefix("feat_")]["absmax"]


def derive_facts(folder: Path) -> dict:
    """The content of networks.json, from the recordings alone."""
    facts = {}
    for name in NETWORKS:
        record, arrays = recorded(folder, name), recorded_arrays(folder, name)
        shapes = expected_shapes(record)
        facts[name] = {"parameters": num_parameters(shapes), "names_and_shapes": digest(shapes)}
        values = {}
        if name in POSE:
            sizes = (("x".join(map(str, macs["input"][2:])), macs) for macs in record["macs"])
            facts[name]["macs"] = {size: macs["macs"] for size, macs in sizes}
            values = {
                key: spread(arrays[key]) for key in arrays if re.match("64.*/out|b2.*/out", key)
            }
        else:
            first = (key for key in arrays if re.match("(64x64|b2.*)/feat_(layer1|stage40)__", key))
            values = {key.removesuffix("__first64"): arrays[key] for key in first}
        facts[name]["values"] = {
            key: {
                "largest": largest(record, key),
                "of_which": "evenly" if key.endswith("out") else "first",
                "64": [float(f"{value:.9g}") for value in array.tolist()],
            }
            for key, array in values.items()
        }
    return facts


# What our networks do


@cache
def fill(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The weights of the recordings: drawn from the CRC of the tensor's upstream name."""
    if key.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    draw = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    if key.endswith("running_mean"):
        values = draw.standard_normal(shape) * 0.1
    elif key.endswith("running_var"):
        values = draw.uniform(0.5, 1.5, shape)
    elif len(shape) >= 2:
        values = draw.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
    elif key.endswith("bias"):
        values = draw.standard_normal(shape) * 0.1
    else:
        values = draw.uniform(0.5, 1.5, shape)
    return torch.from_numpy(values.astype(np.float32))


def images(tag: str) -> np.ndarray:
    """The recordings' input for a tag HxW or bN_HxW."""
    batch, height, width = re.fullmatch(r"(?:b(\d)_)?(\d+)x(\d+)", tag).groups("1")
    draw = np.random.Generator(np.random.PCG64(0))
    return draw.standard_normal((int(batch), 3, int(height), int(width))).astype(np.float32)


def weightless(name: str) -> nn.Module:
    with torch.device("meta"):
        return NETWORKS[name]().eval()


def upstream_shapes(name: str) -> Shapes:
    """Names and shapes under the upstream names; without our head where only the body has one."""
    state = to_upstream(weightless(name).state_dict(), OFFICIAL_POSE)
    shapes = {key: tuple(value.shape) for key, value in state.items()}
    return {k: s for k, s in shapes.items() if name in POSE or not k.startswith("final_layer.")}


@cache
def run(name: str, tag: str) -> dict[str, np.ndarray]:
    """Output (`out`) and streams behind stem and stages (`feat_...`), flat, of a filled network."""
    model = weightless(name)
    state = to_upstream(model.state_dict(), OFFICIAL_POSE)
    filled = {key: fill(key, tuple(value.shape)) for key, value in state.items()}
    model.load_state_dict(to_ours(filled, OFFICIAL_POSE), strict=True, assign=True)
    seen: dict[str, np.ndarray] = {}

    def keep(label: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor):
                seen[label] = output.numpy().flatten()
            else:
                seen.update({f"{label}{i}": y.numpy().flatten() for i, y in enumerate(output)})

        return hook

    points = {"feat_layer1": "backbone.stem"} | {
        f"feat_stage{number}": f"backbone.stages.stage{number}" for number in (2, 3, 4)
    }
    for label, module in points.items():
        model.get_submodule(module).register_forward_hook(keep(label))
    with torch.no_grad():
        return {"out": model(torch.from_numpy(images(tag))).numpy()} | seen


@pytest.fixture(scope="module", autouse=True)
def _free_memory() -> Iterator[None]:
    yield
    fill.cache_clear()
    run.cache_clear()


def macs_of(model: nn.Module, height: int, width: int) -> int:
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, height, width, device="meta"))
    return counter.get_total_flops() // 2


# With what is kept here


@pytest.fixture(scope="module")
def facts() -> dict:
    return json.loads(FACTS.read_text())


@every_network
def test_names_shapes_and_parameters_are_upstreams(name, facts):
    shapes = upstream_shapes(name)
    assert num_parameters(shapes) == facts[name]["parameters"]
    assert digest(shapes) == facts[name]["names_and_shapes"]


@every_network
def test_names_go_to_upstream_and_back(name):
    state = weightless(name).state_dict()
    upstream = to_upstream(state, OFFICIAL_POSE)
    assert len(upstream) == len(state), "two tensors share an upstream name"
    back = to_ours(upstream, OFFICIAL_POSE)
    assert list(back) == list(state)
    assert all(back[key] is state[key] for key in state)


@every_pose_network
def test_multiply_adds_are_upstreams(name, facts):
    model = weightless(name)
    for size, macs in facts[name]["macs"].items():
        assert macs_of(model, *map(int, size.split("x"))) == macs


@every_network
def test_kept_values_come_out(name, facts):
    for key, kept in facts[name]["values"].items():
        tag, tensor = key.split("/")
        ours = run(name, tag)[tensor]
        ours = spread(ours) if kept["of_which"] == "evenly" else ours.ravel()[:64]
        assert len(kept["64"]) == len(ours) == 64
        np.testing.assert_allclose(ours, kept["64"], rtol=0, atol=TOLERANCE * kept["largest"])


def test_small_hrnet_w16_has_the_published_size():
    """1.3M parameters and 0.54G multiply-adds (544M of 1024**2) in the Lite-HRNet paper."""
    model = create_model("small_hrnet_w16").to("meta")
    assert sum(parameter.numel() for parameter in model.parameters()) == 1_284_961
    assert macs_of(model, 256, 192) == 570_703_872


@every_network
def test_sizes_that_do_not_fit_are_refused(name):
    """Upstream fails here with a mismatch of tensors."""
    with pytest.raises(ValueError, match=r"multiples of 32, got 96x72; resize or pad"):
        weightless(name)(torch.empty(1, 3, 96, 72, device="meta"))


# With the folder of recordings


def test_facts_are_derived_from_the_recordings(golden_dir, facts):
    assert facts == derive_facts(golden_dir)


def test_the_fill_and_the_input_are_those_of_the_recordings(golden_dir):
    examples = json.loads((golden_dir / "init_examples.json").read_text())
    for key, example in examples.items():
        values = fill(key, tuple(example["shape"])).numpy()
        np.testing.assert_array_equal(values.ravel()[:4], np.float32(example["first4_f32"]))
        assert values.sum(dtype=np.float64) == pytest.approx(example["sum_f64"], abs=1e-5)
    inputs = recorded_arrays(golden_dir, "inputs")
    for tag in ("64x64", "128x96", "b2_64x32"):
        np.testing.assert_array_equal(images(tag), inputs[f"{tag}/x"])


@every_network
def test_every_name_and_shape_is_the_recorded_one(name, golden_dir):
    record = recorded(golden_dir, name)
    assert upstream_shapes(name) == expected_shapes(record)
    if name in POSE:
        assert num_parameters(upstream_shapes(name)) == record["params"]
        assert len(upstream_shapes(name)) == record["n_state_keys"]


@every_network
def test_every_recorded_value_comes_out(name, golden_dir, record_property):
    record, arrays = recorded(golden_dir, name), recorded_arrays(golden_dir, name)
    if not arrays:
        pytest.skip(f"{name} has no recorded arrays, only their summary")
    for key, theirs in arrays.items():
        tag, tensor = key.removesuffix("__first64").split("/")
        head = tensor in ("out", "feat_final_layer") or re.fullmatch("feat_stage4[123]", tensor)
        if name not in POSE and head:
            continue
        ours = run(name, tag)[tensor]
        ours = ours if tensor == "out" else ours[:64]
        assert ours.shape == theirs.shape
        error = np.abs(ours - theirs).max() / largest(record, f"{tag}/{tensor}")
        assert error <= TOLERANCE, f"{key} differs by {error:.1e} of its largest value"
        record_property(key, f"{error:.1e}")


@every_pose_network
def test_the_recorded_summaries_are_right(name, golden_dir):
    """Mean, spread and largest value of the whole tensors, of which streams keep 64 values."""
    for summary in recorded(golden_dir, name)["golden"]:
        if "outputs" not in summary:  # a size that is refused, or the run was not summarised
            continue
        values = run(name, summary["tag"])
        tensors = {"out": summary["outputs"]["out"]} | {
            f"feat_{stream}": figures for stream, figures in summary["features"].items()
        }
        for tensor, figures in tensors.items():
            ours, atol = values[tensor].astype(np.float64), TOLERANCE * figures["absmax"]
            assert ours.size == math.prod(figures["shape"])
            assert ours.mean() == pytest.approx(figures["mean"], abs=atol)
            assert ours.std() == pytest.approx(figures["std"], abs=atol)
            assert np.abs(ours).max() == pytest.approx(figures["absmax"], abs=atol)


if __name__ == "__main__":
    text = json.dumps(derive_facts(Path(sys.argv[1])), indent=1)
    FACTS.write_text(re.sub(r",\n\s+(?=-?\d)", ", ", text) + "\n")  # one line for 64 numbers
