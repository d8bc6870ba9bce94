"""The protocol between the tasks and everything that streams, trains, evaluates or exports.

A task is a module with a `TASK`, listed by name in `TASKS`. Shared code calls the six methods of
`Task` and the methods of its values (`Page`, `Result`, `Dataset`), and names no task:

    predicting:  image -> preprocess -> crops -> network (-> unflip) -> postprocess -> Result
    training:    dataset -> batch -> network -> loss
    evaluating:  dataset.jobs -> predicting -> evaluate -> metrics
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import read_text
from hrnet.geometry import Floats, Image8, Picture, Size
from hrnet.images import ImageSource
from hrnet.markup import Section
from hrnet.spec import ModelSpec, NetworkSpec, check_length

if TYPE_CHECKING:
    from rich.table import Table

    from hrnet.config import Experiment

Outputs = tuple[NDArray[np.float32], ...]
"""What a network returns for a batch: one array or several, the batch first."""


class Result(Protocol):
    """The result of a task in one picture."""

    @property
    def image_size(self) -> Size: ...

    def draw(self, image: ImageSource) -> Image8:
        """Return a copy of the picture with the result drawn on it."""

    def entries(self, image_id: int) -> list[dict[str, object]]:
        """List the JSON objects of the picture."""

    def to_csv(self) -> str:
        """Return the result as a CSV table, the names of the columns first."""

    def files(self) -> "Mapping[str, bytes]":
        """Return what is written beside the drawing, by the end of its name: `mask.png`."""

    def summary(self) -> str:
        """Describe the result in a few words: `2 persons, score 0.93 0.88`."""

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield the result in full, as tables for a terminal of that width."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One input of the network.

    pixels: (H, W, C), usually RGB, within about 0..255, of the network's input size. matrix: (2,
    3), affine, from the picture to the crop. page: the picture in progress that the crop is of.
    content: (height, width) of the part, top left, that is filled by the picture; the rest is 0 in
    the network's input. None where that is all. numbers: what the network needs to know of the crop
    beside its pixels, one number for each of the spec's `input_names` behind the first.
    """

    page: "Page"
    pixels: NDArray[np.number]
    matrix: Floats
    content: Size | None = None
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The regions that a detector found in a picture.

    boxes_xywh: (N, 4) as left, top, width, height in pixels. scores: (N,), 0..1. detector: the name
    of the model that found them.
    """

    boxes_xywh: Floats
    scores: Floats
    detector: str


class RegionResult(Result, Protocol):
    """The result of a detector, whose regions another model can look into."""

    def confident(self, min_score: float | None) -> "RegionResult":
        """Return the regions with at least that score; None takes the model's usual choice."""

    def regions(self, subject: str | None, detector: str) -> Regions:
        """Return the regions of a class, of all classes for None; InputError for no such class."""


class Page(Protocol):
    """A picture in progress: it hands out its crops and collects what was found in them."""

    def crops(self) -> Iterator[Crop]:
        """Cut the crops one by one, as they are asked for."""

    def add(self, part: object) -> None:
        """Take what `postprocess` found in the next crop."""

    @property
    def done(self) -> bool:
        """True when all crops were cut and their parts have come in."""

    def result(self) -> Result:
        """Put the parts together."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One picture to predict on.

    boxes: (N, 4) as left, top, width, height in pixels, for tasks that look into boxes; None takes
    the whole picture. index: of the job among those of its data set.
    """

    image: ImageSource
    boxes: ArrayLike | None = None
    index: int = 0


class Sample(Protocol):
    """One labelled sample to train on; the labels are the task's own."""

    @property
    def image_path(self) -> Path: ...

    @property
    def image_size(self) -> Size | None:
        """(height, width) as annotated, to be compared with the file's; None where unknown."""

    @property
    def name(self) -> str:
        """Tells a person which sample it is: `annotation 17`."""


class Dataset(Protocol):
    """Labelled pictures, read and checked."""

    @property
    def path(self) -> Path: ...

    @property
    def notes(self) -> Sequence[str]:
        """One line for each kind of thing that was left out or made up, with its count."""

    @property
    def samples(self) -> Sequence[Sample]:
        """To train on."""

    @property
    def jobs(self) -> Sequence[Job]:
        """To evaluate on, in order; `image` is a path."""

    def keep(self, job: Job, result: Result) -> Result:
        """Return what metrics need of a result; all are held until the last picture is done.

        Raises InputError where a picture is not the one that was labelled.
        """

    def facts(self) -> Mapping[str, object]:
        """Return what metrics depend on: `data`, `metric` and what else the task has."""

    def describe(self) -> Sequence[str]:
        """Return the same in lines for a person."""

    def expect_labels_of(self, spec: ModelSpec) -> None:
        """Raise InputError where the labels are not those that a model of that spec predicts."""


class Task(Protocol):
    """All that is particular to a task, for one model. Made of its spec, and an experiment.

    The experiment (with its augmentation) is only needed by `batch`.
    """

    @property
    def spec(self) -> ModelSpec: ...

    def preprocess(self, image: Picture, boxes: "ArrayLike | Regions | None") -> Page:
        """Open a picture; InputError for boxes that cannot be cropped.

        image: as `rasters.read_picture` returns it, (H, W, 3) uint8 but for a spec of other pixels.
        boxes: those of a user, or what a detector found; None takes the whole picture.
        """

    def unflip(self, outputs: Outputs) -> Outputs:
        """Turn the outputs of mirrored crops into those of the crops themselves.

        The last outputs are left out where they have no mean, such as class indices.
        """

    def postprocess(self, outputs: Outputs, crops: Sequence[Crop]) -> Iterable[object]:
        """Turn the outputs of a batch into one part a crop, for `Page.add`.

        Raises InputError where their shapes are not those of the spec, or numbers not finite.
        """

    @staticmethod
    def dataset(source: DataSource) -> Dataset:
        """Read labelled data; InputError for the first error in them."""

    def batch(
        self,
        samples: Sequence[Sample],
        pictures: Sequence[Picture],
        rngs: Sequence[np.random.Generator],
    ) -> tuple[Picture, Mapping[str, NDArray[np.generic]]]:
        """Augment samples; return inputs (N, H, W, C) and the targets of the loss by name."""

    def evaluate(self, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, float]:
        """Compute the metrics of results; the first one chooses the best checkpoint.

        Greater is better but for errors, see `hrnet.metrics.names`. -1 where nothing could count.
        """


class TaskSections(Protocol):
    """The module of a task's part of the report; it must not import torch.

    METRIC_MEANING: metric -> its meaning in a few words, shown beside its value.
    """

    METRIC_MEANING: Mapping[str, str]

    def report_sections(
        self, task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
    ) -> list[Section]:
        """Return the sections below the metrics; arguments as for `Task.evaluate`."""


class MakeTask(Protocol):
    """The class of a `Task`."""

    def __call__(self, spec: ModelSpec, experiment: "Experiment | None" = None) -> Task: ...

    def dataset(self, source: DataSource) -> Dataset:
        """Read labelled data, see `Task.dataset`; training reads them before there is a spec."""


@dataclass(frozen=True, slots=True)
class TaskParts:
    """A task with the parts that are not methods: what is read from files, and what needs torch.

    name: as in specs and recipes. results: the noun for what is found, in messages and file names.
    without_boxes: a note for predictions without boxes, "" for tasks that take none.
    finds_regions: True where results are `RegionResult`s.
    hub_tag: the task's name on the Hugging Face hub, "" where it has none.
    spec: description of a model.
    settings: module with EXPERIMENT, the class of a training's settings, and make_spec, which makes
    of these and the training data the description of the model that is trained. Predicting does not
    load it.
    network: module with LOSSES (name -> loss of outputs and targets), or `make_loss(experiment,
    spec)` where losses have settings; and, where the network predicts by more than its bare
    outputs, `predictor(network, spec)`; it may import torch.
    sections: module of `TaskSections`, None where the report has the table of metrics alone.
    details: what `hrnet evaluate --json` writes beside the metrics, of the arguments of
    `report_sections`; None for nothing.
    fitted: of the arguments of `report_sections`, on held-out data, the spec with what is fitted to
    them; None for nothing.
    usual_facts: of a network and the known fields of its spec, fields to assume where a file of
    weights lacks them; None for nothing.
    """

    name: str
    make: MakeTask
    spec: type[ModelSpec]
    settings: str
    network: str
    sections: str | None = None
    details: Callable[[Task, Sequence[tuple[Job, Result]], Dataset], dict[str, object]] | None = (
        None
    )
    fitted: Callable[[Task, Sequence[tuple[Job, Result]], Dataset], ModelSpec] | None = None
    usual_facts: Callable[[NetworkSpec, Mapping[str, object]], dict[str, object]] | None = None
    results: str = "results"
    without_boxes: str = ""
    finds_regions: bool = False
    hub_tag: str = ""

    @property
    def experiment(self) -> "type[Experiment]":
        experiment: type[Experiment] = import_module(self.settings).EXPERIMENT
        return experiment

    @property
    def make_spec(self) -> "Callable[[Experiment, Dataset], ModelSpec]":
        make_spec: Callable[[Experiment, Dataset], ModelSpec] = import_module(
            self.settings
        ).make_spec
        return make_spec


TASKS: dict[str, str] = {
    "pose": "hrnet.tasks.pose.task",
    "classification": "hrnet.tasks.classification.task",
    "detection": "hrnet.tasks.detection.task",
    "segmentation": "hrnet.tasks.segmentation.task",
}
"""Task -> the module that holds its `TASK`; imported when it is first used."""


def get_task(name: str) -> TaskParts:
    """Return a task by its name; InputError for an unknown one."""
    if name not in TASKS:
        raise InputError(
            f"expected a task of {', '.join(TASKS)}, got {name:.60}; a newer version of hrnet may "
            "have it"
        )
    parts: TaskParts = import_module(TASKS[name]).TASK
    return parts


def read_spec(text: str) -> ModelSpec:
    """Read the description of a model of any task; InputError with one line where it is none."""
    check_length(text)
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    network = fields.get("network", fields) if isinstance(fields, dict) else None
    task = network.get("task") if isinstance(network, dict) else None  # format 1: no network
    if not isinstance(task, str):
        raise InputError(
            "not the description of a model that this version reads: expected JSON with a task; "
            "export the model again with this version of hrnet"
        )
    return get_task(task).spec.from_json(text)


_TASK_OF_OLD_FILES = "pose"
"""The task of an experiment.json without `task`: there was one task when it was written."""


def experiment_from_json(text: str) -> "Experiment":
    """Read an experiment of any task; InputError names the field that does not fit."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    # Text that is no JSON object has no task; any task's reader describes what is wrong with it.
    task = fields.get("task", _TASK_OF_OLD_FILES) if isinstance(fields, dict) else next(iter(TASKS))
    if task not in list(TASKS):
        raise InputError(f"setting task: expected {' or '.join(TASKS)}, got {task!r:.60}")
    return get_task(task).experiment.from_json(text)


def read_experiment(path: Path) -> "Experiment":
    """Read an experiment.json of any task, as a run folder holds it."""
    text = read_text(path, "the experiment")
    try:
        return experiment_from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def expect_outputs(outputs: Outputs, shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise InputError unless a network's outputs have these shapes and finite numbers."""
    got = [tuple(output.shape) for output in outputs]
    if got != list(shapes):
        found, wanted = (" and ".join(map(str, which)) for which in (got, shapes))
        raise InputError(
            f"the network's output has shape {found}, not {wanted} as its description has it; "
            "export it again"
        )
    if not all(np.isfinite(output).all() for output in outputs):
        raise InputError("the network's output has NaN or infinity in it; export it again")
