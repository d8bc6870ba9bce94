"""A training on data of the user's own: start weights and schedule are chosen by their size."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from hrnet.config import Experiment, TrainConfig, override
from hrnet.data.imports.training import import_for_training, is_of_another_tool
from hrnet.errors import InputError, printable
from hrnet.evaluation import expect_files, expect_spacing
from hrnet.files import exists, is_file, resolve
from hrnet.runtime.devices import fast_precision, pick_device
from hrnet.weights.catalog import find_model
from hrnet.weights.published.rows import rows

FINETUNE: dict[str, str] = {
    "detection": "hrnet.recipes.detection.finetune",
    "pose": "hrnet.recipes.pose.finetune",
    "segmentation": "hrnet.recipes.segmentation.finetune",
    "classification": "hrnet.recipes.classification.finetune",
}
"""Task -> the module that chooses a training for data of one's own; the first that fits is taken.

It has TAKES, a noun for the data that it takes, `fits(own)`, which is true for such data, and
`choose(own)`, which returns what `own_experiment` returns, each of an `OwnData`; TAKES_LANDMARKS
where it looks at `OwnData.whole_images` and `mm_per_pixel`.
"""

PACKAGED = {"wider_naive_litehrnet_18": "default", "small_hrnet_w16": "person_finder"}
"""Variant -> the model in the package that has it: weights at hand without a download."""

IN_THE_PACKAGE = "in the package"
"""Among the names of published weights to start from: those of `PACKAGED`."""

VAL_SHARE = 0.1
"""The share of the pictures that is set apart where no validation data are given."""

CACHE_BYTES = 4e9
"""Decoded pictures that take no more than this are kept in memory."""

_OTHER_TOOLS = "data of another tool (see `hrnet data import -h`)"

_SHOWN = 12
"""Classes that are named."""

E = TypeVar("E", bound=Experiment)
T = TypeVar("T", bound=TrainConfig)


@dataclass(frozen=True, slots=True)
class OwnData:
    """The arguments of `own_experiment`, with absolute paths, so that a run resumes anywhere."""

    data: Path
    images: Path | None
    val: Path | None
    out: Path
    category: str | None
    settings: Sequence[str]
    masks: Path | None = None
    whole_images: bool = False
    mm_per_pixel: float | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """The usual numbers of a training on data of one's own.

    seen: samples of a whole training, where that is between the least and the most `epochs`. lr: of
    a training that does not start from weights for these labels. freeze_norms: where there are
    start weights, norms keep their statistics.
    """

    batch_size: int = 32
    lr: float = 1e-3
    seen: int = 40_000
    epochs: tuple[int, int] = (20, 150)
    freeze_norms: bool = False


USUAL_PACE = Pace()


def own_experiment(
    data: Path,
    images: Path | None,
    *,
    val: Path | None,
    out: Path,
    category: str | None = None,
    masks: Path | None = None,
    whole_images: bool = False,
    mm_per_pixel: float | None = None,
    settings: Sequence[str] = (),
) -> tuple[Experiment, list[str]]:
    """Choose a training for labelled data; their form decides the task.

    Data of another tool are imported into `out`/data; a part for validation there is taken.

    images: their folder. None: that of the annotations, or images/ in it.
    val: data to evaluate on, of images in the same folder. None: a tenth of the images is set
        apart, and both parts are written to `out`/data.
    category: the category to take, where there are several of different labels.
    masks: the folder of the masks of the images; None: found beside them, if there are any.
    whole_images: take each whole picture as one subject, whatever boxes there are.
    mm_per_pixel: of pictures that do not have their own, for errors in mm.
    settings: as `override` takes them; the weights to start from follow the variant that they name.
    Returns the experiment and lines about what was chosen.
    Raises InputError where the files cannot be used.
    """
    own = OwnData(
        data=resolve(data),
        images=resolve(images) if images else None,
        val=resolve(val) if val else None,
        out=resolve(out),
        category=category,
        settings=settings,
        masks=resolve(masks) if masks else None,
        whole_images=whole_images,
        mm_per_pixel=None if mm_per_pixel is None else expect_spacing(mm_per_pixel),
    )
    is_new = not exists(own.out)
    try:
        return _chosen(own)
    except InputError:
        # A folder that was made for the parts of the data goes with them.
        if is_new:
            shutil.rmtree(own.out, ignore_errors=True)
        raise


def _chosen(own: OwnData) -> tuple[Experiment, list[str]]:
    """Choose by the first module that fits the data, or what an import makes of them."""
    taken, imported = _imported(own)
    modules = [import_module(name) for name in FINETUNE.values()]
    for module in modules:
        if module.fits(taken):
            options = {"whole-image": own.whole_images, "mm-per-pixel": own.mm_per_pixel}
            given = [name for name, value in options.items() if value]
            if given and not hasattr(module, "TAKES_LANDMARKS"):
                raise InputError(
                    f"expected --{given[0]} for keypoints alone, got {own.data}; leave it out"
                )
            chosen: tuple[Experiment, list[str]] = module.choose(taken)
            return chosen[0], [*imported, *chosen[1]]
    takes = " or ".join([*(module.TAKES for module in modules), _OTHER_TOOLS])
    raise InputError(f"expected --data with {takes}, got {own.data}; check the path")


def _imported(own: OwnData) -> tuple[OwnData, tuple[str, ...]]:
    """Import data of another tool into the run's folder, with lines on it; others stay."""
    if own.masks is not None or not is_of_another_tool(own.data):
        return own, ()
    folder = own.out / "data"
    done = import_for_training(own.data, own.images, own.val, folder, own.category)
    own = replace(own, data=done.data, val=done.val, images=done.images, category=done.category)
    return own, done.lines


def find_images(annotations: Path, first: Callable[[Path], Path]) -> Path:
    """Return the folder of the pictures: beside the annotations, or images/ there.

    first: of such a folder, the path that the first picture would have.
    """
    beside = annotations.parent
    folders = (folder for folder in (beside, beside / "images") if is_file(first(folder)))
    return next(folders, beside)


def check_before_writing(usual: Experiment, own: OwnData, pictures: Iterable[Path]) -> None:
    """Raise InputError for wrong settings, and for missing pictures unless these are skipped.

    A split calls it before it writes the parts. usual: the experiment before its schedule and start
    weights are chosen. pictures: of all data.
    """
    if override(usual, own.settings).run.broken_images == "error":
        expect_files(pictures)


def choose_training(
    usual: E,
    *,
    count: int,
    same_labels: bool,
    published: Sequence[str],
    settings: Sequence[str],
    pace: Pace = USUAL_PACE,
) -> tuple[E, list[str]]:
    """Choose start weights and schedule of an experiment, and apply the settings.

    count: training samples. same_labels: whether the packaged model predicts these labels.
    published: names of published weights to start from without the variant, the first choice first;
        `IN_THE_PACKAGE` among them allows those that come with it.
    Returns the experiment and lines about it.
    """
    # The start weights follow the variant, and the schedule follows the start weights.
    wanted = override(usual, settings)
    is_given = any(line.startswith("train.init=") for line in settings)
    init, why_none = (None, "") if is_given else start_of(wanted.model.variant, published)
    has_head = bool(wanted.train.init) if is_given else init in PACKAGED.values()
    epochs = wanted.train.epochs if any(s.startswith("train.epochs=") for s in settings) else None
    is_known = has_head and same_labels
    train = schedule(usual.train, count, is_known=is_known, epochs=epochs, pace=pace)
    freeze_norms = pace.freeze_norms and bool(wanted.train.init if is_given else init)
    train = train.model_copy(update={"init": init, "freeze_norms": freeze_norms})
    experiment = override(usual.model_copy(update={"train": train}), settings)
    new_weights = [f"NEW WEIGHTS: {why_none}"] if why_none else []
    return experiment, [*about_training(experiment), *new_weights]


def start_of(variant: str, published: Sequence[str]) -> tuple[str | None, str]:
    """Choose weights that fit a variant: a packaged model's, or published ones, downloaded.

    Returns their name and "", or None and the reason.
    """
    if variant in PACKAGED and IN_THE_PACKAGE in published:
        return PACKAGED[variant], ""
    known = {row.name: row for row in rows()}
    names = [f"{variant}-{name}" for name in published]
    name = next((name for name in names if name in known and known[name].url), None)
    if name is None:
        return None, (
            f"no published weights of {variant} can be downloaded; --set train.init=FILE starts "
            "from yours, and a training from new weights needs more epochs"
        )
    try:
        find_model(name)
    except InputError as error:
        return None, f"{name} cannot be had ({error}); --set train.init=FILE names others"
    return name, ""


def schedule(
    train: T, count: int, *, is_known: bool, epochs: int | None = None, pace: Pace = USUAL_PACE
) -> T:
    """Choose epochs, learning rate, EMA and precision for a number of samples.

    is_known: the start weights predict these labels, so the training is gentler and shorter; a high
    learning rate lost more than few samples could teach. epochs: None to choose them too.
    """
    # epochs = samples to be seen / samples, within bounds
    least, most = pace.epochs
    seen = pace.seen // 4 if is_known else pace.seen
    epochs = epochs or min(most, max(least, round(seen / count)))
    # The EMA spans a twentieth of the run: decay = 1 - 20 / steps, from 0.9 to 0.999.
    steps = epochs * max(1, count // pace.batch_size)
    decay = round(1 - max(0.001, min(0.1, 20 / steps)), 4)
    changes: dict[str, object] = {
        "epochs": epochs,
        "batch_size": pace.batch_size,
        "optimizer": "adamw",
        "lr": pace.lr / 5 if is_known else pace.lr,
        "weight_decay": 0.02,
        "schedule": "cosine",
        "warmup_steps": min(200, steps // 10),
        "ema": decay,
        "precision": fast_precision(pick_device("auto")),
        "init_head": is_known,
        "evaluate_every": max(1, epochs // 10),
    }
    return train.model_copy(update=changes)


def about_classes(names: Sequence[str]) -> str:
    """Describe the classes in a line."""
    shown = ", ".join(printable(name) for name in names[:_SHOWN])
    return f"classes: {len(names)}: {shown}{', ...' if len(names) > _SHOWN else ''}"


def about_training(experiment: Experiment) -> list[str]:
    """Describe the network and the training in lines."""
    model, train = experiment.model, experiment.train
    height, width = model.input_size
    part = "all weights" if train.init_head else "the backbone"
    start = f"from {part} of {train.init}" if train.init else "from new weights"
    epochs = f"{train.epochs} epoch{'s' * (train.epochs != 1)}"
    head = f" with the head {model.options.head}" if model.options.head else ""
    return [
        f"network: {model.variant}{head} at {height}x{width} (height x width), {start}; "
        "--set model.variant=... takes another, see `hrnet models`",
        f"training: {epochs} of batches of {train.batch_size}, {train.optimizer} at {train.lr:g}, "
        f"{train.precision}, evaluated every {train.evaluate_every} epochs and at the end; "
        "every value can be changed by --set",
    ]
