"""Metrics of a model on labelled data, with everything that they depend on.

    data -> Task.dataset -> jobs -> Model.stream -> results -> Task.evaluate -> metrics

The results come the same way as in any prediction. Without torch for exported models.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from os import PathLike
from pathlib import Path

import PIL
from PIL import features

from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import is_file, sha256_of
from hrnet.predict import BATCH_SIZE, Model, load
from hrnet.runtime import DEFAULT_ENGINE, EngineName
from hrnet.spec import ModelSpec
from hrnet.tasks import Dataset, Job, Result, get_task
from hrnet.weights.catalog import find_model

GROUND_TRUTH = "gt"
"""Value of `boxes` for the boxes of the annotations."""

DETECTOR = "detector"
"""Value of `boxes` for those that the model's own detector finds."""

Progress = Callable[[int, int], None]
"""Called after each image with how many are done and how many there are."""

Pair = tuple[Job, Result]
"""A picture of a data set and the result in it."""


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The metrics, mostly 0..1 (-1 where nothing could count), and what they depend on.

    metrics: the first one is the task's main metric, by which checkpoints are compared.
    protocol: `model` with file, digest and engine; what `Dataset.facts` and `ModelSpec.facts`
    return; and `decoder`, the JPEG decoder. lines: the same for a person. details: what else the
    task has found, such as the accuracy of each class; for the JSON alone.
    """

    metrics: dict[str, float]
    protocol: dict[str, object]
    lines: tuple[str, ...]
    details: dict[str, object] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the JSON text: metrics and details by their names, and `protocol`."""
        content = {**self.metrics, **self.details, "protocol": self.protocol}
        return json.dumps(content, indent=2) + "\n"

    def summary(self) -> str:
        """Describe in a few lines what the metrics were measured on and how."""
        return "\n".join(self.lines)


def evaluate(
    model: str | PathLike[str] | Model,
    *,
    data: str | PathLike[str],
    images: str | PathLike[str] | None = None,
    boxes: str | PathLike[str] = GROUND_TRUTH,
    category: str | None = None,
    labels: str | PathLike[str] | None = None,
    split: str | None = None,
    mm_per_pixel: float | None = None,
    flip_test: bool = False,
    engine: EngineName | None = None,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
    detector: str | PathLike[str] | Model = "auto",
    settings: Sequence[str] = (),
) -> EvaluationResult:
    """Evaluate a model on labelled data, by the metrics of its task.

    model: as `load` takes it, with `engine`, `device`, `threads` and `settings`, or a loaded model.
    data: for pose a COCO keypoint file, of any keypoints; PCKh needs a `head_size` of each subject.
        For detection a COCO file of boxes. For segmentation a folder of pictures beside one of
        labels, or a list of both.
    images: the folder of the pictures.
    boxes: "gt" for those of the annotations, "detector" for those that the model's detector finds,
        or a file of a detector's boxes in the COCO results form. detector: see `load`.
    category: the name (or id) of the one to evaluate on, where their keypoints differ.
    labels: the folder of the labels, where `data` is that of the pictures alone. split: the part of
        the data to evaluate on, such as val, where a folder has parts.
    mm_per_pixel: of pictures that do not have their own, for errors in mm.
    flip_test: average with the mirrored crop, as published metrics do.
    batch_size: crops that go through the network together.
    Raises InputError with one line for data of another form, a picture that is missing or of
    another size than annotated, and a model of other labels.
    """
    finds = boxes == DETECTOR
    used = detector if finds else None
    loaded, runner = open_model(
        model, engine=engine, device=device, threads=threads, detector=used, settings=settings
    )
    _expect_boxes(loaded, boxes, detector)
    source = DataSource(
        Path(data),
        images=None if images is None else Path(images),
        boxes=None if boxes in (GROUND_TRUTH, DETECTOR) else Path(boxes),
        detect=finds,
        category=category,
        labels=None if labels is None else Path(labels),
        split=split,
        whole_images=loaded.spec.whole_images,
        mm_per_pixel=None if mm_per_pixel is None else expect_spacing(mm_per_pixel),
    )
    dataset = loaded.task.dataset(source)
    pairs = predict_dataset(
        loaded, dataset, flip_test=flip_test, batch_size=batch_size, progress=progress
    )
    return judge(loaded, runner, dataset, pairs, flip_test=flip_test)


def expect_spacing(mm_per_pixel: float) -> float:
    """Return the millimetres of a pixel; InputError unless they are above 0."""
    if not 0 < mm_per_pixel < math.inf:
        raise InputError(f"expected mm_per_pixel above 0, got {mm_per_pixel:g}")
    return mm_per_pixel


def _expect_boxes(
    model: Model, boxes: str | PathLike[str], detector: str | PathLike[str] | Model
) -> None:
    """Raise InputError for boxes that a model does not take, or that nothing finds."""
    if boxes != DETECTOR and detector not in (None, "auto"):
        raise InputError(
            f"expected a detector for boxes={DETECTOR} alone, got boxes={boxes}; leave one out"
        )
    if boxes != GROUND_TRUTH and not get_task(model.spec.task).without_boxes:
        raise InputError(
            f"expected no boxes: {model.spec.name:.60} takes whole pictures; leave them out"
        )
    if boxes == DETECTOR and model.detector is None:
        raise InputError(
            f"expected a detector for {model.spec.name:.60}, which has none of its own; name one"
        )


@dataclass(frozen=True, slots=True)
class Runner:
    """The file of a model and the engine that runs it; file is None for a network in memory."""

    file: Path | None
    engine: str


def open_model(
    model: str | PathLike[str] | Model,
    *,
    engine: EngineName | None = None,
    device: str = "auto",
    threads: int | None = None,
    detector: str | PathLike[str] | Model | None = None,
    settings: Sequence[str] = (),
) -> tuple[Model, Runner]:
    """Load a model as `load` does, unless it is loaded, and note what runs it."""
    if isinstance(model, Model):
        adjusted = model.adjusted(settings) if settings else model
        return adjusted, Runner(None, "a network in memory")
    file = find_model(model if isinstance(model, str) else Path(model))
    loaded = load(
        file, engine=engine, device=device, threads=threads, detector=detector, settings=settings
    )
    name = (engine or DEFAULT_ENGINE) if file.suffix == ".onnx" else "torch"
    place = "" if loaded.device == "cpu" else f" on {loaded.device}"
    # The module is loaded by now, and has its version.
    return loaded, Runner(file, f"{name} {import_module(name).__version__}{place}")


def predict_dataset(
    model: Model,
    dataset: Dataset,
    jobs: Sequence[Job] | None = None,
    *,
    flip_test: bool = False,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> list[Pair]:
    """Run a model on the pictures of a data set, in order.

    jobs: some of the data set's; None for all.
    Raises InputError for a model of other labels, pictures that are missing and the first one that
    cannot be used: metrics over a part of the pictures would be wrong.
    """
    jobs = dataset.jobs if jobs is None else jobs
    dataset.expect_labels_of(model.spec)
    expect_files([Path(str(job.image)) for job in jobs])
    stream = model.stream(jobs, flip_test=flip_test, batch_size=batch_size, min_score=0)
    pairs: list[Pair] = []
    for job, result in zip(jobs, stream, strict=True):
        if isinstance(result, InputError):
            raise result
        pairs.append((job, dataset.keep(job, result)))
        if progress is not None:
            progress(len(pairs), len(jobs))
    return pairs


def judge(
    model: Model, runner: Runner, dataset: Dataset, pairs: Sequence[Pair], *, flip_test: bool
) -> EvaluationResult:
    """Compute the metrics of a model's results on a data set, and note what they depend on."""
    spec, file = model.spec, runner.file
    protocol: dict[str, object] = {
        "model": {
            "name": spec.name,
            "variant": spec.network.variant,
            "file": file.name if file else None,
            "sha256": sha256_of(file) if file else None,
            "engine": runner.engine,
        },
        spec.task: spec.facts(flip_test=flip_test),
        **({"detector": _facts_of(model.detector)} if model.detector else {}),
        **dataset.facts(),
        "decoder": decoder(),
    }
    flip = f"flip test {'on' if flip_test else 'off'}"
    lines = (f"model {describe_spec(spec)} on {runner.engine}, {flip}", *dataset.describe())
    details = get_task(spec.task).details
    return EvaluationResult(
        metrics=model.task.evaluate(pairs, dataset),
        protocol=protocol,
        lines=lines,
        details=details(model.task, pairs, dataset) if details else {},
    )


def _facts_of(detector: Model) -> dict[str, object]:
    """Return what results depend on of the model that found the boxes."""
    return {
        "name": detector.spec.name,
        "sha256": sha256_of(detector.file) if detector.file else None,
        **detector.spec.facts(flip_test=False),
    }


def describe_spec(spec: ModelSpec) -> str:
    """Describe a model in a few words: `mine (hrnet_w32, 256x192, udp, padding 1.25)`."""
    height, width = spec.input_size
    words = ", ".join([spec.network.variant, f"{height}x{width}", *spec.words()])
    return f"{spec.name} ({words})"


def main_metric(metrics: dict[str, float]) -> tuple[str, float]:
    """Return name and value of the metric by which checkpoints are compared, the first."""
    return next(iter(metrics.items()))


def decoder() -> str:
    """Name what decodes the JPEGs: decoders differ by grey levels, and metrics with them."""
    turbo = features.version_feature("libjpeg_turbo")
    library = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    return f"Pillow {PIL.__version__}, {library}"


def expect_files(paths: Iterable[Path]) -> None:
    """Raise InputError that counts the missing pictures, each once, and names the first."""
    pictures = dict.fromkeys(paths)  # a picture has as many samples as subjects
    missing = [path for path in pictures if not is_file(path)]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(pictures)} annotated images are missing, the first is "
            f"{missing[0]}; check the folder of the images"
        )
