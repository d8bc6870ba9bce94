"""A detector's training on the user's own boxes, chosen from what they are and what is at hand."""

from collections.abc import Sequence
from pathlib import Path

from hrnet.config import RunConfig
from hrnet.data.box_dataset import BoxDataset
from hrnet.data.coco_boxes import holds_boxes
from hrnet.data.split import split_dataset
from hrnet.errors import InputError
from hrnet.files import is_folder, read_json
from hrnet.recipes.detection.common import jittered
from hrnet.recipes.finetune import (
    CACHE_BYTES,
    IN_THE_PACKAGE,
    VAL_SHARE,
    OwnData,
    Pace,
    about_classes,
    check_before_writing,
    choose_training,
    find_images,
    start_of,
)
from hrnet.runtime.devices import pick_device
from hrnet.spec import NetworkOptions
from hrnet.tasks.detection.config import (
    BoxAugmentation,
    BoxData,
    DetectionExperiment,
    DetectionModelConfig,
    DetectionTrain,
    loss_of,
)
from hrnet.tasks.detection.dataset import read_dataset

TAKES = "a COCO file of boxes (.json)"

LARGE = "hrnet_w18"
"""The variant of a detector of two stages."""

SMALL = "small_hrnet_w16"
"""The variant of the person finder, for the light head."""

_PUBLISHED = (IN_THE_PACKAGE, "coco-htc_20e", "imagenet")
_LIGHT = Pace(batch_size=16)
_TWO_STAGES = Pace(batch_size=4, lr=1e-4, seen=20_000, epochs=(12, 100), freeze_norms=True)


def fits(own: OwnData) -> bool:
    """Return True for a COCO file with boxes and without keypoints."""
    path = own.data
    if path.suffix.lower() != ".json" or is_folder(path):
        return False
    try:
        return holds_boxes(read_json(path, "annotations"))
    except InputError:
        return False  # another task's reader describes what is wrong with it


def choose(own: OwnData) -> tuple[DetectionExperiment, list[str]]:
    """Choose a training for a COCO file of boxes of any classes, see `recipes.finetune`."""
    folder, model = own.out / "data", _model(own.settings)
    # Read the file, and split it where no validation data are given.
    images = own.images or find_images(own.data, lambda folder: _first_picture(own, folder))
    data = BoxData(annotations=own.data, images=images, category=own.category)
    training = whole = read_dataset(data.training())
    if own.val is None:
        usual = _usual(own.out.name, whole, data, model)
        check_before_writing(usual, own, (sample.image_path for sample in whole.samples))
        # The same command makes the same files again.
        split_dataset(own.data, folder, val=VAL_SHARE, force=True)
        data = data.model_copy(update={"annotations": folder / "train.json"})
        training = read_dataset(data.training())
    val = own.val or folder / "val.json"
    data = data.model_copy(update={"val_annotations": val, "val_images": images})
    source = data.validation()
    assert source is not None
    validation = read_dataset(source)
    # Network, augmentation and schedule.
    experiment, lines = choose_training(
        _usual(own.out.name, training, data, model),
        count=len(training.samples),
        same_labels=False,
        published=_PUBLISHED,
        settings=own.settings,
        pace=_LIGHT if model.options.head == "light" else _TWO_STAGES,
    )
    # Describe what was chosen.
    counts = [
        f"{one.counts[0]} boxes in {len(one.samples)} images" for one in (training, validation)
    ]
    share = len(validation.samples) / max(1, len(whole.samples))
    apart = f"{share:.0%} of the images, set apart in {folder}"
    where = f"of {own.val}" if own.val else apart
    about = f"data: {counts[0]} to train on, {counts[1]} to measure on ({where})"
    return experiment, [about, about_classes(whole.class_names), *lines]


def _model(settings: Sequence[str]) -> DetectionModelConfig:
    """Return the network and its input: what the settings name, else what suits the machine.

    Two stages need a GPU and published weights; the light head starts from the person finder.
    """
    given = dict(line.partition("=")[::2] for line in settings)
    variant, head = given.get("model.variant"), given.get("model.options.head")
    if variant is None and head is None:
        on_gpu = pick_device("auto").type != "cpu"
        large = on_gpu and start_of(LARGE, _PUBLISHED)[0] is not None
        head = "faster" if large else "light"
    head = head or ("light" if variant == SMALL else "faster")
    usual = DetectionModelConfig(
        variant=variant or (SMALL if head == "light" else LARGE),
        options=NetworkOptions(head=head),
        conventions="legacy" if given.get("model.conventions") == "legacy" else "plain",
    )
    if head != "light":
        return usual
    small = {"fit": (320, 416), "input_size": (320, 416), "antialias": True}
    return usual.model_copy(update=small)


def _first_picture(own: OwnData, folder: Path) -> Path:
    source = BoxData(annotations=own.data, images=folder).training()
    return next((sample.image_path for sample in read_dataset(source).samples), folder)


def _usual(
    name: str, dataset: BoxDataset, data: BoxData, model: DetectionModelConfig
) -> DetectionExperiment:
    """Return the experiment before the schedule and the weights to start from are chosen."""
    # Pictures are kept in memory where they fit.
    sizes = [sample.image_size or (1000, 1000) for sample in dataset.samples]
    whole = 3 * sum(height * width for height, width in sizes)
    several = BoxAugmentation(colour=0.2, fits=((640, 1333), (800, 1333)))
    light = model.options.head == "light"
    return DetectionExperiment(
        name=name,
        model=model,
        data=data,
        augmentation=jittered(model.fit) if light else several,
        train=DetectionTrain(loss=loss_of(model)),
        run=RunConfig(cache_images=whole < CACHE_BYTES),
    )
