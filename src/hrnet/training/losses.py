"""The loss of a training, by the task and the settings."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, Self

from torch import Tensor

from hrnet.config import Experiment
from hrnet.spec import ModelSpec
from hrnet.tasks import get_task


class Maps(Protocol):
    """Outputs of a network that are no tensors; the loss of its task reads them."""

    def float(self) -> Self:
        """Return the outputs in float32."""


TensorOutputs = Tensor | tuple[Tensor, ...] | Maps
"""The outputs of a network for a batch, in float32."""

Loss = Callable[[TensorOutputs, Mapping[str, Tensor]], Tensor]
"""Outputs and targets to one number; a mean over the batch, so that parts of it add up."""


def find_loss(experiment: Experiment, spec: ModelSpec) -> Loss:
    """Return the loss that an experiment trains a model by.

    It is one of the task's LOSSES, or that of its `make_loss(experiment, spec)` where losses have
    settings.
    """
    network = import_module(get_task(spec.task).network)
    if hasattr(network, "make_loss"):
        made: Loss = network.make_loss(experiment, spec)
        return made
    loss: Loss = network.LOSSES[experiment.train.loss]
    return loss
