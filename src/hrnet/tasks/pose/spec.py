"""The description of a pose model: the codec of its heatmaps and its skeleton."""

from typing import Annotated, Literal

from pydantic import AfterValidator, model_validator

from hrnet.codecs.heatmap import CodecKind, HeatmapCodec
from hrnet.skeleton import Skeleton
from hrnet.spec import LEAST, MOST, ModelSpec

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


class PoseSpec(ModelSpec):
    """Everything about a pose model that its weights do not hold.

    codec, sigma, blur_kernel: the encoding of keypoints in heatmaps, see `HeatmapCodec`; heatmaps
        have stride 4. Without a blur_kernel it follows sigma.
    activation: "softmax" where the network's maps are logits of a distribution over the pixels
        (trained by cross-entropy) and are rescaled to Gaussians of height 1, see `SpatialSoftmax`.
    padding: factor by which a box grows before it is cropped.
    """

    codec: CodecKind = "classic"
    sigma: float = 2.0
    blur_kernel: Annotated[int, AfterValidator(_check_blur_kernel)] | None = None
    activation: Literal["none", "softmax"] = "none"
    padding: float = 1.25
    skeleton: Skeleton

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
        if min(self.sigma, self.padding) < LEAST:
            raise ValueError(f"sigma and padding must be above 0, at least {LEAST:g}")
        if self.padding > MOST:
            raise ValueError(f"padding must be at most {MOST:g}")
        if self.sigma > MAX_SIGMA:
            raise ValueError(f"sigma must be at most {MAX_SIGMA:g} heatmap pixels")
        return self

    @property
    def heatmap_codec(self) -> HeatmapCodec:
        height, width = self.input_size
        heatmap_size = (height // 4, width // 4)
        kernel = self.blur_kernel or 0
        return HeatmapCodec(self.codec, self.input_size, heatmap_size, self.sigma, kernel)

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("heatmaps",)

    def facts(self, *, flip_test: bool) -> dict[str, object]:
        """Return the way from a box to a scored pose.

        blur_kernel: None where the codec does not smooth. flip_shift: whether the heatmaps of the
        mirrored crop are moved by one pixel.
        """
        fields = ("input_size", "padding", "codec", "sigma", "activation")
        smooths = self.codec != "classic"
        return {
            **{name: getattr(self, name) for name in fields},
            "blur_kernel": self.heatmap_codec.blur_kernel if smooths else None,
            "flip_test": flip_test,
            "flip_shift": flip_test and not self.heatmap_codec.unbiased,
            "rescoring": f"box score x mean of keypoint scores > {KEYPOINT_THRESHOLD}",
            "nms": f"OKS {NMS_THRESHOLD} by the area of the padded box",
        }

    def words(self) -> list[str]:
        """Return the codec and the padding."""
        return [self.codec, f"padding {self.padding:g}"]


_NETWORK_OF_FORMAT_1 = frozenset({"variant", "task", "options"})
