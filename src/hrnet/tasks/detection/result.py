"""The result of a detector: boxes with classes and scores, and masks where it finds them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from hrnet.data.findings import first_of
from hrnet.data.run_lengths import run_lengths
from hrnet.drawing import class_color, draw_boxes
from hrnet.errors import InputError, printable
from hrnet.geometry import Image8, Size, xyxy_to_xywh
from hrnet.images import ImageSource
from hrnet.numbers import to_int
from hrnet.tasks import Regions
from hrnet.tasks.detection.coco import category_ids
from hrnet.tasks.detection.drawing import tint_masks
from hrnet.tasks.detection.masks import paste_masks
from hrnet.tasks.detection.words import plural
from hrnet.tasks.saving import SavableResult, csv_text, frozen_array, read_own_picture

if TYPE_CHECKING:
    import supervision
    from rich.table import Table

Rows = slice | list[int] | list[bool] | NDArray[np.integer] | NDArray[np.bool_]
"""A choice of detections: a slice, indices, or True and False for each of them."""

_DIGITS = 5

_LISTED_CLASSES = 6
"""Classes that a summary counts by name, the most frequent ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One object. box: (4,) float32, left, top, right, bottom in pixels. name: its class."""

    box: NDArray[np.float32]
    score: float
    class_id: int
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Detections(SavableResult):
    """The objects found in one picture, the best first; N may be 0.

    `len(found)` is N, `found[0]` and `for one in found` give one `Detection` each. A slice, indices
    or a mask give fewer Detections, `found[found.scores > 0.5]`, and so does the name of a class:
    `found["dog"]`.

    boxes: (N, 4) float32, left, top, right, bottom in pixels of the picture. scores: (N,) float32,
    0..1. class_ids: (N,) class indices from 0. class_names: of the model, in order.
    image_size: (height, width) of the picture. mask_maps: (N, 28, 28) float32, 0..1 over each box,
    None for a detector without masks; see `masks`. usual_score: see `confident`.
    conventions: those of the model, by which masks fill their boxes.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    class_names: tuple[str, ...]
    image_size: Size
    mask_maps: NDArray[np.float32] | None = None
    usual_score: float = 0.0
    conventions: Literal["plain", "legacy"] = "plain"

    def __post_init__(self) -> None:
        # Copies that nobody can change, checked once.
        count = len(self.scores)
        object.__setattr__(self, "boxes", frozen_array("boxes", self.boxes, (count, 4)))
        object.__setattr__(self, "scores", frozen_array("scores", self.scores, (count,)))
        if self.mask_maps is not None:
            shape = (count, *np.shape(self.mask_maps)[1:3])
            object.__setattr__(self, "mask_maps", frozen_array("mask_maps", self.mask_maps, shape))
        ids = np.array(self.class_ids, np.int64).reshape(count)
        if count and not (ids.min() >= 0 and ids.max() < len(self.class_names)):
            last = len(self.class_names) - 1
            got = f"{ids.min()} to {ids.max()}"
            raise InputError(f"expected class_ids of 0 to {last}, got {got}")
        ids.setflags(write=False)
        object.__setattr__(self, "class_ids", ids)

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Detection]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        return f"Detections({self.summary()})"

    @property
    def names(self) -> tuple[str, ...]:
        """The class name of each detection."""
        return tuple(self.class_names[index] for index in self.class_ids.tolist())

    @overload
    def __getitem__(self, rows: int) -> Detection: ...

    @overload
    def __getitem__(self, rows: Rows | str) -> "Detections": ...

    def __getitem__(self, rows: int | Rows | str) -> "Detection | Detections":
        if isinstance(rows, str):
            if rows not in self.class_names:
                raise KeyError(rows)
            rows = np.flatnonzero(self.class_ids == self.class_names.index(rows))
        if isinstance(rows, int | np.integer):
            index = int(self.class_ids[rows])
            name = self.class_names[index]
            return Detection(self.boxes[rows], float(self.scores[rows]), index, name)
        return replace(
            self,
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            class_ids=self.class_ids[rows],
            mask_maps=None if self.mask_maps is None else self.mask_maps[rows],
        )

    def confident(self, min_score: float | None = None) -> "Detections":
        """Return the detections with at least that score; None takes the model's usual choice."""
        return self[self.scores >= (self.usual_score if min_score is None else min_score)]

    def masks(self) -> NDArray[np.bool_]:
        """Return the mask (H, W) of each detection over the whole picture, (N, H, W).

        Raises InputError for a detector without masks.
        """
        if self.mask_maps is None:
            raise InputError(
                "expected the result of a detector with masks, got boxes alone; take a model with "
                "the head mask or cascade_mask"
            )
        legacy = self.conventions == "legacy"
        return paste_masks(self.mask_maps, self.boxes, self.image_size, legacy=legacy)

    def each_mask(self) -> Iterator[NDArray[np.bool_]]:
        """Yield what `masks` returns one by one: all of a large picture take much memory."""
        return (self[row : row + 1].masks()[0] for row in range(len(self)))

    def regions(self, subject: str | None, detector: str) -> Regions:
        """Return the boxes of a class for another model to look into; None: of all classes.

        detector: the name of the model that found them. Raises InputError where it has no such
        class.
        """
        if subject is not None and subject not in self.class_names:
            raise InputError(
                f"expected a detector of the class {subject}, but {detector:.60} finds "
                f"{first_of(self.class_names)}; name another, or none and give boxes"
            )
        wanted = self if subject is None else self[subject]
        return Regions(xyxy_to_xywh(wanted.boxes), wanted.scores.astype(np.float64), detector)

    def draw(self, image: ImageSource) -> Image8:
        """Return a copy of the picture, RGB (H, W, 3) uint8, with what was found in it.

        Boxes and masks have the colour of their class, captions its name and the score.
        Raises InputError where the picture cannot be read or has another size.
        """
        canvas = np.array(read_own_picture(image, self.image_size, "detections"))
        colors = [class_color(index) for index in self.class_ids.tolist()]
        if self.mask_maps is not None:
            tint_masks(canvas, self.each_mask(), colors)
        captions = [f"{printable(one.name)} {one.score:.2f}" for one in self]
        return draw_boxes(canvas, self.boxes, captions, colors)

    def to_json(self, image_id: int = 1) -> str:
        """Return the JSON text of `entries`."""
        return json.dumps(self.entries(image_id), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """Return a table with one row a detection: class, class_index, score, and the box."""
        names = ("class", "class_index", "score", "left", "top", "right", "bottom")
        rows = (
            (
                one.name,
                one.class_id,
                f"{one.score:.{_DIGITS}f}",
                *(f"{value:.2f}" for value in one.box.tolist()),
            )
            for one in self
        )
        return csv_text([names, *rows])

    def to_supervision(self) -> "supervision.Detections":
        """Return the detections as `supervision.Detections`, for its trackers and annotators.

        Raises InputError where the package supervision is not installed.
        """
        try:
            from supervision import Detections as Theirs
        except ImportError:
            raise InputError(
                "to_supervision() needs the package supervision; pip install supervision"
            ) from None
        return Theirs(
            xyxy=np.array(self.boxes),
            mask=None if self.mask_maps is None else self.masks(),
            confidence=np.array(self.scores),
            class_id=np.array(self.class_ids),
            data={"class_name": np.array(self.names, dtype=str)},
        )

    def entries(self, image_id: int) -> list[dict[str, object]]:
        """List one JSON object a detection, in COCO's results form.

        image_id; category_id, COCO's own for its 80 classes, else counted from 1; bbox as left,
        top, width, height in pixels; score; class, and class_index, which counts from 0;
        segmentation, compressed run lengths, of detectors with masks.
        Raises InputError for an id that is no whole number.
        """
        number = to_int(image_id)  # of numpy, too
        if number is None:
            raise InputError(f"expected image_id as a whole number, got {image_id!r:.60}")
        categories = category_ids(self.class_names)
        found: list[dict[str, object]] = [
            {
                "image_id": number,
                "category_id": categories[one.class_id],
                "bbox": [round(value, 2) for value in xyxy_to_xywh(one.box).tolist()],
                "score": round(one.score, _DIGITS),
                "class": one.name,
                "class_index": one.class_id,
            }
            for one in self
        ]
        if self.mask_maps is not None:
            for entry, mask in zip(found, self.each_mask(), strict=True):
                entry["segmentation"] = run_lengths(mask)
        return found

    def summary(self) -> str:
        """Describe the detections in a few words: `2 persons, 1 dog`."""
        counts = Counter(self.names).most_common()
        listed = [
            f"{count} {plural(printable(name)) if count > 1 else printable(name)}"
            for name, count in counts[:_LISTED_CLASSES]
        ]
        others = sum(count for _, count in counts[_LISTED_CLASSES:])
        listed += [f"{others} of other classes"] if others else []
        return ", ".join(listed) or "nothing found"

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield a table of the detections for a terminal of `width` columns, if there are any."""
        from rich.table import Table

        if not len(self):
            return
        table = Table("class", title="boxes in pixels, score 0..1", title_justify="left")
        for column in ("score", "left", "top", "right", "bottom"):
            table.add_column(column, justify="right", no_wrap=True)
        for one in self:
            cells = (f"{value:.0f}" for value in one.box.tolist())
            table.add_row(printable(one.name)[: max(8, width - 50)], f"{one.score:.3f}", *cells)
        yield table
