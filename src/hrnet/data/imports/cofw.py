"""COFW: faces with hidden landmarks, in MATLAB files (version 7.3, which is HDF5).

The colour version of the data set has COFW_train_color.mat with IsTr (pictures) and phisTr, and
COFW_test_color.mat with IsT and phisT: 29 x, 29 y and 29 marks of hidden landmarks a face. MATLAB
stores arrays by columns, so pictures are (3, W, H) or, grey ones, (W, H) in the file.
Source: Burgos-Artizzu et al. 2013, and lib/datasets/cofw.py of
https://github.com/HRNet/HRNet-Facial-Landmark-Detection.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hrnet.data.coco_file import Floats
from hrnet.data.imports.common import (
    Imported,
    ImportedPicture,
    Source,
    cropped_subject,
)
from hrnet.data.imports.hdf5 import (
    MOST_BYTES,
    MOST_PIXELS,
    data_of,
    opened,
    part_of,
    write_png,
)
from hrnet.errors import InputError
from hrnet.files import is_file
from hrnet.skeleton import published_skeleton

if TYPE_CHECKING:
    import h5py

_PARTS = {"train": ("IsTr", "phisTr"), "test": ("IsT", "phisT")}
"""Part of the data set -> its pictures and its points."""

_POINTS = 29
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEADER = 512
"""Bytes of MATLAB's text before the HDF5 file begins."""


def fits(source: Path) -> bool:
    """Return True for a MATLAB file that is HDF5."""
    if source.suffix.lower() != ".mat" or not is_file(source):
        return False
    with source.open("rb") as file:
        return _HDF5 in file.read(_HEADER + len(_HDF5))


def read(source: Source) -> Imported:
    """Read the faces of one file; their pictures are written to `options.extracted` as PNG.

    The published crop of a face is the square around its landmarks, `crop_box`. Points are pixels
    as they stand there; hidden ones have visibility 1.
    Raises InputError with one line for another file, and where a picture is in the way.
    """
    with opened(source.path, _no_cofw) as file:
        return _read(source, file)


def _no_cofw(path: Path, why: str) -> InputError:
    return InputError(
        f"expected COFW_train_color.mat or COFW_test_color.mat, but {path} is none ({why})"
    )


def _read(source: Source, file: h5py.File) -> Imported:
    # The part that the file holds.
    part = next((part for part, (key, _) in _PARTS.items() if key in file), None)
    if part is None:
        raise _no_cofw(source.path, "it has neither IsTr nor IsT")
    pictures, points = (data_of(part_of(file, key)) for key in _PARTS[part])
    if pictures is None or points is None or points.dtype.kind not in "iuf":
        raise _no_cofw(source.path, f"it lacks {' or '.join(_PARTS[part])}")
    count = max(pictures.shape, default=0)
    if points.shape != (3 * _POINTS, count) or points.size * points.dtype.itemsize > MOST_BYTES:
        expected = f"expected {3 * _POINTS} values of each of {count} faces"
        raise _no_cofw(source.path, f"{expected}, got the shape {points.shape}")
    # Faces and their pictures, one each.
    values = np.asarray(points[()], dtype=np.float64).T
    found = []
    for number, (reference, row) in enumerate(zip(pictures[()].ravel(), values, strict=True), 1):
        place = (f"{source}: face {number}", f"picture {number}")
        try:
            triples = _triples(place[0], row)
            picture = _picture(place[0], _behind(file, reference))
            crop = _crop(triples[:, :2])
            subject = cropped_subject(triples, crop, place, (picture.height, picture.width), {})
        except InputError as error:
            source.wrong("faces", str(error))
            continue
        path = source.options.extracted / f"cofw_{part}_{number:04}.png"
        write_png(picture, path, replace=source.options.replace)
        found.append(ImportedPicture(path, (subject,), extra={"part": part}))
    skeleton = published_skeleton("cofw")
    return Imported(
        names=skeleton.names,
        category="face",
        pictures=tuple(found),
        edges=skeleton.edges,
        flip_pairs=skeleton.flip_pairs,
        sigmas=skeleton.sigmas,
        inputs=(source.path,),
    )


def _behind(file: h5py.File, reference: object) -> h5py.Dataset | None:
    """Return the data that a reference leads to, None where it leads nowhere."""
    try:
        return data_of(file[reference])
    except (ValueError, TypeError, OSError):
        return None


def _triples(place: str, row: Floats) -> Floats:
    """Return 29 x, 29 y and 29 marks as points (29, 3) with their visibility."""
    if not np.isfinite(row).all():
        raise InputError(f"{place}: expected finite numbers, got others; leave the face out")
    x, y, hidden = row.reshape(3, _POINTS)
    return np.column_stack([x, y, np.where(hidden > 0, 1.0, 2.0)])


def _crop(points: Floats) -> tuple[float, float, float, float]:
    """Return the square (left, top, side, side) around points, with edges in whole pixels."""
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    side = float((high - low).max())
    left, top = ((low + high) / 2 - side / 2).tolist()
    return left, top, side, side


def _picture(place: str, data: h5py.Dataset | None) -> Image.Image:
    """Return a picture, grey or RGB."""
    if data is None or data.dtype != np.uint8 or data.ndim not in (2, 3):
        raise InputError(f"{place}: expected a picture of 8 bits, got something else")
    if data.ndim == 3 and data.shape[0] != 3:
        raise InputError(f"{place}: expected 1 or 3 channels, got {data.shape[0]}")
    if not 0 < data.shape[-1] * data.shape[-2] <= MOST_PIXELS:
        raise InputError(f"{place}: expected at most {MOST_PIXELS:,} pixels, got {data.shape}")
    return Image.fromarray(np.ascontiguousarray(np.asarray(data[()]).T))
