"""Pictures in progress: their views go out, logits come in, classes of the picture's pixels result.

A `TilePage` keeps a class for each pixel alone, so that pictures of any size fit; a `SumPage` adds
up numbers for each class and pixel, as averages over windows and scales need them.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError
from hrnet.geometry import Image8, Size
from hrnet.resize import Kind, resize_maps
from hrnet.tasks import Crop, Page
from hrnet.tasks.segmentation.result import Classes, LabelMap, class_dtype, usual_colors
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.tasks.segmentation.views import (
    RULES,
    Pixels,
    View,
    base_size,
    cores,
    cut,
    make_base,
    make_views,
    scale_pixels,
    scaled_size,
    upsampling,
)

Maps = NDArray[np.float32]

Part = tuple[Maps, Maps | None]
"""What the network found in a view: logits (C, h, w) at a quarter of its size and, unless they were
averaged with others, the class of each of its pixels (H, W)."""

_MOST_BYTES = 8 << 30
"""Of the sums of a picture."""

_STRIP_VALUES = 1 << 24
"""Numbers that are brought to the picture's size at once."""

_LARGEST_POWER = 80.0
"""exp(89) is beyond float32; the published code would go on with infinity."""


def open_page(image: Image8, spec: SegmentationSpec) -> Page:
    """Open a picture; InputError where the sums of its scales do not fit into memory."""
    # Whole views, and those of plain models, decide the pixels of the picture directly.
    size = (image.shape[0], image.shape[1])
    base = base_size(size, spec)
    rules = RULES[spec.conventions]
    filled = rules.fills_views or all(side % spec.pad_to == 0 for side in base)
    if spec.scales == (1.0,) and filled and base == size == scaled_size(base, 1.0, spec):
        views = make_views(size, 1.0, spec)
        if len(views) == 1 or spec.conventions == "plain":
            return TilePage(image, views, spec)
    return SumPage(image, spec)


class TilePage:
    """A picture at its own size; each view decides the pixels that lie deepest in it."""

    def __init__(self, image: Image8, views: list[View], spec: SegmentationSpec) -> None:
        self._image: Image8 | None = image  # until all views are cut
        self._spec = spec
        self._views = views
        self._size = (image.shape[0], image.shape[1])
        self._cores = list(cores(self._size, views))
        self._classes = np.zeros(self._size, class_dtype(len(spec.class_names)))
        self._count = 0

    def crops(self) -> Iterator[Crop]:
        """Cut the views, row by row."""
        for view in self._views:
            assert self._image is not None
            yield _crop(self, self._image, view, (1.0, 1.0), self._spec)
        self._image = None

    def add(self, part: object) -> None:
        """Take the logits of the next view, or its classes."""
        logits, classes = cast(Part, part)  # as `postprocess` gave it
        view, (rows, columns) = self._views[self._count], self._cores[self._count]
        self._count += 1
        inside = (
            slice(rows.start - view.top, rows.stop - view.top),
            slice(columns.start - view.left, columns.stop - view.left),
        )
        if classes is None:
            kind = upsampling(self._spec)
            classes = resize_maps(logits, view.input_size, kind).argmax(axis=0)
        self._classes[rows, columns] = classes[inside]

    @property
    def done(self) -> bool:
        return self._count == len(self._views)

    def result(self) -> LabelMap:
        """Return the class of each pixel."""
        return _label_map(self._classes, self._spec)


class SumPage:
    """A picture whose windows and scales are averaged, class by class."""

    def __init__(self, image: Image8, spec: SegmentationSpec) -> None:
        self._spec = spec
        self._size: Size = (image.shape[0], image.shape[1])
        base, self._content = make_base(image, spec)
        self._base: Pixels | None = base  # until all views are cut
        self._base_size: Size = (base.shape[0], base.shape[1])
        # The views of each scale.
        sizes = [scaled_size(self._base_size, scale, spec) for scale in spec.scales]
        views = [
            make_views(size, scale, spec) for size, scale in zip(sizes, spec.scales, strict=True)
        ]
        self._plan = list(zip(sizes, views, strict=True))
        _expect_memory([self._base_size, *sizes], len(spec.class_names))
        self._place = (0, 0)  # scale and view of the next part
        self._sums: Maps | None = None
        self._counts: NDArray[np.float32] | None = None
        self._total: Maps | None = None

    def crops(self) -> Iterator[Crop]:
        """Cut the views, scale by scale and row by row."""
        for size, views in self._plan:
            assert self._base is not None
            pixels = scale_pixels(self._base, size, self._spec)
            factors = (size[1] / self._size[1], size[0] / self._size[0])
            for view in views:
                yield _crop(self, pixels, view, factors, self._spec)
        self._base = None

    def add(self, part: object) -> None:
        """Take the logits of the next view."""
        logits, _ = cast(Part, part)  # as `postprocess` gave it
        (scale, number), spec = self._place, self._spec
        size, views = self._plan[scale]
        view = views[number]
        # Bring them to the size of the view, without what was filled up.
        maps = resize_maps(logits, view.input_size, upsampling(spec))
        maps = _to_merge(maps[:, : view.height, : view.width], spec)
        # One view is its own average.
        if len(views) == 1:
            self._end_scale(maps)
            return
        if self._sums is None or self._counts is None:
            self._sums = np.zeros((len(maps), *size), np.float32)
            self._counts = np.zeros(size, np.float32)
        rows = slice(view.top, view.top + view.height)
        columns = slice(view.left, view.left + view.width)
        self._sums[:, rows, columns] += maps
        self._counts[rows, columns] += 1
        if number + 1 < len(views):
            self._place = (scale, number + 1)
            return
        self._sums /= self._counts
        self._end_scale(self._sums)

    def _end_scale(self, maps: Maps) -> None:
        """Add the average of a scale's windows to those of the scales before."""
        spec = self._spec
        if spec.conventions == "mmsegmentation" and len(spec.scales) > 1:
            maps = _softmax(maps)
        resized = resize_maps(maps, self._base_size, self._between())
        self._total = resized if self._total is None else np.add(self._total, resized)
        self._sums = self._counts = None
        self._place = (self._place[0] + 1, 0)

    def _between(self) -> Kind:
        """Return the interpolation from a scaled picture to the base picture."""
        final = RULES[self._spec.conventions].final
        return "bilinear" if final == "bilinear" else upsampling(self._spec)

    @property
    def done(self) -> bool:
        return self._place[0] == len(self._plan)

    @property
    def maps(self) -> Maps:
        """The sums (C, H, W) over all scales at the size of the base picture, filling included."""
        assert self._total is not None
        return self._total

    def result(self) -> LabelMap:
        """Return the class of each pixel of the picture."""
        spec, maps = self._spec, self.maps
        if not spec.keep_padding:
            maps = maps[:, : self._content[0], : self._content[1]]
        kind = RULES[spec.conventions].final or upsampling(spec)
        # Strip by strip: the numbers of all classes at the picture's size take much memory.
        classes = np.empty(self._size, class_dtype(len(maps)))
        high = max(1, _STRIP_VALUES // (len(maps) * self._size[1]))
        for top in range(0, self._size[0], high):
            rows = slice(top, min(top + high, self._size[0]))
            classes[rows] = resize_maps(maps, self._size, kind, rows).argmax(axis=0)
        return _label_map(classes, spec)


def _expect_memory(sizes: list[Size], classes: int) -> None:
    pixels = max(height * width for height, width in sizes)
    if pixels * classes * 4 > _MOST_BYTES:
        raise InputError(
            f"expected sums of at most {_MOST_BYTES >> 30} GB for averages over windows and "
            f"scales, got {pixels:,} pixels of {classes} classes; take the conventions plain with "
            "one scale, or a smaller picture"
        )


def _crop(
    page: Page, pixels: Pixels, view: View, factors: tuple[float, float], spec: SegmentationSpec
) -> Crop:
    """Cut a view; factors: (x, y), by which the picture was scaled."""
    # x' = (x + 1/2) * factor - 1/2 - left
    x, y = factors
    matrix = np.array([[x, 0, x / 2 - 0.5 - view.left], [0, y, y / 2 - 0.5 - view.top]])
    # What fills up a view is the mean colour in plain models, else black, as published.
    part = (view.height, view.width)
    content = part if RULES[spec.conventions].fills_views else None
    return Crop(page, cut(pixels, view), matrix, content)


def _to_merge(logits: Maps, spec: SegmentationSpec) -> Maps:
    """Turn logits (C, H, W) into the numbers that the convention averages."""
    match RULES[spec.conventions].merging:
        case "logits":
            return logits
        case "exp":
            return np.exp(np.minimum(logits, np.float32(_LARGEST_POWER)))
        case "softmax":
            return _softmax(logits)


def _softmax(logits: Maps) -> Maps:
    # softmax(x) = exp(x - max x) / sum exp(x - max x)
    powers: Maps = np.exp(logits - logits.max(axis=0))
    powers /= powers.sum(axis=0)
    return powers


def _label_map(classes: Classes, spec: SegmentationSpec) -> LabelMap:
    return LabelMap(classes, spec.class_names, spec.colors or usual_colors(len(spec.class_names)))
