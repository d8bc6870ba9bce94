"""The result of a detector: boxes with classes and scores, and masks where it finds them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hrnet.data.findings import first_of
from hrnet.drawing import draw_boxes
from hrnet.errors import InputError, printable
from hrnet.geometry import Image8, Size, xyxy_to_xywh
from hrnet.images import ImageSource
from hrnet.numbers import to_int
from hrnet.tasks import Regions
from hrnet.tasks.saving import SavableResult, csv_text, frozen_array, read_own_picture

if TYPE_CHECKING:
    from rich.table import Table

_DIGITS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Detections(SavableResult):
    """The objects found in one picture, the best first.

    boxes: (N, 4) float32, left, top, right, bottom in pixels of the picture. scores: (N,) float32,
    0..1. class_ids: (N,) class indices from 0. class_names: of the model, in order.
    image_size: (height, width) of the picture. mask_maps: (N, 28, 28) float32, 0..1 over each box,
    None for a detector without masks. usual_score: see `confident`.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    class_names: tuple[str, ...]
    image_size: Size
    mask_maps: NDArray[np.float32] | None = None
    usual_score: float = 0.0

    def __post_init__(self) -> None:
        # Copies that nobody can change, checked once.
        count = len(self.scores)
        object.__setattr__(self, "boxes", frozen_array("boxes", self.boxes, (count, 4)))
        object.__setattr__(self, "scores", frozen_array("scores", self.scores, (count,)))
        ids = np.array(self.class_ids, np.int64).reshape(count)
        if count and not (ids.min() >= 0 and ids.max() < len(self.class_names)):
            raise InputError(f"expected class_ids below {len(self.class_names)}, got {ids.max()}")
        ids.setflags(write=False)
        object.__setattr__(self, "class_ids", ids)

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        return f"Detections({self.summary()})"

    @property
    def names(self) -> tuple[str, ...]:
        """The class name of each detection."""
        return tuple(self.class_names[index] for index in self.class_ids.tolist())

    def __getitem__(self, rows: slice | list[int] | NDArray[np.generic]) -> "Detections":
        """Return some of the detections: by a slice, by indices or by a mask (N,)."""
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
        wanted = np.array([subject in (None, name) for name in self.names], bool)
        scores = self.scores[wanted].astype(np.float64)
        return Regions(xyxy_to_xywh(self.boxes[wanted]), scores, detector)

    def draw(self, image: ImageSource) -> Image8:
        """Return a copy of the picture, RGB (H, W, 3) uint8, with its boxes, classes and scores.

        Raises InputError where the picture cannot be read or has another size.
        """
        pixels = read_own_picture(image, self.image_size, "detections")
        labels = [
            f"{printable(name)} {score:.2f}"
            for name, score in zip(self.names, self.scores.tolist(), strict=True)
        ]
        return draw_boxes(pixels, self.boxes, labels)

    def to_json(self, image_id: int = 1) -> str:
        """Return the JSON text of `entries`."""
        return json.dumps(self.entries(image_id), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """Return a table with one row a detection: class, class_index, score, and the box."""
        names = ("class", "class_index", "score", "left", "top", "right", "bottom")
        rows = (
            (name, index, f"{score:.{_DIGITS}f}", *(f"{value:.2f}" for value in box))
            for name, index, score, box in zip(
                self.names,
                self.class_ids.tolist(),
                self.scores.tolist(),
                self.boxes.tolist(),
                strict=True,
            )
        )
        return csv_text([names, *rows])

    def entries(self, image_id: int) -> list[dict[str, object]]:
        """List one JSON object a detection, in COCO's results form.

        image_id; bbox as left, top, width, height in pixels; score; category_id, which counts from
        1; class and class_index, which counts from 0.
        Raises InputError for an id that is no whole number.
        """
        number = to_int(image_id)  # of numpy, too
        if number is None:
            raise InputError(f"expected image_id as a whole number, got {image_id!r:.60}")
        found: list[dict[str, object]] = []
        for name, index, score, (left, top, right, bottom) in zip(
            self.names,
            self.class_ids.tolist(),
            self.scores.tolist(),
            self.boxes.tolist(),
            strict=True,
        ):
            box = [round(value, 2) for value in (left, top, right - left, bottom - top)]
            found.append(
                {
                    "image_id": number,
                    "category_id": index + 1,
                    "bbox": box,
                    "score": round(score, _DIGITS),
                    "class": name,
                    "class_index": index,
                }
            )
        return found

    def summary(self) -> str:
        """Describe the detections in a few words: `2 person, 1 dog`."""
        counts = Counter(self.names).most_common()
        return ", ".join(f"{count} {printable(name)}" for name, count in counts) or "nothing found"

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield a table of the detections for a terminal of `width` columns."""
        from rich.table import Table

        table = Table("class", title="boxes in pixels, score 0..1", title_justify="left")
        for column in ("score", "left", "top", "right", "bottom"):
            table.add_column(column, justify="right", no_wrap=True)
        rows = zip(self.names, self.scores.tolist(), self.boxes.tolist(), strict=True)
        for name, score, box in rows:
            cells = (f"{value:.0f}" for value in box)
            table.add_row(printable(name)[: max(8, width - 50)], f"{score:.3f}", *cells)
        yield table
