"""The description of a classification model: its classes, and the way from picture to input."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hrnet.spec import MAX_SIDE, ModelSpec, NetworkSpec
from hrnet.tasks.class_names import check_class_names
from hrnet.tasks.classification.imagenet import imagenet_names

Interpolation = Literal["bilinear", "bicubic"]

_CENTRE_SHARE = 0.875
"""The usual share of the resized short side that the crop takes: 224 of 256 pixels."""


def _check_class_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return check_class_names(names, least=2)


ClassNames = Annotated[tuple[str, ...], AfterValidator(_check_class_names)]


class ClassificationSpec(ModelSpec):
    """Everything about a classification model that its weights do not hold.

    resize: length in pixels that the short side of a picture gets before `input_size` is cut from
        its centre.
    interpolation: of that resize, by Pillow, which widens the filter when it shrinks (antialias).
    class_names: one for each output of the network, all different. Class indices count from 0.
    """

    shorthands: ClassVar[frozenset[str]] = frozenset(("classes",))

    resize: Annotated[int, Field(ge=32, le=MAX_SIDE)]
    interpolation: Interpolation = "bilinear"
    class_names: ClassNames

    @model_validator(mode="after")
    def _check_classification(self) -> "ClassificationSpec":
        if self.task != "classification":
            raise ValueError(f"expected a network for classification, got one for {self.task}")
        # An output of the network for each name, and a crop that never exceeds the resized picture.
        count, names = self.network.num_outputs, len(self.class_names)
        if count != names:
            raise ValueError(f"the network has {count} classes and there are {names} names")
        if self.resize < max(self.input_size):
            raise ValueError(
                f"resize must be at least the crop's longer side {max(self.input_size)}, "
                f"got {self.resize}"
            )
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        return self.class_names

    @property
    def output_names(self) -> tuple[str, ...]:
        return ("logits",)

    def facts(self, *, flip_test: bool) -> dict[str, object]:
        """Return the way from a picture to its scores; exif: pictures are turned upright first."""
        return {
            **super().facts(flip_test=flip_test),
            "resize": self.resize,
            "interpolation": self.interpolation,
            "crop": "centre",
            "exif": "applied",
            "classes": len(self.class_names),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, object]) -> Self | None:
        """Describe a model as in `ModelSpec`; `classes` "imagenet" stands for its 1000 names."""
        fields = dict(facts)
        if fields.get("classes") == "imagenet":
            del fields["classes"]
            fields["class_names"] = tuple(imagenet_names().values())
        return super().from_facts(fields)

    def words(self) -> list[str]:
        """Return the resize with its interpolation, and the number of classes."""
        return [
            f"short side {self.resize} {self.interpolation}",
            f"{len(self.class_names)} classes",
        ]


def usual_resize(side: int) -> int:
    """Return the usual short side of pictures before a crop of that side is cut: 256 for 224."""
    return min(MAX_SIDE, round(side / _CENTRE_SHARE))


def usual_facts(network: NetworkSpec, facts: Mapping[str, object]) -> dict[str, object]:
    """Return resize and class names as they usually are, where an input size is known.

    The names are those of ImageNet for 1000 outputs, else "class 0", "class 1", ...
    """
    size = facts.get("input_size")
    if not isinstance(size, tuple):
        return {}
    imagenet = tuple(imagenet_names().values())
    count = network.num_outputs or len(imagenet)
    numbered = tuple(f"class {index}" for index in range(count))
    names = imagenet if count == len(imagenet) else numbered
    return {"resize": usual_resize(max(size)), "class_names": names}
