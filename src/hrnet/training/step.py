"""One update of a network: forward, loss, backward, step."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from hrnet.errors import InputError, one_line
from hrnet.losses import LOSSES
from hrnet.training.loader import Batch, normalised
from hrnet.training.optim import lr_at, set_lr
from hrnet.training.prepare import Job

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def update(job: Job, batch: Batch, *, stop: bool) -> tuple[float, bool]:
    """Train on one batch and move the run's position past it.

    stop: whether this process is asked to stop. Returns the mean loss of the whole update and
    whether any process is asked to stop.
    Raises InputError, before the weights change, where the loss is not a finite number.
    """
    run, position = job.run, job.run.position
    _seed(job)
    set_lr(run.optimizer, lr_at(job.experiment.train, position.step, len(job.batches)))
    run.optimizer.zero_grad(set_to_none=True)
    with _memory(position.step):
        own = _backward(job, batch)
    loss, stopped = job.world.mean(torch.tensor([own, float(stop)], dtype=torch.float64)).tolist()
    if not np.isfinite(loss):
        raise _not_finite(job, batch, own)
    _apply(job)
    samples = len(batch.crops) * job.world.size
    position.batch += 1
    position.step += 1
    position.loss_sum += loss * samples
    position.samples += samples
    position.skipped += batch.skipped
    return loss, stopped > 0


@contextmanager
def _memory(step: int) -> Iterator[None]:
    """Turn a want of memory into one line; torch has no one type for it on all devices."""
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in ("out of memory", "can't allocate memory")):
            raise
        raise InputError(
            f"the memory does not suffice for step {step}; take a smaller train.batch_size or a "
            "larger train.accumulate, and on a GPU train.precision=bf16"
        ) from None


def _seed(job: Job) -> None:
    """Make all that the network draws in this step follow from the seed, the step and the rank."""
    key = [job.experiment.train.seed, job.run.position.step, job.world.rank]
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def _backward(job: Job, batch: Batch) -> float:
    """Add up the gradients of a batch's parts; returns the mean loss of this process's share."""
    config, device = job.experiment.train, job.world.device
    arrays = (batch.crops, batch.heatmaps, batch.weights)
    chunks = (array.to(device, non_blocking=True).chunk(config.accumulate) for array in arrays)
    parts = list(zip(*chunks, strict=True))
    total = 0.0
    for number, (crops, heatmaps, weights) in enumerate(parts, 1):
        last = number == len(parts)
        with _alone(job.run.forward) if job.world.size > 1 and not last else nullcontext():
            loss = _loss(job, crops, heatmaps, weights) * (len(crops) / len(batch.crops))
            job.run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total


def _alone(forward: nn.Module) -> torch.autograd.graph.saved_tensors_hooks:
    """Keep gradients in this process: they are added up over processes with the last part."""
    return forward.no_sync()  # type: ignore[operator,no-any-return]


def _loss(job: Job, crops: Tensor, heatmaps: Tensor, weights: Tensor) -> Tensor:
    config = job.experiment.train
    images = normalised(crops, job.spec, channels_last=job.experiment.run.channels_last)
    half = _HALF.get(config.precision)
    with torch.autocast(crops.device.type, dtype=half, enabled=half is not None):
        prediction = job.run.forward(images)
    return LOSSES[config.loss](prediction.float(), heatmaps, weights)


def _apply(job: Job) -> None:
    """Clip the gradients if asked, update the weights and move their average."""
    run, clip = job.run, job.experiment.train.clip_norm
    if clip is not None:
        run.scaler.unscale_(run.optimizer)
        nn.utils.clip_grad_norm_(run.network.parameters(), clip)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    if run.average is not None:
        run.average.update_parameters(run.network)


def _not_finite(job: Job, batch: Batch, own: float) -> InputError:
    """Save the batch that this process was at, for inspection, and return the error."""
    position, world = job.run.position, job.world
    file = job.folder / f"bad_batch{world.rank or ''}.safetensors"
    samples = job.batches.samples_of(position.batch)
    header = {
        "samples": str(samples),
        "annotation_ids": str([job.dataset.samples[i].annotation_id for i in samples]),
        "step": str(position.step),
        "loss": str(own),
    }
    tensors = {"crops": batch.crops, "heatmaps": batch.heatmaps, "weights": batch.weights}
    try:
        save_file(tensors, file, header)
        kept = f"the batch is in {file}"
    except (OSError, SafetensorError) as error:
        kept = f"the batch could not be saved ({one_line(error)})"
    lr = run_lr(job)
    return InputError(
        f"the loss became {own} at step {position.step} and a learning rate of {lr:.2g}; {kept}, "
        "lower train.lr or add train.warmup_steps"
    )


def run_lr(job: Job) -> float:
    """The learning rate of the run's last update, of groups without a factor."""
    step = max(0, job.run.position.step - 1)
    return lr_at(job.experiment.train, step, len(job.batches))
