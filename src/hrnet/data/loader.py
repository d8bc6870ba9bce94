"""Training batches of crops with heatmap targets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from hrnet.data.augment import Augmentation, distort, draw_crop
from hrnet.data.coco import Sample
from hrnet.errors import InputError
from hrnet.geometry import Floats, warp_affine
from hrnet.images import read_image
from hrnet.spec import PoseSpec
from hrnet.types import Image8

Item = tuple[Image8, Floats, NDArray[np.float32]]
"""A crop (H, W, 3), its keypoints (K, 2) in crop pixels and their weights (K,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """images (N, 3, H, W) normalised float32; heatmaps (N, K, h, w); weights (N, K)."""

    images: Tensor
    heatmaps: Tensor
    weights: Tensor


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
        self.pictures: dict[int, Image8] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: tuple[int, int]) -> Item | InputError:
        epoch, position = index
        sample = self.samples[position]
        try:
            picture = self._picture(sample)
        except InputError as error:
            return error
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

    def _picture(self, sample: Sample) -> Image8:
        if self.pictures is None:
            return read_image(sample.image_path)
        if sample.image_id not in self.pictures:
            self.pictures[sample.image_id] = read_image(sample.image_path)
        return self.pictures[sample.image_id]


class EpochSampler(Sampler[tuple[int, int]]):
    """All samples in an order that (seed, epoch) fixes; set `epoch` before iterating."""

    def __init__(self, length: int, seed: int) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        return ((self.epoch, int(position)) for position in order)


class Collate:
    """Stacks items into a `Batch`: normalises the crops and draws all targets at once.

    A batch with an unusable picture becomes its InputError.
    """

    def __init__(self, spec: PoseSpec) -> None:
        self.spec = spec

    def __call__(self, items: Sequence[Item | InputError]) -> Batch | InputError:
        good = [item for item in items if not isinstance(item, InputError)]
        if len(good) < len(items):
            return next(item for item in items if isinstance(item, InputError))
        crops, points, weights = (np.stack(part) for part in zip(*good, strict=True))
        heatmaps, kept = self.spec.heatmap_codec.encode(points, weights)
        mean, std = (
            torch.tensor(value)[:, None, None] for value in (self.spec.mean, self.spec.std)
        )
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2)  # (N, 3, H, W), channels last
        images = (pixels.float() / 255 - mean) / std
        return Batch(images, torch.from_numpy(heatmaps), torch.from_numpy(kept))


def make_loader(
    dataset: CropDataset, sampler: EpochSampler, *, batch_size: int, workers: int
) -> DataLoader[Item | InputError]:
    """Batches in the sampler's order; a smaller last one is dropped unless it is the only one."""
    return DataLoader(
        dataset,
        batch_size=min(batch_size, len(dataset)),
        sampler=sampler,
        num_workers=workers,
        collate_fn=Collate(dataset.spec),
        drop_last=True,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
    )
