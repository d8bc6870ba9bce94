"""OpenVINO as an engine."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError
from hrnet.runtime.guard import network_errors, no_telemetry

with no_telemetry():
    import openvino


class OpenVinoEngine:
    """An exported model in OpenVINO, in float32 as the other engines; `device` is where it runs.

    device: "auto" and "cpu" are the CPU; "gpu", "gpu:1" and "npu" where OpenVINO finds them. Only
        the CPU was measured.
    Raises InputError where the device is not there.
    """

    def __init__(self, path: Path, *, device: str = "auto", threads: int | None = None) -> None:
        core = openvino.Core()
        name = "CPU" if device == "auto" else device.upper().replace(":", ".")
        found: list[str] = core.available_devices
        if name not in {*found, *(one.partition(".")[0] for one in found)}:
            known = ", ".join(one.lower().replace(".", ":") for one in found)
            raise InputError(
                f"device {device} is none that OpenVINO finds here ({known}); name one of these "
                "or auto"
            )
        self.device = name.lower().replace(".", ":")
        options: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None and name == "CPU":
            options["INFERENCE_NUM_THREADS"] = threads
        self._model = core.compile_model(path, name, options)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        with network_errors():
            heatmaps = self._model([images])[0]
            return np.array(heatmaps, dtype=np.float32)
