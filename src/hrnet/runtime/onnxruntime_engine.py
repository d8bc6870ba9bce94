"""The engine ONNX Runtime."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError, one_line
from hrnet.runtime.guard import network_errors, no_telemetry

with no_telemetry():
    import onnxruntime

_FATAL_ONLY = 4
"""Log level; errors are raised as exceptions anyway."""

_PROVIDER = "ExecutionProvider"
_DIRECTML = "directml"
_PACKAGES = {
    "cuda": "onnxruntime-gpu",
    "tensorrt": "onnxruntime-gpu",
    _DIRECTML: "onnxruntime-directml",
    "openvino": "onnxruntime-openvino",
}
"""Device -> the package to install instead of `onnxruntime`."""

_WHICH = dict.fromkeys(("cuda", "tensorrt", "migraphx", "rocm", _DIRECTML), "device_id")
_WHICH["openvino"] = "device_type"
"""Device -> the provider option for the part after the colon, as in cuda:1."""


class OnnxRuntimeEngine:
    """An exported model in ONNX Runtime, on its `device`.

    device: "cpu", or any with a provider in the installed ONNX Runtime: "cuda", "cuda:1",
        "coreml", "directml", "openvino", "openvino:GPU"; "auto" takes CUDA if it works, else the
        CPU. Operators that a provider lacks run on the CPU. All in float32: TF32 is off on CUDA.
        Only the CPU was measured.
    threads: CPU threads; None uses all cores.
    Raises InputError if the device is missing.
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
        self._inputs: list[str] = [one.name for one in self._session.get_inputs()]

    def __call__(self, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with network_errors():
            outputs = self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))
            return tuple(np.asarray(output, dtype=np.float32) for output in outputs)


def _open(path: Path, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    """Open a model on a device; InputError if the device is missing."""
    # Check that ONNX Runtime has a provider for the device.
    known = _known_devices()
    kind, _, which = device.partition(":")
    if kind not in known or (which and kind not in _WHICH):
        raise _no_device(device, kind, known)
    # Set up the session.
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = threads or 0
    options.enable_mem_pattern = kind != _DIRECTML  # DirectML does not support it
    provider = (known[kind], _provider_options(kind, which))
    # Start it; a provider that cannot start may be replaced by the CPU without an error.
    reason = "it did not start"
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=[provider], enable_fallback=0
        )
        if session.get_providers()[0] == known[kind]:
            return session
    except Exception as error:
        if kind == "cpu":  # always available, so the model is at fault
            raise
        reason = one_line(error)[:200]
    raise InputError(
        f"device {device} cannot be used by {known[kind]} of ONNX Runtime ({reason}); check "
        "that its driver and libraries are installed, or use device cpu"
    )


def fold_constants(source: Path, target: Path) -> None:
    """Copy an ONNX file with its constant parts computed, in standard operators."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _known_devices() -> dict[str, str]:
    """Return device -> provider for all providers of the installed ONNX Runtime."""
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
        f"device {device} is not available, this ONNX Runtime has {', '.join(sorted(known))}; "
        f"{hint}use one of these or auto"
    )
