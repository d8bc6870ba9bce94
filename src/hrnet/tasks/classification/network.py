"""The parts of classification that need torch: its loss, and the augmentations of timm.

timm draws from the generators of Python, numpy and torch. They are seeded here from the generator
given, and restored, so that a sample depends on nothing else.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from hrnet.errors import InputError, one_line
from hrnet.geometry import Image8
from hrnet.spec import ModelSpec
from hrnet.tasks.classification.config import ClassAugmentation
from hrnet.tasks.classification.spec import ClassificationSpec

_TRANSLATE = 0.45
"""RandAugment moves pictures by up to this part of the input's shorter side."""


def cross_entropy(outputs: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
    """Return -sum(p log softmax(x)) over the classes, averaged over the batch.

    outputs: logits x (N, C). targets: soft targets p (N, C) as `classes`, which add up to 1.
    """
    return F.cross_entropy(outputs, targets["classes"])


LOSSES = {"cross_entropy": cross_entropy}


def teaching(teacher: ModelSpec, student: ModelSpec) -> Callable[[Tensor], dict[str, Tensor]]:
    """Return the function that turns a teacher's logits (N, C) into soft targets."""
    return lambda logits: {"classes": logits.softmax(dim=1)}


@contextmanager
def _seeded(generator: Generator) -> Iterator[None]:
    """Seed all global generators of the CPU from one generator, and restore them afterwards."""
    before = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    # Only the CPU's generator of torch: timm draws nothing on a GPU here.
    seed = int(generator.integers(2**32))
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.random.set_rng_state(before[2])


@contextmanager
def _needing_timm() -> Iterator[None]:
    """Turn a missing or broken timm into an InputError with one line."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"randaugment, erasing, mixup and cutmix need {error.name}, which is not installed: "
            "pip install 'hrnet[timm]', or set them off"
        ) from None
    except RuntimeError as error:  # torch and torchvision of different builds
        raise InputError(
            f"timm cannot be imported ({one_line(error)}); install torch and torchvision of the "
            "same build"
        ) from None


def expect_timm(augmentation: ClassAugmentation, spec: ClassificationSpec) -> None:
    """Raise InputError for a missing or broken timm, or an unknown RandAugment policy."""
    with _needing_timm():
        import timm.data  # noqa: F401
    if augmentation.randaugment is not None:
        _rand_augment(augmentation.randaugment, spec)


def rand_augment(pixels: Image8, policy: str, spec: ClassificationSpec, rng: Generator) -> Image8:
    """Apply timm's RandAugment to a crop (H, W, 3), with the settings of its training script.

    Empty corners get the mean colour. Source: Cubuk et al. 2020.
    """
    transform = _rand_augment(policy, spec)
    with _seeded(rng):
        return np.array(transform(Image.fromarray(pixels)))


@cache
def _rand_augment(policy: str, spec: ClassificationSpec) -> Callable[[Image.Image], Image.Image]:
    """Make timm's transform once; raises InputError for an unknown policy."""
    with _needing_timm():
        from timm.data.auto_augment import rand_augment_transform
        from timm.data.transforms import str_to_pil_interp
    # The settings of timm's own training script.
    settings = {
        "translate_const": int(min(spec.input_size) * _TRANSLATE),
        "img_mean": tuple(min(255, round(255 * mean)) for mean in spec.mean),
        "interpolation": str_to_pil_interp(spec.interpolation),
    }
    try:
        transform: Callable[[Image.Image], Image.Image] = rand_augment_transform(policy, settings)
    except (AssertionError, KeyError, ValueError) as error:
        raise InputError(
            f"expected randaugment as timm writes it, such as rand-m9-mstd0.5-inc1, got {policy!r} "
            f"({one_line(error)})"
        ) from None
    return transform


def erase(pixels: Image8, probability: float, spec: ClassificationSpec, rng: Generator) -> Image8:
    """Cover a rectangle of a crop (H, W, 3) with noise by timm's RandomErasing, mode pixel.

    The noise is N(0, 1) of normalised pixels, as published, but held within 0..255 and rounded,
    since batches are of bytes. Source: Zhong et al. 2020.
    """
    if rng.random() >= probability:
        return pixels
    with _needing_timm():
        from timm.data.random_erasing import RandomErasing
    # x = (pixels / 255 - mean) / std, with channels first, as timm takes it
    mean, std = (torch.tensor(value)[:, None, None] for value in (spec.mean, spec.std))
    planes = torch.from_numpy(pixels).permute(2, 0, 1).float()
    normalised = (planes / 255 - mean) / std
    with _seeded(rng):
        erased = RandomErasing(1.0, mode="pixel", device="cpu")(normalised)
    # Pixels that are not covered come back as they were: the error is far below half a grey level.
    back = ((erased * std + mean) * 255).round().clamp(0, 255)
    return np.ascontiguousarray(back.permute(1, 2, 0).to(torch.uint8).numpy())


def mix(
    crops: Image8,
    classes: NDArray[np.int64],
    num_classes: int,
    *,
    augmentation: ClassAugmentation,
    smoothing: float,
    rng: Generator,
) -> tuple[Image8, NDArray[np.float32]]:
    """Mix each crop of a batch with the one at the mirrored place, by timm's mixup or cutmix.

    crops: (N, H, W, 3). classes: (N,) indices. Returns crops and soft targets (N, num_classes).
    The whole batch has one share, drawn from Beta(a, a). Blends are rounded to grey levels, as
    timm's own loader rounds them. A batch of odd length mixes its first crop with itself.
    Source: Zhang et al. 2018 (mixup), Yun et al. 2019 (CutMix).
    """
    with _needing_timm():
        from timm.data.mixup import FastCollateMixup
    # timm's mixing for batches of bytes, with one draw for the whole batch.
    mixup = FastCollateMixup(
        mixup_alpha=augmentation.mixup,
        cutmix_alpha=augmentation.cutmix,
        prob=augmentation.mix_probability,
        switch_prob=augmentation.mix_switch,
        mode="batch",
        label_smoothing=smoothing,
        num_classes=num_classes,
    )
    planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))
    batch = list(zip(planes, classes.tolist(), strict=True))
    if len(batch) % 2:
        batch.append(batch[0])  # timm takes even numbers alone
    # x = s a + (1 - s) b for pictures (mixup) and targets; a pasted rectangle for CutMix
    with _seeded(rng):
        mixed, targets = mixup(batch)
    mixed, targets = mixed[: len(crops)].permute(0, 2, 3, 1), targets[: len(crops)]
    return np.ascontiguousarray(mixed.numpy()), targets.float().numpy()
