"""Outlines of objects become masks: of COCO files, and of all that is imported as such.

Pixels are filled as pycocotools fills them. Later objects of a picture lie over earlier ones.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.data.box_dataset import BoxSample, Segmentation
from hrnet.data.coco_boxes import read_coco_boxes
from hrnet.data.findings import first_of
from hrnet.data.mask_classes import CLASSES_FILE, USUAL_IGNORED
from hrnet.data.mask_dataset import IGNORED, MaskCodes, MaskDataset, MaskSample
from hrnet.data.mask_lists import classes_text, list_text
from hrnet.data.masks import read_masks
from hrnet.data.source import DataSource
from hrnet.drawing import class_color
from hrnet.errors import InputError
from hrnet.files import check_new_file, exists, make_writable_folder, resolve, write_text
from hrnet.geometry import Size
from hrnet.images import expect_size, read_header
from hrnet.metrics.coco import expect_pycocotools

LIST_FILE = "masks.csv"
MASKS_FOLDER = "masks"
BACKGROUND = "background"

_MOST_CLASSES = 254
"""Of masks of 8 bits with a background and a value that is ignored."""

_LEAST_NUMBERS = 6
"""Of a polygon: three points."""


@dataclass(frozen=True, slots=True)
class DrawnMasks:
    """What was written. list_file: of pictures and masks. notes: what was left out."""

    list_file: Path
    images: int
    objects: int
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


def draw_masks(
    annotations: Path,
    images: Path,
    folder: Path,
    *,
    background: bool = True,
    category: str | None = None,
    force: bool = False,
) -> DrawnMasks:
    """Write masks/, masks.csv and classes.json of a COCO file with outlines.

    background: class 0 is where no object is; without it these pixels are ignored, as crowds and
    regions to ignore are in any case. category: take that one alone.
    Raises InputError for a file without outlines, for pictures of another size than annotated, and
    for files that exist (unless `force`); nothing is left behind then.
    """
    expect_pycocotools()
    data = read_coco_boxes(annotations, images, category)
    names = ((BACKGROUND,) if background else ()) + data.class_names
    _expect_names(annotations, names)
    if not any(mask is not None for one in data.samples for mask in one.masks or ()):
        raise InputError(
            f"{annotations}: expected outlines of objects (segmentation), got boxes alone; draw "
            "polygons"
        )
    # All that could go wrong with the files is checked before the first is written.
    files = _mask_files(data.samples, images, folder / MASKS_FOLDER)
    is_new = not exists(folder)
    first = 1 if background else 0
    codes = MaskCodes({**{value: value for value in range(len(names))}, USUAL_IGNORED: IGNORED})
    try:
        for file in (folder / LIST_FILE, folder / CLASSES_FILE, *files):
            check_new_file(file, [annotations], force=force)
        for sample, file in zip(data.samples, files, strict=True):
            mask = _draw(sample, first, USUAL_IGNORED if not background else 0)
            make_writable_folder(file.parent)
            Image.fromarray(mask).save(file)
        samples = [
            MaskSample(one.image_path, file, file.stem, codes)
            for one, file in zip(data.samples, files, strict=True)
        ]
        colors = tuple(class_color(index) for index in range(len(names)))
        drawn = MaskDataset(folder, names, samples, colors)
        write_text(folder / LIST_FILE, list_text(samples, folder))
        write_text(folder / CLASSES_FILE, classes_text(drawn))
        read_masks(DataSource(folder / LIST_FILE))  # the proof that training takes it
    except InputError:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    outlines = [mask for one in data.samples for mask in one.masks or ()]
    without = sum(mask is None for mask in outlines)
    without += sum(len(one.classes) for one in data.samples if one.masks is None)
    left_out = [f"{without} objects without an outline were left out"] if without else []
    count = sum(mask is not None for mask in outlines)
    return DrawnMasks(folder / LIST_FILE, len(files), count, names, (*data.notes, *left_out))


def _expect_names(path: Path, names: tuple[str, ...]) -> None:
    if len(set(names)) < len(names):
        raise InputError(f"{path}: expected no class {BACKGROUND}; give --no-background")
    if not 2 <= len(names) <= _MOST_CLASSES + 1:
        raise InputError(
            f"{path}: expected 2 to {_MOST_CLASSES} classes for masks of 8 bits, got {len(names)} "
            f"({first_of(names)}); take one by --category, or a background"
        )


def _mask_files(samples: tuple[BoxSample, ...], images: Path, folder: Path) -> list[Path]:
    """Return a file for each picture, at its place below the folder of the pictures."""
    base = resolve(images)
    files = []
    for one in samples:
        path = resolve(one.image_path)
        inner = path.relative_to(base) if path.is_relative_to(base) else Path(path.name)
        files.append(folder / inner.with_suffix(".png"))
    lost = next(iter({resolve(one.image_path) for one in samples} & set(map(resolve, files))), None)
    if lost is not None:
        raise InputError(f"the mask of {lost} would replace it; name another --out")
    if len(set(files)) < len(files):
        twice = next(one for one in files if files.count(one) > 1)
        raise InputError(
            f"expected a name of its own for each picture, got two for {twice.name}; rename one"
        )
    return files


def _draw(sample: BoxSample, first: int, empty: int) -> NDArray[np.uint8]:
    """Draw the objects of a picture one over the other; crowds are ignored pixels."""
    size = read_header(sample.image_path).size
    if sample.image_size is not None:
        expect_size(sample.image_path, size, sample.image_size)
    mask = np.full(size, empty, np.uint8)
    outlines = sample.masks or (None,) * len(sample.classes)
    for index, outline, ignored in zip(sample.classes, outlines, sample.ignore, strict=True):
        if outline is not None:
            value = USUAL_IGNORED if ignored else first + int(index)
            mask[_inside(outline, size)] = value
    return mask


def _inside(outline: Segmentation, size: Size) -> NDArray[np.bool_]:
    """Return the pixels (H, W) within polygons or run lengths."""
    from pycocotools import mask as coco_mask

    found: Any = outline
    if not isinstance(outline, dict):
        polygons = [list(one) for one in outline if len(one) >= _LEAST_NUMBERS]
        if not polygons:
            return np.zeros(size, np.bool_)
        found = coco_mask.merge(coco_mask.frPyObjects(polygons, *size))
    elif isinstance(outline["counts"], list):
        found = coco_mask.frPyObjects(outline, *size)
    return cast(NDArray[np.uint8], coco_mask.decode(found)).astype(np.bool_)
