"""OpenVINO as an engine."""

from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray


class OpenVinoEngine:
    """An exported model in OpenVINO, on the CPU, in float32 as the other engines."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        options: dict[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32"}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        self._model = openvino.Core().compile_model(path, "CPU", options)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        heatmaps = self._model([images])[0]
        return np.array(heatmaps, dtype=np.float32)
