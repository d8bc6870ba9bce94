"""A classification training on the user's own pictures, chosen from their number and size."""

from collections.abc import Sequence

import numpy as np

from hrnet.config import RunConfig
from hrnet.data.class_folders import find_parts
from hrnet.data.class_lists import LIST_SUFFIXES
from hrnet.data.class_split import split_class_files
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import is_folder
from hrnet.geometry import Size
from hrnet.images import read_header
from hrnet.recipes.finetune import (
    CACHE_BYTES,
    VAL_SHARE,
    OwnData,
    about_classes,
    check_before_writing,
    choose_training,
)
from hrnet.tasks.classification.config import (
    ClassAugmentation,
    ClassData,
    ClassificationExperiment,
    ClassificationModelConfig,
    ClassTrain,
)
from hrnet.tasks.classification.dataset import ClassificationDataset, read_dataset

TAKES = "a folder with a folder a class, or a list of pictures and classes (.csv or .txt)"

VARIANT = "hrnet_w18_small_v1"
"""The smallest variant with published ImageNet weights."""

_PUBLISHED = ("imagenet",)
_LEAST_SIDE, _MOST_SIDE = 64, 224
_MEASURED = 200


def fits(own: OwnData) -> bool:
    """Return True for a folder and for the suffixes of lists."""
    path = own.data
    return is_folder(path) or path.suffix.lower() in LIST_SUFFIXES


def choose(own: OwnData) -> tuple[ClassificationExperiment, list[str]]:
    """Choose a training for pictures of any classes, see `recipes.finetune`."""
    if own.category is not None:
        raise InputError(f"expected no category for classes, got {own.category:.60}; leave it out")
    # Take the parts that the data have, or deal out the pictures of each class.
    first, found = find_parts(own.data)
    second, folder = own.val or found, own.out / "data"
    if second is None:
        whole = ClassData(path=first, images=own.images)
        pictures = read_dataset(whole.training())
        usual = _usual(own.out.name, pictures, whole)
        check_before_writing(usual, own, (sample.image_path for sample in pictures.samples))
        split_class_files(DataSource(first, own.images), folder, val=VAL_SHARE, force=True)
        part = ClassData(path=folder / "train.csv", val=folder / "val.csv")
    else:
        part = ClassData(path=first, images=own.images, val=second)
    training = read_dataset(part.training())
    source = part.validation()
    assert source is not None
    validation = read_dataset(source)
    # Network, augmentation and schedule.
    experiment, lines = choose_training(
        _usual(own.out.name, training, part),
        count=len(training.samples),
        same_labels=False,
        published=_PUBLISHED,
        settings=own.settings,
    )
    # Describe the choices.
    counts = f"{len(training.samples)} images to train on, {len(validation.samples)} to measure on"
    apart = f"{VAL_SHARE:.0%} of each class, set apart in {folder}"
    where = apart if second is None else f"of {second}"
    return experiment, [f"data: {counts} ({where})", about_classes(training.class_names), *lines]


def _usual(name: str, training: ClassificationDataset, part: ClassData) -> ClassificationExperiment:
    """Return the experiment before the schedule and the weights to start from are chosen."""
    # The input follows the size of the pictures; they are kept in memory where they fit.
    sizes = _sizes(training)
    side = _input_side(sizes)
    whole = float(np.prod(sizes, axis=1).mean()) * 3 * len(training.samples)
    return ClassificationExperiment(
        name=name,
        model=ClassificationModelConfig(variant=VARIANT, input_size=(side, side)),
        data=part,
        # Few pictures: larger parts of them than ImageNet's 8%, and changed colours.
        augmentation=ClassAugmentation(scale=(0.35, 1.0), colour=0.3),
        train=ClassTrain(label_smoothing=0.1),
        run=RunConfig(cache_images=whole < CACHE_BYTES),
    )


def _sizes(dataset: ClassificationDataset) -> list[Size]:
    """Return the sizes of some pictures, evenly spread; unreadable ones are left out."""
    step = max(1, len(dataset.samples) // _MEASURED)
    sizes = []
    for sample in dataset.samples[::step]:
        try:
            sizes.append(read_header(sample.image_path).size)
        except InputError:
            continue
    return sizes or [(_MOST_SIDE, _MOST_SIDE)]


def _input_side(sizes: Sequence[Size]) -> int:
    """Return the median short side as a multiple of 32, within 64 to 224 pixels."""
    short = float(np.median([min(size) for size in sizes]))
    return min(_MOST_SIDE, max(_LEAST_SIDE, 32 * round(short / 32)))
