"""Descriptions: of a network (`NetworkSpec`), and of a model that can predict (`ModelSpec`)."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from hrnet.errors import InputError
from hrnet.geometry import Size

MAX_WINDOW = 64
"""The largest side of HRFormer's windows; attention takes memory by its fourth power."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


MAX_SIDE = 4096
"""Of a network's input, in pixels: more would not fit into memory."""


def _check_input_size(size: Size, multiple: int = 32) -> Size:
    if any(side < 32 or side > MAX_SIDE or side % multiple for side in size):
        got = f"{size!s:.60}" if max(size) < 2**53 else "a number of many digits"
        raise ValueError(
            f"input_size needs multiples of {multiple}, got {got}; from 32 to {MAX_SIDE}"
        )
    return size


def _check_fine_size(size: Size) -> Size:
    return _check_input_size(size, 4)


def _check_drop_path(rate: float) -> float:
    if not 0 <= rate < 1:
        raise ValueError(f"expected a drop path from 0 to below 1, got {rate}; 0 keeps all")
    return rate


MAX_INPUT_PIXELS = 1 << 21
"""Of an input: 16 of them take 400 MB in float32; detectors have some of 800x1344."""

MAX_CHANNELS = 32
"""Of a picture: multispectral cameras have up to about a dozen."""

MAX_DESCRIPTION = 1 << 20
"""Characters of a description; that of 133 keypoints has about 10,000."""

LEAST, MOST = 1e-3, 1e3
"""Of what is a factor, a deviation or a mean: far beyond both ends of what works."""


class NetworkOptions(BaseModel):
    """Choices within an architecture; None takes that of the published networks for the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Descriptions as docstrings, as in `config`, would be read from the source at each start.
    head: str | None = Field(
        default=None,
        description="v1 (reads the highest stream), v2 (all streams joined), ocr (object context), "
        "or ocr_v3 (HRFormer's, with grouped 7x7 convolutions); for detection pyramid, faster, "
        "mask, cascade, cascade_mask or fcos.",
    )
    upsampling: Literal["nearest", "bilinear"] | None = Field(
        default=None,
        description="Up-sampling from a lower stream to a higher one: nearest or bilinear.",
    )
    align_corners: bool | None = Field(
        default=None,
        description="Corner alignment of bilinear up-sampling, between streams and in heads: true "
        "or false.",
    )
    strided_padding: Literal["symmetric", "same"] | None = Field(
        default=None,
        description="Zeros around the input of HRNet's strided convolutions: symmetric (one pixel "
        "on each side) or same (at an even side one behind and none before, as in PaddleSeg).",
    )
    relative_position: Literal["table", "none", "t5"] | None = Field(
        default=None,
        description="HRFormer's position bias: table (one a layer), none, or t5 (one for all).",
    )
    window: int | None = Field(
        default=None, le=MAX_WINDOW, description="Side of HRFormer's attention windows, in tokens."
    )
    drop_path: Annotated[float, AfterValidator(_check_drop_path)] | None = Field(
        default=None,
        description="Share of samples for which training skips HRFormer's last block, less for "
        "earlier ones; predictions do not change.",
    )
    exchange: Literal["official", "textbook"] | None = Field(
        default=None,
        description="Sum over Lite-HRNet's streams: official (as in its code) or textbook (as in "
        "its paper).",
    )

    presence: bool | None = Field(
        default=None,
        description="true adds a second output to a pose network: for each keypoint the chance "
        "that it is in the picture.",
    )
    heatmap_stride: Literal[4, 2, 1] | None = Field(
        default=None,
        description="Input pixels per pixel of a pose network's heatmaps: 4 (as published), 2 or "
        "1, by sub-pixel convolution.",
    )
    background: bool | None = Field(
        default=None,
        description="true adds a map of what is no keypoint to a pose network, whose maps are then "
        "the logits of one distribution at each pixel; goes with train.loss=map_cross_entropy.",
    )

    in_channels: int | None = Field(
        default=None,
        ge=1,
        le=MAX_CHANNELS,
        description="Channels of the pictures, for pose: 1 to 32, such as 1 of X-ray pictures; "
        "null: 3, red, green and blue.",
    )

    @property
    def num_channels(self) -> int:
        """The number of channels of an input."""
        return 3 if self.in_channels is None else self.in_channels

    def over(self, defaults: "NetworkOptions") -> "NetworkOptions":
        """Return these options, with those of `defaults` where these are None."""
        own = self.model_dump(include=set(NetworkOptions.model_fields), exclude_none=True)
        return defaults.model_copy(update=own)


class NetworkSpec(NetworkOptions):
    """The description of a network: the arguments of `hrnet.create_model`.

    variant, task and head are checked when the network is built.
    num_outputs: number of keypoints or classes; None takes the usual number of the task.
    """

    variant: Annotated[str, Field(max_length=200)]
    task: str
    num_outputs: int | None = None

    @property
    def options(self) -> NetworkOptions:
        return self.over(NetworkOptions())

    def to_json(self) -> str:
        """Write the description as `from_json` reads it; what is not set is left out."""
        return self.model_dump_json(exclude_none=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a description; raises InputError with one line where it is not one."""
        check_length(text)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(f"not the description of a network: {first_problem(error)}") from None


InputSize = Annotated[Size, AfterValidator(_check_input_size)]
"""(height, width) of a network's input in pixels, multiples of 32."""

FineInputSize = Annotated[Size, AfterValidator(_check_fine_size)]
"""(height, width) of an input that the network fills up itself, multiples of 4."""


def _check_pixel_range(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    if not (max(abs(low), abs(high)) <= _FARTHEST and high - low >= _NARROWEST):
        raise ValueError(
            f"expected pixel_range as a lowest and a highest value, within {_FARTHEST:g} and at "
            f"least {_NARROWEST:g} apart, got {low:g} and {high:g}"
        )
    return limits


_FARTHEST, _NARROWEST = 1e9, 1e-6

PixelRange = Annotated[tuple[float, float], AfterValidator(_check_pixel_range)]
"""The stored values of a pixel that become 0 and 1."""

PerChannel = Annotated[tuple[float, ...], Field(min_length=1, max_length=MAX_CHANNELS)]
"""One number for each channel of a picture."""


def check_per_channel(name: str, values: Sequence[float], count: int) -> None:
    """Raise ValueError where there is not one number for each of `count` channels."""
    if len(values) != count:
        raise ValueError(
            f"expected {name} of {count} number{'s' * (count > 1)}, one a channel, got "
            f"{len(values)}"
        )


def usual_normalisation(num_channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the usual mean and std: ImageNet's of 3 channels, for others the means of these."""
    if num_channels == 3:
        return IMAGENET_MEAN, IMAGENET_STD
    mean, std = (round(sum(three) / 3, 3) for three in (IMAGENET_MEAN, IMAGENET_STD))
    return (mean,) * num_channels, (std,) * num_channels


class ModelSpec(BaseModel):
    """Everything about a model that its weights do not hold; each task adds its own fields.

    format: version of this description; 1 is still read, see the tasks' specs.
    name: the file's own. network: the arguments that the network is built from.
    input_size: (height, width) of the network's input in pixels.
    mean, std: normalisation of pixels in 0..1, one number a channel, in the order of `channels`.
    channels: order of the input's channels.
    pixel_range: (lowest, highest) stored value of a pixel that become 0 and 1 before mean and std,
        such as (0, 4095) of 12 bits; values beyond go on evenly. None: 0 to 255, 8 bits alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    shorthands: ClassVar[frozenset[str]] = frozenset()
    """What `from_facts` takes beside fields."""

    adjustable: ClassVar[frozenset[str]] = frozenset()
    """Fields that can be changed for a loaded model: they act outside its network."""

    any_channels: ClassVar[bool] = False
    """True where pictures may have other channels than red, green and blue of 8 bits."""

    format: Literal[2] = 2
    name: Annotated[str, Field(max_length=1000)]
    network: NetworkSpec
    input_size: InputSize
    mean: PerChannel = IMAGENET_MEAN
    std: PerChannel = IMAGENET_STD
    channels: Literal["rgb", "bgr"] = "rgb"
    pixel_range: PixelRange | None = None

    @model_validator(mode="after")
    def _check_image(self) -> "ModelSpec":
        if self.input_size[0] * self.input_size[1] > MAX_INPUT_PIXELS:
            raise ValueError(f"input_size must have at most {MAX_INPUT_PIXELS:,} pixels in all")
        if min(self.std) < LEAST:
            raise ValueError(f"std must be above 0, at least {LEAST:g}")
        if max(*self.std, *map(abs, self.mean)) > MOST:
            raise ValueError(f"mean and std must be at most {MOST:g}")
        self._check_channels()
        return self

    def _check_channels(self) -> None:
        """Raise ValueError where the description of the pixels does not fit the network."""
        count = self.network.num_channels
        if not self.any_channels and (count != 3 or self.pixel_range is not None):
            raise ValueError(
                f"a model for {self.task} reads RGB pictures of 8 bits; leave in_channels and "
                "pixel_range out"
            )
        check_per_channel("mean", self.mean, count)
        check_per_channel("std", self.std, count)
        if self.channels == "bgr" and count != 3:
            raise ValueError(f"bgr needs 3 channels, got {count}")

    @property
    def reads_rgb(self) -> bool:
        """True where pictures are read as people see them: RGB, 8 bits."""
        return self.network.num_channels == 3 and self.pixel_range is None

    @property
    def task(self) -> str:
        return self.network.task

    @property
    def any_size(self) -> bool:
        """True where inputs differ in size, so that `input_size` is a usual one."""
        return False

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the network's inputs in an exported file; see `hrnet.tasks.Crop` for further."""
        return ("images",)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the network's outputs in an exported file."""
        return ("output",)

    @property
    def index_outputs(self) -> tuple[str, ...]:
        """Those of `output_names` that are whole numbers, such as the class of each pixel."""
        return ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outputs, in order, such as those of keypoints or classes."""
        return ()

    @property
    def whole_images(self) -> bool:
        """True where each whole picture is one subject of labelled data, whatever boxes it has."""
        return False

    @property
    def subject(self) -> str | None:
        """Class of the subjects that a detector finds where no boxes are given; None: no such."""
        return None

    @classmethod
    def from_facts(cls, facts: Mapping[str, object]) -> Self | None:
        """Describe a model by facts of a catalogue, of its file and of a user, by field.

        A task may take shorthands in place of fields. None where no more than `name` and `network`
        is known. Raises InputError where facts are missing or do not fit.
        """
        if facts.keys() <= {"name", "network"}:
            return None
        try:
            return cls.model_validate(facts)
        except ValidationError as error:
            raise InputError(first_problem(error)) from None

    def facts(self, *, flip_test: bool) -> dict[str, object]:
        """Return what the metrics of this model depend on beside its weights."""
        names = set(ModelSpec.model_fields) - {"format", "name", "network", "pixel_range"}
        return {**self.model_dump(include=names), **self.pixel_facts(), "flip_test": flip_test}

    def pixel_facts(self) -> dict[str, object]:
        """Return how pictures are read, where that is not RGB of 8 bits."""
        if self.reads_rgb:
            return {}
        return {"in_channels": self.network.num_channels, "pixel_range": self.pixel_range}

    def words(self) -> list[str]:
        """Return what a person wants to read of this model beside its variant and size."""
        return []

    def unfitted(self) -> Self:
        """Return the description without what is fitted to held-out data."""
        return self

    def adjusted(self, settings: Sequence[str]) -> Self:
        """Return a copy with `adjustable` fields changed, each as NAME=VALUE, a value in JSON.

        Raises InputError for other fields and values that do not fit.
        """
        fields = self.model_dump()
        for setting in settings:
            name, equals, text = setting.partition("=")
            if not equals or name not in self.adjustable:
                known = ", ".join(sorted(self.adjustable)) or "none of this model"
                raise InputError(f"expected NAME=VALUE with NAME of {known}, got {setting:.80}")
            try:
                fields[name] = json.loads(text)
            except (ValueError, RecursionError):
                fields[name] = text
        try:
            return type(self).model_validate(fields)
        except ValidationError as error:
            raise InputError(f"cannot change {self.name:.60}: {first_problem(error)}") from None

    def to_json(self) -> str:
        """Write the description as `from_json` reads it."""
        return self.model_dump_json(exclude_none=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a description; raises InputError with one line where it is not one."""
        check_length(text)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InputError(
                "not the description of a model that this version reads: "
                f"{first_problem(error)}; export the model again with this version of hrnet"
            ) from None


def check_length(text: str) -> None:
    """Raise InputError for a text that is too long to be a description."""
    if len(text) > MAX_DESCRIPTION:
        raise InputError(
            f"a description of a model has at most {MAX_DESCRIPTION:,} characters, this one has "
            f"{len(text):,}; export the model again"
        )


def first_problem(error: ValidationError) -> str:
    """Say in a few words which field does not fit, and why."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "description"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
