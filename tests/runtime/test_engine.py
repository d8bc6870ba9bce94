"""All engines give the same answer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from hrnet.errors import InputError
from hrnet.runtime import EngineName, open_engine, read_spec
from hrnet.runtime.onnxruntime_engine import onnxruntime
from hrnet.runtime.torch_engine import TorchEngine


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("count", [1, 3])
def test_engines_agree_with_torch(spot_model: Path, name: EngineName, count: int) -> None:
    if name == "openvino":
        pytest.importorskip("openvino")
    images = np.random.default_rng(0).random((count, 3, 128, 96), dtype=np.float32)
    (expected,) = TorchEngine(torch.nn.AvgPool2d(4))(images)
    (heatmaps,) = open_engine(spot_model, name, threads=1)(images)
    assert heatmaps.dtype == np.float32
    np.testing.assert_allclose(heatmaps, expected, atol=1e-6)


def test_openvino_answers_alike_for_a_count_that_comes_often(spot_model: Path) -> None:
    pytest.importorskip("openvino")
    engine = open_engine(spot_model, "openvino", threads=1)
    random = np.random.default_rng(0)
    for count in [2, 1, 3, 4] * 12:
        images = random.random((count, 3, 128, 96), dtype=np.float32)
        expected = images.reshape(count, 3, 32, 4, 24, 4).mean(axis=(3, 5))
        np.testing.assert_allclose(engine(images)[0], expected, atol=1e-6)
    assert [shape[0] for (shape,) in engine._of_shape] == [2, 1]


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


class _Session:
    """An ONNX Runtime session with providers that are not installed here; `broken` ones fail.

    ONNX Runtime leaves out some of them silently, and raises for others.
    """

    broken: tuple[str, ...] = ()
    raises = False
    asked: tuple = ()

    def __init__(self, path, options, *, providers, enable_fallback) -> None:
        _Session.asked = (providers, options.enable_mem_pattern, enable_fallback)
        if self.raises and any(name in self.broken for name, _ in providers):
            raise RuntimeError("CUDA failure 100:\nno device")
        started = [name for name, _ in providers if name not in self.broken]
        self._providers = [*started, "CPUExecutionProvider"]

    def get_providers(self) -> list[str]:
        return self._providers

    def get_inputs(self) -> list:
        return [type("Input", (), {"name": "images"})]


PROVIDERS = [f"{name}ExecutionProvider" for name in ("CUDA", "CoreML", "Dml", "OpenVINO", "CPU")]


@pytest.mark.parametrize(
    ("device", "provider", "options"),
    [
        ("cpu", "CPU", {}),
        ("auto", "CUDA", {"use_tf32": "0"}),
        ("cuda:1", "CUDA", {"use_tf32": "0", "device_id": "1"}),
        ("CoreML", "CoreML", {}),
        ("directml", "Dml", {}),
        ("openvino:gpu", "OpenVINO", {"device_type": "GPU"}),
    ],
)
def test_a_device_is_the_provider_of_that_name(monkeypatch, device, provider, options) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: PROVIDERS)
    monkeypatch.setattr(onnxruntime, "InferenceSession", _Session)
    runner = open_engine(Path("a.onnx"), device=device)
    expected = [(f"{provider}ExecutionProvider", options)]
    assert _Session.asked == (expected, provider != "Dml", 0)
    assert runner.device == ("cuda" if device == "auto" else device.lower())


@pytest.mark.parametrize(
    ("raises", "reason"), [(False, "it did not start"), (True, "CUDA failure 100: no device")]
)
def test_a_provider_that_does_not_start_is_an_error_unless_auto(
    monkeypatch, raises: bool, reason: str
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: PROVIDERS)
    monkeypatch.setattr(onnxruntime, "InferenceSession", _Session)
    monkeypatch.setattr(_Session, "broken", ("CUDAExecutionProvider",))
    monkeypatch.setattr(_Session, "raises", raises)
    assert open_engine(Path("a.onnx"), device="auto").device == "cpu"
    with pytest.raises(InputError, match=f"device cuda cannot be used .*{reason}.*device cpu"):
        open_engine(Path("a.onnx"), device="cuda")
