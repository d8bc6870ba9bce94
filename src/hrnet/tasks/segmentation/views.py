"""From a picture to the network's inputs: sizes, fillings and windows, for each convention.

    picture --first size, filling--> base --scale--> scaled --windows--> views

What the conventions differ in stands in `RULES`. Sources: HRNet-Semantic-Segmentation (`testval`,
`multi_scale_inference`), HRFormer's segmentation (`ss_test`, `ms_test`, `sscrop_test`),
mmsegmentation 1.2 (`whole_inference`, `slide_inference`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hrnet.geometry import Image8, Size
from hrnet.resize import Kind, resize_bilinear, resize_maps
from hrnet.tasks.segmentation.spec import Conventions, SegmentationSpec

Pixels = NDArray[np.number]
"""(H, W, 3), RGB within 0..255; float32 where the published code resizes numbers."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The particulars of a convention.

    truncates: sides are rounded down, else to the nearest. fills_views: each view is filled up to
    multiples of `pad_to`, else the picture once, before it is scaled. scaling: of pictures; None
    rounds to whole grey levels as OpenCV. merging: the numbers of which windows and scales are
    averaged. final: the interpolation that brings them to the picture's size; None takes that of
    the network's own up-sampling.
    """

    truncates: bool
    fills_views: bool
    scaling: Kind | None
    merging: Literal["softmax", "exp", "logits"]
    final: Kind | None


RULES: dict[Conventions, Rules] = {
    "plain": Rules(False, True, None, "softmax", "bilinear"),
    "hrnet": Rules(False, False, "bilinear", "exp", None),
    "hrformer": Rules(True, False, "aligned", "logits", "cubic"),
    "mmsegmentation": Rules(False, False, None, "logits", "bilinear"),
}


def upsampling(spec: SegmentationSpec) -> Kind:
    """Return the interpolation that brings logits to the size of their input."""
    return "bilinear" if spec.network.align_corners is False else "aligned"


def base_size(image_size: Size, spec: SegmentationSpec) -> Size:
    """Return the (height, width) of a picture after its first resize."""
    if spec.exact is not None:
        return spec.exact
    if spec.short_side is None:
        return image_size
    return _scaled(image_size, spec.short_side, min(image_size), spec)


def scaled_size(base: Size, scale: float, spec: SegmentationSpec) -> Size:
    """Return the (height, width) of a base picture, filling included, at a scale."""
    if spec.long_side is None:
        return _scaled(base, scale, 1, spec)
    return _scaled(base, int(spec.long_side * scale + 0.5), max(base), spec)


def _scaled(size: Size, part: float, whole: int, spec: SegmentationSpec) -> Size:
    """Multiply both sides by part / whole."""
    rounding = 0.0 if RULES[spec.conventions].truncates else 0.5
    height, width = (max(1, int(side * part / whole + rounding)) for side in size)
    return height, width


def fill_color(spec: SegmentationSpec) -> NDArray[np.float64]:
    """Return the colour (red, green, blue), 0..255, that becomes 0 in the network's input."""
    mean = spec.mean if spec.channels == "rgb" else spec.mean[::-1]
    return 255 * np.array(mean)


def make_base(image: Image8, spec: SegmentationSpec) -> tuple[Pixels, Size]:
    """Resize and fill up a picture; returns it and the (height, width) without the filling."""
    size = base_size((image.shape[0], image.shape[1]), spec)
    resized = image if image.shape[:2] == size else resize_bilinear(image, size)
    rules = RULES[spec.conventions]
    height, width = (-(-side // spec.pad_to) * spec.pad_to for side in size)
    if rules.fills_views or (height, width) == size:
        return resized, size
    # The filling has whole grey levels, unless pictures are numbers from here on.
    exact = spec.conventions == "hrformer"
    base: Pixels = np.empty((height, width, 3), np.float32 if exact else np.uint8)
    base[:] = fill_color(spec) if exact else np.rint(fill_color(spec))
    base[: size[0], : size[1]] = resized
    return base, size


def scale_pixels(base: Pixels, size: Size, spec: SegmentationSpec) -> Pixels:
    """Resize a base picture to (height, width)."""
    if base.shape[:2] == size:
        return base
    kind = RULES[spec.conventions].scaling
    if kind is None:
        return resize_bilinear(base.astype(np.uint8), size)
    planes = np.ascontiguousarray(base.transpose(2, 0, 1), np.float32)
    return np.ascontiguousarray(resize_maps(planes, size, kind).transpose(1, 2, 0))


@dataclass(frozen=True, slots=True)
class View:
    """One input of the network: a window of a scaled picture.

    top, left, height, width: of the part of the scaled picture, in its pixels. input_size: (height,
    width) of the input, of which the part fills the upper left.
    """

    top: int
    left: int
    height: int
    width: int
    input_size: Size


def make_views(size: Size, scale: float, spec: SegmentationSpec) -> list[View]:
    """List the views of a scaled picture of that (height, width), row by row."""
    window, stride = _window(scale, spec)
    if window is None:
        return [View(0, 0, *size, _input_size(size, None, spec))]
    rows, columns = (
        _starts(*sides, tiling=spec.tiling) for sides in zip(size, window, stride, strict=True)
    )
    return [
        View(top, left, *part, _input_size(part, window, spec))
        for top in rows
        for left in columns
        for part in [(min(window[0], size[0] - top), min(window[1], size[1] - left))]
    ]


def _window(scale: float, spec: SegmentationSpec) -> tuple[Size | None, Size]:
    """Return sides and strides of the windows at a scale; None for the whole picture."""
    window = spec.window
    # The published code for Cityscapes takes whole pictures up to a scale of 1.
    whole = spec.conventions == "hrnet" and spec.tiling == "inside" and spec.long_side is not None
    if window is None or (whole and scale <= 1):
        return None, (0, 0)
    if spec.stride is not None:
        return window, spec.stride
    if spec.tiling == "padded":
        return window, (int(window[0] * 2 / 3), int(window[1] * 2 / 3))
    if spec.conventions == "plain":
        return window, (window[0] * 3 // 4, window[1] * 3 // 4)
    return window, window


def _starts(length: int, window: int, stride: int, *, tiling: str) -> list[int]:
    """Return the first pixel of each window along an axis."""
    count = max(0, -(-(length - window) // stride)) + 1
    last = max(0, length - window) if tiling == "inside" else length
    return [min(index * stride, last) for index in range(count)]


def _input_size(part: Size, window: Size | None, spec: SegmentationSpec) -> Size:
    """Return the size of the input for a part of a picture."""
    if RULES[spec.conventions].fills_views:
        height, width = (-(-side // spec.pad_to) * spec.pad_to for side in part)
        return height, width
    return window if window is not None and spec.tiling == "padded" else part


def cut(pixels: Pixels, view: View) -> Pixels:
    """Cut a view out of a scaled picture; what it lacks is 0."""
    part = pixels[view.top : view.top + view.height, view.left : view.left + view.width]
    if part.shape[:2] == view.input_size:
        return np.ascontiguousarray(part)
    filled = np.zeros((*view.input_size, 3), pixels.dtype)
    filled[: view.height, : view.width] = part
    return filled


def cores(size: Size, views: list[View]) -> Iterator[tuple[slice, slice]]:
    """Yield for each view the rows and columns of the picture that it decides.

    They end in the middle of what neighbours share, so that each pixel is decided by the view in
    which it lies deepest.
    """
    rows = _middles(size[0], sorted({(one.top, one.top + one.height) for one in views}))
    columns = _middles(size[1], sorted({(one.left, one.left + one.width) for one in views}))
    return ((rows[one.top], columns[one.left]) for one in views)


def _middles(length: int, spans: list[tuple[int, int]]) -> dict[int, slice]:
    """Return by its first pixel the part of each span that it decides."""
    edges = [0]
    edges += [(end + start) // 2 for (_, end), (start, _) in pairwise(spans)]
    edges.append(length)
    return {start: slice(*edge) for (start, _), edge in zip(spans, pairwise(edges), strict=True)}
