"""ONNX Runtime as an engine."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError, one_line
from hrnet.runtime.guard import network_errors, no_telemetry

with no_telemetry():
    import onnxruntime

_FATAL_ONLY = 4
"""Errors come as exceptions too, and become one line."""

_PROVIDER = "ExecutionProvider"
_DIRECTML = "directml"
_PACKAGES = {
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    _DIRECTML: "onnxruntime-directml",
    "openvino": "onnxruntime-openvino",
}
"""Device -> the package to install in place of `onnxruntime`."""

_WHICH = dict.fromkeys(("cuda", "tensorrt", "migraphx", "rocm", _DIRECTML), "device_id")
_WHICH["openvino"] = "device_type"
"""Device -> the option of its provider that takes what stands behind the colon: cuda:1."""


class OnnxRuntimeEngine:
    """An exported model in ONNX Runtime; `device` is the one that it runs on.

    device: "cpu", or another that the installed ONNX Runtime has a provider for: "cuda", "cuda:1",
        "coreml", "directml", "openvino", "openvino:GPU"; "auto" takes CUDA where it is there.
        What a provider cannot run falls to the CPU, operator by operator. All in float32: TF32 is
        off on CUDA. Only the CPU was measured.
    Raises InputError where the device is not there.
    """

    def __init__(self, path: Path, *, device: str = "auto", threads: int | None = None) -> None:
        self.device = device.lower()
        if self.device == "auto":
            self.device = "cuda" if "cuda" in _known_devices() else "cpu"
        try:
            self._session = _open(path, self.device, threads)
        except InputError:
            if device.lower() != "auto" or self.device == "cpu":
                raise
            self.device = "cpu"
            self._session = _open(path, self.device, threads)
        self._input: str = self._session.get_inputs()[0].name

    def __call__(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with network_errors():
            outputs = self._session.run(None, {self._input: images})
            return tuple(np.asarray(output, dtype=np.float32) for output in outputs)


def _open(path: Path, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    """Open a model on a device, or raise InputError where the device is not there."""
    known = _known_devices()
    kind, _, which = device.partition(":")
    if kind not in known or (which and kind not in _WHICH):
        raise _no_device(device, kind, known)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads or 0
    options.enable_mem_pattern = kind != _DIRECTML  # which does not support it
    provider = (known[kind], _provider_options(kind, which))
    reason = "it did not start"
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=[provider], enable_fallback=0
        )
        if session.get_providers()[0] == known[kind]:
            return session
    except Exception as error:
        if kind == "cpu":  # which is always there, so it is the model
            raise
        reason = one_line(error)[:200]
    raise InputError(
        f"device {device} cannot be used by {known[kind]} of ONNX Runtime ({reason}); look whether "
        "its driver and libraries are installed, or take device cpu"
    )


def fold_constants(source: Path, target: Path) -> None:
    """Write an ONNX file anew with all computed that no input changes, in standard operators."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _known_devices() -> dict[str, str]:
    """Device -> provider, for each that this ONNX Runtime was built with."""
    providers: list[str] = onnxruntime.get_available_providers()
    names = {name.removesuffix(_PROVIDER).lower(): name for name in providers}
    names.pop("azure", None)  # a service, not a device
    return {_DIRECTML if name == "dml" else name: provider for name, provider in names.items()}


def _provider_options(kind: str, which: str) -> dict[str, str]:
    options = {"use_tf32": "0"} if kind == "cuda" else {}
    return {**options, _WHICH[kind]: which.upper()} if which else options


def _no_device(device: str, kind: str, known: dict[str, str]) -> InputError:
    package = _PACKAGES.get(kind)
    hint = f"pip install {package}, or " if package and kind not in known else ""
    return InputError(
        f"device {device} is none that this ONNX Runtime has ({', '.join(sorted(known))}); "
        f"{hint}name one of these or auto"
    )
