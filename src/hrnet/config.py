"""An experiment as one frozen value: what is trained, on what, and how."""

import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hrnet.codecs.heatmap import CodecKind
from hrnet.data.augment import Augmentation
from hrnet.errors import InputError
from hrnet.losses import LossName
from hrnet.spec import MAX_SIGMA, InputSize, NetworkOptions


class Part(BaseModel):
    """A frozen part of an experiment that knows no other settings than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(Part):
    """variant: a key of `hrnet.models.VARIANTS`. input_size: (height, width) in multiples of 32.

    options: choices within the architecture, see `NetworkOptions`.
    """

    variant: str
    input_size: InputSize = (256, 192)
    codec: CodecKind = "classic"
    sigma: float = Field(default=2.0, gt=0, le=MAX_SIGMA)
    padding: float = Field(default=1.25, gt=0)
    options: NetworkOptions = NetworkOptions()


class DataConfig(Part):
    """COCO keypoint files and the folders of their pictures.

    val_annotations: evaluated after every `train.evaluate_every` epochs; None: never.
    category: the name (or id) of the one to take, where several have different keypoints.
    """

    annotations: Path
    images: Path
    val_annotations: Path | None = None
    val_images: Path | None = None
    category: str | None = None


class ParameterGroup(Part):
    """Parameters that are trained in another way than the rest.

    pattern: of their names, such as "backbone.*" or "*relative_position*" (as in the shell).
    lr_scale: factor on the learning rate. weight_decay: in place of the general one.
    """

    pattern: str
    lr_scale: float = Field(default=1.0, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)


class TrainConfig(Part):
    """Optimisation: all that decides what a run learns. Epochs count from 0.

    batch_size: samples in one update, over all processes and all parts together.
    accumulate: the parts in which a process computes its share, one after the other, to save
        memory; their gradients add up. Batch statistics are of one part.
    weight_decay: for convolution and linear weights; norms, biases and position tables have none.
        "adamw" subtracts lr * weight_decay * weight; for "adam" and "sgd" it is the L2 penalty that
        is added to the gradient. Published Adam trainings of HRNet have none.
    momentum, nesterov: of "sgd".
    groups: parameters with a learning rate or decay of their own; the first that fits counts.
    freeze: patterns of parameters that are not trained; norms all of whose parameters are frozen
        keep their statistics.
    clip_norm: largest norm of the gradient of all parameters together; None: no limit.
    schedule: "step" (a tenth at each of `milestones`, in epochs), "cosine" or "poly" (power 0.9) to
        zero over the run, "constant".
    warmup_steps, warmup_factor: the learning rate rises over so many updates from that factor.
    loss: see `hrnet.losses`.
    ema: decay of the moving average of the weights that is evaluated and saved; 0 switches it off.
    precision: "bf16" and "fp16" run the network under autocast; "fp16" scales the loss and needs a
        GPU.
    sync_norm: with several processes, batch statistics are of all of them.
    init: a checkpoint, run folder or name whose weights the training starts from.
    init_head: False takes the backbone alone from `init`, which may be of other keypoints.
    """

    epochs: int = Field(default=210, ge=1)
    batch_size: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(default=0.0, ge=0)
    groups: tuple[ParameterGroup, ...] = ()
    freeze: tuple[str, ...] = ()
    clip_norm: float | None = Field(default=None, gt=0)
    schedule: Literal["step", "cosine", "poly", "constant"] = "step"
    milestones: tuple[int, ...] = (170, 200)
    warmup_steps: int = Field(default=0, ge=0)
    warmup_factor: float = Field(default=1e-3, gt=0, le=1)
    loss: LossName = "mse"
    ema: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    sync_norm: bool = True
    init: str | None = None
    init_head: bool = True
    evaluate_every: int = Field(default=10, ge=1)
    seed: int = Field(default=0, ge=0)


class RunConfig(Part):
    """How a run is carried out: nothing here is meant to change what is learned.

    device: "auto" takes CUDA, then Apple's MPS, then the CPU.
    workers: processes that prepare samples, for each process that trains.
    cache_images: keep decoded pictures in memory, one copy in each worker.
    broken_images: "error" stops at a picture that cannot be read, "skip" leaves it out and counts.
    channels_last, compile: memory layout of maps, and torch.compile of the network.
    checkpoint_minutes: the state is saved so often, and at the end of each epoch.
    log_every: updates between two lines of log.jsonl. tensorboard: write event files too.
    """

    device: str = "auto"
    workers: int = Field(default=1, ge=0)
    cache_images: bool = True
    broken_images: Literal["error", "skip"] = "error"
    channels_last: bool = True
    compile: bool = False
    checkpoint_minutes: float = Field(default=5.0, ge=0)
    log_every: int = Field(default=50, ge=1)
    tensorboard: bool = True


class Experiment(Part):
    """One training run; `name` is the recipe's or the file's."""

    name: str
    model: ModelConfig
    data: DataConfig
    augmentation: Augmentation = Augmentation()
    train: TrainConfig = TrainConfig()
    run: RunConfig = RunConfig()

    @classmethod
    def from_json(cls, text: str) -> "Experiment":
        """Read an experiment.json; InputError names the field that does not fit."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(describe(error)) from None

    def to_json(self) -> str:
        """Write the experiment as `from_json` reads it."""
        return self.model_dump_json(indent=2)


def read_experiment(path: Path) -> Experiment:
    """Read an experiment.json as a run folder holds it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is not text"
        raise InputError(f"cannot read the experiment {path}: {reason}; check the path") from None
    try:
        return Experiment.from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def describe(error: ValidationError) -> str:
    """One line about the first field that does not fit."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"unknown setting {where}; {_near(where)}"
    if first["type"] == "value_error":  # from a check of ours, which says what came
        return f"setting {where}: {first['ctx']['error']}"
    what = f"setting {where}" if where else "not an experiment.json"
    return f"{what}: {first['msg']}, got {first['input']!r:.60}"


def override(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    """Apply settings of the form `train.lr=1e-3`; the experiment given stays as it is.

    Values are JSON where they parse as such, else text. Raises InputError for an unknown setting
    (with the near names) or a value that does not fit.
    """
    tree = json.loads(experiment.to_json())
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"expected --set NAME=VALUE, got {setting!r}")
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if not isinstance(node, dict) or leaf not in node:
            raise InputError(f"unknown setting {path}; {_near(path)}")
        node[leaf] = _value(text, node[leaf])
    return Experiment.from_json(json.dumps(tree))


def _value(text: str, before: object) -> object:
    """A setting's new value; where text stood before, a number is text too (a folder `2017`)."""
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError:
        return text
    numeric = isinstance(value, int | float)
    return text if numeric and isinstance(before, str) else value


def _near(path: str) -> str:
    near = get_close_matches(path, list(_setting_names()), n=3, cutoff=0.4)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "settings are name, model.*, data.*, augmentation.*, train.* and run.*"


def _setting_names() -> Iterator[str]:
    parts: dict[str, type[Part]] = {
        "model": ModelConfig,
        "data": DataConfig,
        "train": TrainConfig,
        "run": RunConfig,
    }
    yield "name"
    for part, config in parts.items():
        yield from (f"{part}.{field}" for field in config.model_fields)
    yield from (f"augmentation.{field}" for field in Augmentation.__dataclass_fields__)
