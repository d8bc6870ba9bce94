"""Read and check the data of a training."""

from dataclasses import dataclass

from pydantic import ValidationError
from torch.utils.data import DataLoader

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.evaluation import expect_files
from hrnet.spec import ModelSpec, first_problem
from hrnet.tasks import Dataset, get_task
from hrnet.training.distributed import World
from hrnet.training.loader import Batch, EpochBatches, TrainingSet, make_loader


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The data of a training: spec describes the model that they are prepared for."""

    spec: ModelSpec
    training: Dataset
    validation: Dataset | None
    batches: EpochBatches
    loader: DataLoader[Batch | InputError]

    @property
    def datasets(self) -> dict[str, Dataset]:
        """The data sets by their role."""
        validation = {"validation": self.validation} if self.validation else {}
        return {"training": self.training} | validation


def prepare(experiment: Experiment, world: World) -> TrainingData:
    """Read the data of an experiment; nothing is written.

    Raises InputError for data or settings that no training is possible with.
    """
    config, run = experiment.train, experiment.run
    expect_equal_shares(experiment, world)
    if config.precision == "fp16" and world.device.type == "cpu":
        raise InputError("train.precision=fp16 needs a GPU; on a CPU take bf16 or float32")
    # Read both data sets; the labels of the first decide what the network predicts.
    parts = get_task(experiment.task)
    training = parts.make.dataset(experiment.data.training())
    try:
        spec = parts.make_spec(experiment, training)
    except ValidationError as error:
        raise InputError(f"{training.path}: {first_problem(error)}; correct the data") from None
    source = experiment.data.validation()
    validation = parts.make.dataset(source) if source else None
    if validation:
        validation.expect_labels_of(spec)
    # Find missing pictures now, not after hours.
    if run.broken_images == "error":
        expect_files([sample.image_path for sample in training.samples])
    if validation:
        expect_files([sample.image_path for sample in validation.samples])
    # Share the batches among the ranks.
    samples = TrainingSet(
        training.samples,
        parts.make(spec, experiment),
        seed=config.seed,
        cache=run.cache_images,
        skip_broken=run.broken_images == "skip",
    )
    batches = EpochBatches(
        len(samples), config.batch_size, seed=config.seed, rank=world.rank, size=world.size
    )
    loader = make_loader(
        samples, batches, workers=run.workers, pin_memory=world.device.type == "cuda"
    )
    return TrainingData(spec, training, validation, batches, loader)


def expect_equal_shares(experiment: Experiment, world: World) -> None:
    """Raise InputError where a batch cannot be shared equally by all ranks and parts."""
    size, parts = experiment.train.batch_size, experiment.train.accumulate
    if size % (world.size * parts):
        raise InputError(
            f"expected train.batch_size to be a multiple of {world.size} processes x {parts} "
            f"parts, got {size}; it is the samples of one update, over all of them"
        )
