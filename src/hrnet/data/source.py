"""The place of labelled data."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DataSource:
    """Labelled data as a user names them; a task refuses the fields that it does not use.

    path: the annotation file or folder. images: the folder of the pictures, None where the task
    finds them itself. boxes: a file of a detector's boxes to evaluate on; None takes the annotated
    ones. detect: no boxes, since the model's own detector finds them.
    category: the category to take where a file has several kinds. labels: the folder of the
    labels, such as masks, None where the task finds them itself. split: the part of data that have
    parts, such as val. whole_images: True where each whole picture is one subject, whatever boxes
    there are; None lets the task decide. mm_per_pixel: of pictures that do not have their own.
    """

    path: Path
    images: Path | None = None
    boxes: Path | None = None
    detect: bool = False
    category: str | None = None
    labels: Path | None = None
    split: str | None = None
    whole_images: bool | None = None
    mm_per_pixel: float | None = None
