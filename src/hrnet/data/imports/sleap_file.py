"""The content of SLEAP's HDF5 files: tables, texts and pictures, each read within bounds."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.data.imports.hdf5 import MOST_BYTES, MOST_PIXELS, data_of, part_of, write_png
from hrnet.errors import InputError, one_line
from hrnet.numbers import to_int

if TYPE_CHECKING:
    import h5py


def no_sleap(path: Path, why: str) -> InputError:
    """Return the error for a file that is not in SLEAP's form."""
    return InputError(f"expected a SLEAP file, but {path} is none ({why})")


@final
class SleapFile:
    """An open file. Parts are read only where they lie in the file itself."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self.place = f"the metadata of {path}"
        self._file = file

    def part(self, name: str) -> h5py.HLObject:
        """Return a group or data set; InputError where there is none, or it is in another file."""
        found = part_of(self._file, name)
        if found is None:
            raise no_sleap(self.path, f"it has no {name:.100}")
        return found

    def metadata(self, key: str) -> object:
        """Return an attribute of the metadata, text as str; None where there is none."""
        value = self.part("metadata").attrs.get(key)
        value = value.item() if isinstance(value, np.generic) else value
        return _text(value) if isinstance(value, bytes) else value

    def dataset(self, name: str) -> h5py.Dataset:
        """Return a data set whose values lie in the file itself."""
        found = data_of(self.part(name))
        if found is None:
            raise no_sleap(self.path, f"no data in {name}")
        return found

    def _values(self, name: str) -> NDArray[np.void]:
        found = self.dataset(name)
        if found.ndim != 1 or found.size * found.dtype.itemsize > MOST_BYTES:
            raise InputError(
                f"{self.path}: expected a list of at most {MOST_BYTES:,} bytes in {name}, got the "
                f"shape {found.shape}"
            )
        values: NDArray[np.void] = found[()]
        return values

    def table(self, name: str, fields: Sequence[str]) -> NDArray[np.void]:
        """Return a list of records that have these fields, whose values are numbers."""
        values = self._values(name)
        kinds = dict(values.dtype.fields or {})
        missing = [key for key in fields if key not in kinds or kinds[key][0].kind not in "biuf"]
        if missing:
            raise no_sleap(self.path, f"{name} has no {missing[0]}")
        return values

    def numbers(self, name: str) -> list[int | None]:
        """Return a list of whole numbers."""
        return [to_int(value) for value in self._values(name).tolist()]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts."""
        return [_text(value) for value in self._values(name).tolist()]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else ""


@final
class Extractor:
    """Writes the pictures of a file into a folder."""

    def __init__(self, file: SleapFile, folder: Path, replace: bool) -> None:
        self._file = file
        self._folder = folder
        self._replace = replace
        self._numbers: dict[str, list[int | None]] = {}

    def write(self, video: int, number: int, backend: dict[str, object]) -> Path:
        """Write one frame as PNG, unless it is there already; returns its path.

        Raises InputError where the file holds no such frame, and where another picture is in the
        way that must not be replaced.
        """
        # The data set with the pictures of the video.
        source, name = self._file.path, backend.get("dataset") or f"video{video}/video"
        try:
            dataset = self._file.dataset(str(name))
        except InputError:
            raise InputError(
                f"{source}: expected pictures in the file, but they are in "
                f"{backend.get('filename')!s:.200}; export a training package with pictures "
                "(.pkg.slp) in SLEAP"
            ) from None
        # Only labelled frames are stored; a list beside them has their numbers.
        group = str(name).rpartition("/")[0]
        if group not in self._numbers:
            self._numbers[group] = self._file.numbers(f"{group}/frame_numbers")
        numbers = self._numbers[group]
        if number not in numbers or numbers.index(number) >= len(dataset):
            raise InputError(
                f"{source}: frame {number} of video {video} is labelled but not embedded"
            )
        where = f"{source}: frame {number} of video {video}"
        picture = _embedded(where, dataset, numbers.index(number))
        path = self._folder / f"video{video}_{number:06}.png"
        return write_png(picture, path, replace=self._replace)


def _embedded(where: str, dataset: h5py.Dataset, row: int) -> Image.Image:
    """One embedded picture: an encoded file as bytes, or raw pixels; RGB either way."""
    # The shape is checked first: a small file can claim terabytes.
    pixels, values = math.prod(dataset.shape[1:3]), math.prod(dataset.shape[1:])
    if pixels > MOST_PIXELS or values > 4 * MOST_PIXELS:
        raise InputError(f"{where}: expected at most {MOST_PIXELS:,} pixels, got {pixels:,}")
    stored = np.asarray(dataset[row])
    if dataset.attrs.get("format", "png") == "hdf5" or stored.ndim > 1:
        if not ((stored >= 0) & (stored <= 255)).all():  # false for NaN too
            raise InputError(f"{where}: expected pixels of 0 to 255, got others")
        return Image.fromarray(stored.squeeze().astype(np.uint8)).convert("RGB")
    try:
        with Image.open(
            io.BytesIO(stored.astype(np.int8).tobytes()), formats=("PNG", "JPEG")
        ) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise InputError(f"{where}: expected at most {MOST_PIXELS:,} pixels")
            rgb = picture.convert("RGB")
    except InputError:
        raise
    except Exception as error:  # damaged pictures raise nearly every type from the decoders
        raise InputError(
            f"{where}: expected a picture, got something else ({one_line(error):.200})"
        ) from None
    # An RGB picture that OpenCV encoded, which takes it for BGR, has red and blue exchanged.
    if dataset.attrs.get("channel_order", "BGR") == "BGR":
        return Image.merge("RGB", rgb.split()[::-1])
    return rgb
