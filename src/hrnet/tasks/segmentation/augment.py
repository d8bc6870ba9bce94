"""Training inputs of segmentation: windows of scaled pictures, with the class of each pixel.

    picture --first size--> base --scale, window--> part --colours, mirror, fill up--> input

The conventions decide the interpolation, the order and the filling. Sources: the training of
HRNet-Semantic-Segmentation (`gen_sample`), of HRFormer's segmentation, and of mmsegmentation 1.2.
Unlike there, filled pixels count in no data set: the official code trains those of PASCAL-Context
as class 0, since its ignored label -1 becomes 0 in bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hrnet.data.augment import Augmentation, distort, distort_photometric
from hrnet.data.mask_dataset import IGNORED, Labels, MaskSample
from hrnet.geometry import Image8, Size
from hrnet.resize import Part, resize_bilinear, resize_cubic, resize_nearest
from hrnet.tasks.segmentation.config import MaskAugmentation
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.tasks.segmentation.views import RULES, base_size, fill_color, scaled_size

_TRIES = 10
"""To find a window that one class does not fill."""

Labelled = tuple[Image8, Labels]
"""Pixels (H, W, 3) and the class of each (H, W)."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a scaled picture.

    size: (height, width) of the whole picture after scaling. top, left: first pixel of the part.
    offset: (down, right) of the part in an input that it does not fill.
    """

    size: Size
    top: int
    left: int
    offset: Size = (0, 0)

    def part(self, crop: Size) -> Part:
        """Return the rows and columns of the part, at most `crop` (height, width)."""
        return slice(self.top, self.top + crop[0]), slice(self.left, self.left + crop[1])


def mask_batch(
    samples: Sequence[MaskSample],
    pictures: Sequence[Image8],
    labels: Sequence[Labels],
    rngs: Sequence[Generator],
    *,
    spec: SegmentationSpec,
    augmentation: MaskAugmentation,
) -> tuple[Image8, dict[str, NDArray[np.int16]]]:
    """Return inputs (N, H, W, 3) uint8 and `labels` (N, H, W), IGNORED where there is no class.

    Raises InputError for a mask of another size than its picture.
    """
    made = []
    for sample, picture, mask, rng in zip(samples, pictures, labels, rngs, strict=True):
        sample.expect_size(mask, (picture.shape[0], picture.shape[1]))
        made.append(_make_input((picture, mask), spec, augmentation, rng))
    inputs, found = (np.stack(parts) for parts in zip(*made, strict=True))
    return inputs, {"labels": found}


def _make_input(
    one: Labelled, spec: SegmentationSpec, augmentation: MaskAugmentation, rng: Generator
) -> Labelled:
    """Scale, cut, recolour and mirror a picture at random."""
    crop = augmentation.crop or spec.input_size
    is_mirrored, early = bool(rng.random() < augmentation.flip), mirrors_first(spec)
    # Mirroring before or after a resize differs, since labels take the value to their upper left.
    if is_mirrored and early:
        one = mirror(one, spec)
    base = first_resize(one, spec)
    window = _draw_window(base, crop, spec, augmentation, rng)
    pixels, labels = cut_window(base, window, crop, spec)
    pixels = _recolour(pixels, augmentation, rng)
    return arrange((pixels, labels), window, crop, spec, is_mirrored=is_mirrored and not early)


def mirrors_first(spec: SegmentationSpec) -> bool:
    """Return True where the published training mirrors before it resizes, as for LIP."""
    match spec.conventions:
        case "hrnet":
            return spec.exact is not None
        case "hrformer":
            return spec.short_side is not None
        case _:
            return False


def mirror(one: Labelled, spec: SegmentationSpec) -> Labelled:
    """Mirror pixels and labels, and swap classes of left and right."""
    pixels, labels = one[0][:, ::-1], one[1][:, ::-1]
    if spec.mirror_pairs:
        # The last entry is that of IGNORED, -1.
        labels = np.array([*spec.flip_order, IGNORED], np.int16)[labels]
    return pixels, labels


def first_resize(one: Labelled, spec: SegmentationSpec) -> Labelled:
    """Resize a picture and its labels as the published code does before it scales them.

    With other conventions the picture itself is scaled, at once to its last size.
    """
    image_size = (one[1].shape[0], one[1].shape[1])
    size = base_size(image_size, spec)
    if spec.conventions not in ("hrnet", "hrformer") or size == image_size:
        return one
    return _resize_picture(one[0], size, spec), resize_nearest(one[1], size)


def _resize_picture(
    pixels: Image8, size: Size, spec: SegmentationSpec, part: Part = (slice(None), slice(None))
) -> Image8:
    resize = resize_cubic if spec.conventions == "hrformer" else resize_bilinear
    return resize(pixels, size, part)


def _draw_window(
    base: Labelled,
    crop: Size,
    spec: SegmentationSpec,
    augmentation: MaskAugmentation,
    rng: Generator,
) -> Window:
    """Draw the size of a picture and a window of it, again while one class has most of it."""
    scale, aspect = _draw_scale(augmentation, rng), rng.uniform(*augmentation.aspect)
    size = drawn_size((base[1].shape[0], base[1].shape[1]), scale, aspect, spec)
    for _ in range(_TRIES):
        window = _draw_place(size, crop, spec, rng)
        if augmentation.most_of_one == 1:
            return window
        counts = np.bincount(resize_nearest(base[1], size, window.part(crop)).ravel() + 1)[1:]
        if (counts > 0).sum() > 1 and counts.max() < augmentation.most_of_one * counts.sum():
            return window
    return _draw_place(size, crop, spec, rng)


def _draw_scale(augmentation: MaskAugmentation, rng: Generator) -> float:
    least, most = augmentation.scale
    if not augmentation.scale_step:
        return float(rng.uniform(least, most))
    steps = round((most - least) / augmentation.scale_step)
    return least + int(rng.integers(steps + 1)) * augmentation.scale_step


def drawn_size(base: Size, scale: float, aspect: float, spec: SegmentationSpec) -> Size:
    """Return the (height, width) of a base picture at a scale, width / height times `aspect`."""
    if spec.conventions not in ("hrnet", "hrformer"):
        base = base_size(base, spec)
    if aspect == 1:
        return scaled_size(base, scale, spec)
    # (height, width) * scale * (1 / sqrt(aspect), sqrt(aspect)), rounded once
    factor = scale if spec.long_side is None else scale * spec.long_side / max(base)
    rounding = 0.0 if RULES[spec.conventions].truncates else 0.5
    stretch = math.sqrt(aspect)
    height, width = (
        max(1, int(side * factor * part + rounding))
        for side, part in zip(base, (1 / stretch, stretch), strict=True)
    )
    return height, width


def _draw_place(size: Size, crop: Size, spec: SegmentationSpec, rng: Generator) -> Window:
    """Draw the place of a window in a picture, and that of a smaller picture in its input."""
    (height, width), (tall, wide) = size, crop
    left = int(rng.integers(max(0, width - wide) + 1))
    top = int(rng.integers(max(0, height - tall) + 1))
    if spec.conventions != "hrformer":
        return Window(size, top, left)
    # The published code places small pictures anywhere, others do it at the upper left.
    right = int(rng.integers(max(0, wide - width) + 1))
    down = int(rng.integers(max(0, tall - height) + 1))
    return Window(size, top, left, (down, right))


def cut_window(base: Labelled, window: Window, crop: Size, spec: SegmentationSpec) -> Labelled:
    """Return a window of a base picture, scaled; less than `crop` where the picture is smaller."""
    part = window.part(crop)
    pixels, labels = base
    return (
        _resize_picture(pixels, window.size, spec, part),
        resize_nearest(labels, window.size, part),
    )


def _recolour(pixels: Image8, augmentation: MaskAugmentation, rng: Generator) -> Image8:
    """Change the colours at random."""
    if augmentation.brightness:
        most = augmentation.brightness
        shift = int(rng.integers(-most, most + 1))
        pixels = (pixels.astype(np.int16) + shift).clip(0, 255).astype(np.uint8)
    if augmentation.distortion:
        pixels = distort_photometric(pixels, rng)
    if augmentation.colour or augmentation.grey:
        changes = Augmentation(colour=augmentation.colour, grey=augmentation.grey)
        pixels = distort(np.ascontiguousarray(pixels), changes, rng)
    return pixels


def arrange(
    one: Labelled, window: Window, crop: Size, spec: SegmentationSpec, *, is_mirrored: bool
) -> Labelled:
    """Mirror the pixels of a window if asked, and fill them up to the input's size.

    The filling is black for HRNet, whose training fills up first, else the mean colour.
    """
    if spec.conventions == "hrnet":
        filled = _fill_up(one, crop, window.offset, np.zeros(3))
        return mirror(filled, spec) if is_mirrored else filled
    one = mirror(one, spec) if is_mirrored else one
    return _fill_up(one, crop, window.offset, np.rint(fill_color(spec)))


def _fill_up(one: Labelled, crop: Size, offset: Size, color: NDArray[np.float64]) -> Labelled:
    """Put a part into an input of one colour, whose other pixels are to be ignored."""
    pixels, labels = one
    if labels.shape == crop:
        return one
    place = tuple(
        slice(start, start + side) for start, side in zip(offset, labels.shape, strict=True)
    )
    filled = np.empty((*crop, 3), np.uint8)
    filled[:] = color
    filled[place] = pixels
    found = np.full(crop, IGNORED, np.int16)
    found[place] = labels
    return filled, found
