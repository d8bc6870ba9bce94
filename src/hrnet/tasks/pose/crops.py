"""The way of a top-down pose network from a picture and boxes to keypoints, in numpy.

    boxes --crop_matrices--> matrices --warp_affine--> crops --normalise--> network input
    --estimate_heatmaps--> heatmaps --locate--> keypoints in pixels of the picture

Source: the official HRNet pose code (Sun et al. 2019); the crop is `geometry.box_to_crop`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.codecs.heatmap import Maps, flip_heatmaps
from hrnet.errors import InputError
from hrnet.geometry import Floats, Size, apply_affine, box_to_crop, crop_matrix, invert_affine
from hrnet.spec import PoseSpec

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Normalised crops (N, 3, H, W) -> heatmaps (N, K, h, w); every `runtime.Engine` is one."""

_FAR_PX = 1e7
"""Coordinates beyond this are no pixels of any picture."""


def whole_image_box(image_size: Size) -> Floats:
    """The box (1, 4), as left, top, width, height, that covers a picture of that size."""
    height, width = image_size
    return np.array([[0.0, 0.0, width, height]])


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


def crop_matrices(boxes_xywh: ArrayLike, spec: PoseSpec) -> Floats:
    """Affine matrices (N, 2, 3) from the picture to the crops of boxes (N, 4)."""
    center, size = box_to_crop(boxes_xywh, spec.input_size, spec.padding)
    return crop_matrix(center, size, spec.input_size, unbiased=spec.heatmap_codec.unbiased)


def normalise(crops: NDArray[np.uint8], spec: PoseSpec) -> NDArray[np.float32]:
    """Turn RGB crops (N, H, W, 3) into the network's input (N, 3, H, W)."""
    mean, std = (np.array(value, np.float32)[:, None, None] for value in (spec.mean, spec.std))
    planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))  # bytes: a quarter of floats
    images: NDArray[np.float32] = np.subtract(planes, 255 * mean, dtype=np.float32)
    images /= 255 * std  # one pass less than dividing by 255 first
    return images


def estimate_heatmaps(
    network: Network, images: NDArray[np.float32], spec: PoseSpec, *, flip_test: bool = False
) -> Maps:
    """Run the network on images (N, 3, H, W); with `flip_test` on their mirror images as well.

    The mirrored answer is mirrored back, moved by one heatmap pixel unless the codec is unbiased
    (the official SHIFT_HEATMAP; UDP, section 3, makes it needless), and both are averaged.
    """
    heatmaps = network(images)
    if not flip_test:
        return heatmaps
    mirrored = network(np.ascontiguousarray(images[..., ::-1]))
    shift = not spec.heatmap_codec.unbiased
    returned = flip_heatmaps(mirrored, spec.skeleton.flip_order, shift=shift)
    return (heatmaps + returned) * np.float32(0.5)


def locate(
    heatmaps: Maps, matrices: ArrayLike, spec: PoseSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read keypoints (N, K, 2), in pixels of the picture, and scores (N, K) in 0..1 from heatmaps.

    matrices: (N, 2, 3), as the crops were cut.
    """
    points, scores = spec.heatmap_codec.decode(heatmaps)
    located = apply_affine(points, invert_affine(matrices)).astype(np.float32)
    return located, scores.clip(0, 1)  # a heatmap may peak above 1
