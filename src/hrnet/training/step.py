"""One update of a network: forward, loss, backward, step."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from hrnet.config import Experiment
from hrnet.errors import InputError, one_line
from hrnet.training.loader import Batch, normalised
from hrnet.training.losses import TensorOutputs
from hrnet.training.optim import set_lr
from hrnet.training.run import Run
from hrnet.training.teacher import Teacher

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class NotFiniteError(Exception):
    """Raised, before the weights change, where the loss of a rank's share is NaN or infinite."""

    def __init__(self, loss: float) -> None:
        super().__init__(f"the loss became {loss}")
        self.loss = loss


def update(
    run: Run, batch: Batch, *, experiment: Experiment, lr: float, stop: bool
) -> tuple[float, bool]:
    """Train on one batch and move the run's position past it.

    lr: learning rate of groups without a factor. stop: whether this rank is asked to stop. Returns
    the mean loss of the whole update and whether any rank is asked to stop.
    Raises NotFiniteError, and InputError where the memory does not suffice.
    """
    position = run.position
    _seed(run, experiment.train.seed)
    set_lr(run.optimizer, lr)
    run.optimizer.zero_grad(set_to_none=True)
    with _in_one_line(position.step):
        own = _backward(run, batch, experiment)
    # The mean over all ranks, each of which has an equal share.
    sums = torch.tensor([own, float(stop)], dtype=torch.float64)
    loss, stopped = run.world.mean(sums).tolist()
    if not np.isfinite(loss):
        raise NotFiniteError(own)
    _step(run, experiment.train.clip_norm)
    # Count the update as done.
    samples = len(batch.inputs) * run.world.size
    position.batch += 1
    position.step += 1
    position.loss_sum += loss * samples
    position.samples += samples
    position.skipped += batch.skipped
    return loss, stopped > 0


@contextmanager
def _in_one_line(step: int) -> Iterator[None]:
    """Turn exhausted memory, and a single value in a batch norm, into an InputError."""
    try:
        yield
    except ValueError as error:  # one sample, in a stage of 1x1 pixels
        if "more than 1 value per channel" not in str(error):
            raise
        raise InputError(
            "batch norms need more than one sample for so small an input; take a larger "
            "train.batch_size, a smaller train.accumulate or a larger model.input_size"
        ) from None
    # torch has no one type for exhausted memory on all devices.
    except RuntimeError as error:
        if not any(words in str(error) for words in ("out of memory", "can't allocate memory")):
            raise
        raise InputError(
            f"the memory does not suffice for step {step}; take a smaller train.batch_size or a "
            "larger train.accumulate, and on a GPU train.precision=bf16"
        ) from None


def _seed(run: Run, seed: int) -> None:
    """Seed torch by (seed, step, rank), so that a resumed run draws the same numbers."""
    key = [seed, run.position.step, run.world.rank]
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def _backward(run: Run, batch: Batch, experiment: Experiment) -> float:
    """Add up the gradients of a batch's parts; return the mean loss of this rank's share."""
    # Cut the inputs and each target into parts of equal size.
    parts = experiment.train.accumulate
    inputs, *targets = (
        tensor.to(run.world.device, non_blocking=True).chunk(parts)
        for tensor in (batch.inputs, *batch.targets.values())
    )
    loss_of = run.loss
    total = 0.0
    for number, part in enumerate(inputs):
        part_targets = {
            name: chunks[number] for name, chunks in zip(batch.targets, targets, strict=True)
        }
        # loss of the share = sum over parts of (part / share) * loss of the part
        is_last = number == len(inputs) - 1
        with _alone(run.forward) if run.world.size > 1 and not is_last else nullcontext():
            outputs = _forward(run, part, experiment)
            loss = loss_of(outputs, part_targets)
            if run.teacher is not None:
                taught = _taught(run.teacher, part, experiment)
                loss = torch.lerp(loss, loss_of(outputs, taught), experiment.train.teacher_share)
            loss = loss * (len(part) / len(batch.inputs))
            run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total


def _alone(forward: nn.Module) -> torch.autograd.graph.saved_tensors_hooks:
    """Keep gradients on this rank: they are summed over the ranks with the last part."""
    return forward.no_sync()  # type: ignore[operator,no-any-return]


def _taught(teacher: Teacher, inputs: Tensor, experiment: Experiment) -> Mapping[str, Tensor]:
    """Return the teacher's answers for the inputs of a batch, as targets."""
    half = _HALF.get(experiment.train.precision)
    with torch.autocast(inputs.device.type, dtype=half, enabled=half is not None):
        return teacher.targets(inputs, channels_last=experiment.run.channels_last)


def _forward(run: Run, inputs: Tensor, experiment: Experiment) -> TensorOutputs:
    """Return the outputs of the network for the inputs of a batch, in float32."""
    images = normalised(inputs, run.spec, channels_last=experiment.run.channels_last)
    half = _HALF.get(experiment.train.precision)
    with torch.autocast(inputs.device.type, dtype=half, enabled=half is not None):
        outputs: TensorOutputs = run.forward(images)
    if isinstance(outputs, tuple):
        return tuple(output.float() for output in outputs)
    return outputs.float()


def save_batch(batch: Batch, folder: Path, *, names: Sequence[str], run: Run) -> str:
    """Save this rank's share of a batch for inspection; return where, or why not.

    names: of its samples.
    """
    file = folder / f"bad_batch{run.world.rank or ''}.safetensors"
    header = {"names": json.dumps(list(names)), "step": str(run.position.step)}
    try:
        save_file({"inputs": batch.inputs, **batch.targets}, file, header)
    except (OSError, SafetensorError) as error:
        return f"the batch could not be saved ({one_line(error)})"
    return f"the batch is in {file}"


def _step(run: Run, clip_norm: float | None) -> None:
    """Clip the gradients if asked, update the weights and their EMA."""
    if clip_norm is not None:
        run.scaler.unscale_(run.optimizer)
        nn.utils.clip_grad_norm_(run.network.parameters(), clip_norm)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    if run.average is not None:
        run.average.update_parameters(run.network)
