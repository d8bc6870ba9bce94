"""Random changes of training crops that any task can use.

Source: the training of Sun et al. 2019, with its quirks where they decide what a network sees.
What that training does not have is off by default: shift, colour, sharpness, grey and cutout.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from pydantic import Field
from pydantic.fields import FieldInfo

from hrnet.errors import InputError
from hrnet.geometry import Floats, Image8, Picture, Size, crop_matrix


def _of(meaning: str) -> FieldInfo:
    """Give a setting its description; its bounds are in `Augmentation.limits`."""
    return Field(description=meaning)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The random variation of crops; the defaults are the published ones for COCO.

    cutout: after DeVries and Taylor 2017 and the random erasing of Zhong et al. 2020.
    """

    limits: ClassVar[dict[str, float]] = {
        **dict.fromkeys(("flip", "rotation_probability", "grey", "cutout"), 1),
        "scale": 0.95,
        "rotation_deg": 180,
        "shift": 0.5,
        "colour": 0.95,
        "sharpness": 3,
    }
    """The largest value of each setting; the least is 0."""

    flip: Annotated[
        float, _of("Probability of mirroring; unused where labels of left and right are not known.")
    ] = 0.5
    scale: Annotated[
        float, _of("The crop's size is multiplied by N(1, scale), held within 1 +- scale.")
    ] = 0.35
    rotation_deg: Annotated[
        float, _of("Angle from N(0, rotation_deg), held within twice that.")
    ] = 45.0
    rotation_probability: Annotated[float, _of("How often a crop is rotated at all.")] = 0.6
    shift: Annotated[
        float, _of("The crop's middle moves by up to this part of the crop's width and height.")
    ] = 0.0
    colour: Annotated[
        float, _of("Brightness, contrast and saturation are each multiplied within 1 +- colour.")
    ] = 0.0
    sharpness: Annotated[
        float, _of("Blurred or sharpened by a factor within 1 +- sharpness (0 blurred, 2 sharp).")
    ] = 0.0
    grey: Annotated[float, _of("Probability of a crop without colour.")] = 0.0
    cutout: Annotated[
        float,
        _of(
            "Probability of covering one rectangle of 2% to 20% of the crop with noise; labels "
            "below it stay targets."
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            if not 0 <= getattr(self, name) <= limit:
                got = repr(getattr(self, name))
                raise InputError(f"expected {name} within 0..{limit}, got {got:.40}")


def draw_matrix(
    center: Floats,
    size: Floats,
    *,
    input_size: Size,
    augmentation: Augmentation,
    rng: Generator,
    unbiased: bool,
    may_flip: bool,
) -> tuple[Floats, bool]:
    """Draw scale, shift, rotation and mirroring of a crop.

    center (x, y) and size (height, width): the crop before, in pixels of the picture. unbiased: as
    in `crop_matrix`. Returns the matrix (2, 3) from picture to crop, and whether it mirrors.
    """
    # size *= N(1, scale), held within 1 +- scale
    spread = augmentation.scale
    size = size * np.clip(rng.standard_normal() * spread + 1, 1 - spread, 1 + spread)
    # center += U(-shift, shift) of the new size; x goes with the width
    if augmentation.shift:
        center = center + size[::-1] * rng.uniform(-1, 1, 2) * augmentation.shift
    # angle = N(0, deg), held within twice that
    angle = 0.0
    if rng.random() <= augmentation.rotation_probability:
        most = 2 * augmentation.rotation_deg
        angle = float(np.clip(rng.standard_normal() * augmentation.rotation_deg, -most, most))
    matrix = crop_matrix(center, size, input_size, angle, unbiased)
    # Mirror in the crop: x -> width - 1 - x
    is_mirrored = may_flip and rng.random() < augmentation.flip
    if is_mirrored:
        matrix[0] = -matrix[0]
        matrix[0, 2] += input_size[1] - 1
    return matrix, is_mirrored


def distort(crop: Picture, augmentation: Augmentation, rng: Generator) -> Picture:
    """Return a crop (H, W, C) with other colours, sharpness and noise; nothing in it moves.

    Saturation and grey are of RGB crops of 8 bits; others have neither.
    """
    if crop.dtype != np.uint8 or crop.shape[2] != 3:
        return _distort_channels(crop, augmentation, rng)
    kinds = (
        (ImageEnhance.Brightness, augmentation.colour),
        (ImageEnhance.Contrast, augmentation.colour),
        (ImageEnhance.Color, augmentation.colour),
        (ImageEnhance.Sharpness, augmentation.sharpness),
    )
    # factor = U(1 - strength, 1 + strength) of each kind, in this order
    picture = Image.fromarray(crop)
    for kind, strength in kinds:
        if strength:
            picture = kind(picture).enhance(1 + rng.uniform(-strength, strength))
    if augmentation.grey and rng.random() < augmentation.grey:
        picture = picture.convert("L").convert("RGB")
    pixels = np.array(picture)
    if augmentation.cutout and rng.random() < augmentation.cutout:
        _cover(pixels, rng)
    return pixels


def _distort_channels(crop: Picture, augmentation: Augmentation, rng: Generator) -> Picture:
    """Change brightness, contrast and sharpness of all channels alike, and cover a rectangle.

    As in Pillow each is a blend with another picture, by the factor U(1 - strength, 1 + strength):
    with 0, with the mean of each channel, and with the blurred crop. Only bytes are held within
    0..255.
    """
    pixels: Floats = crop.astype(np.float32)
    if augmentation.colour:
        least, most = 1 - augmentation.colour, 1 + augmentation.colour
        pixels *= rng.uniform(least, most)
        middle = pixels.mean(axis=(0, 1))
        pixels = middle + (pixels - middle) * np.float32(rng.uniform(least, most))
    if augmentation.sharpness:
        factor = 1 + rng.uniform(-augmentation.sharpness, augmentation.sharpness)
        soft = _blurred(pixels)
        pixels = soft + (pixels - soft) * np.float32(factor)
    if augmentation.cutout and rng.random() < augmentation.cutout:
        _cover(pixels, rng)
    if crop.dtype == np.uint8:
        return np.rint(pixels).clip(0, 255).astype(np.uint8)
    return pixels


def _blurred(pixels: Floats) -> Floats:
    """Return (H, W, C) after Pillow's SMOOTH: 5 times the pixel and its 8 neighbours, over 13."""
    soft = pixels.copy()  # the outermost pixels stay
    height, width = pixels.shape[:2]
    if min(height, width) < 3:
        return soft
    total = 4 * pixels[1:-1, 1:-1]
    for down in range(3):
        for across in range(3):
            total += pixels[down : height - 2 + down, across : width - 2 + across]
    soft[1:-1, 1:-1] = total / 13
    return soft


def distort_photometric(pixels: Image8, rng: Generator) -> Image8:
    """Change brightness, contrast, saturation and hue of (H, W, 3), each with a chance of half.

    Contrast comes before saturation and hue or after them, with equal chances. Source:
    PhotoMetricDistortion of mmsegmentation, after Liu et al. 2016 (SSD).
    """

    def change(plane: NDArray[np.generic], factor: float = 1.0, shift: float = 0.0) -> Image8:
        # Rounded down, as in the source.
        return (plane.astype(np.float32) * factor + shift).clip(0, 255).astype(np.uint8)

    # One draw for each of the four, and one for the order.
    brightness, contrast, saturation, hue, early = rng.random(5) < 0.5
    if brightness:
        pixels = change(pixels, shift=rng.uniform(-32, 32))
    if contrast and early:
        pixels = change(pixels, rng.uniform(0.5, 1.5))
    if saturation or hue:
        hsv = np.array(Image.fromarray(pixels).convert("HSV"))
        if saturation:
            hsv[..., 1] = change(hsv[..., 1], rng.uniform(0.5, 1.5))
        if hue:
            # OpenCV's hue has 180 steps, Pillow's 256; both go round.
            hsv[..., 0] += np.uint8(round(int(rng.integers(-18, 18)) * 256 / 180) % 256)
        pixels = np.array(Image.fromarray(hsv, "HSV").convert("RGB"))
    if contrast and not early:
        pixels = change(pixels, rng.uniform(0.5, 1.5))
    return pixels


def _cover(pixels: Picture, rng: Generator) -> None:
    """Draw noise over one rectangle of 2% to 20% of the pixels, sides at most 1 to 3."""
    height, width = pixels.shape[:2]
    # height = sqrt(area * aspect), width = sqrt(area / aspect)
    area, aspect = rng.uniform(0.02, 0.2) * height * width, rng.uniform(1 / 3, 3)
    high = min(height, max(1, round((area * aspect) ** 0.5)))
    wide = min(width, max(1, round((area / aspect) ** 0.5)))
    top = rng.integers(0, height - high + 1)
    left = rng.integers(0, width - wide + 1)
    noise = rng.integers(0, 256, (high, wide, pixels.shape[2]), dtype=np.uint8)
    pixels[top : top + high, left : left + wide] = noise
