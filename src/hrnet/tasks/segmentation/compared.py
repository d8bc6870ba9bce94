"""A result with what comparing it with its labels found, small enough to hold thousands."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from hrnet.data.mask_file import Labels
from hrnet.drawing import Color
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource
from hrnet.metrics.miou import Counts, count_pixels
from hrnet.tasks.segmentation.result import Classes, LabelMap, class_dtype

if TYPE_CHECKING:
    from rich.table import Table

_QUICK = 1
"""Level of compression; masks shrink to a few percent at any."""


@dataclass(frozen=True, slots=True, eq=False)
class ComparedMap:
    """The result of one picture, and its pixels counted by true and predicted class.

    The classes are kept compressed: 500 pictures of 1024x2048 would take a gigabyte.
    """

    class_names: tuple[str, ...]
    colors: tuple[Color, ...]
    image_size: Size
    packed: bytes
    cells: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, found: LabelMap, labels: Labels) -> Self:
        """Compare a result with labels (H, W) in the indices of its classes."""
        # Few of the C * C pairs of classes occur in a picture.
        confusion = count_pixels(labels, found.classes, len(found.class_names)).ravel()
        cells = np.flatnonzero(confusion)
        packed = zlib.compress(found.classes.tobytes(), _QUICK)
        return cls(
            found.class_names, found.colors, found.image_size, packed, cells, confusion[cells]
        )

    @property
    def confusion(self) -> Counts:
        """Pixels (C, C) by true class (row) and predicted class (column)."""
        count = len(self.class_names)
        found = np.zeros(count * count, np.int64)
        found[self.cells] = self.counts
        return found.reshape(count, count)

    @property
    def label_map(self) -> LabelMap:
        """The result itself."""
        dtype = class_dtype(len(self.class_names))
        classes: Classes = np.frombuffer(zlib.decompress(self.packed), dtype)
        return LabelMap(classes.reshape(self.image_size), self.class_names, self.colors)

    def draw(self, image: ImageSource) -> Image8:
        """Draw the result, see `LabelMap.draw`."""
        return self.label_map.draw(image)

    def to_csv(self) -> str:
        """Return a table of the areas, see `LabelMap.to_csv`."""
        return self.label_map.to_csv()

    def files(self) -> dict[str, bytes]:
        """Return the mask as a PNG."""
        return self.label_map.files()

    def entries(self, image_id: int) -> list[dict[str, object]]:
        """List the areas, see `LabelMap.entries`."""
        return self.label_map.entries(image_id)

    def summary(self) -> str:
        """Describe the areas in a few words."""
        return self.label_map.summary()

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield a table of the areas."""
        return self.label_map.tables(width)
