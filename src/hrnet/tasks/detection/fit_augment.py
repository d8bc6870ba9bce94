"""Training inputs of detectors with a `fit`: pictures of any shape, resized with their ratio kept.

    picture --resize to one of several sizes--> --mirror--> --cut--> --colours--> --fill up--> input
    four of a batch --shrink--> --cut--> a mosaic of them --fill up--> input

Source: the training pipelines of mmdetection and of HRNet-Object-Detection ("multi-scale training",
Default and ResizeCrop); the mosaic of YOLOv4 (Bochkovskiy et al. 2020). Boxes are edges of pixels
here, so x becomes width - x where a picture is mirrored; with the conventions "legacy" the right
and lower edges are moved to the last pixel of the picture within at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from PIL import Image

from hrnet.data.augment import distort
from hrnet.data.box_dataset import BoxSample
from hrnet.geometry import Floats, Image8, Size
from hrnet.tasks.detection.config import BoxAugmentation
from hrnet.tasks.detection.crops import STRIDE, fit_picture
from hrnet.tasks.detection.mask_targets import draw_mask
from hrnet.tasks.detection.spec import DetectionSpec
from hrnet.tasks.detection.targets import IGNORED, MASK_SIDE, Labels, Targets, pad_labels


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A picture's pixels (H, W, 3) as they are learned from, and the way to them.

    scale, shift: (x, y), from edges of the picture's pixels to those of the view's.
    """

    pixels: Image8
    scale: Floats
    shift: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A view in an input: the number of its sample, and its left upper corner (x, y)."""

    index: int
    view: _View
    corner: tuple[int, int] = (0, 0)


_SMALLEST = 0.5
"""The least factor by which a picture shrinks in a mosaic."""
_SPLIT = (0.3, 0.7)
"""Where a mosaic is divided, as parts of its sides."""


def fit_batch(
    samples: Sequence[BoxSample],
    pictures: Sequence[Image8],
    rngs: Sequence[Generator],
    *,
    spec: DetectionSpec,
    augmentation: BoxAugmentation,
) -> tuple[Image8, Targets]:
    """Return inputs (N, H, W, 3) uint8, of the largest picture's multiples of 32, and targets.

    Beyond the pictures inputs have the mean colour, rounded to grey levels.
    """
    views = [
        _draw_view(picture, spec, augmentation, rng)
        for picture, rng in zip(pictures, rngs, strict=True)
    ]
    # The inputs, each of one picture or of four.
    sides = np.array([view.pixels.shape[:2] for view in views]).max(axis=0)
    layouts = [
        _mosaic(index, views, (int(sides[0]), int(sides[1])), rng)
        if augmentation.mosaic and rng.random() < augmentation.mosaic
        else [_Part(index, views[index])]
        for index, rng in enumerate(rngs)
    ]
    height, width = -(-sides // STRIDE) * STRIDE
    mean = spec.mean if spec.channels == "rgb" else spec.mean[::-1]
    inputs = np.empty((len(views), height, width, 3), np.uint8)
    inputs[:] = np.round(255 * np.array(mean)).astype(np.uint8)
    for one, parts in zip(inputs, layouts, strict=True):
        for part in parts:
            left, top = part.corner
            tall, wide = part.view.pixels.shape[:2]
            one[top : top + tall, left : left + wide] = part.view.pixels
    # The labels.
    found = [
        _joined([_part_labels(part, samples, pictures, spec) for part in parts])
        for parts in layouts
    ]
    return inputs, pad_labels(found)


def _draw_view(
    picture: Image8, spec: DetectionSpec, augmentation: BoxAugmentation, rng: Generator
) -> _View:
    """Resize to a size drawn from several, mirror, cut and change the colours, in that order."""
    # Resize; the usual size where there are no others.
    sizes = augmentation.fits or (spec.fit,)
    fit = sizes[rng.integers(len(sizes))] if len(sizes) > 1 else sizes[0]
    pixels, matrix, (height, width) = fit_picture(picture, spec.model_copy(update={"fit": fit}))
    pixels, scale = pixels[:height, :width], matrix[[0, 1], [0, 1]]
    shift = np.zeros(2)
    # Mirror: x -> width - x.
    if rng.random() < augmentation.flip:
        pixels = pixels[:, ::-1]
        scale[0], shift[0] = -scale[0], width
    # Cut a part of the largest size that is allowed; its long side goes with the picture's.
    if augmentation.crop is not None:
        tall, wide = augmentation.crop if width >= height else augmentation.crop[::-1]
        pixels, start = _cut(pixels, (tall, wide), rng)
        shift = shift - start
    pixels = distort(np.ascontiguousarray(pixels), augmentation, rng)
    return _View(pixels, scale, shift)


def _cut(pixels: Image8, most: Size, rng: Generator) -> tuple[Image8, Floats]:
    """Cut a random part of at most that (height, width) out; returns it and its corner (x, y)."""
    height, width = pixels.shape[:2]
    tall, wide = most
    top = int(rng.integers(max(0, height - tall) + 1))
    left = int(rng.integers(max(0, width - wide) + 1))
    return pixels[top : top + tall, left : left + wide], np.array([left, top], np.float64)


def _mosaic(index: int, views: Sequence[_View], size: Size, rng: Generator) -> list[_Part]:
    """Divide an input of that (height, width) in four, for a view and three others of its batch.

    Each shrinks by a random factor, and a random part of the size of its quarter is cut out.
    """
    # The places: the input is divided at a random point.
    down, across = (round(side * rng.uniform(*_SPLIT)) for side in size)
    rows = ((0, down), (down, size[0] - down))
    columns = ((0, across), (across, size[1] - across))
    places = [(row, column) for row in rows for column in columns]
    chosen = rng.permutation([index, *rng.integers(len(views), size=3)])
    parts = []
    for one, ((top, tall), (left, wide)) in zip(chosen, places, strict=True):
        view = _shrunk(views[one], rng.uniform(_SMALLEST, 1))
        pixels, start = _cut(view.pixels, (tall, wide), rng)
        cut = _View(pixels, view.scale, view.shift - start)
        parts.append(_Part(int(one), cut, (left, top)))
    return parts


def _shrunk(view: _View, factor: float) -> _View:
    """Return a view with its sides multiplied by a factor of 1 or less, rounded to pixels."""
    height, width = view.pixels.shape[:2]
    sides = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk = Image.fromarray(view.pixels).resize(sides, Image.Resampling.BILINEAR)
    ratio = np.array(sides) / np.array([width, height])
    return _View(np.asarray(shrunk), view.scale * ratio, view.shift * ratio)


def _part_labels(
    part: _Part, samples: Sequence[BoxSample], pictures: Sequence[Image8], spec: DetectionSpec
) -> Labels:
    """Return the labels of a part in pixels of its input, whose size reaches to the part's end."""
    picture = pictures[part.index]
    image_size = (picture.shape[0], picture.shape[1])
    own = _labels(samples[part.index], image_size, part.view, spec)
    left, top = part.corner
    boxes = own.boxes + np.array([left, top, left, top])
    return replace(own, boxes=boxes, size=(top + own.size[0], left + own.size[1]))


def _joined(found: Sequence[Labels]) -> Labels:
    """Return the labels of all parts of an input as one."""
    masks = [one.masks for one in found if one.masks is not None]
    return Labels(
        np.concatenate([one.boxes for one in found]),
        np.concatenate([one.labels for one in found]),
        (max(one.size[0] for one in found), max(one.size[1] for one in found)),
        np.concatenate(masks) if masks else None,
    )


def _labels(sample: BoxSample, image_size: Size, view: _View, spec: DetectionSpec) -> Labels:
    """Return the labels of a view: boxes cut off at its edges, without those beyond them."""
    size = (view.pixels.shape[0], view.pixels.shape[1])
    # Edges in the picture, then in the view; mirroring swaps left and right.
    low, sides = sample.boxes_xywh[:, :2], sample.boxes_xywh[:, 2:]
    ends = [edge * view.scale + view.shift for edge in (low, low + sides)]
    most = np.array(size[::-1], np.float64)
    low, high = (np.clip(edge, 0, most) for edge in (np.minimum(*ends), np.maximum(*ends)))
    boxes = np.concatenate([low, high], axis=1)
    kept = np.flatnonzero(((high - low) > 0).all(axis=1))
    masks = None
    if spec.has_masks:
        segmentations = sample.masks or (None,) * len(boxes)
        drawn = [
            draw_mask(segmentations[index], image_size, view.scale, view.shift, boxes[index])
            for index in kept
        ]
        masks = np.array(drawn, np.uint8).reshape(len(kept), MASK_SIDE, MASK_SIDE)
    if spec.conventions == "legacy":
        # The last pixel of the picture that is inside, as (x + w - 1) * scale.
        boxes[:, 2:] -= np.minimum(np.abs(view.scale), high - low)
    labels = np.where(sample.ignore, IGNORED, sample.classes).astype(np.int64)
    return Labels(boxes[kept], labels[kept], size, masks)
