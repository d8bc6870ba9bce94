"""A trained model whose answers on the augmented samples are targets of a training too.

Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

import torch
from torch import Tensor, nn

from hrnet.errors import InputError
from hrnet.spec import ModelSpec
from hrnet.tasks import get_task
from hrnet.training.loader import normalised
from hrnet.weights.catalog import find_checkpoint
from hrnet.weights.checkpoint import load_checkpoint

AsTargets = Callable[[Tensor], Mapping[str, Tensor]]
"""Answers of a teacher to the targets that the task's losses compare with."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """A trained network, as it predicts, and how its answers become targets."""

    network: nn.Module
    spec: ModelSpec
    as_targets: AsTargets

    def targets(self, inputs: Tensor, *, channels_last: bool) -> Mapping[str, Tensor]:
        """Return the targets of a batch's inputs (N, H, W, C), by the names of its losses."""
        images = normalised(inputs, self.spec, channels_last=channels_last)
        with torch.no_grad():
            answers: Tensor | tuple[Tensor, ...] = self.network(images)
        main = answers if isinstance(answers, Tensor) else answers[0]  # of several the first
        return self.as_targets(main.float())


def find_teacher(name: str, student: ModelSpec) -> Teacher:
    """Load the teacher of a training; name: as `train.teacher` has it.

    Raises InputError for a model whose answers are no targets of the student.
    """
    network, spec = load_checkpoint(find_checkpoint(name))
    make = getattr(import_module(get_task(student.task).network), "teaching", None)
    if make is None:
        raise InputError(f"train.teacher: {student.task} has no training with a teacher; set null")
    if (spec.task, spec.labels) != (student.task, student.labels):
        raise InputError(
            f"train.teacher: expected a model for {student.task} with the labels of the training "
            f"data, got {name} for {spec.task} with {len(spec.labels)} labels"
        )
    if _reading(spec) != _reading(student):
        raise InputError(
            f"train.teacher: expected a model that reads the pictures of the training "
            f"{_reading(student)}, got {name}, which reads {_reading(spec)}"
        )
    try:
        as_targets: AsTargets = make(spec, student)
    except InputError as error:
        raise InputError(f"train.teacher: {name}: {error}") from None
    return Teacher(network.requires_grad_(False), spec, as_targets)


def _reading(spec: ModelSpec) -> str:
    """Describe how a model reads pictures: channels and range of pixels."""
    low, high = spec.pixel_range or (0, 255)
    return f"(in_channels {spec.network.num_channels}, pixel_range {low:g} to {high:g})"
