"""Read pictures as people see them: 8-bit RGB, upright, first frame, on white where transparent."""

import glob
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from hrnet.errors import InputError, one_line
from hrnet.geometry import Image8

ImageSource = str | PathLike[str] | Image.Image | NDArray[Any]
"""A path, a Pillow image, or an array: (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey, uint8."""

MAX_PIXELS = 178_956_970
"""Larger pictures are refused: half a gigabyte as RGB, and Pillow's own limit for bombs."""

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .gif .tif .tiff .ppm .pgm .pnm .jp2 .avif".split()
)
"""What counts as an image when a folder is searched. A file that is named is always tried."""

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> the turn that sets the picture upright (EXIF 2.3, tag 274)."""


def read_image(source: ImageSource) -> Image8:
    """Read one picture as (H, W, 3) uint8 RGB, set upright by its EXIF orientation.

    Of an animation the first frame is read (of an open Pillow image the current one).
    Transparent pictures are laid on white. 16-bit grey is scaled by 255/65535.
    Raises InputError, with the file's name in it, for whatever is not a readable picture.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        with _decoding("the image"):
            return _decode(source, "the image")
    try:
        path = Path(source)
    except TypeError:
        raise InputError(
            f"expected a path, a Pillow image or an RGB array, got {type(source).__name__}"
        ) from None
    with _decoding(str(path)):
        return _from_file(path)


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a picture's file says before its pixels are decoded; sizes are (height, width).

    size: of the upright picture, as `read_image` returns it. stored_size: before the EXIF turn.
    turned: the EXIF orientation is another one than upright.
    """

    size: tuple[int, int]
    stored_size: tuple[int, int]
    turned: bool


def read_header(path: Path) -> ImageHeader:
    """Read the size of a picture and whether EXIF turns it, without decoding its pixels.

    Raises InputError as `read_image` does.
    """
    with _decoding(str(path)), _opened(path) as image:
        orientation = _orientation(image)
        stored = (image.height, image.width)
    sideways = orientation in (5, 6, 7, 8)
    return ImageHeader(stored[::-1] if sideways else stored, stored, orientation in _UPRIGHT)


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn every error of a file or its decoder into an InputError that names the picture."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise _too_large(name) from None
    except UnidentifiedImageError:
        raise InputError(
            f"expected an image, but {name} is none that can be read; convert it to JPEG or PNG"
        ) from None
    except Exception as error:  # damaged files raise nearly every type from the decoders
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{name} cannot be read: {error.strerror}") from None
        raise InputError(
            f"{name} is damaged and cannot be decoded ({one_line(error)}); get the file again"
        ) from error


def _from_file(path: Path) -> Image8:
    with _opened(path) as image:
        return _decode(image, str(path))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"expected an image file, but {path} {kind}")
    if path.stat().st_size == 0:
        raise InputError(f"expected an image, but {path} is empty (0 bytes); get the file again")
    with warnings.catch_warnings():
        # Pillow warns of odd metadata and of big pictures; the first changes no pixel and the
        # second has its own limit in _decode.
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            yield image


def _too_large(name: str) -> InputError:
    return InputError(
        f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels, which is refused as a "
        "possible decompression bomb; scale it down first"
    )


def _decode(image: Image.Image, name: str) -> Image8:
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name)
    if image.width * image.height == 0:
        raise InputError(f"expected at least one pixel, but {name} has size {image.size}")
    turn = _UPRIGHT.get(_orientation(image))
    rgb = _to_rgb(image, name)
    return np.array(rgb if turn is None else rgb.transpose(turn), dtype=np.uint8)


def _orientation(image: Image.Image) -> int:
    """Read the EXIF orientation; 1 (upright) where there is none or the EXIF block is broken."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # broken EXIF has no valid orientation, and the pixels are still good
        return 1


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith("I"):
        return _scale_16_bit(image, name)
    if image.mode == "F":
        raise InputError(f"expected 8 or 16 bits a channel, but {name} holds floating point")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def _scale_16_bit(image: Image.Image, name: str) -> Image.Image:
    """Bring 16-bit grey to 8 bits over the whole range; Pillow's convert() would clip it at 255."""
    levels = np.asarray(image).astype(np.int64)
    if levels.min() < 0 or levels.max() > 65535:
        raise InputError(f"expected 8 or 16 bits a channel, but {name} holds larger integers")
    return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")


def _from_array(array: NDArray[Any]) -> Image8:
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
        raise _too_large("the image array")
    if channels == 3:
        return array
    grey_or_rgba = array[..., 0] if array.ndim == 3 and channels == 1 else array
    return np.array(_to_rgb(Image.fromarray(grey_or_rgba), "the image array"), dtype=np.uint8)


def find_images(sources: Sequence[str | PathLike[str]]) -> tuple[list[Path], list[InputError]]:
    """Turn files, folders and glob patterns into image paths, each once, in a fixed order.

    Folders give their image files by name, not those of their subfolders. A named file is taken
    as it is, even if it does not exist: reading it gives the error.
    Returns the paths and one error for each folder or pattern that holds no image.
    """
    paths: dict[Path, Path] = {}  # resolved -> as given
    errors: list[InputError] = []
    for source in sources:
        try:
            for path in _expand(str(source)):
                paths.setdefault(path.resolve(), path)
        except InputError as error:
            errors.append(error)
        except OSError as error:  # such as a name that is too long
            errors.append(InputError(f"{source} cannot be read: {error.strerror}"))
    return list(paths.values()), errors


def _expand(source: str) -> list[Path]:
    if not source:
        raise InputError("expected an image, a folder or a pattern, got an empty name")
    path = Path(source)
    if path.is_dir():
        found = sorted(_images_in(path))
        if not found:
            raise InputError(f"expected images in the folder {path}, found none; name another one")
        return found
    if not path.exists() and glob.has_magic(source):
        matches = (Path(name) for name in sorted(glob.glob(source, recursive=True)))
        found = [match for match in matches if match.is_file()]
        if not found:
            raise InputError(f"expected images for the pattern {source}, found none")
        return found
    return [path]


def _images_in(folder: Path) -> Iterator[Path]:
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read: {error.strerror}") from None
    for path in entries:
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path
