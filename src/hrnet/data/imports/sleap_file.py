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

from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path, is_file, make_writable_folder
from hrnet.numbers import to_int

if TYPE_CHECKING:
    import h5py

_MOST_BYTES = 1 << 28
"""No table of labels is longer; a file of a few kilobytes can claim terabytes."""

_MOST_PIXELS = 40_000_000
"""More than the largest frames of videos have, 8192x4320."""


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
        import h5py

        # Soft and external links could lead anywhere on the disk.
        found = self._file
        for step in name.split("/"):
            link = found.get(step, getlink=True) if isinstance(found, h5py.Group) else None
            if not isinstance(link, h5py.HardLink):
                raise no_sleap(self.path, f"it has no {name:.100}")
            found = found[step]
        return found

    def metadata(self, key: str) -> object:
        """Return an attribute of the metadata, text as str; None where there is none."""
        value = self.part("metadata").attrs.get(key)
        value = value.item() if isinstance(value, np.generic) else value
        return _text(value) if isinstance(value, bytes) else value

    def dataset(self, name: str) -> h5py.Dataset:
        """Return a data set whose values lie in the file itself."""
        import h5py

        found = self.part(name)
        if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
            raise no_sleap(self.path, f"no data in {name}")
        return found

    def _values(self, name: str) -> NDArray[np.void]:
        found = self.dataset(name)
        if found.ndim != 1 or found.size * found.dtype.itemsize > _MOST_BYTES:
            raise InputError(
                f"{self.path}: expected a list of at most {_MOST_BYTES:,} bytes in {name}, got the "
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
        # Written as PNG, which keeps the pixels.
        where = f"{source}: frame {number} of video {video}"
        path = self._folder / f"video{video}_{number:06}.png"
        content = io.BytesIO()
        _embedded(where, dataset, numbers.index(number)).save(content, format="PNG")
        make_writable_folder(self._folder)
        if is_file(path) and path.read_bytes() == content.getvalue():
            return path
        if is_file(path) and not self._replace:
            raise InputError(
                f"{path} exists and is another picture; name another --out or add --force"
            )
        with atomic_path(path) as temporary:
            temporary.write_bytes(content.getvalue())
        return path


def _embedded(where: str, dataset: h5py.Dataset, row: int) -> Image.Image:
    """One embedded picture: an encoded file as bytes, or raw pixels; RGB either way."""
    # The shape is checked first: a small file can claim terabytes.
    pixels, values = math.prod(dataset.shape[1:3]), math.prod(dataset.shape[1:])
    if pixels > _MOST_PIXELS or values > 4 * _MOST_PIXELS:
        raise InputError(f"{where}: expected at most {_MOST_PIXELS:,} pixels, got {pixels:,}")
    stored = np.asarray(dataset[row])
    if dataset.attrs.get("format", "png") == "hdf5" or stored.ndim > 1:
        if not ((stored >= 0) & (stored <= 255)).all():  # false for NaN too
            raise InputError(f"{where}: expected pixels of 0 to 255, got others")
        return Image.fromarray(stored.squeeze().astype(np.uint8)).convert("RGB")
    try:
        with Image.open(
            io.BytesIO(stored.astype(np.int8).tobytes()), formats=("PNG", "JPEG")
        ) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise InputError(f"{where}: expected at most {_MOST_PIXELS:,} pixels")
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
