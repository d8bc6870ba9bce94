"""Train a network of one experiment, in one process or in several.

    experiment -> data, network --(batch: forward, loss, backward, update)*--> checkpoints

No step depends on anything but the settings, the state of the `Run` and the step's number. So a run
that was stopped at any moment goes on from its last saved state to the same weights, bit by bit.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from PIL import Image

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.evaluation import main_metric
from hrnet.files import atomic_path, exclusive, exists, is_file, is_folder, make_writable_folder
from hrnet.run_folder import BEST, ENVIRONMENT, EXPERIMENT, LAST, LOG, PICTURES, STATE
from hrnet.training.distributed import World, joined
from hrnet.training.journal import Clock, Journal, Row, TensorBoard, keep_rows, writing
from hrnet.training.loader import Batch, ending_workers
from hrnet.training.optim import set_training
from hrnet.training.prepare import Job, prepare, write_settings
from hrnet.training.state import load_state, save_state
from hrnet.training.step import run_lr, update
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
    Under torchrun every process calls this; the first one writes and speaks.
    Raises InputError for data or a folder that cannot be used, and where the loss stops being a
    number.
    """
    if not isinstance(experiment, Experiment):
        raise InputError(
            f"expected an Experiment, got {type(experiment).__name__}; get one by "
            "hrnet.get_recipe(NAME) or Experiment.from_json(TEXT)"
        )
    folder = Path(out)
    if not resume:
        expect_no_run(folder)
    with joined(experiment.run.device) as world:
        _train_in(world, experiment, folder, resume, say if world.is_main else _silent)
    usable = [folder / name for name in (BEST, LAST) if is_file(folder / name)]
    return usable[0] if usable else None


def _train_in(
    world: World, experiment: Experiment, folder: Path, resume: bool, say: Callable[[str], None]
) -> None:
    """Train as one of the processes. What holds on to the others is gone when this returns."""
    goes_on = exists(folder / STATE)
    job = prepare(experiment, folder, world, goes_on=goes_on)
    with _claimed(job), ending_workers(job.loader):
        if goes_on:
            load_state(folder / STATE, job.run)
        _announce(job, resume, say)
        if job.run.position.epoch < experiment.train.epochs:
            with _journal(job) as journal, stop_request(_aloud(journal)) as request:
                _train_epochs(job, journal, request)
            if job.run.position.epoch and job.run.position.best is not None:
                say(_best(job))


def _silent(line: str) -> None:
    """Print nothing, in processes other than the first."""


def _aloud(journal: Journal | None) -> Callable[[str], None]:
    return journal.say if journal else _silent


def _announce(job: Job, resume: bool, say: Callable[[str], None]) -> None:
    """Say where a resumed run goes on, or that there is nothing left to do."""
    position, epochs = job.run.position, job.experiment.train.epochs
    for dataset in [job.dataset, *([job.validation] if job.validation else [])]:
        for note in dataset.notes:
            say(f"note: {dataset.path.name}: {note}")
    if not job.validation:
        say("no validation data: nothing is measured, and the last weights are the result")
    if not job.spec.skeleton.flip_pairs and job.experiment.augmentation.flip:
        say(
            "NO MIRRORING: no left and right keypoints are known, so pictures are not flipped; "
            "`hrnet data check` shows how to name the pairs"
        )
    if not resume:
        return
    if position.epoch >= epochs:
        say(
            f"nothing left to do: {job.folder} has done {epochs} of {epochs} epochs; "
            "--set train.epochs=N with a larger N trains on"
        )
    elif position.step:
        say(f"going on at step {position.step}, in epoch {position.epoch + 1} of {epochs}")
    else:
        say(f"{job.folder} holds no saved state yet; starting from the beginning")


def _best(job: Job) -> str:
    position = job.run.position
    if not position.best_epoch:
        return (
            f"no epoch was better than the weights it started from with {position.best:.4f}, which "
            f"{BEST} holds; {LAST} is of the last epoch; a smaller train.lr may help"
        )
    if position.epoch == 1:
        return f"the only epoch reached {position.best:.4f} ({BEST})"
    return (
        f"the best of {position.epoch} epochs was epoch {position.best_epoch} with "
        f"{position.best:.4f} ({BEST}); {LAST} is of the last one"
    )


def expect_no_run(folder: Path) -> None:
    """Raise InputError where a folder already holds a run or other things, so nothing is lost."""
    held = [name for name in (LAST, BEST, STATE, LOG) if exists(folder / name)]
    if held:
        raise InputError(
            f"{folder} already holds a run ({held[0]}); go on with it by "
            f"`hrnet train --resume {folder}`, or name a new folder for --out"
        )
    known = {"data", EXPERIMENT, ENVIRONMENT, ".lock"}  # of a run that has not begun
    try:
        others = sorted({p.name for p in folder.iterdir()} - known) if is_folder(folder) else []
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be read: {error.strerror}; name a new folder for --out"
        ) from None
    others = [name for name in others if not _is_leftover(name)]
    if others:
        raise InputError(f"{folder} holds other things ({others[0]}); name a new folder for --out")


def _is_leftover(name: str) -> bool:
    """Return True for a temporary file, of a process that was killed while it wrote."""
    return name.startswith(".") and name.endswith(".tmp")


def _remove_leftovers(folder: Path) -> None:
    for place in (folder, folder / PICTURES, folder / "data"):
        for leftover in place.glob(".*.tmp"):
            with suppress(OSError):
                leftover.unlink()


@contextmanager
def _claimed(job: Job) -> Iterator[None]:
    """Keep other trainings out of the run folder for the block; the first process does."""
    if not job.world.is_main:
        yield
        return

    def refuse() -> None:
        raise InputError(f"{job.folder} is in use by another training; wait for it or stop it")

    make_writable_folder(job.folder)
    with ExitStack() as held:
        with writing(job.folder / ".lock"):
            held.enter_context(exclusive(job.folder / ".lock", refuse))
        _remove_leftovers(job.folder)
        yield


@contextmanager
def _journal(job: Job) -> Iterator[Journal | None]:
    """The journal of the main process, cut to the rows of the state; None in the others."""
    if not job.world.is_main:
        yield None
        return
    step = job.run.position.step
    write_settings(job)
    job.run.position.rows = keep_rows(job.folder, job.run.position.rows)
    sinks = [TensorBoard(job.folder, step=step)] if job.experiment.run.tensorboard else []
    with Journal(job.folder, sinks, total_steps=job.total_steps, step=step) as journal:
        yield journal


def _train_epochs(job: Job, journal: Journal | None, request: StopRequest) -> None:
    """Train from the run's position to the last epoch, or until a stop is asked for."""
    position, config = job.run.position, job.experiment.train
    if job.validation and _is_start(job):
        figures = validate(job.run, job.spec, job.validation, job.world)
        if journal:
            _note_start(job, journal, figures)
    while position.epoch < config.epochs:
        row = _train_epoch(job, journal, request)
        if row is None:
            _stop(job, journal, request)
            return
        if job.validation and _is_due(job):
            row.update(validate(job.run, job.spec, job.validation, job.world))
        if journal:
            _finish_epoch(job, journal, row)
        position.next_epoch()
        if journal:
            save_state(job.folder / STATE, job.run)


def _note_start(job: Job, journal: Journal, figures: dict[str, float]) -> None:
    """Keep what the weights that the training starts from reach: a training may make them worse."""
    name, score = main_metric(figures)
    save_checkpoint(job.folder / BEST, job.run.weights(), job.spec, job.experiment.to_json())
    job.run.position.best = score
    _add_row(job, journal, {"kind": "start", "step": 0, "epoch": 0, **figures})
    journal.say(f"before training  {name} {score:.4f}")


def _is_start(job: Job) -> bool:
    """Return True where the start weights are to be measured before the first update."""
    config, position = job.experiment.train, job.run.position
    unmeasured = not position.step and position.best is None
    return bool(config.init) and config.init_head and unmeasured


def _is_due(job: Job) -> bool:
    """Return True where the weights are evaluated after this epoch: at intervals and at the end."""
    config, epoch = job.experiment.train, job.run.position.epoch
    return (epoch + 1) % config.evaluate_every == 0 or epoch == config.epochs - 1


def _stop(job: Job, journal: Journal | None, request: StopRequest) -> None:
    """Save the state and print how to go on."""
    if journal:
        save_state(job.folder / STATE, job.run)
        journal.say(
            f"stopped at step {job.run.position.step} by {request.name or 'another process'}; "
            f"go on with `hrnet train --resume {job.folder}`"
        )


def _finish_epoch(job: Job, journal: Journal, row: Row) -> None:
    """Save the weights and the row; the state that counts them as done comes last."""
    run, position = job.run, job.run.position
    save_checkpoint(job.folder / LAST, run.weights(), job.spec, job.experiment.to_json())
    if job.validation and "AP" in row:
        _, score = main_metric(_numbers(row))
        if position.best is None or score > position.best:
            position.best, position.best_epoch = score, position.epoch + 1
            with atomic_path(job.folder / BEST) as file:
                shutil.copyfile(job.folder / LAST, file)
        _draw(job, journal)
    _add_row(job, journal, row)
    journal.say(_describe(row))


def _draw(job: Job, journal: Journal) -> None:
    """Draw some validation pictures, for the event files and into RUN/pictures."""
    assert job.validation is not None
    folder = job.folder / PICTURES
    make_writable_folder(folder)
    for name, picture in draw_validation(job.run, job.spec, job.validation, job.world).items():
        journal.picture(name, picture, job.run.position.step)
        with atomic_path(folder / f"{name}.jpg") as file:
            Image.fromarray(picture).save(file, format="JPEG", quality=90)


def _add_row(job: Job, journal: Journal, row: Row) -> None:
    journal.add(row)
    job.run.position.rows += 1


def _train_epoch(job: Job, journal: Journal | None, request: StopRequest) -> Row | None:
    """The rest of an epoch; returns its row for the log, or None where it was stopped."""
    config, position = job.experiment.run, job.run.position
    job.batches.epoch, job.batches.start = position.epoch, position.batch
    set_training(job.run.network)
    clock, saved = Clock(), time.monotonic()
    for batch in _loaded(job, clock):
        loss, stopped = update(job, batch, stop=bool(request.name))
        clock.samples += len(batch.crops) * job.world.size
        if journal:
            _show(job, journal, clock)
            if position.step % config.log_every == 0:
                _add_row(job, journal, {**_row(job, "step", loss), **clock.lap()})
            if not stopped and time.monotonic() - saved > 60 * config.checkpoint_minutes:
                save_state(job.folder / STATE, job.run)
                saved = time.monotonic()
        if stopped:
            return None
    row = _row(job, "epoch", position.loss_sum / max(1, position.samples))
    row.update(clock.figures())
    row["skipped"] = position.skipped
    return row


def _loaded(job: Job, clock: Clock) -> Iterator[Batch]:
    """The batches that are left of the epoch; an error in one, or a dead worker, ends the run."""
    try:
        for batch in clock.waiting(job.loader):
            if isinstance(batch, InputError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        if job.world.is_main:
            save_state(job.folder / STATE, job.run)
        raise InputError(
            "a process that prepares samples died, perhaps for want of memory; the state is saved, "
            f"go on with `hrnet train --resume {job.folder} --set run.cache_images=false`"
        ) from error


def _row(job: Job, kind: str, loss: float) -> Row:
    position = job.run.position
    return {
        "kind": kind,
        "step": position.step,
        "epoch": position.epoch + 1,
        "loss": loss,
        "lr": run_lr(job),
    }


def _show(job: Job, journal: Journal, clock: Clock) -> None:
    position, figures = job.run.position, clock.figures()
    best = f"  best {position.best:.4f}" if position.best is not None else ""
    journal.show(
        position.step,
        f"epoch {position.epoch + 1}/{job.experiment.train.epochs}",
        f"loss {position.loss_sum / position.samples:.5f}{best}  "
        f"{figures['images_per_s']:.1f} images/s  waits {figures['data_wait']:.0%}  "
        f"{figures['memory_mb']:.0f} MB",
    )


def _describe(row: Row) -> str:
    """One line on the terminal; the whole row is in log.jsonl."""
    line = f"epoch {row['epoch']}  loss {row['loss']:.5f}  {row['images_per_s']:.0f} images/s"
    skipped = f"  {row['skipped']} broken pictures skipped" if row["skipped"] else ""
    if "AP" not in row:
        return line + skipped
    name, score = main_metric(_numbers(row))
    return f"{line}  {name} {score:.4f}{skipped}"


def _numbers(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.items() if not isinstance(value, str)}
