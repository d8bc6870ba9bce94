"""The description of a pose model: the codec of its heatmaps and its skeleton."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hrnet.codecs.heatmap import CodecKind, HeatmapCodec
from hrnet.errors import InputError
from hrnet.metrics.landmarks import check_group
from hrnet.skeleton import Skeleton, of_persons, published_skeleton, skeleton_names
from hrnet.spec import LEAST, MOST, FineInputSize, ModelSpec, NetworkSpec

MAX_SIGMA = 1000.0
"""Beyond it a Gaussian is wider than any heatmap, and smoothing would take any memory."""


KEYPOINT_THRESHOLD = 0.2
"""Keypoint scores above this count in a pose's score (IN_VIS_THRE of the official code)."""

NMS_THRESHOLD = 0.9
"""Of two poses of an image with a larger OKS the worse one goes (OKS_THRE)."""


def _check_blur_kernel(width: int) -> int:
    if not 3 <= width <= 99 or width % 2 == 0:
        raise ValueError(f"expected an odd blur_kernel from 3 to 99, got {width}")
    return width


COCO_METRICS = "coco"
"""The group of COCO's figures, and of those of heads."""

Spread = Annotated[float, Field(ge=0, le=1e9)]


class PoseSpec(ModelSpec):
    """Everything about a pose model that its weights do not hold.

    codec, sigma, blur_kernel: the encoding of keypoints in heatmaps, see `HeatmapCodec`; the stride
        of the heatmaps is the network's. Without a blur_kernel it follows sigma.
    activation: "softmax" where the network's maps are logits of a distribution over the pixels
        (trained by cross-entropy) and are rescaled to Gaussians of height 1, see `SpatialSoftmax`.
    padding: factor by which a box grows before it is cropped.
    subjects: what is in a picture without boxes: "persons" that a detector finds; "boxes", which
        have to be given, else the whole picture is one; "picture", the whole of it, also in
        labelled data that have boxes. None: "persons" for the keypoints of a published data set of
        persons, else "boxes".
    metrics: groups of figures of an evaluation, see `hrnet.metrics.landmarks`, and "coco"; the
        first one chooses the best checkpoint. Empty: COCO's.
    spread: scale and floor (square pixels of a heatmap) of the ellipses around keypoints, see
        `hrnet.metrics.ellipses`; None for models without.
    """

    any_channels: ClassVar[bool] = True
    adjustable: ClassVar[frozenset[str]] = frozenset({"subjects", "metrics"})

    input_size: FineInputSize
    codec: CodecKind = "classic"
    sigma: float = 2.0
    blur_kernel: Annotated[int, AfterValidator(_check_blur_kernel)] | None = None
    activation: Literal["none", "softmax"] = "none"
    padding: float = 1.25
    skeleton: Skeleton
    subjects: Literal["persons", "boxes", "picture"] | None = None
    spread: tuple[Spread, Spread] | None = None
    metrics: tuple[Annotated[str, Field(max_length=1000)], ...] = Field(default=(), max_length=20)

    @model_validator(mode="before")
    @classmethod
    def _read_format_1(cls, fields: object) -> object:
        """Turn fields of format 1, where the network's stood among the model's, into today's."""
        if not isinstance(fields, dict) or fields.get("format") != 1:
            return fields
        rest = {key: value for key, value in fields.items() if key not in _NETWORK_OF_FORMAT_1}
        skeleton, options = fields.get("skeleton"), fields.get("options", {})
        names = skeleton.get("names") if isinstance(skeleton, dict) else None
        count = len(names) if isinstance(names, list | tuple) else None
        network = {"variant": fields.get("variant"), "task": fields.get("task", "pose")}
        own = options if isinstance(options, dict) else {"options": options}
        return {**rest, "format": 2, "network": {**network, "num_outputs": count, **own}}

    @model_validator(mode="after")
    def _check_pose(self) -> "PoseSpec":
        if self.task != "pose":
            raise ValueError(f"expected a network for pose, got one for {self.task}")
        count, points = self.network.num_outputs, self.skeleton.num_keypoints
        if count != points:
            raise ValueError(f"the network has {count} keypoints and the skeleton {points}")
        if self.network.background and self.activation == "softmax":
            raise ValueError("maps with a background have no activation softmax of their own")
        for group in self.metrics:
            if group != COCO_METRICS:
                check_group(group, self.skeleton.names)
        kinds = [group.partition(":")[0] for group in self.metrics]
        if len(set(kinds)) < len(kinds):
            raise ValueError(
                f"expected each kind of figures once, since they share their names, got "
                f"{', '.join(self.metrics):.200}; evaluate with the others by themselves"
            )
        if min(self.sigma, self.padding) < LEAST:
            raise ValueError(f"sigma and padding must be above 0, at least {LEAST:g}")
        if self.padding > MOST:
            raise ValueError(f"padding must be at most {MOST:g}")
        if self.codec == "face" and self.input_size[0] != self.input_size[1]:
            raise ValueError("the codec face needs an input as wide as high")
        if self.codec == "face" and (self.pixel_range or self.network.in_channels not in (None, 3)):
            raise ValueError(
                "the codec face reads RGB of 8 bits; set model.options.in_channels=3, and no "
                "pixel_range"
            )
        if self.codec == "face" and self.network.presence:
            raise ValueError("the codec face has no presence")
        if self.sigma > MAX_SIGMA:
            raise ValueError(f"sigma must be at most {MAX_SIGMA:g} heatmap pixels")
        return self

    @property
    def heatmap_codec(self) -> HeatmapCodec:
        height, width = self.input_size
        stride = self.network.heatmap_stride or 4
        heatmap_size = (height // stride, width // stride)
        kernel = self.blur_kernel or 0
        return HeatmapCodec(self.codec, self.input_size, heatmap_size, self.sigma, kernel)

    def unfitted(self) -> Self:
        """Return the description without a spread."""
        return self.model_copy(update={"spread": None})

    @property
    def whole_images(self) -> bool:
        return self.subjects == "picture"

    @property
    def subject(self) -> str | None:
        """The class person, for a model of persons."""
        if self.subjects is None:
            return "person" if of_persons(self.skeleton.names) else None
        return "person" if self.subjects == "persons" else None

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("heatmaps", "presence") if self.network.presence else ("heatmaps",)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.skeleton.names

    @classmethod
    def from_facts(cls, facts: Mapping[str, object]) -> Self | None:
        """Describe a model as in `ModelSpec`; `skeleton` may be the name of a published one."""
        network, skeleton = facts.get("network"), facts.get("skeleton")
        count = network.num_outputs if isinstance(network, NetworkSpec) else None
        if isinstance(skeleton, str):
            facts = {**facts, "skeleton": _skeleton(skeleton, count)}
        known = facts.keys() - {"name", "network"}
        if known and not {"input_size", "skeleton"} <= known:
            fitting = (n for n in skeleton_names() if published_skeleton(n).num_keypoints == count)
            raise InputError(
                "expected an input size and a skeleton, which weights do not show; give both: with "
                f"{count} keypoints are known {', '.join(fitting) or 'no skeletons'}"
            )
        return super().from_facts(facts)

    def facts(self, *, flip_test: bool) -> dict[str, object]:
        """Return the way from a box to a scored pose.

        blur_kernel: None where the codec does not smooth. flip_shift: whether the heatmaps of the
        mirrored crop are moved by one pixel.
        """
        fields = ("input_size", "padding", "codec", "sigma", "activation")
        smooths = self.codec in ("dark", "udp")
        return {
            **{name: getattr(self, name) for name in fields},
            **self.pixel_facts(),
            "blur_kernel": self.heatmap_codec.blur_kernel if smooths else None,
            "heatmap_stride": self.network.heatmap_stride or 4,
            "whole_images": self.whole_images,
            "flip_test": flip_test,
            "flip_shift": flip_test and not self.heatmap_codec.unbiased,
            "rescoring": f"box score x mean of keypoint scores > {KEYPOINT_THRESHOLD}",
            "nms": f"OKS {NMS_THRESHOLD} by the area of the padded box",
        }

    def words(self) -> list[str]:
        """Return the codec and the padding, and the pixels where they are not RGB of 8 bits."""
        words = [self.codec, f"padding {self.padding:g}"]
        if self.reads_rgb:
            return words
        low, high = self.pixel_range or (0, 255)
        return [*words, f"in_channels {self.network.num_channels}, pixels {low:g} to {high:g}"]


_NETWORK_OF_FORMAT_1 = frozenset({"variant", "task", "options"})


def _skeleton(name: str, count: int | None) -> Skeleton:
    """Return a published skeleton; InputError where it has not as many keypoints as the network."""
    found = published_skeleton(name)
    if count is not None and found.num_keypoints != count:
        raise InputError(
            f"expected a skeleton of {count} keypoints, but {name} has {found.num_keypoints}"
        )
    return found
