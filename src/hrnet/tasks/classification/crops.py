"""The part of a picture that the network sees: its centre for predicting, a random part else.

Both give the pixels of torchvision's transforms on Pillow images, without torch.
"""

import numpy as np
from numpy.random import Generator
from PIL import Image

from hrnet.geometry import Floats, Image8, Size
from hrnet.tasks.classification.spec import ClassificationSpec, Interpolation

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}

_MOST_PIXELS = 1 << 24
"""Of a whole picture at its new size; of larger ones the crop alone is computed."""

_TRIES = 10


def centre_crop(image: Image8, spec: ClassificationSpec) -> tuple[Image8, Floats]:
    """Resize a picture (H, W, 3) and cut `input_size` from its centre.

    Returns the crop and the matrix (2, 3) from the picture to it. Equal, bit for bit, to
    torchvision's Resize(short side) and CenterCrop on Pillow images, and so to timm's transforms
    for square inputs. Where the resized picture would have over 16.8 million pixels (a strip
    of 66,000x256) the crop is computed by itself, within one grey level of theirs.
    """
    size = resized_size((image.shape[0], image.shape[1]), spec.resize)
    (height, width), (crop_height, crop_width) = size, spec.input_size
    # Python rounds halves to even numbers, as torchvision does.
    top, left = round((height - crop_height) / 2), round((width - crop_width) / 2)
    scale = np.array([width / image.shape[1], height / image.shape[0]])
    # Pixel centres are at whole numbers: x' = (x + 0.5) * scale - 0.5 - left.
    shift = 0.5 * scale - 0.5 - (left, top)
    matrix = np.column_stack([np.diag(scale), shift])
    # Pillow can compute the crop alone, from its box in the picture, but not bit for bit the same.
    if height * width > _MOST_PIXELS:
        corners = np.array([left, top, left + crop_width, top + crop_height]) / np.tile(scale, 2)
        edges = np.minimum(corners, np.tile(image.shape[1::-1], 2))  # rounding may exceed them
        return _resize(image, spec.input_size, spec.interpolation, edges), matrix
    resized = _resize(image, size, spec.interpolation)
    return resized[top : top + crop_height, left : left + crop_width], matrix


def resized_size(size: Size, short: int) -> Size:
    """Return the (height, width) of a picture whose short side becomes `short` pixels.

    The long side is rounded down, as in torchvision.
    """
    height, width = size
    if height <= width:
        return short, int(short * width / height)
    return int(short * height / width), short


def draw_crop_box(
    size: Size, scale: tuple[float, float], ratio: tuple[float, float], generator: Generator
) -> tuple[int, int, int, int]:
    """Draw a part of a picture of `size`: left, top, right, bottom in whole pixels.

    scale: least and most share of the picture's area. ratio: least and most width / height, drawn
    uniformly in the logarithm. After ten boxes that stick out of the picture the largest one in its
    centre within the ratios is taken, whatever its area. As torchvision's RandomResizedCrop
    (Szegedy et al. 2015).
    """
    height, width = size
    # Draw area and ratio until the box fits into the picture.
    for _ in range(_TRIES):
        area = height * width * generator.uniform(*scale)
        aspect = np.exp(generator.uniform(*np.log(ratio)))
        # width = sqrt(area * ratio), height = sqrt(area / ratio)
        wide, high = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if 0 < wide <= width and 0 < high <= height:
            top = int(generator.integers(0, height - high + 1))
            left = int(generator.integers(0, width - wide + 1))
            return left, top, left + wide, top + high
    # The largest box in the centre: the whole picture where its own ratio is allowed.
    aspect = min(max(width / height, ratio[0]), ratio[1])
    wide = max(1, min(width, round(height * aspect)))
    high = max(1, min(height, round(width / aspect)))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def resize_box(
    image: Image8,
    box: tuple[int, int, int, int],
    input_size: Size,
    interpolation: Interpolation,
) -> Image8:
    """Cut a box of whole pixels (left, top, right, bottom) and resize it to `input_size`."""
    left, top, right, bottom = box
    return _resize(image[top:bottom, left:right], input_size, interpolation)


def _resize(
    image: Image8, size: Size, interpolation: Interpolation, box: Floats | None = None
) -> Image8:
    """Resize a picture, or the box of its left, top, right, bottom edges, to (height, width)."""
    if box is None and image.shape[:2] == size:
        return image
    picture = Image.fromarray(np.ascontiguousarray(image))
    edges = None if box is None else tuple(box.tolist())
    return np.array(picture.resize(size[::-1], _FILTERS[interpolation], edges))
