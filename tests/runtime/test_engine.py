"""All engines give the same answer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hrnet.engine.torch_engine import TorchEngine
from hrnet.errors import InputError
from hrnet.runtime.engine import EngineName, open_engine, read_spec


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("count", [1, 3])
def test_engines_agree_with_torch(spot_model: Path, name: EngineName, count: int) -> None:
    if name == "openvino":
        pytest.importorskip("openvino")
    images = np.random.default_rng(0).random((count, 3, 128, 96), dtype=np.float32)
    expected = TorchEngine(torch.nn.AvgPool2d(4))(images)
    heatmaps = open_engine(spot_model, name, threads=1)(images)
    assert heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, expected, atol=1e-6)


def test_the_spec_is_read_without_an_engine(spot_model: Path) -> None:
    spec = read_spec(spot_model)
    assert spec.input_size == (128, 96)
    assert spec.skeleton.names == ("red", "green", "blue")


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_model_that_the_engine_refuses(tmp_path: Path, name: EngineName) -> None:
    if name == "openvino":
        pytest.importorskip("openvino")
    path = tmp_path / "a.onnx"
    path.write_bytes(b"\x3a\x02\x08\x01")  # a graph field that holds no graph
    with pytest.raises(InputError, match=f"cannot be loaded by {name}"):
        open_engine(path, name)
