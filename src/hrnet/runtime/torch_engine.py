"""The engine torch, for networks that are not exported."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class TorchEngine:
    """A torch module in evaluation mode, on its `device`.

    In float32 throughout: convolutions in TF32, torch's default on CUDA, moved keypoints of the
    sample photo by up to 1.1 pixels on an H100.
    """

    def __init__(self, model: nn.Module, *, device: str = "cpu") -> None:
        self.device = device
        self._device = torch.device(device)
        self._model = model.to(self._device).eval()

    def __call__(self, *inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        tensors = [torch.from_numpy(one).to(self._device) for one in inputs]
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            found = self._model(*tensors)
        outputs = (found,) if isinstance(found, torch.Tensor) else found
        return tuple(output.float().cpu().numpy() for output in outputs)
