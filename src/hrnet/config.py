"""An experiment as one frozen value: the network, the data and the training.

Each task extends the parts with settings of its own, see `hrnet.tasks`. The docstring below a
setting is its description, which `hrnet recipes NAME` prints.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from typing import Annotated, ClassVar, Literal, Self, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from hrnet.data.source import DataSource
from hrnet.errors import InputError, one_line
from hrnet.spec import InputSize, ModelSpec, NetworkOptions, NetworkSpec

MAX_COUNT = 1_000_000_000
"""Of updates, epochs or samples: more than any training has."""

MAX_SEED = 2**63 - 1
"""The largest that torch and numpy both take."""

Pattern = Annotated[str, Field(max_length=1000)]
"""Of parameters' names, such as "backbone.*", as in the shell."""


class Part(BaseModel):
    """A frozen part of an experiment; other settings than its own are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


class ModelConfig(Part):
    """The network."""

    any_channels: ClassVar[bool] = False
    """True where pictures may have other channels than red, green and blue."""

    variant: str = Field(max_length=200)
    """The architecture by its name; `hrnet models` lists them."""
    input_size: InputSize = (256, 192)
    """(height, width) of the input in pixels, multiples of 32."""
    options: NetworkOptions = NetworkOptions()
    """Choices within the architecture."""

    @model_validator(mode="after")
    def _check_in_channels(self) -> Self:
        if self.options.in_channels is not None and not self.any_channels:
            raise ValueError(
                f"this task reads 3 channels, got options.in_channels {self.options.in_channels}; "
                "leave it out"
            )
        return self

    def network(self, task: str, num_outputs: int) -> NetworkSpec:
        """Describe the network that is trained for a task."""
        options = self.options.model_dump()
        return NetworkSpec(variant=self.variant, task=task, num_outputs=num_outputs, **options)


class DataConfig(Part, ABC):
    """Labelled data; each task has settings of its own for them."""

    @abstractmethod
    def training(self) -> DataSource:
        """Return the data to train on."""

    @abstractmethod
    def validation(self) -> DataSource | None:
        """Return the data to evaluate on during the training, None where there are none."""


class ParameterGroup(Part):
    """Parameters with a learning rate or weight decay of their own."""

    pattern: Pattern
    """Of their names, such as backbone.* or *norm*."""
    lr_scale: float = Field(default=1.0, gt=0, le=1000)
    """Their factor on the learning rate."""
    weight_decay: float | None = Field(default=None, ge=0, le=1000)
    """In place of train.weight_decay."""


class TrainConfig(Part):
    """Optimisation: every setting that changes what is learned. Epochs count from 0."""

    epochs: int = Field(default=210, ge=1, le=MAX_COUNT)
    """Passes over the training data."""
    batch_size: int = Field(default=32, ge=1, le=MAX_COUNT)
    """Samples in one update, over all processes and all parts together."""
    accumulate: int = Field(default=1, ge=1, le=MAX_COUNT)
    """Parts in which a process computes its share, one after the other, to save memory; their
    gradients add up. Batch statistics are of one part."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """adam, adamw or sgd."""
    lr: float = Field(default=1e-3, gt=0, le=1e30)
    """Learning rate before warm-up and schedule."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of sgd."""
    nesterov: bool = False
    """Nesterov's momentum, of sgd."""
    weight_decay: float = Field(default=0.0, ge=0, le=1000)
    """For convolution and linear weights; norms, biases and position tables have none. adamw
    subtracts lr * weight_decay * weight; for adam and sgd it is the L2 penalty that is added to
    the gradient. Published Adam trainings of HRNet have none."""
    groups: tuple[ParameterGroup, ...] = Field(default=(), max_length=1000)
    """Parameters with a learning rate (lr_scale) or weight_decay of their own, by a pattern of
    names; the first that fits counts."""
    freeze: tuple[Pattern, ...] = Field(default=(), max_length=1000)
    """Patterns of parameters that are not trained; norms all of whose parameters are frozen
    keep their statistics."""
    freeze_norms: bool = False
    """true keeps the batch statistics of the start weights in all batch norms, as trainings of
    detectors with few pictures in a batch do; scale and shift are trained."""
    clip_norm: float | None = Field(default=None, gt=0, le=1e9)
    """Largest norm of the gradient of all parameters together; null: no limit."""
    schedule: Literal["step", "cosine", "poly", "constant"] = "step"
    """step (a tenth at each of train.milestones), cosine or poly (power 0.9) to zero over the
    run, or constant."""
    milestones: tuple[Annotated[int, Field(ge=0, le=MAX_COUNT)], ...] = Field(
        default=(170, 200), max_length=1000
    )
    """Epochs at which step goes to a tenth."""
    schedule_floor: float = Field(default=1e-3, ge=0, le=1)
    """Least factor of cosine and poly on the learning rate."""
    schedule_after_warmup: bool = False
    """true lets cosine and poly begin after the warm-up, false with the first update."""
    warmup: Literal["linear", "constant"] = "linear"
    """linear rises evenly from train.warmup_factor to 1, constant stays there."""
    warmup_steps: int = Field(default=0, ge=0, le=MAX_COUNT)
    """Updates of the warm-up."""
    warmup_factor: float = Field(default=1e-3, gt=0, le=1)
    """Factor on the learning rate at the first update."""
    loss: str
    """The loss by its name; each task has its own."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of the exponential moving average (EMA) of the weights, which is evaluated and
    saved; 0: none. In the first updates it is smaller: (1 + n) / (10 + n) after n of them."""
    precision: Literal["float32", "bf16", "fp16", "auto"] = "float32"
    """auto is bf16 where the device has instructions for it, else float32; the run's settings say
    which. bf16 and fp16 run the network under autocast; fp16 scales the loss and needs a GPU."""
    sync_norm: bool = True
    """With several processes, batch statistics are of all of them."""
    init: str | None = Field(default=None, max_length=10_000)
    """A checkpoint, run folder or name whose weights the training starts from; null: new
    weights."""
    init_head: bool = True
    """false takes the backbone alone from train.init, which may predict something else."""
    teacher: str | None = Field(default=None, max_length=10_000)
    """A checkpoint, run folder or name of a trained model for the same labels; its answers on the
    augmented samples are targets beside the labels, or in place of them; null: labels alone."""
    teacher_share: float = Field(default=0.7, gt=0, le=1)
    """loss = share * loss against the teacher's answers + (1 - share) * loss against the labels."""
    evaluate_every: int = Field(default=10, ge=1, le=MAX_COUNT)
    """Epochs between two evaluations."""
    seed: int = Field(default=0, ge=0, le=MAX_SEED)
    """All that is drawn at random follows from it."""

    @model_validator(mode="after")
    def _check_norms(self) -> Self:
        if self.freeze_norms and self.init is None:
            raise ValueError(
                "freeze_norms keeps the statistics of start weights, but init is null; take "
                "train.freeze_norms=false, or start from weights"
            )
        return self


class RunConfig(Part):
    """Execution: device, workers, logging. These settings do not change what is learned."""

    device: str = Field(default="auto", max_length=200)
    """auto takes CUDA, then Apple's MPS, then the CPU; or cpu, cuda, cuda:1, mps."""
    workers: int = Field(default=1, ge=0, le=512)
    """Processes that prepare samples, for each process that trains."""
    cache_images: bool = True
    """Keep decoded pictures in memory, one copy in each worker."""
    broken_images: Literal["error", "skip"] = "error"
    """error stops at a picture, or labels of it, that cannot be read; skip leaves it out and
    counts."""
    channels_last: bool = True
    """Channels last in memory, which is faster in most cases."""
    compile: bool = False
    """Compile the network by torch.compile."""
    checkpoint_minutes: float = Field(default=5.0, ge=0, le=1e6)
    """The state is saved so often, and at the end of each epoch."""
    log_every: int = Field(default=50, ge=1, le=MAX_COUNT)
    """Updates between two lines of log.jsonl."""
    tensorboard: bool = True
    """Write event files for TensorBoard too."""


class Experiment(Part):
    """One training run; each task has a subclass with parts of its own.

    augmentation: a frozen dataclass or another `Part`, for the task alone.
    """

    name: str = Field(max_length=1000)
    """The recipe's or the file's."""
    task: str
    """The task, which has settings of its own."""
    model: ModelConfig
    data: DataConfig
    augmentation: object
    train: TrainConfig
    run: RunConfig = RunConfig()

    def notes(self, spec: ModelSpec) -> list[str]:
        """Return lines to print before the training of a model, such as what is switched off."""
        return []

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the JSON of this class; `hrnet.read_experiment` reads a file of any task.

        Raises InputError that names the first field that does not fit.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(_describe(error, cls)) from None
        except UnicodeEncodeError:
            raise InputError("not an experiment.json: it holds characters that are none") from None

    def to_json(self) -> str:
        """Write the experiment as `from_json` reads it."""
        return self.model_dump_json(indent=2)


E = TypeVar("E", bound=Experiment)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of an experiment. name: as `--set` takes it. value: as JSON."""

    name: str
    value: str
    meaning: str


def settings_of(experiment: Experiment) -> Iterator[Setting]:
    """Yield every setting of an experiment with its meaning, in the order of the parts."""
    tree = json.loads(experiment.to_json())
    for name, field in _fields(type(experiment)):
        value = tree
        for key in name.split("."):
            value = value[key]
        yield Setting(
            name, json.dumps(value, ensure_ascii=False), " ".join((field.description or "").split())
        )


def _fields(part: type, above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield the settings of a part, and of the parts within it, by their full names."""
    for name, field in _own_fields(part).items():
        inner = field.annotation
        if isinstance(inner, type) and (issubclass(inner, BaseModel) or is_dataclass(inner)):
            yield from _fields(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}", field


def _own_fields(part: type) -> dict[str, FieldInfo]:
    """Return the fields of a pydantic model or of a dataclass."""
    if is_dataclass(part):
        hints = get_type_hints(part, include_extras=True)
        return {one.name: FieldInfo.from_annotation(hints[one.name]) for one in fields(part)}
    assert issubclass(part, BaseModel)
    return dict(part.model_fields)


def _describe(error: ValidationError, kind: type[Experiment]) -> str:
    """Describe the first field that does not fit in one line."""
    # The first error is enough: one line, and the next one comes when it is mended.
    first = error.errors(include_url=False)[0]
    where = one_line(".".join(str(part) for part in first["loc"]))[:200]
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"unknown setting {where}; {_near(where, kind)}"
    if first["type"] == "value_error":  # from a check of ours, whose message is complete
        message = one_line(first["ctx"]["error"])
        return f"setting {where}: {message}" if where else message  # of several settings together
    what = f"setting {where}" if where else "not an experiment.json"
    return f"{what}: {first['msg']}, got {_shown(first['input'])}"


def _shown(value: object) -> str:
    """Return a value in at most 60 characters; Python writes no integers of many digits."""
    try:
        return f"{value!r:.60}"
    except (ValueError, RecursionError):
        return "a value too long to show"


def override(experiment: E, settings: Sequence[str]) -> E:
    """Return a copy of an experiment with settings of the form `train.lr=1e-3` applied.

    Values are JSON where they parse as such, else text. Raises InputError for an unknown setting
    (with the near names) or a value that does not fit.
    """
    # Change the JSON of the experiment, which is checked as a whole when it is read again.
    kind, tree = type(experiment), json.loads(experiment.to_json())
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"expected --set NAME=VALUE, got {setting!r:.200}")
        # Walk down to the part that holds the setting.
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if not isinstance(node, dict) or leaf not in node:
            raise InputError(f"unknown setting {path:.200}; {_near(path, kind)}")
        node[leaf] = _value(text, node[leaf])
    return kind.from_json(json.dumps(tree))


def _value(text: str, before: object) -> object:
    """Read the new value of a setting.

    Where text stood before, a number is text too (a folder `2017`).
    """
    try:
        value: object = json.loads(text)
        json.dumps(value)
    except (ValueError, RecursionError):  # too many digits, or nested too deep
        return text
    if isinstance(value, bool) and isinstance(before, int | float):
        return value if isinstance(before, bool) else text  # true is no number
    return text if isinstance(value, int | float) and isinstance(before, str) else value


def _near(path: str, kind: type[Experiment]) -> str:
    """Name the settings that are spelled like a path, or all parts."""
    near = get_close_matches(path[:200], [name for name, _ in _fields(kind)], n=3, cutoff=0.4)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "settings are name, model.*, data.*, augmentation.*, train.* and run.*"
