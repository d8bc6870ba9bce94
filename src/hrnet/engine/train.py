"""Train a network of one experiment in one process.

What comes later has its place here: several processes wrap the network and the sampler in `train`,
and a resumed run would restore what `Run` holds.
"""

import json
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn.utils.memory_format import convert_conv2d_weight_memory_format
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from hrnet.config import Experiment, TrainConfig
from hrnet.data.coco import KeypointDataset, read_keypoints
from hrnet.data.loader import Batch, CropDataset, EpochSampler, Item, make_loader
from hrnet.engine.evaluate import evaluate_engine, expect_files
from hrnet.engine.optim import make_optimizer, make_scheduler
from hrnet.engine.torch_engine import TorchEngine
from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path, make_writable_folder
from hrnet.losses import LOSSES
from hrnet.spec import PoseSpec
from hrnet.weights.catalog import BEST, LAST
from hrnet.weights.checkpoint import build_network, save_checkpoint, with_activation
from hrnet.weights.load import load_weights

Row = dict[str, float]
"""One line of log.jsonl."""


@dataclass(slots=True)
class Run:
    """What changes while a run goes on."""

    network: nn.Module
    average: AveragedModel | None
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LambdaLR
    device: torch.device

    def weights(self) -> dict[str, Tensor]:
        """The weights to evaluate and save: the moving average where there is one."""
        return self.smoothed().state_dict()

    def smoothed(self) -> nn.Module:
        """The network with the averaged weights, or the trained one where none is kept."""
        return self.average.module if self.average is not None else self.network


def make_spec(experiment: Experiment, dataset: KeypointDataset) -> PoseSpec:
    """Describe the model that an experiment trains."""
    model = experiment.model
    return PoseSpec(
        variant=model.variant,
        name=experiment.name,
        input_size=model.input_size,
        codec=model.codec,
        sigma=model.sigma,
        activation="softmax" if experiment.train.loss == "cross_entropy" else "none",
        padding=model.padding,
        skeleton=dataset.skeleton,
    )


def train(experiment: Experiment, out: str | Path) -> Path:
    """Train, and return the checkpoint to use: the best one where there is validation data.

    Writes into the folder `out`: experiment.json (give it to `--config` to repeat the run),
    log.jsonl, last.safetensors after every epoch and, with validation data, best.safetensors.
    Raises InputError for data or a folder that cannot be used, and where the loss stops being a
    number.
    """
    folder = Path(out)
    _expect_no_run(folder)
    dataset = read_keypoints(experiment.data.annotations, experiment.data.images)
    validation = _validation(experiment, dataset)
    for one in filter(None, (dataset, validation)):
        expect_files([sample.image_path for sample in one.samples])
    spec = make_spec(experiment, dataset)
    torch.manual_seed(experiment.train.seed)
    loader, sampler = _load_data(experiment, dataset, spec)
    run = _start(experiment, spec, len(loader))
    make_writable_folder(folder)
    with atomic_path(folder / "experiment.json") as file:
        file.write_text(experiment.to_json(), encoding="utf-8")
    best = -math.inf
    with _progress() as progress:
        progress.add_task("", total=experiment.train.epochs * len(loader), note="")
        for epoch in range(experiment.train.epochs):
            sampler.epoch = epoch
            row = _train_epoch(run, experiment, loader, epoch, progress)
            if validation and _is_due(experiment.train, epoch):
                row |= _evaluate(run, spec, validation)
            save_checkpoint(folder / LAST, run.weights(), spec, experiment.to_json())
            if row.get("AP", -math.inf) > best:
                best = row["AP"]
                with atomic_path(folder / BEST) as file:
                    shutil.copyfile(folder / LAST, file)
            _log(folder / "log.jsonl", row)
            progress.console.print(_describe(row))
    return folder / (BEST if validation else LAST)


def _expect_no_run(folder: Path) -> None:
    """Raise InputError where a folder already holds a run, so that nothing is lost."""
    held = [name for name in (LAST, BEST, "log.jsonl") if (folder / name).exists()]
    if held:
        raise InputError(f"{folder} already holds a run ({held[0]}); name a new folder for --out")


def _load_data(
    experiment: Experiment, dataset: KeypointDataset, spec: PoseSpec
) -> tuple[DataLoader[Item | InputError], EpochSampler]:
    config = experiment.train
    sampler = EpochSampler(len(dataset.samples), config.seed)
    crops = CropDataset(
        dataset.samples,
        spec,
        experiment.augmentation,
        seed=config.seed,
        cache=experiment.run.cache_images,
    )
    loader = make_loader(crops, sampler, batch_size=config.batch_size, workers=experiment.run.workers)
    return loader, sampler


def _is_due(config: TrainConfig, epoch: int) -> bool:
    """Whether the weights are evaluated after this epoch: every so often and at the end."""
    return (epoch + 1) % config.evaluate_every == 0 or epoch == config.epochs - 1


def _validation(experiment: Experiment, dataset: KeypointDataset) -> KeypointDataset | None:
    data = experiment.data
    if data.val_annotations is None:
        return None
    validation = read_keypoints(data.val_annotations, data.val_images or data.images)
    if validation.skeleton.names != dataset.skeleton.names:
        raise InputError(
            f"{data.val_annotations} has other keypoints than {data.annotations}; "
            "give validation data with the same names in the same order"
        )
    return validation


def _start(experiment: Experiment, spec: PoseSpec, steps_per_epoch: int) -> Run:
    """Build the network, its average, the optimiser and its schedule."""
    config = experiment.train
    device = pick_device(experiment.run.device)
    network = build_network(spec)
    if config.init is not None:
        load_weights(network, config.init)
    network = network.to(device)
    if experiment.run.channels_last:
        convert_conv2d_weight_memory_format(network, torch.channels_last)
    average = None
    if config.ema:
        decay = get_ema_multi_avg_fn(config.ema)  # type: ignore[no-untyped-call]
        average = AveragedModel(network, multi_avg_fn=decay, use_buffers=True)
    optimizer = make_optimizer(network, config)
    scheduler = make_scheduler(optimizer, config, steps_per_epoch)
    return Run(network, average, optimizer, scheduler, device)


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises InputError where there is no such device.
    """
    if name != "auto":
        try:
            return torch.empty(0, device=name).device
        except (RuntimeError, AssertionError) as error:
            reason = one_line(error)[:120]
            raise InputError(
                f"device {name} cannot be used ({reason}); try train.device=auto"
            ) from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _train_epoch(
    run: Run,
    experiment: Experiment,
    loader: DataLoader[Item | InputError],
    epoch: int,
    progress: Progress,
) -> Row:
    """One pass over the data; returns the row for the log."""
    config = experiment.train
    run.network.train()
    total, count, started = 0.0, 0, time.perf_counter()
    task, name = progress.task_ids[0], f"epoch {epoch + 1}/{config.epochs}"
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        total += _step(run, experiment, batch) * len(batch.images)
        count += len(batch.images)
        rate = count / (time.perf_counter() - started)
        note = f"loss {total / count:.5f}  {rate:.1f} images/s"
        progress.update(task, description=name, advance=1, note=note)
    seconds = time.perf_counter() - started
    return {
        "epoch": epoch + 1,
        "loss": total / count,
        "lr": float(run.scheduler.get_last_lr()[0]),
        "images_per_s": count / seconds,
        "seconds": seconds,
    }


def _step(run: Run, experiment: Experiment, batch: Batch) -> float:
    """One batch: forward, backward, update; returns the loss."""
    config = experiment.train
    memory = torch.channels_last if experiment.run.channels_last else torch.contiguous_format
    images = batch.images.to(run.device, memory_format=memory)
    half = config.precision == "bf16"
    with torch.autocast(run.device.type, dtype=torch.bfloat16, enabled=half):
        heatmaps = run.network(images)
    target, weight = batch.heatmaps.to(run.device), batch.weights.to(run.device)
    loss = LOSSES[config.loss](heatmaps.float(), target, weight)
    if not torch.isfinite(loss):
        raise InputError(
            f"the loss became {loss.item()} at a learning rate of "
            f"{run.scheduler.get_last_lr()[0]:.2g}; lower train.lr or add train.warmup_steps"
        )
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    run.scheduler.step()
    if run.average is not None:
        run.average.update_parameters(run.network)
    return loss.item()


def _evaluate(run: Run, spec: PoseSpec, validation: KeypointDataset) -> dict[str, float]:
    """AP of the weights that will be saved, with ground-truth boxes and no flip test."""
    network = with_activation(run.smoothed(), spec).eval()
    return evaluate_engine(TorchEngine(network, device=str(run.device)), spec, validation)


def _log(path: Path, row: Row) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _describe(row: Row) -> str:
    """One line on the terminal; the whole row is in log.jsonl."""
    line = f"epoch {row['epoch']:.0f}  loss {row['loss']:.5f}  {row['images_per_s']:.0f} images/s"
    return f"{line}  AP {row['AP']:.4f}" if "AP" in row else line


def _progress() -> Progress:
    """A bar over the whole run, with the time left in it."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
