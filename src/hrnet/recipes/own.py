"""A training for annotations of the user's own, chosen from what they hold."""

from pathlib import Path

import numpy as np

from hrnet.config import DataConfig, Experiment, ModelConfig, RunConfig, TrainConfig
from hrnet.data.augment import Augmentation
from hrnet.data.coco import KeypointDataset, parse_keypoints, read_keypoints
from hrnet.data.split import split_dataset
from hrnet.engine.devices import fast_precision, pick_device
from hrnet.files import is_file, read_json, resolve
from hrnet.geometry import Size
from hrnet.skeleton import COCO_PERSON

VARIANT = "small_hrnet_w16"
"""The variant of the embedded model, whose weights are at hand without a download."""

_VAL_SHARE = 0.1
_SEEN_CROPS = 40_000
"""How many crops a training looks at, where that is between the least and the most epochs."""

_EPOCHS = (20, 150)
_BATCH = 32


def own_experiment(
    annotations: Path,
    images: Path | None,
    *,
    val: Path | None,
    out: Path,
    category: str | None = None,
) -> tuple[Experiment, list[str]]:
    """Choose a training for a COCO keypoint file of any keypoints.

    images: their folder. None: that of the annotations, or images/ in it.
    val: annotations to measure on, of images in the same folder. None: a tenth of the images is
        set apart, and both parts are written to `out`/data.
    category: as in `read_keypoints`.
    Returns the experiment and lines about the data; `about_training` has those about the rest.
    Raises InputError where the files cannot be used.
    """
    annotations, out = resolve(annotations), resolve(out)  # so that it resumes from anywhere
    val = val and resolve(val)
    content = read_json(annotations, "annotations")
    images = resolve(images) if images else _images_of(annotations, content, category)
    whole = parse_keypoints(annotations, images, content, category)
    if val is None:
        train_file, val_file = _parts(annotations, out, category)
        training = read_keypoints(train_file, images, category)
    else:
        train_file, val_file, training = annotations, val, whole
    validation = read_keypoints(val_file, images, category)
    is_person = whole.skeleton.names == COCO_PERSON.names
    size = _input_size(training)
    experiment = Experiment(
        name=out.name,
        model=ModelConfig(variant=VARIANT, input_size=size, codec="udp", sigma=2.0),
        data=DataConfig(
            annotations=train_file,
            images=images,
            val_annotations=val_file,
            val_images=images,
            category=category,
        ),
        augmentation=Augmentation(
            scale=0.3, rotation_deg=30, shift=0.05, colour=0.3, sharpness=1.0, cutout=0.3
        ),
        train=schedule(len(training.samples), is_person),
        run=RunConfig(),
    )
    counts = [
        f"{len(one.samples)} subjects in {len({s.image_id for s in one.samples})} images"
        for one in (training, validation)
    ]
    source = f"of {val}" if val else f"{_VAL_SHARE:.0%} of the images, set apart in {out / 'data'}"
    return experiment, [
        f"data: {counts[0]} to train on, {counts[1]} to measure on ({source})",
        *_about_keypoints(whole),
    ]


def _images_of(annotations: Path, content: object, category: str | None) -> Path:
    """The folder in which the first picture of the annotations lies, where they name none."""
    beside = annotations.parent
    inner = beside / "images"
    there = [
        is_file(parse_keypoints(annotations, folder, content, category).samples[0].image_path)
        for folder in (beside, inner)
    ]
    return inner if there == [False, True] else beside


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
    return [
        f"network: {model.variant} at {height}x{width} (height x width), {start}; "
        "--set model.variant=... takes another, see `hrnet models`",
        f"training: {train.epochs} epochs of batches of {train.batch_size}, {train.optimizer} at "
        f"{train.lr:g}, {train.precision}; every value can be changed by --set",
    ]
