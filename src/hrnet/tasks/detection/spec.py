"""The description of a detector: its classes, the way from picture to input, and the last steps."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hrnet.spec import MAX_SIDE, ModelSpec
from hrnet.tasks.class_names import check_class_names
from hrnet.tasks.detection.coco import COCO_CLASSES

MASK_HEADS = ("mask", "cascade_mask")
"""The heads that find masks too."""

Side = Annotated[int, Field(ge=32, le=MAX_SIDE)]


def _check_class_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return check_class_names(names, least=1)


def _check_fit(fit: tuple[int, int]) -> tuple[int, int]:
    if fit[0] > fit[1]:
        raise ValueError(f"expected (short side, long side), got {fit}")
    return fit


Fit = Annotated[tuple[Side, Side], AfterValidator(_check_fit)]
"""(short, long) sides in pixels."""


class DetectionSpec(ModelSpec):
    """Everything about a detector that its weights do not hold.

    fit: (short, long) in pixels: a picture is resized, its ratio kept, until a side has that
        length and the other one is not above it, and filled up to multiples of 32 at the right and
        the bottom, so inputs differ in size and `input_size` is a usual one. None: a picture is
        resized into `input_size`, its ratio kept, and filled up there.
    antialias: average over pixels where a picture shrinks; published detectors do not.
    conventions: "legacy" for weights of mmdetection before 2.0 and of HRNet-Object-Detection, which
        count widths as right - left + 1, have other anchors and pool regions otherwise; "plain" for
        all others.
    min_score: detections below it are left out. nms_iou: of two boxes of a class that overlap by
        more, the worse one is left out. max_detections: of a picture, the best ones.
    usual_score: detections below it are too unsure for anything but metrics.
    class_names: one for each class of the network, all different. Class indices count from 0.
    """

    shorthands: ClassVar[frozenset[str]] = frozenset(("classes",))

    fit: Fit | None = None
    antialias: bool = False
    conventions: Literal["plain", "legacy"] = "plain"
    min_score: float = Field(default=0.05, ge=0, lt=1)
    nms_iou: float = Field(default=0.5, gt=0, le=1)
    max_detections: int = Field(default=100, ge=1, le=10_000)
    usual_score: float = Field(default=0.3, ge=0, le=1)
    class_names: Annotated[tuple[str, ...], AfterValidator(_check_class_names)]

    @model_validator(mode="after")
    def _check_detection(self) -> "DetectionSpec":
        if self.task != "detection":
            raise ValueError(f"expected a network for detection, got one for {self.task}")
        count, names = self.network.num_outputs, len(self.class_names)
        if count != names:
            raise ValueError(f"the network has {count} classes and there are {names} names")
        return self

    @classmethod
    def from_facts(cls, facts: Mapping[str, object]) -> Self | None:
        """Describe a model as in `ModelSpec`; `classes` "coco" stands for its 80 names."""
        fields = dict(facts)
        if fields.get("classes") == "coco":
            del fields["classes"]
            fields["class_names"] = COCO_CLASSES
        return super().from_facts(fields)

    @property
    def has_masks(self) -> bool:
        """True where the detector finds masks too."""
        return self.network.head in MASK_HEADS

    @property
    def labels(self) -> tuple[str, ...]:
        return self.class_names

    @property
    def any_size(self) -> bool:
        """True where a picture keeps its ratio."""
        return self.fit is not None

    @property
    def input_names(self) -> tuple[str, ...]:
        """The images; legacy detectors need to know how much they were enlarged, too."""
        return ("images", "scales") if self.conventions == "legacy" else ("images",)

    @property
    def output_names(self) -> tuple[str, ...]:
        names = ("boxes", "scores", "labels")
        return (*names, "masks") if self.has_masks else names

    def facts(self, *, flip_test: bool) -> dict[str, object]:
        """Return the way from a picture to its boxes; exif: pictures are turned upright first."""
        fields = "fit conventions min_score nms_iou max_detections usual_score".split()
        return {
            **super().facts(flip_test=flip_test),
            **{name: getattr(self, name) for name in fields},
            "exif": "applied",
            "classes": len(self.class_names),
        }

    def words(self) -> list[str]:
        """Return the head, the sides of inputs, the classes' number or name, the usual score."""
        one = len(self.class_names) == 1
        return [
            *([self.network.head] if self.network.head else []),
            *([f"sides at most {self.fit[0]} and {self.fit[1]}"] if self.fit else []),
            self.class_names[0] if one else f"{len(self.class_names)} classes",
            f"usual score {self.usual_score:g}",
        ]
