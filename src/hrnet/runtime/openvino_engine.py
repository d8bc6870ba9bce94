"""The engine OpenVINO."""

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError
from hrnet.runtime.guard import network_errors, no_telemetry

with no_telemetry():
    import openvino

_OFTEN, _MOST_COMPILED = 10, 2
"""Batches of one shape before the model is compiled for it, and shapes it is compiled for."""

Shapes = tuple[tuple[int, ...], ...]


class OpenVinoEngine:
    """An exported model in OpenVINO, on its `device`, in float32 as in the other engines.

    device: "auto" and "cpu" are the CPU; "gpu", "gpu:1" and "npu" if OpenVINO finds them. Only the
        CPU was measured.
    threads: CPU threads; None uses all cores.
    Raises InputError if the device is missing.
    """

    def __init__(self, path: Path, *, device: str = "auto", threads: int | None = None) -> None:
        # Check the device: here "gpu:1", in OpenVINO "GPU.1".
        core = openvino.Core()
        name = "CPU" if device.lower() == "auto" else device.upper().replace(":", ".")
        found: list[str] = core.available_devices
        if name not in {*found, *(one.partition(".")[0] for one in found)}:
            known = ", ".join(one.lower().replace(".", ":") for one in found)
            raise InputError(
                f"device {device} is not available, OpenVINO finds {known}; use one of these "
                "or auto"
            )
        self.device = name.lower().replace(".", ":")
        # Compile the model for any shape.
        options: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None and name == "CPU":
            options["INFERENCE_NUM_THREADS"] = threads
        self._source = core.read_model(path)
        self._settings = (core, name, options)
        self._any_shape = self._compile(self._source)
        self._of_shape: dict[Shapes, openvino.CompiledModel] = {}
        self._seen: Counter[Shapes] = Counter()

    def __call__(self, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        with network_errors():
            model = self._model_for(tuple(one.shape for one in inputs))
            found = model(list(inputs))
            return tuple(np.array(found[output], np.float32) for output in model.outputs)

    def _compile(self, model: openvino.Model) -> openvino.CompiledModel:
        core, name, options = self._settings
        return core.compile_model(model, name, options)

    def _model_for(self, shapes: Shapes) -> openvino.CompiledModel:
        """Return the model compiled for a shape used often, else that for any shape.

        A fixed shape is 1 to 20 % faster; compiling takes seconds for a large network.
        """
        self._seen[shapes] += 1
        often = self._seen[shapes] > _OFTEN and len(self._of_shape) < _MOST_COMPILED
        if often and shapes not in self._of_shape:
            model = self._source.clone()
            sizes = zip(model.inputs, shapes, strict=True)
            model.reshape({port: list(shape) for port, shape in sizes})
            self._of_shape[shapes] = self._compile(model)
        return self._of_shape.get(shapes, self._any_shape)
