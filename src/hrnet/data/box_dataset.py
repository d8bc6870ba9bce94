"""Labelled boxes of object detection, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.geometry import Floats, Size

Segmentation = Sequence[Sequence[float]] | dict[str, object]
"""COCO's form of a mask: polygons x1, y1, x2, y2, ... in pixels, or run lengths (RLE)."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxSample:
    """One picture with its labelled boxes; it may have none.

    image_size: (height, width) as annotated, None where unknown. boxes_xywh: (M, 4) pixels.
    classes: (M,) indices into the data set's class names. ignore: (M,) True for regions that are
    neither to be found nor wrong to be found, such as crowds. masks: of each box, None where the
    data set has none. areas: (M,) square pixels of the objects within their boxes, by which they
    are small or large; None takes those of the boxes.
    """

    image_path: Path
    image_size: Size | None
    name: str
    boxes_xywh: Floats
    classes: NDArray[np.int64]
    ignore: NDArray[np.bool_]
    masks: tuple[Segmentation | None, ...] | None = None
    areas: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BoxDataset:
    """Pictures with labelled boxes.

    path: the file or folder that was read. class_names: all different, in the order of the class
    indices. notes: one line for each kind of thing that was left out or made up, with its count.
    """

    path: Path
    class_names: tuple[str, ...]
    samples: tuple[BoxSample, ...]
    notes: tuple[str, ...] = ()
