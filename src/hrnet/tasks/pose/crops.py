"""Boxes of a picture, checked, their crops, and the way of points back into the picture."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.codecs.face import face_matrix
from hrnet.errors import InputError
from hrnet.geometry import (
    Floats,
    Image8,
    Size,
    apply_affine,
    box_to_crop,
    crop_matrix,
    invert_affine,
    warp_affine,
)
from hrnet.tasks.pose.face_crop import crop_face
from hrnet.tasks.pose.spec import PoseSpec

_FAR_PX = 1e7
"""Coordinates beyond this are no pixels of any picture."""


def check_boxes(boxes_xywh: ArrayLike, image_size: Size) -> Floats:
    """Return boxes (N, 4) of left, top, width, height if each can be cropped; N may be 0.

    A single box (4,) becomes (1, 4). Boxes may stick out of the picture but must meet it.
    Raises InputError that names the first bad box.
    """
    boxes = _as_numbers(boxes_xywh)
    boxes = boxes.reshape(-1, 4) if boxes.size == 0 or boxes.shape == (4,) else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(
            f"expected boxes of shape (N, 4) as x, y, width, height, got shape {boxes.shape}"
        )
    height, width = image_size
    left, top, wide, high = boxes.T
    with np.errstate(invalid="ignore"):
        outside = (left >= width) | (top >= height) | (left + wide <= 0) | (top + high <= 0)
        faults = (
            (
                ~(np.abs(boxes) < _FAR_PX).all(axis=1),
                "holds NaN, infinity or a far too large number",
            ),
            ((wide <= 0) | (high <= 0), "has no area; width and height must be above 0"),
            (outside, f"lies outside the image of {width}x{height} pixels"),
        )
    for faulty, problem in faults:
        if faulty.any():
            row = int(faulty.argmax())
            numbers = ", ".join(f"{value:g}" for value in boxes[row])
            raise InputError(f"box {row + 1} (x, y, width, height = {numbers}) {problem}")
    return boxes


def _as_numbers(boxes: object) -> Floats:
    """Return boxes as an array; a torch tensor may be on a GPU and be part of a graph."""
    detach = getattr(boxes, "detach", None)
    try:
        plain = boxes if detach is None else detach().cpu()
        return np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise InputError(
            "expected boxes as rows of 4 numbers x, y, width, height; of torch tensors in a list "
            "give .detach().cpu()"
        ) from None


def cut_crops(
    image: Image8, boxes_xywh: ArrayLike, spec: PoseSpec
) -> Iterator[tuple[Image8, Floats]]:
    """Yield the crop (h, w, 3) of each box (N, 4), and its matrix (2, 3) from the picture."""
    matrices = crop_matrices(boxes_xywh, spec)
    if spec.codec != "face":
        for matrix in matrices:
            yield warp_affine(image, matrix, spec.input_size), matrix
        return
    centers, sizes = box_to_crop(boxes_xywh, spec.input_size, spec.padding)
    for center, size, matrix in zip(centers, sizes, matrices, strict=True):
        yield crop_face(image, center, float(size[1]), spec.input_size), matrix


def to_picture(points: ArrayLike, matrices: Floats, spec: PoseSpec) -> NDArray[np.float32]:
    """Map points (N, K, 2) of crops to pixels of the picture, by matrices (N, 2, 3) to the crops.

    Published facial landmarks are whole pixels that count from 1.
    """
    located = apply_affine(points, invert_affine(matrices))
    if spec.codec == "face":
        located = np.trunc(located) + 1
    return located.astype(np.float32)


def crop_matrices(boxes_xywh: ArrayLike, spec: PoseSpec) -> Floats:
    """Affine matrices (N, 2, 3) from the picture to the crops of boxes (N, 4)."""
    center, size = box_to_crop(boxes_xywh, spec.input_size, spec.padding)
    if spec.codec == "face":
        pairs = zip(center, size, strict=True)
        found = [face_matrix(middle, float(side[1]), spec.input_size) for middle, side in pairs]
        return np.array(found, np.float64).reshape(-1, 2, 3)
    return crop_matrix(center, size, spec.input_size, unbiased=spec.heatmap_codec.unbiased)
