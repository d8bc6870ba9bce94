"""Random crops of labelled subjects, as the official HRNet pose training draws them, and more.

Source: the training data of Sun et al. 2019, with its quirks where they decide what a model sees.
What that training does not have is off by default: shift, colour, sharpness, grey and cutout.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from pydantic import Field
from pydantic.fields import FieldInfo

from hrnet.data.coco import Sample
from hrnet.errors import InputError
from hrnet.geometry import Floats, Image8, Size, apply_affine, box_to_crop, crop_matrix
from hrnet.skeleton import Skeleton


def _of(meaning: str) -> FieldInfo:
    """The meaning of a setting, where its bounds are checked together."""
    return Field(description=meaning)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The variation of crops; the defaults are the published ones for COCO.

    cutout: after DeVries and Taylor 2017 and the random erasing of Zhong et al. 2020.
    """

    flip: Annotated[
        float, _of("Probability of mirroring; unused where the skeleton has no flip pairs.")
    ] = 0.5
    scale: Annotated[
        float, _of("The crop's size is multiplied by N(1, scale), held within 1 +- scale.")
    ] = 0.35
    rotation_deg: Annotated[
        float, _of("Angle from N(0, rotation_deg), held within twice that.")
    ] = 45.0
    rotation_probability: Annotated[float, _of("How often a crop is rotated at all.")] = 0.6
    half_body: Annotated[
        float,
        _of(
            "Probability of showing only the upper or lower half of a subject with more than "
            "half_body_min_visible labelled keypoints; unused where the skeleton names no upper "
            "body."
        ),
    ] = 0.3
    half_body_min_visible: Annotated[int, _of("See half_body.")] = 8
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
            "Probability of covering one rectangle of 2% to 20% of the crop with noise; keypoints "
            "below it stay targets."
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        chances = ("flip", "rotation_probability", "half_body", "grey", "cutout")
        most = {"rotation_deg": 180, "scale": 0.95, "shift": 0.5, "colour": 0.95, "sharpness": 3}
        most["half_body_min_visible"] = 1000
        for name, limit in {**dict.fromkeys(chances, 1), **most}.items():
            if not 0 <= getattr(self, name) <= limit:
                got = repr(getattr(self, name))
                raise InputError(f"expected {name} within 0..{limit}, got {got:.40}")


NO_AUGMENTATION = Augmentation(flip=0, scale=0, rotation_deg=0, half_body=0)


def draw_crop(
    sample: Sample,
    skeleton: Skeleton,
    input_size: Size,
    padding: float,
    augmentation: Augmentation,
    generator: Generator,
    unbiased: bool = False,
) -> tuple[Floats, Floats, NDArray[np.float32]]:
    """Draw where a subject is cropped: all randomness of one training sample.

    Returns the matrix (2, 3) from image to crop, mirroring included, the keypoints (K, 2) in crop
    pixels, left and right already swapped, and their weights (K,), 1 where labelled.
    """
    labelled = sample.visibility > 0
    center, size = box_to_crop(sample.box_xywh, input_size, padding)
    if (
        labelled.sum() > augmentation.half_body_min_visible
        and generator.random() < augmentation.half_body
    ):
        half = _half_body(sample, skeleton, generator)
        if half is not None:
            center, size = box_to_crop(half, input_size, 1.5)
    spread = augmentation.scale
    size = size * np.clip(generator.standard_normal() * spread + 1, 1 - spread, 1 + spread)
    if augmentation.shift:
        center = center + size[::-1] * generator.uniform(-1, 1, 2) * augmentation.shift
    angle = 0.0
    if generator.random() <= augmentation.rotation_probability:
        most = 2 * augmentation.rotation_deg
        angle = float(np.clip(generator.standard_normal() * augmentation.rotation_deg, -most, most))
    matrix = crop_matrix(center, size, input_size, angle, unbiased)
    order = list(range(skeleton.num_keypoints))
    if skeleton.flip_pairs and generator.random() < augmentation.flip:
        matrix = _mirrored(matrix, input_size)
        order = list(skeleton.flip_order)
    points = apply_affine(sample.keypoints[order], matrix)
    return matrix, points, labelled[order].astype(np.float32)


def distort(crop: Image8, augmentation: Augmentation, generator: Generator) -> Image8:
    """Change how a crop (H, W, 3) looks, but not where its keypoints are; returns a new crop."""
    kinds = (
        (ImageEnhance.Brightness, augmentation.colour),
        (ImageEnhance.Contrast, augmentation.colour),
        (ImageEnhance.Color, augmentation.colour),
        (ImageEnhance.Sharpness, augmentation.sharpness),
    )
    picture = Image.fromarray(crop)
    for kind, strength in kinds:
        if strength:
            picture = kind(picture).enhance(1 + generator.uniform(-strength, strength))
    if augmentation.grey and generator.random() < augmentation.grey:
        picture = picture.convert("L").convert("RGB")
    pixels = np.array(picture)
    if augmentation.cutout and generator.random() < augmentation.cutout:
        _cover(pixels, generator)
    return pixels


def _cover(pixels: Image8, generator: Generator) -> None:
    """Draw noise over one rectangle of 2% to 20% of the pixels, sides at most 1 to 3."""
    height, width = pixels.shape[:2]
    area, aspect = generator.uniform(0.02, 0.2) * height * width, generator.uniform(1 / 3, 3)
    high = min(height, max(1, round((area * aspect) ** 0.5)))
    wide = min(width, max(1, round((area / aspect) ** 0.5)))
    top = generator.integers(0, height - high + 1)
    left = generator.integers(0, width - wide + 1)
    noise = generator.integers(0, 256, (high, wide, 3), dtype=np.uint8)
    pixels[top : top + high, left : left + wide] = noise


def _mirrored(matrix: Floats, input_size: Size) -> Floats:
    """Append mirroring left to right to a matrix; pixel x goes to width - 1 - x."""
    flipped = matrix.copy()
    flipped[0] = -matrix[0]
    flipped[0, 2] += input_size[1] - 1
    return flipped


def _half_body(sample: Sample, skeleton: Skeleton, generator: Generator) -> Floats | None:
    """Box (4,) xywh around the labelled upper or lower keypoints; None where too few are labelled.

    The official code chooses by a normal number below 0.5, so the upper half comes in 69% of cases.
    """
    if not skeleton.upper_body:
        return None
    labelled = np.flatnonzero(sample.visibility > 0)
    is_upper = np.isin(labelled, skeleton.upper_body)
    upper, lower = labelled[is_upper], labelled[~is_upper]
    if generator.standard_normal() < 0.5 and len(upper) > 2:
        chosen = upper
    else:
        chosen = lower if len(lower) > 2 else upper
    if len(chosen) < 2:
        return None
    points = sample.keypoints[chosen]
    extent = np.maximum(points.max(axis=0) - points.min(axis=0), 1)
    # The crop is centred on the mean of the points, not on their box.
    return np.concatenate([points.mean(axis=0) - extent / 2, extent])
