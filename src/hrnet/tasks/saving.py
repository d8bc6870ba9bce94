"""The common part of the tasks' results: arrays that stay as they are, drawing, and files."""

import csv
import io
from abc import ABC, abstractmethod
from collections.abc import Iterable
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.drawing import save_drawing
from hrnet.errors import InputError
from hrnet.files import check_writable_file, write_text
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource
from hrnet.rasters import read_view


class SavableResult(ABC):
    """A result that can be written to files."""

    __slots__ = ()

    @abstractmethod
    def draw(self, image: ImageSource) -> Image8: ...

    @abstractmethod
    def to_json(self, image_id: int = 1) -> str: ...

    @abstractmethod
    def to_csv(self) -> str: ...

    def files(self) -> dict[str, bytes]:
        """Return what is written beside the drawing, by the end of its name; nothing usually."""
        return {}

    def save(self, path: str | PathLike[str], image: ImageSource | None = None) -> None:
        """Write the result to a file: .json, .csv, or drawn on its `image` as .jpg or .png.

        Raises InputError for another suffix, a missing image, and where nothing can be written.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        # Find a bad target before anything is computed.
        check_writable_file(target, [Path(image)] if isinstance(image, str | PathLike) else [])
        if suffix == ".json":
            write_text(target, self.to_json())
        elif suffix == ".csv":
            write_text(target, self.to_csv())
        elif suffix in (".jpg", ".jpeg", ".png") and image is not None:
            save_drawing(self.draw(image), target)
        else:
            raise InputError(
                f"expected a file that ends in .json or .csv, or in .jpg or .png with image=..., "
                f"got {target}"
            )


def frozen_array(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a read-only float32 copy; InputError for another shape, NaN and infinity."""
    array = np.array(values, dtype=np.float32)
    if array.shape != shape:
        raise InputError(f"expected {name} of shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"expected finite numbers in {name}, got NaN or infinity")
    array.setflags(write=False)
    return array


def read_own_picture(image: ImageSource, image_size: Size, results: str) -> Image8:
    """Read the picture that results are of; InputError where it has another (height, width)."""
    pixels = read_view(image)
    if pixels.shape[:2] != image_size:
        height, width = image_size
        raise InputError(
            f"expected the picture of {width}x{height} pixels that these {results} are of, got "
            f"one of {pixels.shape[1]}x{pixels.shape[0]}"
        )
    return pixels


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Write rows as CSV, the names of the columns first."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
