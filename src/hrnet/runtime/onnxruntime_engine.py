"""ONNX Runtime as an engine."""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

_ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """An exported model in ONNX Runtime, on the CPU."""

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = threads or 0
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._input: str = self._session.get_inputs()[0].name

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        (heatmaps,) = self._session.run(None, {self._input: images})
        return np.asarray(heatmaps, dtype=np.float32)
