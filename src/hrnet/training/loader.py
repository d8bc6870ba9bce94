"""Training batches: the samples of each, their pictures and their targets.

EpochBatches -> (epoch, sample) -> TrainingSet: pictures -> Task.batch -> Batch
"""

import signal
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hrnet.errors import InputError
from hrnet.geometry import Picture
from hrnet.images import expect_size
from hrnet.rasters import read_picture
from hrnet.spec import ModelSpec
from hrnet.tasks import Sample, Task

T = TypeVar("T")

_Pair = tuple[tuple[int, int], Picture]
"""The (epoch, sample) numbers of a sample, and its picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Inputs (N, H, W, C), and the targets of the loss by their names.

    inputs: uint8, or float32 of about 0..255. skipped: how many samples were left out because their
    picture or labels cannot be read.
    """

    inputs: Tensor
    targets: dict[str, Tensor]
    skipped: int = 0

    def pin_memory(self) -> "Batch":
        """Return the batch in page-locked memory, for asynchronous copies to a GPU."""
        targets = {name: target.pin_memory() for name, target in self.targets.items()}
        return Batch(self.inputs.pin_memory(), targets, self.skipped)


def normalised(inputs: Tensor, spec: ModelSpec, *, channels_last: bool) -> Tensor:
    """Turn inputs (N, H, W, C) of about 0..255 into the network's (N, C, H, W), on their device."""
    inputs = inputs if spec.channels == "rgb" else inputs.flip(-1)
    mean, std = (torch.tensor(value, device=inputs.device) for value in (spec.mean, spec.std))
    images = ((inputs.float() - 255 * mean) / (255 * std)).permute(0, 3, 1, 2)  # channels last
    return images if channels_last else images.contiguous()


class TrainingSet(Dataset[Batch | InputError]):
    """Batches of augmented samples, each by its (epoch, sample) numbers.

    Each sample has a generator of its own, seeded by (seed, epoch, sample), so that the workers and
    their number change nothing. cache: keep decoded pictures in memory. A picture that cannot be
    used, or labels of it, turn the batch into their InputError, unless skip_broken leaves the
    sample out: an exception would end a worker with a long traceback.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        task: Task,
        *,
        seed: int,
        cache: bool,
        skip_broken: bool = False,
    ) -> None:
        self.samples = samples
        self.task = task
        self.seed = seed
        self.skip_broken = skip_broken
        self.pictures: dict[Path, Picture | InputError] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitems__(self, indices: Sequence[tuple[int, int]]) -> Batch | InputError:
        """Make a batch; the loader calls this with the numbers of its samples."""
        # Read the pictures, and set those aside that cannot be read.
        found = [(index, self._picture(self.samples[index[1]])) for index in indices]
        errors = [picture for _, picture in found if isinstance(picture, InputError)]
        good = [(index, one) for index, one in found if not isinstance(one, InputError)]
        if errors and not (self.skip_broken and good):
            return errors[0]
        # Augment and encode all samples at once.
        try:
            return self._batch(good, len(errors))
        except InputError as error:  # labels in a file of their own
            if not self.skip_broken:
                return error
            return self._without_broken(good, len(errors), error)

    def _batch(self, pairs: Sequence[_Pair], skipped: int) -> Batch:
        """Augment and encode samples; raises InputError for labels that cannot be read."""
        inputs, targets = self.task.batch(
            [self.samples[sample] for (_, sample), _ in pairs],
            [picture for _, picture in pairs],
            [np.random.default_rng([self.seed, *index]) for index, _ in pairs],
        )
        tensors = {name: torch.from_numpy(target) for name, target in targets.items()}
        return Batch(torch.from_numpy(inputs), tensors, skipped)

    def _without_broken(
        self, pairs: Sequence[_Pair], skipped: int, error: InputError
    ) -> Batch | InputError:
        """Make a batch of the samples that can be made alone; the error where none can."""
        good = []
        for pair in pairs:
            try:
                self._batch([pair], 0)
            except InputError:
                continue
            good.append(pair)
        return self._batch(good, skipped + len(pairs) - len(good)) if good else error

    def _picture(self, sample: Sample) -> Picture | InputError:
        """Return a sample's picture, or the error of reading it."""
        if self.pictures is not None and sample.image_path in self.pictures:
            return self.pictures[sample.image_path]
        try:
            picture: Picture | InputError = _read(sample, self.task.spec)
        except InputError as error:
            picture = error
        if self.pictures is not None:
            self.pictures[sample.image_path] = picture
        return picture


def _read(sample: Sample, spec: ModelSpec) -> Picture:
    picture = read_picture(sample.image_path, spec)
    if sample.image_size is not None:
        expect_size(sample.image_path, (picture.shape[0], picture.shape[1]), sample.image_size)
    return picture


def epoch_order(length: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return all sample numbers in the order of an epoch, which (seed, epoch) fixes."""
    return np.random.default_rng([seed, epoch]).permutation(length)


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """The batches of one epoch or several, as lists of (epoch, sample).

    batch_size: samples of an update, of which process `rank` of `size` takes every size-th.
    A smaller last batch is dropped, unless it is the only one. Set beforehand: epoch and start, the
    first epoch and its first batch; stop, the epoch before which to stop, None after one epoch.
    """

    def __init__(
        self, length: int, batch_size: int, *, seed: int, rank: int = 0, size: int = 1
    ) -> None:
        self.length = length
        self.batch_size = min(batch_size, length // size * size)
        self.seed = seed
        self.rank = rank
        self.size = size
        self.epoch = 0
        self.start = 0
        self.stop: int | None = None

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        stop = self.epoch + 1 if self.stop is None else self.stop
        for epoch in range(self.epoch, stop):
            order = epoch_order(self.length, self.seed, epoch)
            for batch in range(self.start if epoch == self.epoch else 0, len(self)):
                yield [(epoch, sample) for sample in self._share(order, batch)]

    def samples_of(self, epoch: int, batch: int) -> list[int]:
        """Return the samples that this process takes of a batch."""
        return self._share(epoch_order(self.length, self.seed, epoch), batch)

    def _share(self, order: NDArray[np.int64], batch: int) -> list[int]:
        first = batch * self.batch_size
        own = order[first + self.rank : first + self.batch_size : self.size]
        return [int(sample) for sample in own]


def make_loader(
    samples: TrainingSet, batches: EpochBatches, *, workers: int, pin_memory: bool = False
) -> DataLoader[Batch | InputError]:
    """Load batches in the sampler's order; each is a `Batch`, or the InputError that it met."""
    return DataLoader(
        samples,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_unchanged,  # `__getitems__` returns whole batches
        prefetch_factor=4 if workers else None,
        pin_memory=pin_memory,
        worker_init_fn=_ignore_signals if workers else None,
    )


def _unchanged(batch: T) -> T:
    return batch


class DeadWorkerError(Exception):
    """Raised where a worker was killed, perhaps by the system for want of memory."""


def loaded(loader: DataLoader[Batch | InputError]) -> Generator[Batch, None, None]:
    """Yield the batches of a loader; raise an error in one, or DeadWorkerError.

    Close this generator to end the workers: it holds the only reference to the loader's iterator,
    which ends them when it is released. They ignore SIGTERM, by which Python ends children that are
    left at its exit, and it would wait for them without end.
    """
    iterator = iter(loader)
    try:
        for batch in iterator:
            if isinstance(batch, InputError):
                raise batch
            yield batch
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise DeadWorkerError from error
    finally:
        del iterator


def _ignore_signals(worker: int) -> None:
    """Let a signal to the whole process group reach the training alone, which ends its workers."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
