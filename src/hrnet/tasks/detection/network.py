"""The part of detection that needs torch: its losses, and the network as it predicts."""

from collections.abc import Callable, Mapping

from torch import Tensor

from hrnet.tasks.detection.predictor import predictor

__all__ = ["LOSSES", "predictor"]

LOSSES: dict[str, Callable[[Tensor, Mapping[str, Tensor]], Tensor]] = {}
"""The losses by the names that `train.loss` takes."""
