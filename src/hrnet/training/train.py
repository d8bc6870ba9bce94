"""Train a network of one experiment, in one process or in several.

    experiment -> data, network --(batch: forward, loss, backward, update)*--> checkpoints

No step depends on anything but the settings, the state of the `Run` and the step's number. So a run
that was stopped at any moment goes on from its last saved state to the same weights, bit by bit.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from hrnet.config import Experiment, TrainConfig
from hrnet.errors import InputError
from hrnet.evaluation import main_metric
from hrnet.files import atomic_path, exists, is_file, make_writable_folder, write_text
from hrnet.metrics.names import is_better
from hrnet.run_folder import BEST, EXPERIMENT, LAST, PICTURES, STATE
from hrnet.runtime.devices import fast_precision
from hrnet.spec import ModelSpec
from hrnet.tasks import Dataset
from hrnet.training.distributed import process_group
from hrnet.training.environment import write_environment
from hrnet.training.folder import claimed, expect_no_run
from hrnet.training.journal import Clock, Journal, Row, TensorBoard, keep_rows
from hrnet.training.loader import Batch, DeadWorkerError, loaded
from hrnet.training.optim import lr_at, set_training
from hrnet.training.prepare import TrainingData, prepare
from hrnet.training.run import Position, Run, start
from hrnet.training.state import load_state, save_state
from hrnet.training.step import NotFiniteError, save_batch, update
from hrnet.training.stop import StopRequest, stop_request
from hrnet.training.validate import draw_validation, validate
from hrnet.weights.checkpoint import save_checkpoint


def train(
    experiment: Experiment,
    out: str | Path,
    *,
    resume: bool = False,
    say: Callable[[str], None] = print,
) -> Path | None:
    """Train, and return the checkpoint to use: the best one where there is validation data.

    Writes into the folder `out`: experiment.json (give it to `--config` to repeat the run),
    environment.json, log.jsonl, state.safetensors (all that is needed to go on), last.safetensors
    after every epoch, best.safetensors with validation data, and event files for TensorBoard.
    resume: go on with the run in `out`. SIGTERM and Ctrl-C end a run after the current step, with
    its state saved; the result is then None if there is no checkpoint to use yet.
    Under torchrun every process calls this; rank 0 writes and prints.
    Raises InputError for data or a folder that cannot be used, and where the loss stops being a
    number.
    """
    if not isinstance(experiment, Experiment):
        raise InputError(
            f"expected an Experiment, got {type(experiment).__name__}; get one by "
            "hrnet.get_recipe(NAME) or hrnet.read_experiment(FILE)"
        )
    folder = Path(out)
    if not resume:
        expect_no_run(folder)
    with process_group(experiment.run.device) as world:
        say = say if world.is_main else lambda line: None  # only rank 0 prints
        experiment = settled(experiment, world.device)
        # Read the data and build the network, before anything is written.
        data = prepare(experiment, world)
        restores = exists(folder / STATE)
        run = start(experiment, data.spec, world=world, needs_init=not restores)
        # Train in the folder, from a saved state where there is one.
        with claimed(folder) if world.is_main else nullcontext():
            if restores:
                load_state(folder / STATE, run)
            progress = [_progress(experiment, run.position, folder)] if resume else []
            start_notes = [f"note: train.init: {note}" for note in run.notes]
            for line in [*_notes(experiment, data), *start_notes, *progress]:
                say(line)
            if run.position.epoch < experiment.train.epochs:
                _train_epochs(experiment, run, data=data, folder=folder)
                if run.position.epoch and run.position.best is not None:
                    say(_best(run.position))
        del data, run  # they hold on to the process group, which ends here
    usable = [folder / name for name in (BEST, LAST) if is_file(folder / name)]
    return usable[0] if usable else None


def settled(experiment: Experiment, device: torch.device) -> Experiment:
    """Return the experiment with the precision that "auto" is on a device."""
    if experiment.train.precision != "auto":
        return experiment
    train = experiment.train.model_copy(update={"precision": fast_precision(device)})
    return experiment.model_copy(update={"train": train})


def _notes(experiment: Experiment, data: TrainingData) -> Iterator[str]:
    """Describe what was left out of the data, and what is switched off."""
    for dataset in data.datasets.values():
        for note in dataset.notes:
            yield f"note: {dataset.path.name}: {note}"
    if not data.validation:
        yield "no validation data: there is no evaluation, and the last weights are the result"
    yield from experiment.notes(data.spec)


def _progress(experiment: Experiment, position: Position, folder: Path) -> str:
    """Describe where a resumed run goes on, or that it has ended."""
    epochs = experiment.train.epochs
    if position.epoch >= epochs:
        return (
            f"nothing left to do: {folder} has done {epochs} of {epochs} epochs; "
            "--set train.epochs=N with a larger N trains on"
        )
    if position.step:
        return f"going on at step {position.step}, in epoch {position.epoch + 1} of {epochs}"
    return f"{folder} holds no saved state yet; starting from the beginning"


def _best(position: Position) -> str:
    if not position.best_epoch:
        return (
            f"no evaluated epoch was better than the start weights with {position.best:.4f}, which "
            f"{BEST} holds; {LAST} is of the last epoch; a smaller train.lr may help"
        )
    if position.epoch == 1:
        return f"the only epoch reached {position.best:.4f} ({BEST})"
    return (
        f"of the evaluated epochs the best was epoch {position.best_epoch} of {position.epoch} "
        f"with {position.best:.4f} ({BEST}); {LAST} is of the last one"
    )


def _open_journal(experiment: Experiment, run: Run, *, data: TrainingData, folder: Path) -> Journal:
    """Open the log on rank 0, truncated to the saved state; write the settings beside it."""
    position, world = run.position, run.world
    sinks = []
    if world.is_main:
        write_text(folder / EXPERIMENT, experiment.to_json())
        if not position.step:
            write_environment(folder, world, data.datasets)
        position.rows = keep_rows(folder, position.rows)
        sinks = [TensorBoard(folder, step=position.step)] if experiment.run.tensorboard else []
    return Journal(
        folder,
        sinks,
        total_steps=experiment.train.epochs * len(data.batches),
        step=position.step,
        is_main=world.is_main,
    )


def _train_epochs(experiment: Experiment, run: Run, *, data: TrainingData, folder: Path) -> None:
    """Train from the run's position to the last epoch, or until a stop is asked for."""
    position, config, is_main = run.position, experiment.train, run.world.is_main
    # One loader for all epochs: its workers fetch batches of the next one during an evaluation.
    data.batches.epoch, data.batches.start = position.epoch, position.batch
    data.batches.stop = config.epochs
    with (
        _open_journal(experiment, run, data=data, folder=folder) as journal,
        stop_request(journal.say) as request,
        closing(loaded(data.loader)) as batches,
    ):
        if data.validation and _is_start(config, position):
            metrics, spec = validate(run, data.validation)
            if is_main:
                _save_start(experiment, run, spec, journal=journal, metrics=metrics)
        while position.epoch < config.epochs:
            # The updates that are left of the epoch; None where a stop was asked for.
            row = _train_epoch(experiment, run, data, batches, journal, request)
            if row is None:
                return
            # Evaluate on all ranks.
            metrics, spec = {}, run.spec.unfitted()
            if data.validation and _is_due(config, position):
                metrics, spec = validate(run, data.validation)
            # Write on rank 0; the state comes last, since it counts the epoch as done.
            if is_main:
                _save_epoch(experiment, run, spec, journal=journal, row=row, metrics=metrics)
                if data.validation and metrics:
                    _draw(run, data.validation, journal)
            position.next_epoch()
            if is_main:
                save_state(folder / STATE, run)


def _is_start(config: TrainConfig, position: Position) -> bool:
    """Return True before the first update of pretrained weights with a head that fits."""
    unmeasured = not position.step and position.best is None
    return bool(config.init) and config.init_head and unmeasured


def _is_due(config: TrainConfig, position: Position) -> bool:
    """Return True where the weights are evaluated after this epoch: at intervals and at the end."""
    epoch = position.epoch
    return (epoch + 1) % config.evaluate_every == 0 or epoch == config.epochs - 1


def _train_epoch(
    experiment: Experiment,
    run: Run,
    data: TrainingData,
    batches: Iterator[Batch],
    journal: Journal,
    request: StopRequest,
) -> Row | None:
    """Train on the rest of an epoch; return its row for the log, or None where it was stopped."""
    config, position, steps = experiment.run, run.position, len(data.batches)
    state, is_main = journal.folder / STATE, run.world.is_main
    set_training(run.network, freeze_norms=experiment.train.freeze_norms)
    clock, saved = Clock(), time.monotonic()
    try:
        for batch in clock.waiting(islice(batches, steps - position.batch)):
            # One update on all ranks.
            lr = lr_at(experiment.train, position.step, steps_per_epoch=steps)
            try:
                loss, stopped = update(
                    run, batch, experiment=experiment, lr=lr, stop=bool(request.name)
                )
            except NotFiniteError as error:
                numbers = data.batches.samples_of(position.epoch, position.batch)
                names = [data.training.samples[number].name for number in numbers]
                kept = save_batch(batch, journal.folder, names=names, run=run)
                raise InputError(
                    f"the loss became {error.loss} at step {position.step} and a learning rate of "
                    f"{lr:.2g}; {kept}, lower train.lr or add train.warmup_steps"
                ) from None
            clock.samples += len(batch.inputs) * run.world.size
            # Bar, log and state, each at its interval; the log has the row of a last step too.
            _show(position, experiment.train.epochs, journal=journal, clock=clock)
            if is_main and position.step % config.log_every == 0:
                _add_row(position, journal, {**_row("step", position, loss, lr), **clock.lap()})
            if stopped:
                _stop(run, journal, request)
                return None
            if is_main and time.monotonic() - saved > 60 * config.checkpoint_minutes:
                save_state(state, run)
                saved = time.monotonic()
    except DeadWorkerError as error:
        if is_main:
            save_state(state, run)
        raise InputError(
            "a process that prepares samples died, perhaps for want of memory; the state is saved, "
            f"go on with `hrnet train --resume {journal.folder} --set run.cache_images=false`"
        ) from error
    # loss of the epoch = sum over updates of loss * samples / all samples
    mean = position.loss_sum / max(1, position.samples)
    lr = lr_at(experiment.train, max(0, position.step - 1), steps_per_epoch=steps)
    row = _row("epoch", position, mean, lr)
    return {**row, **clock.rates(), "skipped": position.skipped}


def _row(kind: str, position: Position, loss: float, lr: float) -> Row:
    step, epoch = position.step, position.epoch + 1
    return {"kind": kind, "step": step, "epoch": epoch, "loss": loss, "lr": lr}


def _show(position: Position, epochs: int, *, journal: Journal, clock: Clock) -> None:
    """Move the bar, with the mean loss of the epoch so far and the speed."""
    rates = clock.rates()
    best = f"  best {position.best:.4f}" if position.best is not None else ""
    journal.show(
        position.step,
        f"epoch {position.epoch + 1}/{epochs}",
        f"loss {position.loss_sum / position.samples:.5f}{best}  "
        f"{rates['images_per_s']:.1f} images/s  waits {rates['data_wait']:.0%}  "
        f"{rates['memory_mb']:.0f} MB",
    )


def _stop(run: Run, journal: Journal, request: StopRequest) -> None:
    """Save the state and print how to go on."""
    if run.world.is_main:
        save_state(journal.folder / STATE, run)
    journal.say(
        f"stopped at step {run.position.step} by {request.name or 'another process'}; "
        f"go on with `hrnet train --resume {journal.folder}`"
    )


def _save_start(
    experiment: Experiment,
    run: Run,
    spec: ModelSpec,
    *,
    journal: Journal,
    metrics: dict[str, float],
) -> None:
    """Keep the weights that the training starts from as the best: it may make them worse."""
    name, value = main_metric(metrics)
    save_checkpoint(journal.folder / BEST, run.weights(), spec, experiment.to_json())
    run.position.best, run.position.best_name = value, name
    _add_row(run.position, journal, {"kind": "start", "step": 0, "epoch": 0, **metrics})
    journal.say(f"before training  {name} {value:.4f}")


def _save_epoch(
    experiment: Experiment,
    run: Run,
    spec: ModelSpec,
    *,
    journal: Journal,
    row: Row,
    metrics: dict[str, float],
) -> None:
    """Save the weights, as the best ones too where the main metric rose, and the row."""
    folder, position = journal.folder, run.position
    save_checkpoint(folder / LAST, run.weights(), spec, experiment.to_json())
    line = f"epoch {row['epoch']}  loss {row['loss']:.5f}  {row['images_per_s']:.0f} images/s"
    if metrics:
        name, value = main_metric(metrics)
        line += f"  {name} {value:.4f}"
        # A resumed run may be measured by another metric, whose values begin anew.
        is_other = position.best_name not in ("", name)
        if position.best is None or is_other or is_better(name, value, position.best):
            position.best, position.best_name = value, name
            position.best_epoch = position.epoch + 1
            with atomic_path(folder / BEST) as file:
                shutil.copyfile(folder / LAST, file)
    if row["skipped"]:
        line += f"  {row['skipped']} broken pictures skipped"
    _add_row(position, journal, {**row, **metrics})
    journal.say(line)


def _draw(run: Run, validation: Dataset, journal: Journal) -> None:
    """Draw some validation pictures, for the event files and into RUN/pictures."""
    folder = journal.folder / PICTURES
    make_writable_folder(folder)
    for name, picture in draw_validation(run, validation).items():
        journal.picture(name, picture, run.position.step)
        with atomic_path(folder / f"{name}.jpg") as file:
            Image.fromarray(picture).save(file, format="JPEG", quality=90)


def _add_row(position: Position, journal: Journal, row: Row) -> None:
    journal.add(row)
    position.rows += 1
