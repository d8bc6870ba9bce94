"""An experiment as one frozen value: what is trained, on what, and how.

The meaning of a setting stands beside it, as its description: `hrnet recipes NAME`, the messages
and the bounds all come from here.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from hrnet.codecs.heatmap import CodecKind
from hrnet.data.augment import Augmentation
from hrnet.errors import InputError, one_line
from hrnet.files import read_text
from hrnet.spec import InputSize, NetworkOptions

MAX_COUNT = 1_000_000_000
"""Of updates, epochs or samples: more than any training has."""

MAX_SEED = 2**63 - 1
"""The largest that torch and numpy both take."""

Pattern = Annotated[str, Field(max_length=1000)]
"""Of parameters' names, such as "backbone.*", as in the shell."""


class Part(BaseModel):
    """A frozen part of an experiment that takes no other settings than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


LossName = Literal["mse", "ohkm", "cross_entropy"]
"""A function of `hrnet.losses`."""


class ModelConfig(Part):
    """The network, and how keypoints become heatmaps."""

    variant: str = Field(
        max_length=200, description="The architecture by its name; `hrnet models` lists them."
    )
    input_size: InputSize = Field(
        default=(256, 192), description="(height, width) of a crop in pixels, multiples of 32."
    )
    codec: CodecKind = Field(
        default="classic",
        description="How heatmaps encode keypoints: classic, dark or udp (exact, also mirrored).",
    )
    sigma: float = Field(
        default=2.0,
        ge=0.5,
        le=32,
        description="Standard deviation of a keypoint's Gaussian, in heatmap pixels.",
    )
    padding: float = Field(
        default=1.25, ge=0.1, le=10, description="Factor by which a box grows before it is cropped."
    )
    options: NetworkOptions = Field(
        default=NetworkOptions(), description="Choices within the architecture."
    )


class DataConfig(Part):
    """COCO keypoint files and the folders of their pictures."""

    annotations: Path = Field(description="The COCO keypoint file to train on.")
    images: Path = Field(description="The folder of its pictures.")
    val_annotations: Path | None = Field(
        default=None,
        description="Measured on every train.evaluate_every epochs; null: nothing is measured.",
    )
    val_images: Path | None = Field(
        default=None, description="The folder of those pictures; data.images without it."
    )
    category: str | None = Field(
        default=None,
        description="The category to take, where several have different keypoints: name or id.",
    )


class ParameterGroup(Part):
    """Parameters that are trained in another way than the rest."""

    pattern: Pattern = Field(description="Of their names, such as backbone.* or *norm*.")
    lr_scale: float = Field(
        default=1.0, gt=0, le=1000, description="Their factor on the learning rate."
    )
    weight_decay: float | None = Field(
        default=None, ge=0, le=1000, description="In place of train.weight_decay."
    )


class TrainConfig(Part):
    """Optimisation: all that decides what a run learns. Epochs count from 0."""

    epochs: int = Field(
        default=210, ge=1, le=MAX_COUNT, description="Passes over the training data."
    )
    batch_size: int = Field(
        default=32,
        ge=1,
        le=MAX_COUNT,
        description="Samples in one update, over all processes and all parts together.",
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        le=MAX_COUNT,
        description="Parts in which a process computes its share, one after the other, to save "
        "memory; their gradients add up. Batch statistics are of one part.",
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field(
        default="adam", description="adam, adamw or sgd."
    )
    lr: float = Field(
        default=1e-3, gt=0, le=1e30, description="Learning rate before warm-up and schedule."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of sgd.")
    nesterov: bool = Field(default=False, description="Nesterov's momentum, of sgd.")
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="For convolution and linear weights; norms, biases and position tables have "
        "none. adamw subtracts lr * weight_decay * weight; for adam and sgd it is the L2 penalty "
        "that is added to the gradient. Published Adam trainings of HRNet have none.",
    )
    groups: tuple[ParameterGroup, ...] = Field(
        default=(),
        max_length=1000,
        description="Parameters with a learning rate (lr_scale) or weight_decay of their own, by a "
        "pattern of names; the first that fits counts.",
    )
    freeze: tuple[Pattern, ...] = Field(
        default=(),
        max_length=1000,
        description="Patterns of parameters that are not trained; norms all of whose parameters "
        "are frozen keep their statistics.",
    )
    clip_norm: float | None = Field(
        default=None,
        gt=0,
        le=1e9,
        description="Largest norm of the gradient of all parameters together; null: no limit.",
    )
    schedule: Literal["step", "cosine", "poly", "constant"] = Field(
        default="step",
        description="step (a tenth at each of train.milestones), cosine or poly (power 0.9) to "
        "zero over the run, or constant.",
    )
    milestones: tuple[Annotated[int, Field(ge=0, le=MAX_COUNT)], ...] = Field(
        default=(170, 200), max_length=1000, description="Epochs at which step goes to a tenth."
    )
    warmup_steps: int = Field(
        default=0,
        ge=0,
        le=MAX_COUNT,
        description="Updates over which the learning rate rises from train.warmup_factor.",
    )
    warmup_factor: float = Field(
        default=1e-3, gt=0, le=1, description="Factor on the learning rate at the first update."
    )
    loss: LossName = Field(
        default="mse",
        description="mse (as published), ohkm (the 8 hardest keypoints) or cross_entropy (learns "
        "from few data faster).",
    )
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay of the moving average of the weights that is measured and saved; 0: "
        "none.",
    )
    precision: Literal["float32", "bf16", "fp16"] = Field(
        default="float32",
        description="bf16 and fp16 run the network under autocast; fp16 scales the loss and needs "
        "a GPU.",
    )
    sync_norm: bool = Field(
        default=True, description="With several processes, batch statistics are of all of them."
    )
    init: str | None = Field(
        default=None,
        max_length=10_000,
        description="A checkpoint, run folder or name whose weights the training starts from; "
        "null: new weights.",
    )
    init_head: bool = Field(
        default=True,
        description="false takes the backbone alone from train.init, which may be of other "
        "keypoints.",
    )
    evaluate_every: int = Field(
        default=10, ge=1, le=MAX_COUNT, description="Epochs between two measurements."
    )
    seed: int = Field(
        default=0, ge=0, le=MAX_SEED, description="All that is drawn at random follows from it."
    )


class RunConfig(Part):
    """The way in which a run is carried out; nothing here is meant to change what is learned."""

    device: str = Field(
        default="auto",
        max_length=200,
        description="auto takes CUDA, then Apple's MPS, then the CPU; or cpu, cuda, cuda:1, mps.",
    )
    workers: int = Field(
        default=1,
        ge=0,
        le=512,
        description="Processes that prepare samples, for each process that trains.",
    )
    cache_images: bool = Field(
        default=True, description="Keep decoded pictures in memory, one copy in each worker."
    )
    broken_images: Literal["error", "skip"] = Field(
        default="error",
        description="error stops at a picture that cannot be read, skip leaves it out and counts.",
    )
    channels_last: bool = Field(
        default=True, description="Channels last in memory, which is faster in most cases."
    )
    compile: bool = Field(default=False, description="Compile the network by torch.compile.")
    checkpoint_minutes: float = Field(
        default=5.0,
        ge=0,
        le=1e6,
        description="The state is saved so often, and at the end of each epoch.",
    )
    log_every: int = Field(
        default=50, ge=1, le=MAX_COUNT, description="Updates between two lines of log.jsonl."
    )
    tensorboard: bool = Field(default=True, description="Write event files for TensorBoard too.")


class Experiment(Part):
    """One training run."""

    name: str = Field(max_length=1000, description="The recipe's or the file's.")
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
        except UnicodeEncodeError:
            raise InputError("not an experiment.json: it holds characters that are none") from None

    def to_json(self) -> str:
        """Write the experiment as `from_json` reads it."""
        return self.model_dump_json(indent=2)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value of an experiment. name: as `--set` takes it. value: as JSON."""

    name: str
    value: str
    meaning: str


def settings_of(experiment: Experiment) -> Iterator[Setting]:
    """Yield every setting of an experiment with its meaning, in the order of the parts."""
    tree = json.loads(experiment.to_json())
    for name, field in _fields(Experiment):
        value = tree
        for key in name.split("."):
            value = value[key]
        yield Setting(name, json.dumps(value, ensure_ascii=False), field.description or "")


def _fields(part: type, above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """The settings of a part, and of the parts within it, by their whole names."""
    if issubclass(part, BaseModel):
        fields = dict(part.model_fields)
    else:  # the augmentation, which is a dataclass
        hints = get_type_hints(part, include_extras=True)
        fields = {name: FieldInfo.from_annotation(hint) for name, hint in hints.items()}
    for name, field in fields.items():
        inner = field.annotation
        if isinstance(inner, type) and (issubclass(inner, BaseModel) or inner is Augmentation):
            yield from _fields(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}", field


def read_experiment(path: Path) -> Experiment:
    """Read an experiment.json as a run folder holds it."""
    text = read_text(path, "the experiment")
    try:
        return Experiment.from_json(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def describe(error: ValidationError) -> str:
    """One line about the first field that does not fit."""
    first = error.errors(include_url=False)[0]
    where = one_line(".".join(str(part) for part in first["loc"]))[:200]
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"unknown setting {where}; {_near(where)}"
    if first["type"] == "value_error":  # from a check of ours, which says what came
        return f"setting {where}: {one_line(first['ctx']['error'])}"
    what = f"setting {where}" if where else "not an experiment.json"
    return f"{what}: {first['msg']}, got {_shown(first['input'])}"


def _shown(value: object) -> str:
    """A value in at most 60 characters; Python writes no integers of thousands of digits."""
    try:
        return f"{value!r:.60}"
    except (ValueError, RecursionError):
        return "a value too long to show"


def override(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    """Apply settings of the form `train.lr=1e-3`; the experiment given stays as it is.

    Values are JSON where they parse as such, else text. Raises InputError for an unknown setting
    (with the near names) or a value that does not fit.
    """
    tree = json.loads(experiment.to_json())
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"expected --set NAME=VALUE, got {setting!r:.200}")
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.get(parent) if isinstance(node, dict) else None
        if not isinstance(node, dict) or leaf not in node:
            raise InputError(f"unknown setting {path:.200}; {_near(path)}")
        node[leaf] = _value(text, node[leaf])
    return Experiment.from_json(json.dumps(tree))


def _value(text: str, before: object) -> object:
    """A setting's new value; where text stood before, a number is text too (a folder `2017`)."""
    try:
        value: object = json.loads(text)
        json.dumps(value)
    except (ValueError, RecursionError):  # too many digits, or nested too deep
        return text
    if isinstance(value, bool) and isinstance(before, int | float):
        return value if isinstance(before, bool) else text  # true is no number
    return text if isinstance(value, int | float) and isinstance(before, str) else value


def _near(path: str) -> str:
    names = [name for name, _ in _fields(Experiment)]
    near = get_close_matches(path[:200], names, n=3, cutoff=0.4)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return "settings are name, model.*, data.*, augmentation.*, train.* and run.*"
