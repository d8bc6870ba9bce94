"""Read images as they are displayed: 8-bit RGB, upright, first frame, transparency on white."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from hrnet.errors import InputError, one_line
from hrnet.files import address_in, exists, is_file, is_folder, not_fetched
from hrnet.geometry import Image8, Picture, Size

ImageSource = str | PathLike[str] | Image.Image | NDArray[Any]
"""A path, a Pillow image, or an array: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey, uint8."""

MAX_PIXELS = 178_956_970
"""Larger images are refused: half a gigabyte as RGB, Pillow's limit for decompression bombs."""

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .bmp .gif .tif .tiff .ppm .pgm .pnm .jp2 .avif".split()
)
"""Suffixes of images when a folder is searched. A file given by name is always tried."""

_VIDEOS = frozenset(
    ".mp4 .m4v .mov .avi .mkv .webm .wmv .flv .mpg .mpeg .mts .m2ts .3gp .ogv".split()
)

BIT_DEPTHS = (8, 10, 12, 14, 16)
"""Bit depths of integer grey: the smallest that holds the largest value of an image is taken."""

_FILLED = 16
"""Pillow reads the upper 8 bits of 16-bit colours; below this the file uses at most 12 bits."""

_SIZE_IN_HEADER = frozenset("JPEG MPO PNG WEBP BMP GIF TIFF PPM JPEG2000 AVIF".split())
"""Formats whose header has the size of the decoded image; in others, such as ICO, it may differ."""

_STRIP_PIXELS = 1 << 15
_ORIENTATION_TAG = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


LYING = frozenset({5, 6, 7, 8})
_STEPS = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (-1, 1), 7: (-1, -1), 8: (1, -1)}
"""EXIF orientations (EXIF 2.3, tag 274): those with rows and columns exchanged, and then the steps
along both axes, -1 where the stored image runs backwards."""


def stored_view(upright: Picture, orientation: int) -> Picture:
    """Return a view of an upright image (H, W, C) as stored with that EXIF orientation."""
    down, across = _STEPS.get(orientation, (1, 1))
    view = upright.transpose(1, 0, 2) if orientation in LYING else upright
    return view[::down, ::across]


def read_image(source: ImageSource) -> Image8:
    """Read one image as (H, W, 3) uint8 RGB, turned upright by its EXIF orientation.

    Of an animation the first frame is read (of an open Pillow image the current one).
    Transparent images are put on white. Integer grey of more than 8 bits is scaled by the smallest
    of `BIT_DEPTHS` that holds its largest value: 12 bits are divided by 4095. Of 16-bit colours
    the upper 8 bits are taken.
    Raises InputError, which names the file, for anything that is not a readable image.
    """
    # Images in memory.
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        with decoding("the image"):
            return _decode(source, "the image")
    path = as_path(source)
    with opened(path) as image:
        return _decode(image, str(path))


def as_path(source: str | PathLike[str]) -> Path:
    """Return the path of an image file; InputError for URLs, and for what is no path."""
    try:
        path = Path(source)
    except TypeError:
        raise InputError(
            f"expected a path, a Pillow image or an RGB array, got {type(source).__name__}"
        ) from None
    refuse_address(source)
    return path


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Header of an image file; sizes are (height, width).

    size: of the upright image, as `read_image` returns it. stored_size: before the EXIF rotation.
    turned: True if the EXIF orientation is not upright.
    """

    size: tuple[int, int]
    stored_size: tuple[int, int]
    turned: bool


def read_header(path: Path) -> ImageHeader:
    """Read the size of an image and its EXIF orientation without decoding the pixels.

    Raises InputError as `read_image` does.
    """
    with opened(path) as image:
        if image.format not in _SIZE_IN_HEADER:
            image.load()
        orientation = orientation_of(image)
        stored = (image.height, image.width)
        # The size of a TIFF may be upright already, depending on the Pillow release.
        if image.format == "TIFF":
            tags = image.tag_v2  # type: ignore[attr-defined]
            stored = (tags[_TIFF_HEIGHT], tags[_TIFF_WIDTH])
    size = stored[::-1] if orientation in LYING else stored
    return ImageHeader(size, stored, orientation in range(2, 9))


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Turn every error of a file or its decoder into an InputError that names the image."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise too_large(name) from None
    except UnidentifiedImageError:
        raise InputError(_unreadable(name)) from None
    except MemoryError:
        raise InputError(f"{name} does not fit into the memory; scale it down first") from None
    except Exception as error:  # damaged files raise nearly every type from the decoders
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{name} cannot be read: {error.strerror}") from None
        raise InputError(
            f"{name} is damaged and cannot be decoded ({one_line(error)}); get the file again"
        ) from error


def _unreadable(name: str) -> str:
    """Return the message for a file that Pillow does not recognise."""
    if Path(name).suffix.lower() in _VIDEOS:
        return (
            f"expected an image, but {name} is a video; make images of it, for example "
            f"`ffmpeg -i {name} frames/%06d.png`, and name their folder"
        )
    return f"expected an image, but {name} is none that can be read; convert it to JPEG or PNG"


def refuse_address(source: str | PathLike[str]) -> None:
    """Raise InputError for a URL."""
    address = address_in(source)
    if address and not exists(Path(source)):
        raise not_fetched(address)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file by Pillow, undecoded; what goes wrong within is an InputError."""
    with decoding(str(path)), _opened(path) as image:
        yield image


def expect_content(path: Path) -> None:
    """Raise InputError where there is no file, or nothing in it."""
    if not is_file(path):
        missing = "is no regular file" if exists(path) else "does not exist"
        kind = "is a folder" if is_folder(path) else missing
        raise InputError(f"expected an image file, but {path} {kind}")
    if path.stat().st_size == 0:
        raise InputError(f"expected an image, but {path} is empty (0 bytes); get the file again")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    expect_content(path)
    with warnings.catch_warnings():
        # Pillow warns of odd metadata, which changes no pixel, and of large images, for which
        # _decode has a limit of its own.
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            yield image


def too_large(name: str) -> InputError:
    """Return the error for an image of more pixels than `MAX_PIXELS`."""
    return InputError(
        f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels, which is refused as a "
        "possible decompression bomb; scale it down first"
    )


def _decode(image: Image.Image, name: str) -> Image8:
    """Decode an opened image and write it upright, strip by strip, into one array (H, W, 3)."""
    # Check the size before anything is decoded.
    if image.width * image.height > MAX_PIXELS:
        raise too_large(name)
    if image.width * image.height == 0:
        raise InputError(f"expected at least one pixel, but {name} has size {image.size}")
    # Note whether these are 16-bit colours, of which Pillow keeps the upper 8 bits.
    halved = ";16" in str(getattr(image, "tile", [])[:1])
    load_pixels(image)
    # Read the orientation after loading: Pillow turns TIFF while it loads, and removes the tag.
    orientation = orientation_of(image)
    # Make the upright array, and a view of it in the orientation of the file.
    width, height = image.size
    size = (width, height) if orientation in LYING else (height, width)
    upright = np.empty((*size, 3), np.uint8)
    pixels = stored_view(upright, orientation)
    # Integer grey of more than 8 bits.
    if image.mode.startswith("I"):
        pixels[...] = _grey_levels(np.asarray(image), name)[..., None]
        return upright
    # Convert strip by strip: small strips reuse the same memory, a copy of the whole needs more.
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        pixels[top : top + rows] = np.asarray(_to_rgb(strip, name))
    # 12-bit colours in a 16-bit file come out nearly black.
    if halved and upright.max() < _FILLED:
        raise InputError(
            f"the 16-bit colours of {name} fill at most 12 bits and would come out black; scale "
            "them to 0..65535, or save 8 bits a channel"
        )
    return upright


def load_pixels(image: Image.Image) -> None:
    """Decode the pixels; some TIFF files that Pillow memory-maps would come out with mixed rows."""
    if image.format != "TIFF" or not isinstance(image, ImageFile.ImageFile):
        image.load()
        return
    name, image.filename = image.filename, ""  # Pillow maps only files with a name
    try:
        image.load()
    finally:
        image.filename = name


def orientation_of(image: Image.Image) -> int:
    """Read the EXIF orientation; 1 (upright) if there is none or the EXIF block is broken."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # the pixels are still good
        return 1


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    """Convert an image of 8 bits a channel to RGB, transparency on white."""
    if image.mode == "F":
        raise InputError(f"expected 8 or 16 bits a channel, but {name} holds floating point")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey_levels(levels: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Scale integer grey (H, W) to 8 bits; Pillow's convert() would clip it at 255."""
    lowest, highest = int(levels.min()), int(levels.max())
    if lowest < 0 or highest >= 1 << BIT_DEPTHS[-1]:
        raise InputError(
            f"expected grey of 8 to 16 bits, 0..65535, but {name} holds {lowest} to {highest}; "
            "scale it and save it again"
        )
    # A table of round(255 * level / top), with the largest level of the bit depth as top.
    top = next(2**bits - 1 for bits in BIT_DEPTHS if highest < 1 << bits)
    table = (np.arange(top + 1, dtype=np.int64) * 255 + top // 2) // top
    grey: NDArray[np.uint8] = table.astype(np.uint8)[levels]
    return grey


def _from_array(array: NDArray[Any]) -> Image8:
    """Check an image array and convert it to RGB."""
    # Check shape, type and size.
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise InputError(
            f"expected an image array of shape (height, width, 3), got {array.shape}; "
            "move the channels last and pass several images as a list"
        )
    if array.dtype != np.uint8:
        raise InputError(
            f"expected an image array of uint8 in 0..255, got {array.dtype}; scale and convert it"
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise too_large("the image array")
    # RGB is returned as it is; grey and RGBA are converted.
    if channels == 3:
        return array
    grey_or_rgba = array[..., 0] if array.ndim == 3 and channels == 1 else array
    return np.array(_to_rgb(Image.fromarray(grey_or_rgba), "the image array"), dtype=np.uint8)


def expect_size(path: Path, found: Size, annotated: Size) -> None:
    """Raise InputError where a picture is not of the size (height, width) that was annotated."""
    if found != annotated:
        raise InputError(
            f"{path} has {found[1]}x{found[0]} pixels (EXIF applied) but the annotations say "
            f"{annotated[1]}x{annotated[0]}; use the images that were annotated"
        )
