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
from hrnet.metrics.ellipses import LEAST_POINTS
from hrnet.recipes.finetune import (
    CACHE_BYTES,
    IN_THE_PACKAGE,
    USUAL_PACE,
    VAL_SHARE,
    OwnData,
    Pace,
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

TAKES_LANDMARKS = True

LARGEST_SIDE = 512
"""Of the input for whole pictures, in pixels; --set model.input_size takes more or less."""

_WHOLE_PACE = Pace(batch_size=8, seen=20_000, epochs=(20, 150))
"""Whole pictures are few and large."""
_NORMALISATION = ("model.mean=", "model.std=")
"""Settings whose length follows the channels, which are chosen first."""

_PUBLISHED = (IN_THE_PACKAGE, "imagenet-backbone", "coco-256x192")


_OF_BOXES = PoseAugmentation(
    scale=0.3, rotation_deg=30, shift=0.05, colour=0.3, sharpness=1.0, cutout=0.3
)
_OF_PICTURES = PoseAugmentation(
    scale=0.2, rotation_deg=15, shift=0.05, colour=0.3, sharpness=0.5, half_body=0
)


def fits(own: OwnData) -> bool:
    """Return True for a JSON file."""
    path = own.data
    return path.suffix.lower() == ".json" and not is_folder(path)


def choose(own: OwnData) -> tuple[PoseExperiment, list[str]]:
    """Choose a training for a COCO keypoint file of any keypoints, see `recipes.finetune`."""
    category, folder = own.category, own.out / "data"
    wanted = True if own.whole_images else None
    # Read the file, and split it where no validation data are given.
    content = read_json(own.data, "annotations")
    images = own.images or find_images(
        own.data,
        lambda folder: parse_keypoints(own.data, folder, content, category).samples[0].image_path,
    )
    whole = training = parse_keypoints(own.data, images, content, category, whole_images=wanted)
    as_pictures = whole.whole_images
    pictures = [sample.image_path for sample in whole.samples]
    usual = _usual(own, whole, validation=whole, images=images)
    pixels = _choose_pixels(usual, own, pictures)
    if own.val is None:
        check_before_writing(_with_pixels(usual, pixels, pictures), own, pictures)
        # The same command makes the same files again.
        split_dataset(own.data, folder, val=VAL_SHARE, category=category, force=True)
        training = read_keypoints(folder / "train.json", images, category, whole_images=as_pictures)
    validation = read_keypoints(
        own.val or folder / "val.json", images, category, whole_images=as_pictures
    )
    # Network, augmentation and schedule.
    usual = _usual(own, training, validation=validation, images=images)
    experiment, lines = choose_training(
        _with_pixels(usual, pixels, pictures),
        count=len(training.samples),
        same_labels=whole.skeleton.names == COCO_PERSON.names,
        published=_PUBLISHED,
        settings=own.settings,
        pace=_WHOLE_PACE if as_pictures else USUAL_PACE,
    )
    # Describe what was chosen.
    counts = [
        f"{len(one.samples)} subjects in {len({s.image_id for s in one.samples})} images"
        for one in (training, validation)
    ]
    apart = f"{VAL_SHARE:.0%} of the images, set apart in {folder}"
    source = f"of {validation.path}" if own.val else apart
    data = f"data: {counts[0]} to train on, {counts[1]} to measure on ({source})"
    about = ["subjects: each whole picture is one"] if as_pictures else []
    about_pixels = [] if pixels.is_rgb else [pixels.line()]
    notes = _notes(whole, validation, experiment)
    return experiment, [data, *about, *_about_keypoints(whole), *about_pixels, *lines, *notes]


def _notes(
    whole: KeypointDataset, validation: KeypointDataset, experiment: PoseExperiment
) -> list[str]:
    """Describe what the data lack for figures in mm and for ellipses."""
    without = sum(one.mm_per_pixel is None for one in whole.samples)
    notes = []
    if 0 < without < len(whole.samples) and "mm" not in experiment.model.metrics:
        notes.append(
            f"note: {without} of {len(whole.samples)} subjects have no mm_per_pixel, so there are "
            "no figures in mm; add it to their images, or --mm-per-pixel"
        )
    labelled = sum(int((one.visibility > 0).sum()) for one in validation.samples)
    if experiment.model.ellipses and labelled < LEAST_POINTS:
        notes.append(
            f"note: the data to measure on have {labelled} labelled keypoints, and ellipses need "
            f"{LEAST_POINTS}; the model will have none"
        )
    return notes


def _usual(
    own: OwnData, training: KeypointDataset, *, validation: KeypointDataset, images: Path
) -> PoseExperiment:
    """Return the experiment before the schedule and the weights to start from are chosen.

    Keypoints of COCO's persons are encoded as the embedded model does. For others a cross-entropy
    learns from few data faster, and the codec is exact also at the border.
    """
    is_known = training.skeleton.names == COCO_PERSON.names
    return PoseExperiment(
        name=own.out.name,
        model=PoseModelConfig(
            variant=VARIANT,
            input_size=_input_size(training),
            codec="dark" if is_known else "exact",
            ellipses=not is_known,
            metrics=_metrics(training, own.mm_per_pixel),
            sigma=2,
            padding=1 if training.whole_images else 1.25,
            options=NetworkOptions(presence=True if is_known else None),
        ),
        data=KeypointData(
            annotations=training.path,
            images=images,
            val_annotations=validation.path,
            val_images=images,
            category=own.category,
            whole_images=training.whole_images,
            mm_per_pixel=own.mm_per_pixel,
        ),
        augmentation=_OF_PICTURES if training.whole_images else _OF_BOXES,
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
    """256 pixels for the longer side of the usual box; the other side follows its shape.

    Whole pictures keep theirs, up to `LARGEST_SIDE` for the longer side.
    """
    if dataset.whole_images:
        usual = np.median([sample.image_size for sample in dataset.samples], axis=0)
        sides = usual * min(1, LARGEST_SIDE / usual.max())
        height, width = np.maximum(32 * np.rint(sides / 32), 32).astype(int).tolist()
        return (height, width)
    boxes = np.array([sample.box_xywh for sample in dataset.samples])
    aspect = float(np.median(boxes[:, 2] / boxes[:, 3]))
    if aspect < 0.87:
        return (256, 192)
    return (192, 256) if aspect > 1.15 else (256, 256)


def _metrics(dataset: KeypointDataset, mm_per_pixel: float | None) -> tuple[str, ...]:
    """Return the figures that are asked for: of whole pictures errors, in mm where these are known.

    COCO's else, which rate found persons and animals.
    """
    if not dataset.whole_images:
        return ("mm", "coco") if mm_per_pixel else ()
    known = all(one.mm_per_pixel is not None for one in dataset.samples)
    return ("mm", "px") if known or mm_per_pixel else ("px",)


def _about_keypoints(dataset: KeypointDataset) -> list[str]:
    skeleton = dataset.skeleton
    names = skeleton.names
    pairs = ", ".join(f"{names[left]}/{names[right]}" for left, right in skeleton.flip_pairs)
    return [
        f"keypoints: {len(names)}: {', '.join(names)}",
        f"mirror pairs: {pairs or 'none are known'}",
        f"OKS sigmas: {dataset.sigmas_source}",
    ]
