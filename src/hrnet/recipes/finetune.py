"""A training for annotations of the user's own, chosen from what they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.config import DataConfig, Experiment, ModelConfig, RunConfig, TrainConfig, override
from hrnet.data.augment import Augmentation
from hrnet.data.coco import KeypointDataset, parse_keypoints, read_keypoints
from hrnet.data.split import split_dataset
from hrnet.errors import InputError
from hrnet.files import is_file, read_json, resolve
from hrnet.geometry import Size
from hrnet.runtime.devices import fast_precision, pick_device
from hrnet.skeleton import COCO_PERSON
from hrnet.weights.catalog import find_model
from hrnet.weights.published.rows import rows

VARIANT = "small_hrnet_w16"
"""The variant of the embedded model, whose weights are at hand without a download."""

_VAL_SHARE = 0.1
_SEEN_CROPS = 40_000
"""Crops that a training looks at, where that is between the least and the most epochs."""

_EPOCHS = (20, 150)
_BATCH = 32


def own_experiment(
    annotations: Path,
    images: Path | None,
    *,
    val: Path | None,
    out: Path,
    category: str | None = None,
    settings: Sequence[str] = (),
) -> tuple[Experiment, list[str]]:
    """Choose a training for a COCO keypoint file of any keypoints.

    images: their folder. None: that of the annotations, or images/ in it.
    val: annotations to measure on, of images in the same folder. None: a tenth of the images is
        set apart, and both parts are written to `out`/data.
    category: as in `read_keypoints`.
    settings: as `override` takes them; the weights to start from follow the variant that they name.
    Returns the experiment and lines about what was chosen.
    Raises InputError where the files cannot be used.
    """
    annotations, out = resolve(annotations), resolve(out)  # so that it resumes from anywhere
    content = read_json(annotations, "annotations")
    images = resolve(images) if images else _images_of(annotations, content, category)
    whole = training = parse_keypoints(annotations, images, content, category)
    if val is None:
        first, second = _parts(annotations, out, category)
        training = read_keypoints(first, images, category)
    validation = read_keypoints(second if val is None else resolve(val), images, category)
    usual = _usual(out.name, training, validation, images, category)
    # What is started from follows the variant, and the schedule what is started from.
    wanted = override(usual, settings)
    begins_at = [line for line in settings if line.startswith("train.init=")]
    start = Start(None) if begins_at else start_of(wanted.model.variant)
    known = bool(wanted.train.init) if begins_at else start.init == "default"
    is_person = known and whole.skeleton.names == COCO_PERSON.names
    train = schedule(len(training.samples), is_person).model_copy(update={"init": start.init})
    experiment = override(usual.model_copy(update={"train": train}), settings)
    counts = [
        f"{len(one.samples)} subjects in {len({s.image_id for s in one.samples})} images"
        for one in (training, validation)
    ]
    source = (
        f"of {validation.path}"
        if val
        else f"{_VAL_SHARE:.0%} of the images, set apart in {out / 'data'}"
    )
    return experiment, [
        f"data: {counts[0]} to train on, {counts[1]} to measure on ({source})",
        *_about_keypoints(whole),
        *about_training(experiment),
        *([f"NEW WEIGHTS: {start.why_none}"] if start.why_none else []),
    ]


def _usual(
    name: str,
    training: KeypointDataset,
    validation: KeypointDataset,
    images: Path,
    category: str | None,
) -> Experiment:
    """The experiment before the schedule and the weights to start from are chosen."""
    return Experiment(
        name=name,
        model=ModelConfig(variant=VARIANT, input_size=_input_size(training), codec="udp", sigma=2),
        data=DataConfig(
            annotations=training.path,
            images=images,
            val_annotations=validation.path,
            val_images=images,
            category=category,
        ),
        augmentation=Augmentation(
            scale=0.3, rotation_deg=30, shift=0.05, colour=0.3, sharpness=1.0, cutout=0.3
        ),
        run=RunConfig(),
    )


@dataclass(frozen=True, slots=True)
class Start:
    """Weights to start from, or None with the reason."""

    init: str | None
    why_none: str = ""


def start_of(variant: str) -> Start:
    """Choose weights that fit a variant: of the packaged model, or published ones, downloaded."""
    if variant == VARIANT:
        return Start("default")
    known = {row.name: row for row in rows()}
    names = (f"{variant}-imagenet-backbone", f"{variant}-coco-256x192")
    name = next((name for name in names if name in known and known[name].url), None)
    if name is None:
        return Start(
            None,
            f"no published weights of {variant} can be downloaded; --set train.init=FILE starts "
            "from yours, and a training from new weights needs more epochs",
        )
    try:
        find_model(name)
    except InputError as error:
        return Start(None, f"{name} cannot be had ({error}); --set train.init=FILE names others")
    return Start(name)


def _images_of(annotations: Path, content: object, category: str | None) -> Path:
    """The folder in which the first picture of the annotations lies, where they name none."""
    beside = annotations.parent
    for folder in (beside, beside / "images"):
        first = parse_keypoints(annotations, folder, content, category).samples[0]
        if is_file(first.image_path):
            return folder
    return beside


def _parts(annotations: Path, out: Path, category: str | None) -> tuple[Path, Path]:
    """The files of the two parts, made once and found again when the same command is repeated."""
    folder = out / "data"
    split_dataset(annotations, folder, val=_VAL_SHARE, category=category, force=True)
    return folder / "train.json", folder / "val.json"


def _input_size(dataset: KeypointDataset) -> Size:
    """256 pixels for the longer side of the usual box; the other side follows its shape."""
    boxes = np.array([sample.box_xywh for sample in dataset.samples])
    aspect = float(np.median(boxes[:, 2] / boxes[:, 3]))
    if aspect < 0.87:
        return (256, 192)
    return (192, 256) if aspect > 1.15 else (256, 256)


def schedule(count: int, is_person: bool) -> TrainConfig:
    """Epochs, learning rate, average and precision for so many subjects.

    is_person: the network knows these keypoints, so it is trained on gently and for a shorter time;
    a high learning rate lost more than few persons could teach.
    """
    least, most = _EPOCHS
    crops = _SEEN_CROPS // 4 if is_person else _SEEN_CROPS
    epochs = min(most, max(least, round(crops / count)))
    steps = epochs * max(1, count // _BATCH)
    return TrainConfig(
        epochs=epochs,
        batch_size=_BATCH,
        optimizer="adamw",
        lr=2e-4 if is_person else 1e-3,
        weight_decay=0.02,
        schedule="cosine",
        warmup_steps=min(200, steps // 10),
        loss="cross_entropy",
        ema=round(1 - max(0.001, min(0.1, 20 / steps)), 4),
        precision=fast_precision(pick_device("auto")),
        init="default",
        init_head=is_person,
        evaluate_every=max(1, epochs // 10),
    )


def _about_keypoints(dataset: KeypointDataset) -> list[str]:
    skeleton = dataset.skeleton
    names = skeleton.names
    pairs = ", ".join(f"{names[left]}/{names[right]}" for left, right in skeleton.flip_pairs)
    return [
        f"keypoints: {len(names)}: {', '.join(names)}",
        f"mirror pairs: {pairs or 'none are known'}",
        f"OKS sigmas: {dataset.sigmas_source}",
    ]


def about_training(experiment: Experiment) -> list[str]:
    """Lines about the network and the training, with what was changed by settings."""
    model, train = experiment.model, experiment.train
    height, width = model.input_size
    part = "all weights" if train.init_head else "the backbone"
    start = f"from {part} of {train.init}" if train.init else "from new weights"
    epochs = f"{train.epochs} epoch{'s' * (train.epochs != 1)}"
    return [
        f"network: {model.variant} at {height}x{width} (height x width), {start}; "
        "--set model.variant=... takes another, see `hrnet models`",
        f"training: {epochs} of batches of {train.batch_size}, {train.optimizer} at {train.lr:g}, "
        f"{train.precision}; every value can be changed by --set",
    ]
