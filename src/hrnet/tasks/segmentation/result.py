"""The result of a segmentation model: a class for each pixel of one picture."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.drawing import Color, class_color, draw_band
from hrnet.errors import InputError, printable
from hrnet.files import atomic_path, check_writable_file
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource
from hrnet.numbers import to_int
from hrnet.tasks.saving import SavableResult, csv_text, read_own_picture

if TYPE_CHECKING:
    from rich.table import Table

Classes = NDArray[np.integer]
"""(H, W), class indices from 0."""

_PALETTE_SIZE = 256
"""Classes that a mask of 8 bits can hold; of more it has 16 bits and no colours."""

_OPACITY = 0.55
_STRIP_ROWS = 256
_LISTED = 6
"""Classes that a summary names, those of the largest areas."""

_LEGEND = 12
_DIGITS = 5


def class_dtype(count: int) -> type[np.uint8] | type[np.uint16]:
    """Return the type that holds the indices of so many classes."""
    return np.uint8 if count <= _PALETTE_SIZE else np.uint16


def usual_colors(count: int) -> tuple[Color, ...]:
    """Return one colour a class, where a data set has none of its own."""
    return tuple(class_color(index) for index in range(count))


@dataclass(frozen=True, slots=True)
class Area:
    """The part of a picture that a class covers. pixels: their number. share: 0..1 of all."""

    name: str
    class_id: int
    pixels: int
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap(SavableResult):
    """The classes of one picture's pixels.

    classes: (H, W) uint8, for more than 256 classes uint16, class indices from 0. class_names: of
    the model, in order. colors: one (red, green, blue) a class. `found["road"]` is the mask (H, W)
    of a class.
    """

    classes: Classes
    class_names: tuple[str, ...]
    colors: tuple[Color, ...]

    def __post_init__(self) -> None:
        # A copy that nobody can change, checked once.
        count = len(self.class_names)
        if len(self.colors) != count:
            raise InputError(f"expected {count} colors, one a class, got {len(self.colors)}")
        classes = np.array(self.classes)
        is_map = classes.ndim == 2 and classes.size and np.issubdtype(classes.dtype, np.integer)
        if not is_map or not 0 <= classes.min() <= classes.max() < count:
            raise InputError(
                f"expected classes (H, W) of whole numbers 0 to {count - 1}, got "
                f"{classes.dtype} {classes.shape}"
            )
        classes = classes.astype(class_dtype(count), copy=False)
        classes.setflags(write=False)
        object.__setattr__(self, "classes", classes)

    def __repr__(self) -> str:
        return f"LabelMap({self.summary()})"

    @property
    def image_size(self) -> Size:
        """(height, width) of the picture."""
        return self.classes.shape[0], self.classes.shape[1]

    def __getitem__(self, name: str) -> NDArray[np.bool_]:
        """Return the mask (H, W) of the class with that name; KeyError where there is none."""
        if name not in self.class_names:
            raise KeyError(name)
        mask: NDArray[np.bool_] = self.classes == self.class_names.index(name)
        return mask

    def areas(self) -> list[Area]:
        """List the classes that occur, the largest area first."""
        counts = np.bincount(self.classes.ravel(), minlength=len(self.class_names))
        order = np.argsort(-counts, kind="stable").tolist()
        return [
            Area(self.class_names[index], index, int(counts[index]), counts[index] / counts.sum())
            for index in order
            if counts[index]
        ]

    def draw(self, image: ImageSource) -> Image8:
        """Return a copy of the picture, RGB (H, W, 3) uint8, tinted, with a legend.

        Raises InputError where the picture cannot be read or has another size.
        """
        canvas = np.array(read_own_picture(image, self.image_size, "classes"))
        # Blend strip by strip: a large picture as floats takes much memory.
        table = np.array(self.colors, np.float32)
        for top in range(0, len(canvas), _STRIP_ROWS):
            rows = slice(top, top + _STRIP_ROWS)
            tint = table[self.classes[rows]]
            canvas[rows] = np.rint(canvas[rows] + (tint - canvas[rows]) * np.float32(_OPACITY))
        # The legend, the largest areas first.
        shown = self.areas()[:_LEGEND]
        lines = [f"{printable(one.name)[:40]} {one.share:.1%}" for one in shown]
        return draw_band(canvas, lines, [self.colors[one.class_id] for one in shown])

    def to_mask(self, values: Sequence[int] | None = None) -> Image.Image:
        """Return the class indices as a Pillow image.

        Of up to 256 classes it has 8 bits and a palette of their colours, else 16 bits. values: of
        each class, 0 to 255, in place of the indices, as `hrnet.data.mask_known.class_values` has
        them for servers that compare masks; such a mask has no palette.
        """
        if values is not None:
            if len(values) != len(self.class_names) or not all(0 <= one < 256 for one in values):
                raise InputError(f"expected {len(self.class_names)} values, each 0 to 255")
            return Image.fromarray(np.array(values, np.uint8)[self.classes])
        if len(self.class_names) > _PALETTE_SIZE:
            return Image.fromarray(self.classes)
        mask = Image.fromarray(self.classes)
        mask.putpalette(bytes(np.array(self.colors, np.uint8)))  # makes it of mode P
        return mask

    def files(self) -> dict[str, bytes]:
        """Return the mask as a PNG."""
        stream = io.BytesIO()
        self.to_mask().save(stream, format="PNG")
        return {"mask.png": stream.getvalue()}

    def save_mask(self, path: str | PathLike[str]) -> None:
        """Write the mask as a PNG; InputError for another suffix, or where it cannot be written."""
        target = Path(path)
        if target.suffix.lower() != ".png":
            raise InputError(f"expected a .png file for a mask, got {target}; end its name in .png")
        check_writable_file(target)
        with atomic_path(target) as temporary:
            temporary.write_bytes(self.files()["mask.png"])

    def to_json(self, image_id: int = 1) -> str:
        """Return the JSON text of `entries`."""
        return json.dumps(self.entries(image_id), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """Return a table with one row a class that occurs: class, class_index, pixels, share."""
        rows = (
            (one.name, one.class_id, one.pixels, f"{one.share:.{_DIGITS}f}") for one in self.areas()
        )
        return csv_text([("class", "class_index", "pixels", "share"), *rows])

    def entries(self, image_id: int) -> list[dict[str, object]]:
        """List one JSON object a class that occurs, the largest area first.

        image_id; class; class_index, which counts from 0; pixels, and share, 0..1 of the picture.
        Raises InputError for an id that is no whole number.
        """
        number = to_int(image_id)  # of numpy, too
        if number is None:
            raise InputError(f"expected image_id as a whole number, got {image_id!r:.60}")
        return [
            {
                "image_id": number,
                "class": one.name,
                "class_index": one.class_id,
                "pixels": one.pixels,
                "share": round(one.share, _DIGITS),
            }
            for one in self.areas()
        ]

    def summary(self) -> str:
        """Describe the areas in a few words: `road 41%, sky 22%, 3 other classes`."""
        found = self.areas()
        listed = [f"{printable(one.name)} {one.share:.0%}" for one in found[:_LISTED]]
        others = len(found) - _LISTED
        return ", ".join(listed + ([f"{others} other classes"] if others > 0 else []))

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield a table of the areas for a terminal of `width` columns."""
        from rich.table import Table

        table = Table("class", title="area of each class", title_justify="left")
        for column in ("pixels", "share"):
            table.add_column(column, justify="right", no_wrap=True)
        for one in self.areas():
            name = printable(one.name)[: max(8, width - 30)]
            table.add_row(name, f"{one.pixels:,}", f"{one.share:.1%}")
        yield table
