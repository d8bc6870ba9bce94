"""Annotations of other tools become COCO keypoint files; one module a format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.imports import cvat, deeplabcut, labelstudio, mpii, sleap, wholebody, yolo
from hrnet.data.imports.common import Imported, ImportOptions


@dataclass(frozen=True, slots=True)
class Format:
    """One format: whether a source looks like it, and how it is read."""

    fits: Callable[[Path], bool]
    read: Callable[[Path, ImportOptions], Imported]


FORMATS: Mapping[str, Format] = {
    "yolo": Format(yolo.fits, yolo.read),
    "cvat": Format(cvat.fits, cvat.read),
    "labelstudio": Format(labelstudio.fits, labelstudio.read),
    "deeplabcut": Format(deeplabcut.fits, deeplabcut.read),
    "sleap": Format(sleap.fits, sleap.read),
    "mpii": Format(mpii.fits, mpii.read),
    "wholebody": Format(wholebody.fits, wholebody.read),
}
"""Values of --format."""
