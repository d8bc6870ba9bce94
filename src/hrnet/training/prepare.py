"""Read the data of a training and build its network; write its settings down."""

from dataclasses import dataclass
from pathlib import Path

from torch.utils.data import DataLoader

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.evaluation import expect_files
from hrnet.files import write_text
from hrnet.run_folder import EXPERIMENT
from hrnet.spec import NetworkSpec
from hrnet.tasks import DataSource
from hrnet.tasks.pose.dataset import PoseDataset, read_dataset
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.training.distributed import World
from hrnet.training.environment import environment, write_environment
from hrnet.training.loader import Batch, CropDataset, EpochBatches, make_loader
from hrnet.training.run import Run, start


@dataclass(frozen=True, slots=True)
class Job:
    """All that one training works with; what changes is in `run`."""

    experiment: Experiment
    folder: Path
    world: World
    spec: PoseSpec
    dataset: PoseDataset
    validation: PoseDataset | None
    batches: EpochBatches
    loader: DataLoader[Batch | InputError]
    run: Run

    @property
    def total_steps(self) -> int:
        return self.experiment.train.epochs * len(self.batches)


def make_spec(experiment: Experiment, dataset: PoseDataset) -> PoseSpec:
    """Describe the model that an experiment trains."""
    model = experiment.model
    return PoseSpec(
        name=experiment.name,
        input_size=model.input_size,
        codec=model.codec,
        sigma=model.sigma,
        activation="softmax" if experiment.train.loss == "cross_entropy" else "none",
        network=NetworkSpec(
            variant=model.variant,
            task="pose",
            num_outputs=dataset.keypoints.skeleton.num_keypoints,
            **model.options.model_dump(),
        ),
        padding=model.padding,
        skeleton=dataset.keypoints.skeleton,
    )


def prepare(experiment: Experiment, folder: Path, world: World, *, goes_on: bool = False) -> Job:
    """Read the data and build the network; nothing is written.

    goes_on: the weights will come from a saved state, so `train.init` need not be there any more.
    """
    config = experiment.train
    expect_equal_shares(experiment, world)
    if config.precision == "fp16" and world.device.type == "cpu":
        raise InputError("train.precision=fp16 needs a GPU; on a CPU take bf16 or float32")
    data = experiment.data
    dataset = read_dataset(DataSource(data.annotations, data.images, category=data.category))
    validation = _read_validation(experiment, dataset)
    if experiment.run.broken_images == "error":
        expect_files([sample.image_path for sample in dataset.samples])
    if validation:
        expect_files([sample.image_path for sample in validation.samples])
    spec = make_spec(experiment, dataset)
    count = len(dataset.samples)
    batches = EpochBatches(
        count, config.batch_size, seed=config.seed, rank=world.rank, size=world.size
    )
    loader = _load_data(experiment, dataset, spec, batches, world)
    run = start(experiment, spec, world, goes_on=goes_on)
    return Job(experiment, folder, world, spec, dataset, validation, batches, loader, run)


def write_settings(job: Job) -> None:
    """Write experiment.json, and environment.json where the run begins."""
    write_text(job.folder / EXPERIMENT, job.experiment.to_json())
    if not job.run.position.step:
        data = {"training": job.dataset} | (
            {"validation": job.validation} if job.validation else {}
        )
        write_environment(job.folder, environment(job.world, data))


def expect_equal_shares(experiment: Experiment, world: World) -> None:
    """Raise InputError where a batch cannot be shared equally by all processes and parts."""
    size, parts = experiment.train.batch_size, experiment.train.accumulate
    if size % (world.size * parts):
        raise InputError(
            f"expected train.batch_size to be a multiple of {world.size} processes x {parts} "
            f"parts, got {size}; it is the samples of one update, over all of them"
        )


def _read_validation(experiment: Experiment, dataset: PoseDataset) -> PoseDataset | None:
    data = experiment.data
    if data.val_annotations is None:
        return None
    validation = read_dataset(
        DataSource(data.val_annotations, data.val_images or data.images, category=data.category)
    )
    if validation.keypoints.skeleton.names != dataset.keypoints.skeleton.names:
        raise InputError(
            f"{data.val_annotations} has other keypoints than {data.annotations}; "
            "give validation data with the same names in the same order"
        )
    return validation


def _load_data(
    experiment: Experiment,
    dataset: PoseDataset,
    spec: PoseSpec,
    batches: EpochBatches,
    world: World,
) -> DataLoader[Batch | InputError]:
    crops = CropDataset(
        dataset.samples,
        spec,
        experiment.augmentation,
        seed=experiment.train.seed,
        cache=experiment.run.cache_images,
    )
    return make_loader(
        crops,
        batches,
        workers=experiment.run.workers,
        skip_broken=experiment.run.broken_images == "skip",
        pin_memory=world.device.type == "cuda",
    )
