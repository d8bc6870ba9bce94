"""A pose training on the user's own COCO keypoint file, chosen from what it holds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet.config import override
from hrnet.data.coco import KeypointDataset, parse_keypoints, read_keypoints
from hrnet.data.pixels import Pixels, choose_pixels
from hrnet.data.split import split_dataset
from hrnet.files import is_folder, read_json
from hrnet.geometry import Size
from hrnet.recipes.finetune import (
    CACHE_BYTES,
    IN_THE_PACKAGE,
    VAL_SHARE,
    OwnData,
    check_before_writing,
    choose_training,
    find_images,
)
from hrnet.skeleton import COCO_PERSON
from hrnet.spec import NetworkOptions
from hrnet.tasks.pose.config import (
    KeypointData,
    PoseAugmentation,
    PoseExperiment,
    PoseModelConfig,
    PoseTrain,
)

TAKES = "a COCO keypoint file (.json)"

VARIANT = "wider_naive_litehrnet_18"
"""That of the embedded model."""

_NORMALISATION = ("model.mean=", "model.std=")
"""Settings whose length follows the channels, which are chosen first."""

_PUBLISHED = (IN_THE_PACKAGE, "imagenet-backbone", "coco-256x192")


def fits(own: OwnData) -> bool:
    """Return True for a JSON file."""
    path = own.data
    return path.suffix.lower() == ".json" and not is_folder(path)


def choose(own: OwnData) -> tuple[PoseExperiment, list[str]]:
    """Choose a training for a COCO keypoint file of any keypoints, see `recipes.finetune`."""
    category, folder = own.category, own.out / "data"
    # Read the file, and split it where no validation data are given.
    content = read_json(own.data, "annotations")
    images = own.images or find_images(
        own.data,
        lambda folder: parse_keypoints(own.data, folder, content, category).samples[0].image_path,
    )
    whole = training = parse_keypoints(own.data, images, content, category)
    pictures = [sample.image_path for sample in whole.samples]
    usual = _usual(own.out.name, whole, validation=whole, images=images, category=category)
    pixels = _choose_pixels(usual, own, pictures)
    if own.val is None:
        check_before_writing(_with_pixels(usual, pixels, pictures), own, pictures)
        # The same command makes the same files again.
        split_dataset(own.data, folder, val=VAL_SHARE, category=category, force=True)
        training = read_keypoints(folder / "train.json", images, category)
    validation = read_keypoints(own.val or folder / "val.json", images, category)
    # Network, augmentation and schedule.
    usual = _usual(own.out.name, training, validation=validation, images=images, category=category)
    experiment, lines = choose_training(
        _with_pixels(usual, pixels, pictures),
        count=len(training.samples),
        same_labels=whole.skeleton.names == COCO_PERSON.names,
        published=_PUBLISHED,
        settings=own.settings,
    )
    # Describe what was chosen.
    counts = [
        f"{len(one.samples)} subjects in {len({s.image_id for s in one.samples})} images"
        for one in (training, validation)
    ]
    apart = f"{VAL_SHARE:.0%} of the images, set apart in {folder}"
    source = f"of {validation.path}" if own.val else apart
    data = f"data: {counts[0]} to train on, {counts[1]} to measure on ({source})"
    about_pixels = [] if pixels.is_rgb else [pixels.line()]
    return experiment, [data, *_about_keypoints(whole), *about_pixels, *lines]


def _usual(
    name: str,
    training: KeypointDataset,
    *,
    validation: KeypointDataset,
    images: Path,
    category: str | None,
) -> PoseExperiment:
    """Return the experiment before the schedule and the weights to start from are chosen.

    Keypoints of COCO's persons are encoded as the embedded model does. For others a cross-entropy
    learns from few data faster, and UDP's points are exact.
    """
    is_known = training.skeleton.names == COCO_PERSON.names
    return PoseExperiment(
        name=name,
        model=PoseModelConfig(
            variant=VARIANT,
            input_size=_input_size(training),
            codec="dark" if is_known else "udp",
            sigma=2,
            options=NetworkOptions(presence=True if is_known else None),
        ),
        data=KeypointData(
            annotations=training.path,
            images=images,
            val_annotations=validation.path,
            val_images=images,
            category=category,
        ),
        augmentation=PoseAugmentation(
            scale=0.3, rotation_deg=30, shift=0.05, colour=0.3, sharpness=1.0, cutout=0.3
        ),
        train=PoseTrain(loss="mse" if is_known else "cross_entropy"),
    )


def _choose_pixels(usual: PoseExperiment, own: OwnData, pictures: Sequence[Path]) -> Pixels:
    """Choose how pictures are read, as far as the settings leave it open."""
    settings = [one for one in own.settings if not one.startswith(_NORMALISATION)]
    model = override(usual, settings).model
    return choose_pixels(
        pictures, in_channels=model.options.in_channels, pixel_range=model.pixel_range
    )


def _with_pixels(usual: PoseExperiment, pixels: Pixels, pictures: Sequence[Path]) -> PoseExperiment:
    """Return an experiment that reads pictures so; they are kept in memory where they fit."""
    if pixels.is_rgb:
        return usual
    options = usual.model.options.model_copy(update={"in_channels": pixels.in_channels})
    changes = {name: getattr(pixels, name) for name in ("pixel_range", "mean", "std")}
    fits = pixels.picture_bytes * len(set(pictures)) < CACHE_BYTES
    return usual.model_copy(
        update={
            "model": usual.model.model_copy(update={"options": options, **changes}),
            "run": usual.run.model_copy(update={"cache_images": fits}),
        }
    )


def _input_size(dataset: KeypointDataset) -> Size:
    """256 pixels for the longer side of the usual box; the other side follows its shape."""
    boxes = np.array([sample.box_xywh for sample in dataset.samples])
    aspect = float(np.median(boxes[:, 2] / boxes[:, 3]))
    if aspect < 0.87:
        return (256, 192)
    return (192, 256) if aspect > 1.15 else (256, 256)


def _about_keypoints(dataset: KeypointDataset) -> list[str]:
    skeleton = dataset.skeleton
    names = skeleton.names
    pairs = ", ".join(f"{names[left]}/{names[right]}" for left, right in skeleton.flip_pairs)
    return [
        f"keypoints: {len(names)}: {', '.join(names)}",
        f"mirror pairs: {pairs or 'none are known'}",
        f"OKS sigmas: {dataset.sigmas_source}",
    ]
