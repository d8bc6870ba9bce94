"""Files that say where the persons are: boxes for each picture, in any of three forms.

COCO annotations: {"images": [{"id", "file_name"}], "annotations": [{"image_id", "bbox"}], ...}.
COCO detections: [{"image_id", "bbox", ...}]; pictures are known by the number that ends their name.
By name: {"file.jpg": [[x, y, w, h], ...]}.
Boxes are left, top, width, height in pixels.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, final

import numpy as np

from hrnet.data.coco import load_json
from hrnet.errors import InputError
from hrnet.geometry import Floats

PERSON_CATEGORY = 1
"""The category id of persons in COCO; the others of a detection list are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageBoxes:
    """The boxes (N, 4) of one picture, and its COCO image id where the file gives one."""

    boxes: Floats
    image_id: int | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class BoxFile:
    """Boxes of many pictures, found by the picture's path.

    by_name: last part of a file name -> whole names, perhaps with folders, and their boxes.
    by_number: image id -> boxes, for lists of detections, which name no files.
    """

    path: Path
    by_name: Mapping[str, Mapping[PurePath, ImageBoxes]] | None = None
    by_number: Mapping[int, ImageBoxes] | None = None

    def find(self, image: PurePath) -> ImageBoxes:
        """Return the boxes of a picture.

        A list of detections without an entry for the picture means that it holds none.
        Raises InputError where the picture cannot be told from the file.
        """
        if self.by_number is not None:
            number = image_number(image)
            if number is None:
                raise InputError(
                    f"{image}: {self.path} names images by number, and this name ends in none; "
                    'use a file of the form {"file.jpg": [[x, y, width, height]]}'
                )
            return self.by_number.get(number, ImageBoxes(np.zeros((0, 4)), number))
        return self._find_name(image)

    def _find_name(self, image: PurePath) -> ImageBoxes:
        listed = (self.by_name or {}).get(image.name, {})
        exact = [name for name in listed if image.parts[-len(name.parts) :] == name.parts]
        likely = exact or (list(listed) if len(listed) == 1 else [])
        if not likely:
            problem = "names several files like it" if listed else "has no boxes for it"
            raise InputError(f"{image}: {self.path} {problem}; add its name there or leave it out")
        return listed[max(likely, key=lambda name: len(name.parts))]


def image_number(image: PurePath) -> int | None:
    """The number that ends a file's name: 785 for COCO_val2014_000000000785.jpg."""
    digits = re.search(r"[0-9]+$", image.stem)
    return int(digits.group()) if digits else None


def read_boxes(path: Path) -> BoxFile:
    """Read a file of boxes in any of the module's three forms.

    Crowds are left out; so are other categories than persons, where persons are told apart.
    Raises InputError for another form and for a file without a box.
    """
    content = load_json(path, "boxes")
    try:
        file = _read(path, content)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"expected COCO annotations, a COCO detection list or "
            f'{{"file.jpg": [[x, y, width, height]]}} in {path}; '
            f"got something else ({type(error).__name__}: {error})"
        ) from None
    return file


def _read(path: Path, content: Any) -> BoxFile:
    if isinstance(content, list):
        numbered = _detections(path, content)
        _expect_boxes(path, numbered.values())
        return BoxFile(path, by_number=numbered)
    if "annotations" in content and "images" in content:
        named = _annotations(path, content)
    else:
        named = {name: ImageBoxes(_box_array(path, name, rows)) for name, rows in content.items()}
    _expect_boxes(path, named.values())
    by_name: dict[str, dict[PurePath, ImageBoxes]] = {}
    for name, boxes in named.items():
        by_name.setdefault(PurePath(name).name, {})[PurePath(name)] = boxes
    return BoxFile(path, by_name=by_name)


def _expect_boxes(path: Path, entries: Iterable[ImageBoxes]) -> None:
    if not any(len(entry.boxes) for entry in entries):
        raise InputError(f"expected at least one person's box in {path}, got none")


def _annotations(path: Path, content: Mapping[str, Any]) -> dict[str, ImageBoxes]:
    names = {int(image["id"]): str(image["file_name"]) for image in content["images"]}
    persons = _person_categories(content.get("categories", []))
    rows: dict[int, list[Any]] = {number: [] for number in names}
    for row in content["annotations"]:
        number = int(row["image_id"])
        if number not in rows:
            raise InputError(
                f"{path}: an annotation belongs to image {number}, which is not listed in images"
            )
        if not row.get("iscrowd") and (persons is None or row.get("category_id") in persons):
            rows[number].append(row["bbox"])
    return {
        names[number]: ImageBoxes(_box_array(path, names[number], boxes), number)
        for number, boxes in rows.items()
    }


def _person_categories(categories: list[Mapping[str, Any]]) -> set[int] | None:
    """Ids of the categories with keypoints or the name person; None where none is told apart."""
    persons = {
        int(category["id"])
        for category in categories
        if category.get("keypoints") or category.get("name") == "person"
    }
    return persons or None


def _detections(path: Path, content: list[Mapping[str, Any]]) -> dict[int, ImageBoxes]:
    persons = [row for row in content if row.get("category_id", 1) == PERSON_CATEGORY]
    rows: dict[int, list[Any]] = {}
    for row in persons or content:
        rows.setdefault(int(row["image_id"]), []).append(row["bbox"])
    return {
        number: ImageBoxes(_box_array(path, f"image {number}", boxes), number)
        for number, boxes in rows.items()
    }


def _box_array(path: Path, where: str, rows: Any) -> Floats:
    """Boxes (N, 4) from JSON lists; whether they can be cropped is checked with the picture."""
    try:
        boxes = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        boxes = np.zeros(1)
    if boxes.size == 0 or boxes.shape == (4,):
        boxes = boxes.reshape(-1, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(
            f"{path}: expected boxes as [x, y, width, height] for {where}, got {rows!s:.80}"
        )
    return boxes
