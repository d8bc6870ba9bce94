"""A segmentation training on the user's own masks, chosen from what they are."""

from collections.abc import Sequence

import numpy as np

from hrnet.config import RunConfig
from hrnet.data.mask_dataset import MaskSample
from hrnet.data.mask_split import split_masks
from hrnet.data.masks import find_parts, holds_masks
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.images import read_header
from hrnet.recipes.finetune import (
    CACHE_BYTES,
    IN_THE_PACKAGE,
    VAL_SHARE,
    OwnData,
    Pace,
    about_classes,
    check_before_writing,
    choose_training,
    start_of,
)
from hrnet.runtime.devices import pick_device
from hrnet.spec import NetworkOptions
from hrnet.tasks.segmentation.config import (
    MaskAugmentation,
    MaskData,
    SegmentationExperiment,
    SegmentationModelConfig,
    SegmentationTrain,
)
from hrnet.tasks.segmentation.dataset import SegmentationDataset, read_dataset

TAKES = "a folder with images/ and masks/, or --masks"

LARGE, SMALL = "hrnet_w18", "small_hrnet_w16"
"""The variants for a GPU with published weights, and for all else."""

_PUBLISHED = (IN_THE_PACKAGE, "imagenet")
_PACE = Pace(batch_size=8, seen=16_000, epochs=(20, 200))
_SIDES = {True: (256, 512), False: (128, 320)}
"""Least and most side of training inputs, on a GPU and on a CPU."""

_MEASURED = 100


def fits(own: OwnData) -> bool:
    """Return True for masks, named or found beside pictures."""
    return own.masks is not None or holds_masks(own.data)


def choose(own: OwnData) -> tuple[SegmentationExperiment, list[str]]:
    """Choose a training for pictures with masks of any classes, see `recipes.finetune`."""
    if own.category is not None:
        raise InputError(f"expected no category for masks, got {own.category:.60}; leave it out")
    # Take the parts that the data have, or deal out the pictures.
    first, second = find_parts(own.data) if own.masks is None else (None, None)
    data = MaskData(path=own.data, images=own.images, masks=own.masks, split=first)
    folder = own.out / "data"
    where = f"{VAL_SHARE:.0%} of the images, set apart in {folder}"
    if own.val is not None:
        data, where = data.model_copy(update={"val": own.val}), f"of {own.val}"
    elif second is not None:
        data, where = data.model_copy(update={"val_split": second}), f"of the part {second}"
    else:
        whole = read_dataset(data.training())
        usual = _usual(own.out.name, whole, data)
        check_before_writing(usual, own, (sample.image_path for sample in whole.samples))
        # The same command makes the same files again.
        split_masks(data.training(), folder, val=VAL_SHARE, force=True)
        data = MaskData(path=folder / "train.csv", val=folder / "val.csv")
    training, source = read_dataset(data.training()), data.validation()
    assert source is not None
    validation = read_dataset(source)
    # Network, augmentation and schedule.
    experiment, lines = choose_training(
        _usual(own.out.name, training, data),
        count=len(training.samples),
        same_labels=False,
        published=_PUBLISHED,
        settings=own.settings,
        pace=_PACE,
    )
    counts = f"{len(training.samples)} images to train on, {len(validation.samples)} to measure on"
    return experiment, [f"data: {counts} ({where})", about_classes(training.class_names), *lines]


def _usual(name: str, training: SegmentationDataset, data: MaskData) -> SegmentationExperiment:
    """Return the experiment before the schedule and the weights to start from are chosen."""
    on_gpu = pick_device("auto").type != "cpu"
    large = on_gpu and start_of(LARGE, _PUBLISHED)[0] is not None
    # Inputs follow the size of the pictures, which are kept in memory where they fit.
    sizes = _sizes(training.samples)
    side = _input_side(sizes, *_SIDES[on_gpu])
    whole = float(np.prod(sizes, axis=1).mean()) * 3 * len(training.samples)
    return SegmentationExperiment(
        name=name,
        model=SegmentationModelConfig(
            variant=LARGE if large else SMALL,
            options=NetworkOptions(head="v2"),
            input_size=(side, side),
        ),
        data=data,
        augmentation=MaskAugmentation(colour=0.2),
        train=SegmentationTrain(),
        run=RunConfig(cache_images=whole < CACHE_BYTES),
    )


def _sizes(samples: Sequence[MaskSample]) -> list[Size]:
    """Return the sizes of some pictures, evenly spread; unreadable ones are left out."""
    sizes = []
    for sample in samples[:: max(1, len(samples) // _MEASURED)]:
        try:
            sizes.append(read_header(sample.image_path).size)
        except InputError:
            continue
    return sizes or [(512, 512)]


def _input_side(sizes: Sequence[Size], least: int, most: int) -> int:
    """Return the median short side as a multiple of 32, within bounds."""
    short = float(np.median([min(size) for size in sizes]))
    return min(most, max(least, 32 * round(short / 32)))
