"""Read pictures of any channels: of 8 or 16 bits or floating point, from images, TIFF and .npy.

    file --read_raster--> stored numbers --(channels, range of the model)--> picture of a model

Where a model reads RGB of 8 bits, its pictures are those of `images.read_image`.
"""

import warnings
from dataclasses import dataclass
from os import PathLike, fstat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.errors import InputError, one_line
from hrnet.geometry import Image8, Picture
from hrnet.images import (
    LYING,
    MAX_PIXELS,
    ImageSource,
    as_path,
    decoding,
    expect_content,
    load_pixels,
    opened,
    orientation_of,
    read_image,
    stored_view,
    too_large,
)
from hrnet.spec import MAX_CHANNELS, ModelSpec

Raster = NDArray[Any]
"""Pixels as they are stored, (H, W, C): uint8, uint16, int16 or float32."""

MAX_VALUES = 3 * MAX_PIXELS
"""Numbers of a picture, over all channels: as many as those of the largest RGB picture."""

_LARGEST = 1e30
"""Floating-point pixels beyond this are no measurements, and would overflow."""

BYTES, WORDS, FLOATS = "8 bits", "16 bits", "floating point"
_KINDS = {"u1": BYTES, "u2": WORDS, "i2": WORDS, "f4": FLOATS, "f8": FLOATS}
"""Types of numbers that are read, by kind and bytes of numpy."""

_CONVERTED = {"1": "L", "P": "RGB", "PA": "RGBA", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB"}
"""Pillow's modes that are no stored channels -> the mode that they are converted to."""

_SUBFILE_TAG = 254
"""NewSubfileType of TIFF 6.0; its lowest bit marks a smaller copy of another page."""

_LONGEST_HEADER = 10_000
"""Bytes; numpy's own limit."""


@dataclass(frozen=True, slots=True)
class RasterHeader:
    """Channels and numbers of a picture, by its header.

    numbers: "8 bits", "16 bits" or "floating point". is_rgb: a model of RGB reads all of it.
    """

    channels: int
    numbers: str
    is_rgb: bool

    def __str__(self) -> str:
        return f"{self.channels} channel{'s' * (self.channels > 1)} of {self.numbers}"


def read_picture(source: ImageSource, spec: ModelSpec) -> Picture:
    """Read a picture as a model of that description takes it: (H, W, C).

    uint8 of pictures of 8 bits; of others float32, with the spec's pixel_range mapped to 0..255.
    For a model of RGB it is `read_image`, and `.npy` files are RGB or grey of 8 bits. A model of 1
    channel also takes pictures of 3 equal ones. Raises InputError for a picture of other channels
    or numbers than the model's, for NaN and infinity, and as `read_image`.
    """
    if spec.reads_rgb and not _is_array_file(source):
        return read_image(source)
    name, raster = _name_of(source), read_raster(source)
    if spec.reads_rgb and raster.shape[2] == 1 and raster.dtype == np.uint8:
        return np.repeat(raster, 3, axis=2)
    return _scaled(take_channels(raster, spec.network.num_channels, name), spec, name)


def read_raster(source: ImageSource) -> Raster:
    """Read the stored numbers of a picture, upright: (H, W, C), uint8, uint16, int16 or float32.

    A path, a Pillow image, or an array (H, W) or (H, W, C). The pages of a TIFF are channels; of
    other files the first frame is read, with transparency as a channel. float64 becomes float32.
    Raises InputError, which names the file, for what cannot be read whole: among it colours of 16
    bits, of which Pillow keeps 8, and arrays of Python objects, which are never unpickled.
    """
    if isinstance(source, np.ndarray):
        return _checked(source, "the image array")
    if isinstance(source, Image.Image):
        with decoding("the image"):
            return _checked(_page(source, "the image"), "the image")
    path = as_path(source)
    if _is_array_file(path):
        return _checked(_read_npy(path), str(path))
    with opened(path) as image:
        pixels = _pages(image, str(path)) if image.format == "TIFF" else _page(image, str(path))
        return _checked(pixels, str(path))


def read_raster_header(path: Path) -> RasterHeader:
    """Read channels and numbers of a picture without its pixels; InputError as `read_raster`."""
    if _is_array_file(path):
        with decoding(str(path)), _opened_npy(path) as file:
            shape, _, dtype = _npy_header(file, str(path))
        channels = shape[2] if len(shape) == 3 else 1
        numbers = _KINDS[dtype.str[1:]]
        return RasterHeader(channels, numbers, numbers == BYTES and channels in (1, 3))
    with opened(path) as image:
        mode = _CONVERTED.get(image.mode, image.mode)
        numbers = FLOATS if mode == "F" else WORDS if mode.startswith("I") else BYTES
        pages = len(_channel_pages(image)) if image.format == "TIFF" else 1
        # Signed 16 bits of a TIFF are of mode I, and `read_image` refuses what is below 0.
        is_rgb = pages == 1 and mode != "F" and (image.format, mode) != ("TIFF", "I")
        return RasterHeader(Image.getmodebands(mode) * pages, numbers, is_rgb)


def read_view(source: ImageSource, spec: ModelSpec | None = None) -> Image8:
    """Read a picture as RGB (H, W, 3) uint8 to draw on.

    spec: of the model that reads it, with its range of pixels. None: numbers of other than 8 bits
    are stretched from the least to the largest, where `read_image` does not read them.
    """
    if spec is not None:
        return as_rgb(read_picture(source, spec))
    if _is_plain(source):
        return read_image(source)
    raster = read_raster(source)
    if raster.dtype == np.uint8:
        return as_rgb(raster)
    raster = raster[..., :3]
    low, high = float(raster.min()), float(raster.max())
    return as_rgb((raster.astype(np.float32) - low) * (255 / max(high - low, 1e-6)))


def as_rgb(picture: Picture) -> Image8:
    """Return a picture of any channels (H, W, C) as RGB: grey, or its first three channels.

    A third channel that is missing is black. Numbers are cut to 0..255.
    """
    if picture.dtype == np.uint8 and picture.shape[2] == 3:
        return picture
    first = picture[..., :3]
    if first.dtype != np.uint8:
        first = np.rint(first).clip(0, 255).astype(np.uint8)
    if first.shape[2] == 1:
        return np.repeat(first, 3, axis=2)
    missing = 3 - first.shape[2]
    return np.pad(first, ((0, 0), (0, 0), (0, missing))) if missing else first.copy()


def take_channels(raster: Raster, count: int, name: str) -> Raster:
    """Return a raster of `count` channels; three equal ones are one; InputError for others."""
    found = raster.shape[2]
    if found == count:
        return raster
    differ = ""
    if count == 1 and found == 3:
        first = raster[..., :1]
        if (raster == first).all():
            return first
        differ = " that differ"
    raise InputError(
        f"expected {count} channel{'s' * (count > 1)}, got {found}{differ} in {name}; take "
        "pictures of the same channels as those that the model is trained on"
    )


def map_range(raster: Raster, pixel_range: tuple[float, float]) -> NDArray[np.float32]:
    """Map stored numbers to float32: pixel_range to 0..255, values beyond it evenly too."""
    low, high = pixel_range
    mapped: NDArray[np.float32] = np.subtract(raster, np.float32(low), dtype=np.float32)
    mapped *= np.float32(255 / (high - low))
    return mapped


def _scaled(raster: Raster, spec: ModelSpec, name: str) -> Picture:
    """Map the numbers of a raster by the model's range."""
    limits, is_bytes = spec.pixel_range, raster.dtype == np.uint8
    if limits in (None, (0, 255)) and is_bytes:
        return raster
    if limits is None:
        raise InputError(
            f"expected pixels of 8 bits, got {raster.dtype} in {name}; the model has no "
            "pixel_range for others"
        )
    if is_bytes and limits[1] > 255:
        raise InputError(
            f"expected pixels within {limits[0]:g} to {limits[1]:g}, got 8 bits in {name}; take "
            "the picture before it was reduced to 8 bits"
        )
    return map_range(raster, limits)


def _is_array_file(source: object) -> bool:
    """Return whether a source is a path that ends in .npy."""
    return isinstance(source, str | PathLike) and str(source).lower().endswith(".npy")


def _name_of(source: object) -> str:
    """Return the name of a source in messages."""
    return str(source) if isinstance(source, str | PathLike) else "the image"


def _is_plain(source: ImageSource) -> bool:
    """Return whether `read_image` reads a picture whole, or is to raise its error."""
    if isinstance(source, Image.Image):
        return source.mode != "F"
    if isinstance(source, np.ndarray):
        channels = source.shape[2] if source.ndim == 3 else 1
        return source.dtype == np.uint8 and channels in (1, 3, 4)
    return not _is_array_file(source) and read_raster_header(as_path(source)).is_rgb


def _pages(image: Image.Image, name: str) -> Raster:
    """Decode all pages of a TIFF as channels: (H, W, C)."""
    numbers = _channel_pages(image)
    if len(numbers) > MAX_CHANNELS:
        raise InputError(
            f"expected 1 to {MAX_CHANNELS} pages, which are channels, but {name} has more; save "
            "the channels of each picture in a file of their own"
        )
    first = _page(image, name)
    pages = [first]
    for number in numbers[1:]:
        if (len(pages) + 1) * first.size > MAX_VALUES:
            raise too_large(name)
        image.seek(number)
        page = _page(image, name)
        if page.shape[:2] != first.shape[:2] or page.dtype != first.dtype:
            raise InputError(
                f"expected pages of one size and type in {name}, got {_described(first)} and "
                f"{_described(page)}; save the channels alone"
            )
        pages.append(page)
    return first if len(pages) == 1 else np.concatenate(pages, axis=2)


def _channel_pages(image: Image.Image) -> list[int]:
    """Return the numbers of the pages of a TIFF, without smaller copies that are marked so.

    At most one more than there can be channels: pages are a linked list, which may be endless in a
    damaged file.
    """
    numbers = [0]
    for number in range(1, MAX_CHANNELS + 1):
        try:
            image.seek(number)
        except EOFError:
            break
        if not image.tag_v2.get(_SUBFILE_TAG, 0) & 1:  # type: ignore[attr-defined]
            numbers.append(number)
    image.seek(0)
    return numbers


def _described(page: Raster) -> str:
    return f"{page.shape[1]}x{page.shape[0]} {page.dtype}"


def _page(image: Image.Image, name: str) -> Raster:
    """Decode the current page of an image as it is stored, upright: (H, W, C)."""
    # Check the size before anything is decoded.
    if image.width * image.height > MAX_PIXELS:
        raise too_large(name)
    halved = ";16" in str(getattr(image, "tile", [])[:1]) and not image.mode.startswith("I")
    if halved:
        raise InputError(
            f"the colours of 16 bits in {name} cannot be read in full depth; save them as .npy, or "
            "as a TIFF with a page a channel"
        )
    load_pixels(image)
    # Pages of palettes, of black and white and of other colour spaces.
    orientation = orientation_of(image)
    mode = _CONVERTED.get(image.mode)
    pixels = np.asarray(image if mode is None else image.convert(mode))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if image.mode == "I":
        pixels = _narrowed(pixels, name)
    if orientation not in range(2, 9):
        return pixels
    height, width, channels = pixels.shape
    size = (width, height) if orientation in LYING else (height, width)
    upright = np.empty((*size, channels), pixels.dtype)
    stored_view(upright, orientation)[...] = pixels
    return upright


def _narrowed(pixels: Raster, name: str) -> Raster:
    """Return whole numbers of 32 bits, as which Pillow reads some of 16 bits, as those."""
    low, high = int(pixels.min()), int(pixels.max())
    for dtype in (np.uint16, np.int16):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return pixels.astype(dtype)
    raise InputError(
        f"expected pixels of 8 or 16 bits or floating point, but {name} holds {low} to {high}; "
        "save it as float32"
    )


def _opened_npy(path: Path) -> BinaryIO:
    """Open an array file that has content."""
    expect_content(path)
    return path.open("rb")


def _read_npy(path: Path) -> Raster:
    """Read an array file: only numbers, and only as many as its own size allows."""
    with decoding(str(path)), _opened_npy(path) as file:
        shape, is_fortran, dtype = _npy_header(file, str(path))
        # Compare with the size of the file before memory is taken.
        count = int(np.prod([int(side) for side in shape], dtype=object))
        there = fstat(file.fileno()).st_size - file.tell()
        if count * dtype.itemsize != there:
            raise InputError(
                f"{path} is damaged: expected {count * dtype.itemsize:,} bytes of pixels, got "
                f"{there:,}; get the file again"
            )
        pixels = np.frombuffer(file.read(there), dtype)
        return pixels.reshape(shape, order="F" if is_fortran else "C")


def _npy_header(file: BinaryIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read shape, order and type of an array file; InputError for what is no picture."""
    try:
        version = np.lib.format.read_magic(file)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise ValueError(f"version {version[0]}.{version[1]}")
        with warnings.catch_warnings():  # of headers as Python 2 wrote them
            warnings.simplefilter("ignore")
            shape, is_fortran, dtype = readers[version](file, max_header_size=_LONGEST_HEADER)
    except (ValueError, TypeError, SyntaxError, RecursionError) as error:
        raise InputError(
            f"{name} is no readable .npy array ({one_line(error):.200}); write it by numpy.save"
        ) from None
    if dtype.hasobject:
        raise InputError(
            f"{name} holds Python objects, which are never read, since that could run code; save "
            "numbers alone"
        )
    _expect_form(shape, dtype, name)
    return shape, is_fortran, dtype


def _expect_form(shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    """Raise InputError where shape or type of an array are not those of a picture."""
    channels = shape[2] if len(shape) == 3 else 1
    fits = len(shape) in (2, 3) and min(shape) > 0 and channels <= MAX_CHANNELS
    if not fits:
        raise InputError(
            f"expected an array (height, width) or (height, width, channels) of 1 to "
            f"{MAX_CHANNELS} channels, got {shape!s:.80} in {name}; move the channels last"
        )
    if dtype.str[1:] not in _KINDS:
        raise InputError(
            f"expected numbers of uint8, uint16, int16, float32 or float64, got {dtype!s:.40} "
            f"in {name}; convert them"
        )
    if shape[0] * shape[1] > MAX_PIXELS or shape[0] * shape[1] * channels > MAX_VALUES:
        raise too_large(name)


def _checked(pixels: NDArray[Any], name: str) -> Raster:
    """Return pixels (H, W, C) of the machine's own types; InputError for others, NaN, infinity."""
    _expect_form(pixels.shape, pixels.dtype, name)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.dtype.kind != "f":
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    # One pass finds NaN, infinity and what would become it.
    if not bool((np.abs(pixels) <= _LARGEST).all()):
        raise InputError(
            f"expected finite pixels, but {name} holds NaN, infinity or numbers beyond "
            f"{_LARGEST:g}; replace them"
        )
    return pixels.astype(np.float32, copy=False)
