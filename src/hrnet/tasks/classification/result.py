"""The result of a classification model: the scores of all classes for one picture."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hrnet.drawing import draw_band
from hrnet.errors import InputError, printable
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource
from hrnet.numbers import expect_whole, to_int
from hrnet.tasks.saving import SavableResult, csv_text, frozen_array, read_own_picture

if TYPE_CHECKING:
    from rich.table import Table

TOP = 5
"""Classes that are listed in entries and tables, the most probable ones."""

_DRAWN = 3
_DIGITS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Labels(SavableResult):
    """The scores of the classes for one picture, which add up to 1.

    scores: (C,) float32, 0..1. class_names: C names. Class indices count from 0, ranks from 1.
    image_size: (height, width) of the picture.
    """

    scores: NDArray[np.float32]
    class_names: tuple[str, ...]
    image_size: Size

    def __post_init__(self) -> None:
        # A copy that nobody can change, checked once.
        scores = frozen_array("scores", self.scores, (len(self.class_names),))
        object.__setattr__(self, "scores", scores)

    def __repr__(self) -> str:
        return f"Labels({self.name!r} {self.score:.2f}, of {len(self.class_names)} classes)"

    @property
    def order(self) -> NDArray[np.intp]:
        """Class indices (C,), the best first; of equal scores the lower index first."""
        return np.argsort(-self.scores, kind="stable")

    @property
    def index(self) -> int:
        """The class index of the best score."""
        return int(self.scores.argmax())

    @property
    def name(self) -> str:
        """The class of the best score."""
        return self.class_names[self.index]

    @property
    def score(self) -> float:
        """The best score."""
        return float(self.scores[self.index])

    def __getitem__(self, name: str) -> float:
        """Return the score of the class with that name; KeyError where there is none."""
        if name not in self.class_names:
            raise KeyError(name)
        return float(self.scores[self.class_names.index(name)])

    def top(self, k: int = TOP) -> list[tuple[str, float]]:
        """Return the names and scores of the k best classes, or of all where there are fewer.

        Raises InputError for a k that is not a whole number above 0.
        """
        k = expect_whole(k, 2**31, "classes")
        best = self.order[:k].tolist()
        return [(self.class_names[index], float(self.scores[index])) for index in best]

    def draw(self, image: ImageSource) -> Image8:
        """Return a copy of the picture, RGB (H, W, 3) uint8, with its three best classes on it.

        Raises InputError where the picture cannot be read or has another size.
        """
        pixels = read_own_picture(image, self.image_size, "labels")
        best = self.top(_DRAWN)
        return draw_band(pixels, [f"{printable(name)} {score:.2f}" for name, score in best])

    def to_json(self, image_id: int = 1) -> str:
        """Return the JSON text of `entries`."""
        return json.dumps(self.entries(image_id), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """Return a table with one row a class, the best first.

        Columns: rank (from 1), class, class_index (from 0), score.
        """
        rows = (
            (rank, self.class_names[index], index, f"{self.scores[index]:.{_DIGITS}f}")
            for rank, index in enumerate(self.order.tolist(), 1)
        )
        return csv_text([("rank", "class", "class_index", "score"), *rows])

    def entries(self, image_id: int) -> list[dict[str, object]]:
        """List one JSON object: image_id, class, class_index (from 0), score, and `top`.

        `top` holds class, class_index and score of the five best classes, the best first.
        Raises InputError for an id that is no whole number.
        """
        number = to_int(image_id)  # of numpy, too
        if number is None:
            raise InputError(f"expected image_id as a whole number, got {image_id!r:.60}")
        best = [self._entry(index) for index in self.order[:TOP].tolist()]
        return [{"image_id": number, **best[0], "top": best}]

    def summary(self) -> str:
        """Describe the labels in a few words: `tabby 0.83, tiger cat 0.10, Egyptian cat 0.02`."""
        return ", ".join(f"{printable(name)} {score:.2f}" for name, score in self.top(_DRAWN))

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield a table of the five best classes for a terminal of `width` columns."""
        from rich.table import Table

        table = Table("rank", "class", title="score 0..1", title_justify="left")
        table.add_column("score", justify="right", no_wrap=True)
        for rank, (name, score) in enumerate(self.top(), 1):
            table.add_row(str(rank), printable(name)[: max(8, width - 24)], f"{score:.3f}")
        yield table

    def _entry(self, index: int) -> dict[str, object]:
        score = round(float(self.scores[index]), _DIGITS)
        return {"class": self.class_names[index], "class_index": index, "score": score}
