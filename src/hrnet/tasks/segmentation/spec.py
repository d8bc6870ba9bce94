"""The description of a segmentation model: its classes, and the way from a picture to its input."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hrnet.spec import MAX_SIDE, ModelSpec
from hrnet.tasks.class_names import check_class_names

Conventions = Literal["plain", "hrnet", "hrformer", "mmsegmentation"]

Side = Annotated[int, Field(ge=8, le=MAX_SIDE)]
Sides = tuple[Side, Side]
"""(height, width) in pixels."""

Color = tuple[
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
]


def _check_class_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return check_class_names(names, least=2)


class SegmentationSpec(ModelSpec):
    """Everything about a segmentation model that its weights do not hold.

    A picture is resized (`exact`, `short_side`), filled up (`pad_to`), resized for each of `scales`
    (`long_side`), and looked at whole or through windows; see `tasks.segmentation.views`. Inputs
    differ in size, so `input_size` is a usual one.

    conventions: "plain", or the published code whose rounding, fillings and averages are followed,
        see `tasks.segmentation.views`.
    exact: (height, width) that a picture is resized to, its ratio lost, as for LIP.
    short_side: length that a picture's short side is resized to.
    pad_to: sides are filled up to a multiple of it, at the right and the bottom.
    keep_padding: the filling stays in the picture when the classes are brought back to its size.
        Published scores on ADE20K have it, which shifts classes by up to 1.4%.
    long_side: at scale s a picture's long side becomes s * long_side; None: s times its own.
    scales: looked at one after the other, and averaged.
    window: (height, width) of the largest part of a picture that the network sees at once; None for
        no limit. stride: (down, across) from one window to the next; None takes the window's sides.
    tiling: "inside" moves the last window back into the picture, "padded" lets it stick out.
    class_names: one for each class of the network, all different. Class indices count from 0.
    colors: one (red, green, blue) a class for palettes; () takes usual ones.
    mirror_pairs: classes, left and right, that swap in a mirrored picture.
    """

    shorthands: ClassVar[frozenset[str]] = frozenset(("protocol", "classes"))
    adjustable: ClassVar[frozenset[str]] = frozenset(
        (
            *("conventions", "exact", "short_side", "pad_to", "keep_padding", "long_side"),
            *("scales", "window", "stride", "tiling", "colors"),
        )
    )

    conventions: Conventions = "plain"
    exact: Sides | None = None
    short_side: Side | None = None
    pad_to: int = Field(default=32, ge=1, le=256)
    keep_padding: bool = False
    long_side: Side | None = None
    scales: Annotated[
        tuple[Annotated[float, Field(ge=0.1, le=4)], ...], Field(min_length=1, max_length=20)
    ] = (1.0,)
    window: Sides | None = None
    stride: Sides | None = None
    tiling: Literal["inside", "padded"] = "inside"
    class_names: Annotated[tuple[str, ...], AfterValidator(_check_class_names)]
    colors: tuple[Color, ...] = ()
    mirror_pairs: tuple[tuple[int, int], ...] = ()

    @model_validator(mode="after")
    def _check_segmentation(self) -> "SegmentationSpec":
        if self.task != "segmentation":
            raise ValueError(f"expected a network for segmentation, got one for {self.task}")
        count, names = self.network.num_outputs, len(self.class_names)
        if count != names:
            raise ValueError(f"the network has {count} classes and there are {names} names")
        if self.colors and len(self.colors) != names:
            raise ValueError(f"expected a colour a class, got {len(self.colors)} for {names}")
        sides = [index for pair in self.mirror_pairs for index in pair]
        if len(set(sides)) < len(sides) or not all(0 <= index < names for index in sides):
            raise ValueError("mirror_pairs must name each class at most once, by its index")
        if self.stride is not None:
            if self.window is None:
                raise ValueError("a stride needs a window")
            if any(step > side for step, side in zip(self.stride, self.window, strict=True)):
                raise ValueError("stride must be at most window, or pixels would be left out")
        return self

    @classmethod
    def from_facts(cls, facts: Mapping[str, object]) -> Self | None:
        """Describe a model as in `ModelSpec`.

        `protocol`, such as "hrnet/cityscapes", stands for the way to the published score and the
        classes; `classes`, such as "cityscapes", for their names, colours and mirror pairs.
        """
        from hrnet.tasks.segmentation.published import class_facts, protocol_facts

        fields = dict(facts)
        usual = protocol_facts(fields.pop("protocol")) if "protocol" in fields else {}
        if "classes" in fields:
            usual |= class_facts(fields.pop("classes"))
        return super().from_facts({**usual, **fields})

    @property
    def labels(self) -> tuple[str, ...]:
        return self.class_names

    @property
    def any_size(self) -> bool:
        return True

    @property
    def output_names(self) -> tuple[str, ...]:
        """Logits at a quarter of the input's size, and the class of each of its pixels."""
        return ("logits", "classes")

    @property
    def index_outputs(self) -> tuple[str, ...]:
        return ("classes",)

    @property
    def flip_order(self) -> list[int]:
        """The class of each class in a mirrored picture."""
        order = list(range(len(self.class_names)))
        for left, right in self.mirror_pairs:
            order[left], order[right] = right, left
        return order

    def facts(self, *, flip_test: bool) -> dict[str, object]:
        """Return the way from a picture to its classes; exif: pictures are turned upright first."""
        fields = (
            "conventions exact short_side pad_to keep_padding long_side scales window stride tiling"
        ).split()
        return {
            **super().facts(flip_test=flip_test),
            **{name: getattr(self, name) for name in fields},
            "exif": "applied",
            "classes": len(self.class_names),
        }

    def words(self) -> list[str]:
        """Return the head, the conventions unless plain, scales, and the number of classes."""
        return [
            *([self.network.head] if self.network.head else []),
            *([f"as {self.conventions}"] if self.conventions != "plain" else []),
            *([f"scales {' '.join(f'{one:g}' for one in self.scales)}"] * (self.scales != (1.0,))),
            f"{len(self.class_names)} classes",
        ]
