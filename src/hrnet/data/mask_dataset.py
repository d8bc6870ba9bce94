"""Pictures with a class for every pixel, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.mask_file import IGNORED, Labels, MaskCodes, read_labels
from hrnet.errors import InputError
from hrnet.geometry import Size

__all__ = ["IGNORED", "Labels", "MaskCodes", "MaskDataset", "MaskSample"]


@dataclass(frozen=True, slots=True, eq=False)
class MaskSample:
    """One picture with its mask.

    name: of the picture within its folder. image_size: (height, width), None where unknown.
    """

    image_path: Path
    mask_path: Path
    name: str
    codes: MaskCodes
    image_size: Size | None = None

    def labels(self) -> Labels:
        """Read the mask as class indices (H, W); InputError for one that the codes do not fit."""
        return read_labels(self.mask_path, self.codes)

    def expect_size(self, labels: Labels, image_size: Size) -> None:
        """Raise InputError for labels of another (height, width) than the picture's, upright."""
        if labels.shape != image_size:
            (high, wide), (height, width) = labels.shape, image_size
            raise InputError(
                f"{self.mask_path}: expected a mask of {width}x{height} pixels as its picture "
                f"(EXIF applied), got {wide}x{high}; use the pictures that were labelled"
            )


@dataclass(frozen=True, slots=True, eq=False)
class MaskDataset:
    """Pictures with masks.

    path: the folder or list that was read. class_names: all different, in the order of the class
    indices. colors: one (red, green, blue) a class, None where the data have none. mirror_pairs:
    classes, left and right, that swap in a mirrored picture. notes: one line for each kind of
    thing that was left out or made up, with its count.
    """

    path: Path
    class_names: tuple[str, ...]
    samples: Sequence[MaskSample]
    colors: tuple[tuple[int, int, int], ...] | None = None
    mirror_pairs: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()
