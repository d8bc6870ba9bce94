"""Outlines of objects become masks: of COCO files, and of all that is imported as such.

Pixels are filled as pycocotools fills them. Later objects of a picture lie over earlier ones.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

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
from hrnet.data.run_lengths import pixels_of
from hrnet.data.source import DataSource
from hrnet.drawing import class_color
from hrnet.errors import InputError
from hrnet.files import check_new_file, exists, resolve, write_text
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
    codes = MaskCodes({**{value: value for value in range(len(names))}, USUAL_IGNORED: IGNORED})
    samples = [
        MaskSample(one.image_path, file, file.stem, codes)
        for one, file in zip(data.samples, files, strict=True)
    ]
    colors = tuple(class_color(index) for index in range(len(names)))
    texts = {
        folder / LIST_FILE: list_text(samples, folder),
        folder / CLASSES_FILE: classes_text(MaskDataset(folder, names, samples, colors)),
    }
    for one in data.samples:
        _size_of(one)
    try:
        for file in (*texts, *files):
            check_new_file(file, [annotations], force=force)
        unseen = _write_masks(data.samples, files, folder, background=background)
        for file, text in texts.items():
            write_text(file, text)
        read_masks(DataSource(folder / LIST_FILE))  # the proof that training takes it
    except BaseException:  # Ctrl-C, too
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    notes = _left_out(data.samples, unseen)
    count = sum(mask is not None for one in data.samples for mask in one.masks or ())
    return DrawnMasks(folder / LIST_FILE, len(files), count, names, (*data.notes, *notes))


def _left_out(samples: tuple[BoxSample, ...], unseen: int) -> list[str]:
    """Return a note for objects without an outline, and one for those without a pixel."""
    outlines = [mask for one in samples for mask in one.masks or ()]
    without = sum(mask is None for mask in outlines)
    without += sum(len(one.classes) for one in samples if one.masks is None)
    notes = [f"{without} objects without an outline were left out"] if without else []
    if unseen:
        notes.append(f"{unseen} objects have no pixel, since they lie outside or have no area")
    return notes


def _write_masks(
    samples: tuple[BoxSample, ...], files: list[Path], folder: Path, *, background: bool
) -> int:
    """Write a mask for each picture, all of them or none; return how many objects have no pixel."""
    unseen = 0
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".masks.") as drawn:
            # Draw all masks, then move them to their places.
            for number, sample in enumerate(samples):
                mask, missed = _draw(sample, background=background)
                Image.fromarray(mask).save(Path(drawn) / f"{number}.png")
                unseen += missed
            for number, file in enumerate(files):
                (Path(drawn) / f"{number}.png").replace(file)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror or error}") from None
    return unseen


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


def _size_of(sample: BoxSample) -> Size:
    """Return (height, width) of a picture; InputError for another one than annotated."""
    size = read_header(sample.image_path).size
    if sample.image_size is not None:
        expect_size(sample.image_path, size, sample.image_size)
    return size


def _draw(sample: BoxSample, *, background: bool) -> tuple[NDArray[np.uint8], int]:
    """Draw the objects of a picture one over the other; crowds are ignored pixels.

    Returns the mask and the number of objects that have no pixel, before others lie over them.
    """
    size, first, unseen = _size_of(sample), 1 if background else 0, 0
    mask = np.full(size, 0 if background else USUAL_IGNORED, np.uint8)
    outlines = sample.masks or (None,) * len(sample.classes)
    for index, outline, ignored in zip(sample.classes, outlines, sample.ignore, strict=True):
        if outline is not None:
            value = USUAL_IGNORED if ignored else first + int(index)
            inside = _inside(outline, size)
            mask[inside] = value
            unseen += not inside.any()
    return mask, unseen


def _inside(outline: Segmentation, size: Size) -> NDArray[np.bool_]:
    """Return the pixels (H, W) within polygons or run lengths."""
    from pycocotools import mask as coco_mask

    if isinstance(outline, dict):
        return pixels_of(outline, size)
    polygons = [list(one) for one in outline if len(one) >= _LEAST_NUMBERS]
    if not polygons:
        return np.zeros(size, np.bool_)
    return pixels_of(coco_mask.merge(coco_mask.frPyObjects(polygons, *size)), size)
