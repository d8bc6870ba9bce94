"""Annotations of other tools become COCO files of keypoints or boxes; one module a format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.imports import (
    coco,
    cofw,
    cvat,
    deeplabcut,
    faces,
    labelstudio,
    mpii,
    sleap,
    voc,
    wholebody,
    yolo,
)
from hrnet.data.imports.common import Imported, ImportedBoxes, Source


@dataclass(frozen=True, slots=True)
class Format:
    """One format: a test for sources that look like it, its reader, and its options."""

    fits: Callable[[Path], bool]
    read: Callable[[Source], Imported | ImportedBoxes]
    options: frozenset[str] = frozenset()


FORMATS: Mapping[str, Format] = {
    "yolo": Format(yolo.fits, yolo.read, yolo.OPTIONS),
    "voc": Format(voc.fits, voc.read, voc.OPTIONS),
    "cvat": Format(cvat.fits, cvat.read, cvat.OPTIONS),
    "labelstudio": Format(labelstudio.fits, labelstudio.read, labelstudio.OPTIONS),
    "deeplabcut": Format(deeplabcut.fits, deeplabcut.read, deeplabcut.OPTIONS),
    "sleap": Format(sleap.fits, sleap.read, sleap.OPTIONS),
    "mpii": Format(mpii.fits, mpii.read, mpii.OPTIONS),
    "wholebody": Format(wholebody.fits, wholebody.read),
    "faces": Format(faces.fits, faces.read),
    "cofw": Format(cofw.fits, cofw.read),
    "coco": Format(coco.fits, coco.read, coco.OPTIONS),
}
"""Values of --format."""
