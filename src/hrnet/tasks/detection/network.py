"""The part of detection that needs torch: its losses, and the network as it predicts."""

from collections.abc import Callable, Mapping

from torch import Tensor

from hrnet.tasks.detection.aligned_loss import task_aligned
from hrnet.tasks.detection.fcos_loss import fcos
from hrnet.tasks.detection.predictor import predictor
from hrnet.tasks.detection.two_stage_loss import two_stage, two_stage_legacy

__all__ = ["LOSSES", "predictor"]

LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "two_stage": two_stage,
    "two_stage_legacy": two_stage_legacy,
    "fcos": fcos,
    "task_aligned": task_aligned,
}
"""The losses by the names that `train.loss` takes: outputs and targets to a number."""
