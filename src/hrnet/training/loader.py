"""Training batches of crops with heatmap targets."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hrnet.data.augment import Augmentation, distort, draw_crop
from hrnet.data.coco import Sample, expect_size
from hrnet.errors import InputError
from hrnet.geometry import Floats, Image8, warp_affine
from hrnet.images import read_image
from hrnet.tasks.pose.spec import PoseSpec

Item = tuple[Image8, Floats, NDArray[np.float32]]
"""A crop (H, W, 3), its keypoints (K, 2) in crop pixels and their weights (K,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """crops (N, H, W, 3) uint8; heatmaps (N, K, h, w); weights (N, K).

    skipped: how many samples were left out because their picture cannot be read.
    """

    crops: Tensor
    heatmaps: Tensor
    weights: Tensor
    skipped: int = 0

    def pin_memory(self) -> "Batch":
        """The batch in memory that a GPU copies from while it computes; the loader calls this."""
        return Batch(
            self.crops.pin_memory(),
            self.heatmaps.pin_memory(),
            self.weights.pin_memory(),
            self.skipped,
        )


def normalised(crops: Tensor, spec: PoseSpec, *, channels_last: bool) -> Tensor:
    """Turn crops (N, H, W, 3) uint8 into the network's input (N, 3, H, W), on their device."""
    mean, std = (torch.tensor(value, device=crops.device) for value in (spec.mean, spec.std))
    images = ((crops.float() - 255 * mean) / (255 * std)).permute(0, 3, 1, 2)  # channels last
    return images if channels_last else images.contiguous()


class CropDataset(Dataset[Item | InputError]):
    """Augmented crops; an index is (epoch, sample), so that a seed fixes every crop.

    Each crop has a generator of its own, made from (seed, epoch, sample): workers and their number
    change nothing. Decoded pictures stay in memory when `cache` is on. A picture that cannot be
    used is returned as its InputError: an exception would leave a worker as a long traceback.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        spec: PoseSpec,
        augmentation: Augmentation,
        *,
        seed: int,
        cache: bool,
    ) -> None:
        self.samples = samples
        self.spec = spec
        self.augmentation = augmentation
        self.seed = seed
        self.pictures: dict[int, Image8 | InputError] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: tuple[int, int]) -> Item | InputError:
        epoch, position = index
        sample = self.samples[position]
        picture = self._picture(sample)
        if isinstance(picture, InputError):
            return picture
        generator = np.random.default_rng([self.seed, epoch, position])
        matrix, points, weights = draw_crop(
            sample,
            self.spec.skeleton,
            self.spec.input_size,
            self.spec.padding,
            self.augmentation,
            generator,
            self.spec.heatmap_codec.unbiased,
        )
        crop = warp_affine(picture, matrix, self.spec.input_size)
        return distort(crop, self.augmentation, generator), points, weights

    def _picture(self, sample: Sample) -> Image8 | InputError:
        """A sample's picture, or why it cannot be read."""
        if self.pictures is not None and sample.image_id in self.pictures:
            return self.pictures[sample.image_id]
        try:
            picture: Image8 | InputError = _read(sample)
        except InputError as error:
            picture = error
        if self.pictures is not None:
            self.pictures[sample.image_id] = picture
        return picture


def _read(sample: Sample) -> Image8:
    picture = read_image(sample.image_path)
    expect_size(sample.image_path, (picture.shape[0], picture.shape[1]), sample.image_size)
    return picture


def epoch_order(length: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """All sample numbers in the order of an epoch, which (seed, epoch) fixes."""
    return np.random.default_rng([seed, epoch]).permutation(length)


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """The batches of an epoch as lists of (epoch, sample); set `epoch` and `start` beforehand.

    batch_size: samples of an update, of which process `rank` of `size` takes every size-th.
    A smaller last batch is dropped, unless it is the only one. start: the first batch to give.
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
        self._drawn: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch."""
        return self.length // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in range(self.start, len(self)):
            yield [(self.epoch, sample) for sample in self.samples_of(batch)]

    def samples_of(self, batch: int) -> list[int]:
        """The samples that this process takes of a batch of the epoch."""
        first = batch * self.batch_size
        own = self._order()[first + self.rank : first + self.batch_size : self.size]
        return [int(sample) for sample in own]

    def _order(self) -> NDArray[np.int64]:
        """The order of the epoch, drawn once."""
        if self._drawn is None or self._drawn[0] != self.epoch:
            self._drawn = (self.epoch, epoch_order(self.length, self.seed, self.epoch))
        return self._drawn[1]


class Collate:
    """Stacks items into a `Batch` and draws all its targets at once.

    skip: leave out pictures that cannot be read; otherwise, and where a whole batch is of such
    pictures, the batch becomes the InputError of the first.
    """

    def __init__(self, spec: PoseSpec, *, skip: bool = False) -> None:
        self.spec = spec
        self.skip = skip

    def __call__(self, items: Sequence[Item | InputError]) -> Batch | InputError:
        good = [item for item in items if not isinstance(item, InputError)]
        skipped = len(items) - len(good)
        if skipped and not (self.skip and good):
            return next(item for item in items if isinstance(item, InputError))
        crops, points, weights = (np.stack(part) for part in zip(*good, strict=True))
        heatmaps, kept = self.spec.heatmap_codec.encode(points, weights)
        as_tensor = torch.from_numpy
        return Batch(as_tensor(crops), as_tensor(heatmaps), as_tensor(kept), skipped)


def make_loader(
    dataset: CropDataset,
    batches: EpochBatches,
    *,
    workers: int,
    skip_broken: bool = False,
    pin_memory: bool = False,
) -> DataLoader[Batch | InputError]:
    """Batches in the sampler's order; each is a `Batch`, or the InputError that it met."""
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # its items become batches in `Collate`
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=Collate(dataset.spec, skip=skip_broken),
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        pin_memory=pin_memory,
        worker_init_fn=_leave_signals_to_the_training if workers else None,
    )


@contextmanager
def ending_workers(loader: DataLoader[Batch | InputError]) -> Iterator[None]:
    """End the loader's processes after the block, however it is left.

    They ignore SIGTERM, by which Python ends what is left when it exits, and would then be waited
    for without end.
    """
    try:
        yield
    finally:
        if loader._iterator is not None:  # there is none without workers
            iterator, loader._iterator = loader._iterator, None
            iterator._shutdown_workers()  # type: ignore[attr-defined]  # as its destructor does
            for worker in iterator._workers:  # type: ignore[attr-defined]
                worker.kill()  # one that did not listen
                worker.join()


def _leave_signals_to_the_training(worker: int) -> None:
    """Let a signal to the whole process group reach the training alone, which ends its workers."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
