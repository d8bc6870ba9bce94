"""Models and weights that say anything of themselves: used as they say, or refused."""

import json
import struct

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import hrnet
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.checkpoint import save_checkpoint

from . import odd
from .conftest import few, hostile

SPEC = {
    "format": 2,
    "network": {
        "variant": "small_hrnet_w16",
        "task": "pose",
        "num_outputs": 3,
        "upsampling": "nearest",
    },
    "name": "spots",
    "input_size": [128, 96],
    "codec": "udp",
    "sigma": 2.0,
    "padding": 1.25,
    "activation": "none",
    "mean": [0.0, 0.0, 0.0],
    "std": [1.0, 1.0, 1.0],
    "skeleton": {
        "names": ["red", "green", "blue"],
        "edges": [[0, 1], [1, 2]],
        "flip_pairs": [[0, 1]],
        "sigmas": [0.05, 0.05, 0.05],
        "upper_body": [0, 1],
    },
}
FORMAT_1 = {name: value for name, value in SPEC.items() if name != "network"} | {
    "format": 1,
    "variant": "small_hrnet_w16",
    "options": {"upsampling": "nearest"},
}
spoiled = st.one_of(odd.spoiled_json(SPEC), odd.spoiled_json(FORMAT_1))


@hostile
@given(spec=spoiled, codec=st.sampled_from(("classic", "dark", "udp", "")))
def test_descriptions_of_exported_models(ask, dataset, spot_model, spec, codec):
    if codec and isinstance(spec.get("codec"), str):
        spec["codec"] = codec
    model = onnx.load(spot_model)
    text = odd.dumps(spec).encode("utf-8", "replace").decode()
    onnx.helper.set_model_props(model, {"hrnet": text})
    onnx.save(model, dataset / "m.onnx")
    where = ("--json", dataset / "k.json", "--out", dataset / "out", "--flip-test")
    code, _, _ = ask("predict", dataset / "0.png", "--model", dataset / "m.onnx", *where)
    if code == 0:
        (pose,) = json.loads((dataset / "k.json").read_text())
        assert np.isfinite(pose["keypoints"]).all()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> bytes:
    """The bytes of a checkpoint of a network that was just made."""
    network = hrnet.create_model("small_hrnet_w16", num_outputs=3)
    path = tmp_path_factory.mktemp("checkpoint") / "c.safetensors"
    spec = PoseSpec.from_json(json.dumps(SPEC))
    save_checkpoint(path, network.state_dict(), spec)
    return path.read_bytes()


def with_header(data: bytes, change) -> bytes:
    """A safetensors file whose header was changed."""
    (size,) = struct.unpack("<Q", data[:8])
    header = odd.dumps(change(json.loads(data[8 : 8 + size]))).encode("utf-8", "replace")
    return struct.pack("<Q", len(header)) + header + data[8 + size :]


@few
@given(data=st.data())
def test_descriptions_of_checkpoints(ask, dataset, checkpoint, data):
    def change(header):
        name = data.draw(st.sampled_from(("spec", "network", "format", "experiment")))
        found = data.draw(odd.spoiled_json(json.loads(header["__metadata__"]["spec"])))
        header["__metadata__"][name] = odd.dumps(found)
        return header

    file = dataset / "c.safetensors"
    file.write_bytes(with_header(checkpoint, change))
    ask("predict", dataset / "0.png", "--model", file)
    ask("convert", file, dataset / "o.safetensors")


@few
@given(data=st.data())
def test_tensors_of_checkpoints(ask, dataset, checkpoint, data):
    def change(header):
        names = sorted(header)
        name = names[data.draw(st.integers(0, len(names) - 1))]
        return header | {name: data.draw(odd.spoiled_json(header[name]))}

    file = dataset / "c.safetensors"
    file.write_bytes(with_header(checkpoint, change))
    ask("predict", dataset / "0.png", "--model", file)
    ask("convert", file, dataset / "o.safetensors")


dtypes = st.sampled_from(
    (
        torch.bool, torch.uint8, torch.int32, torch.int64, torch.complex64,
        torch.float16, torch.bfloat16, torch.float64, torch.float8_e5m2,
    )
)  # fmt: skip


@few
@given(dtype=dtypes, every=st.booleans(), number=st.sampled_from((0.5, odd.NAN, odd.INF, 1e300)))
def test_weights_of_any_kind(ask, tmp_path, dtype, every, number):
    """Converted weights are numbers that float32 can hold."""
    state = hrnet.create_model("small_hrnet_w16", num_outputs=3).state_dict()
    first = next(name for name, value in state.items() if value.is_floating_point())
    for name in list(state) if every else [first]:
        state[name] = state[name].to(dtype)
    if state[first].is_floating_point():
        state[first].view(-1)[0] = number
    torch.save(state, tmp_path / "w.pth")
    out = tmp_path / "o.safetensors"
    out.unlink(missing_ok=True)
    code, _, _ = ask("convert", tmp_path / "w.pth", out)
    assert out.exists() == (code == 0)
    if not dtype.is_floating_point:
        assert code == 2
    if code == 0:
        written = hrnet.load_network(out).state_dict().values()
        assert all(bool(value.isfinite().all()) for value in written)
