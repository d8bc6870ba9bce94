"""Training inputs of detectors with a `fit`: pictures of any shape, resized with their ratio kept.

    picture --resize to one of several sizes--> --mirror--> --cut--> --colours--> --fill up--> input

Source: the training pipelines of mmdetection and of HRNet-Object-Detection ("multi-scale training",
Default and ResizeCrop). Boxes are edges of pixels here, so x becomes width - x where a picture is
mirrored; with the conventions "legacy" the right and lower edges are moved to the last pixel of the
picture within at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

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
    # The inputs.
    sides = np.array([view.pixels.shape[:2] for view in views]).max(axis=0)
    height, width = -(-sides // STRIDE) * STRIDE
    mean = spec.mean if spec.channels == "rgb" else spec.mean[::-1]
    inputs = np.empty((len(views), height, width, 3), np.uint8)
    inputs[:] = np.round(255 * np.array(mean)).astype(np.uint8)
    for one, view in zip(inputs, views, strict=True):
        one[: view.pixels.shape[0], : view.pixels.shape[1]] = view.pixels
    # The labels.
    triples = zip(samples, pictures, views, strict=True)
    found = [
        _labels(sample, (picture.shape[0], picture.shape[1]), view, spec)
        for sample, picture, view in triples
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
    # Cut a part of the largest size that is allowed.
    if augmentation.crop is not None:
        pixels, start = _cut(pixels, augmentation.crop, rng)
        shift = shift - start
    pixels = distort(np.ascontiguousarray(pixels), augmentation, rng)
    return _View(pixels, scale, shift)


def _cut(pixels: Image8, most: tuple[int, int], rng: Generator) -> tuple[Image8, Floats]:
    """Cut a random part out of a picture; returns it and its left upper corner (x, y).

    most: the largest (short, long) sides; the long one goes with the picture's long side.
    """
    height, width = pixels.shape[:2]
    tall, wide = most if width >= height else most[::-1]
    top = int(rng.integers(max(0, height - tall) + 1))
    left = int(rng.integers(max(0, width - wide) + 1))
    return pixels[top : top + tall, left : left + wide], np.array([left, top], np.float64)


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
