"""Channels and numbers of the pictures of a data set, and the normalisation that follows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError
from hrnet.images import BIT_DEPTHS
from hrnet.rasters import (
    BYTES,
    FLOATS,
    RasterHeader,
    map_range,
    read_raster,
    read_raster_header,
    take_channels,
)
from hrnet.spec import LEAST

_HEADERS = 500
"""Pictures whose headers are read."""

_MEASURED = 32
"""Pictures that are measured."""

_MEASURED_PIXELS = 128
"""Rows and columns of each that count, evenly spread."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The way in which a training reads pictures; all None is RGB of 8 bits, as people see them.

    in_channels: of the network. pixel_range, mean, std: see `ModelSpec`. numbers: of the stored
    pixels. picture_bytes: of a picture in memory, on average. measured: pictures that mean and std
    are of.
    """

    in_channels: int | None = None
    pixel_range: tuple[float, float] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    numbers: str = BYTES
    picture_bytes: float = 0.0
    measured: int = 0

    @property
    def is_rgb(self) -> bool:
        return self.mean is None

    def line(self) -> str:
        """Describe the choice in a line."""
        count = self.in_channels or 3
        low, high = self.pixel_range or (0, 255)
        mean, std = (" ".join(f"{one:g}" for one in which or ()) for which in (self.mean, self.std))
        rgb = "model.options.in_channels=3 reads them as RGB, and " if self.numbers == BYTES else ""
        return (
            f"pictures: {count} channel{'s' * (count > 1)} of {self.numbers}, {low:g} to {high:g} "
            f"taken as 0 to 1, mean {mean} and std {std} of {self.measured} of them; --set {rgb}"
            "model.pixel_range, model.mean and model.std take others"
        )


def odd_pictures(headers: Mapping[str, RasterHeader]) -> tuple[str, dict[str, RasterHeader]]:
    """Return the usual channels and numbers, and the pictures of others by their names.

    There are none where every picture can be read as RGB, such as grey ones among photos.
    """
    counts = Counter(str(header) for header in headers.values())
    usual = counts.most_common(1)[0][0] if counts else ""
    if all(header.is_rgb for header in headers.values()):
        return usual, {}
    return usual, {name: header for name, header in headers.items() if str(header) != usual}


def choose_pixels(
    paths: Sequence[Path],
    *,
    in_channels: int | None = None,
    pixel_range: tuple[float, float] | None = None,
) -> Pixels:
    """Choose the way in which a training reads pictures, by headers and the pixels of some.

    in_channels, pixel_range: given by the user, None to choose them; 3 channels without a range are
    RGB, also of pictures that have more or fewer. Pictures that all are grey
    have 1 channel; where all can be read as RGB and some are not grey, RGB is taken. The range is
    that of the bit depth, or 0 to 1 of floating point within it, or from the least to the largest.
    Raises InputError where pictures have different channels or numbers. Pictures that cannot be
    read are left to the training, which names or skips them.
    """
    headers = _headers(paths)
    if not headers:
        return Pixels()
    kinds = {header.channels for header in headers.values()}
    if in_channels == 3 and pixel_range is None and kinds != {3}:
        return Pixels()
    usual, odd = odd_pictures(headers)
    if odd:
        name, header = next(iter(odd.items()))
        raise InputError(
            f"expected pictures of the same channels and numbers, got {usual} in most and {header} "
            f"in {name}; `hrnet data check` counts them"
        )
    # RGB where nothing speaks against it.
    as_rgb = all(header.is_rgb for header in headers.values())
    count = in_channels or (3 if as_rgb and kinds != {1} else max(kinds))
    if count == 3 and as_rgb and pixel_range is None:
        return Pixels()
    return _measure([Path(name) for name in headers], count, pixel_range)


def _headers(paths: Sequence[Path]) -> dict[str, RasterHeader]:
    """Return the headers of pictures evenly spread over all; unreadable ones are left out."""
    found = {}
    unique = list(dict.fromkeys(paths))
    for path in unique[:: -(-len(unique) // _HEADERS) or 1]:
        try:
            found[str(path)] = read_raster_header(path)
        except InputError:
            continue
    return found


def _measure(paths: Sequence[Path], count: int, pixel_range: tuple[float, float] | None) -> Pixels:
    """Return range, mean and std of some pictures, evenly spread."""
    # Every so many pixels of a picture; the extremes are of all.
    samples: list[NDArray[np.generic]] = []
    lows, highs, sizes = [], [], []
    for path in paths[:: -(-len(paths) // _MEASURED)]:
        try:
            raster = read_raster(path)
        except InputError:
            continue
        raster = take_channels(raster, count, str(path))
        down, across = (-(-side // _MEASURED_PIXELS) for side in raster.shape[:2])
        samples.append(raster[::down, ::across].reshape(-1, count))
        lows.append(float(raster.min()))
        highs.append(float(raster.max()))
        sizes.append(raster.size)
    if not samples:
        return Pixels()
    dtypes = {sample.dtype for sample in samples}
    is_bytes, is_float = dtypes == {np.dtype(np.uint8)}, np.dtype(np.float32) in dtypes
    limits = pixel_range or _range(min(lows), max(highs), is_bytes=is_bytes, is_float=is_float)
    # Of pixels in 0..1, as ModelSpec has them.
    pixels = np.concatenate([map_range(sample, limits) for sample in samples]) / 255
    mean = pixels.mean(axis=0, dtype=np.float64)
    std = np.maximum(pixels.std(axis=0, dtype=np.float64), LEAST)
    stays_bytes = is_bytes and limits == (0, 255)
    return Pixels(
        in_channels=count,
        # Of 3 channels the range shows that they are not read as RGB.
        pixel_range=None if stays_bytes and count != 3 else limits,
        mean=tuple(round(one, 4) for one in mean.tolist()),
        std=tuple(round(one, 4) for one in std.tolist()),
        numbers=BYTES if is_bytes else FLOATS if is_float else "16 bits",
        picture_bytes=float(np.mean(sizes)) * (1 if stays_bytes else 4),
        measured=len(samples),
    )


def _range(low: float, high: float, *, is_bytes: bool, is_float: bool) -> tuple[float, float]:
    """Return the range of stored values, by their type and the extremes of some pictures."""
    if is_bytes:
        return 0, 255
    if low >= 0 and not is_float:
        return 0, next(2**bits - 1 for bits in BIT_DEPTHS if high < 1 << bits)
    if low >= 0 and high <= 1:
        return 0, 1
    return low, max(high, low + 1e-3)
