"""Files with the persons' boxes for each picture, in any of three forms.

COCO annotations: {"images": [{"id", "file_name"}], "annotations": [{"image_id", "bbox"}], ...}.
COCO detections: [{"image_id", "bbox", ...}], with the annotation file that lists ids and names.
By name: {"file.jpg": [[x, y, w, h], ...]}.
Boxes are left, top, width, height in pixels.

A picture is found by its path or its id and never by a guess that another picture can satisfy: a
listed name must be the end of the picture's own path, whole parts of it, and of no other picture's.
The id of a picture that no file lists is in its name where COCO itself named it: twelve digits.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import final

import numpy as np

from hrnet.data.coco_file import Json, note_problems, parse_coco, parse_detections
from hrnet.data.findings import Findings
from hrnet.data.subject_boxes import box_of
from hrnet.errors import InputError
from hrnet.files import address_in, read_json
from hrnet.geometry import Floats
from hrnet.numbers import to_floats

PERSON_CATEGORY = 1
"""The category id of persons in COCO; the others of a detection list are left out."""

_USED = ("image_id", "unlisted", "category_id", "bbox", "iscrowd")
"""The problems of annotations that matter to their boxes."""

_COCO_NAME = re.compile(r"(?:COCO_[a-z]+[0-9]{4}_)?([0-9]{12})")


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
    by_number: image id -> boxes, for lists of detections without the file that names the pictures.
    notes: one line for each kind of thing that was left out. inputs: the files that were read.
    """

    path: Path
    by_name: Mapping[str, Mapping[PurePosixPath, ImageBoxes]] | None = None
    by_number: Mapping[int, ImageBoxes] | None = None
    notes: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()

    def find(self, image: PurePath) -> ImageBoxes:
        """Return the boxes of a picture, by its path or its id.

        A list of detections without an entry for a picture means that it holds none.
        Raises InputError where the file does not identify the picture.
        """
        return self._find(image)[1]

    def _find(self, image: PurePath) -> tuple[PurePath, ImageBoxes]:
        """The name that lists a picture, or its own path in a file of ids, and its boxes."""
        if self.by_name is not None:
            name = self._listed_as(image)
            return name, self.by_name[name.name][name]
        number = image_number(image)
        if number is None:
            raise InputError(
                f"{image}: {self.path} names images by number, and this name is no COCO image's; "
                "give the annotation file that lists ids and names with --images-of FILE"
            )
        return image, (self.by_number or {}).get(number, ImageBoxes(np.zeros((0, 4)), number))

    def find_all(self, images: Sequence[Path]) -> dict[Path, ImageBoxes | InputError]:
        """Return the boxes of each picture, or the error of one that has none.

        Raises InputError where a list of detections has an entry for none of the pictures.
        """
        numbers = {image_number(image) for image in images} - {None}
        if numbers and self.by_number is not None and not numbers & self.by_number.keys():
            raise InputError(
                f"{self.path} has boxes for none of the {len(images)} pictures, by the ids in "
                "their names; give the detections of these pictures"
            )
        # Two pictures that fit one listed name are both refused: either could be meant.
        found: dict[Path, ImageBoxes | InputError] = {}
        first: dict[PurePath, Path] = {}
        for image in images:
            try:
                name, found[image] = self._find(image)
            except InputError as error:
                found[image] = error
                continue
            other = first.setdefault(name, image)
            for one in (image, other) if other != image else ():
                found[one] = InputError(
                    f"{one}: {self.path} lists {name}, which {other} and {image} could be; "
                    "list them with their folders"
                )
        return found

    def _listed_as(self, image: PurePath) -> PurePosixPath:
        """The longest listed name that is the end of a picture's path."""
        # A name fits if its parts are the last parts of the picture's absolute path.
        listed = (self.by_name or {}).get(image.name, {})
        own = Path(image).absolute().parts
        fitting = [name for name in listed if own[-len(name.parts) :] == name.parts]
        if not fitting:
            names = " and ".join(address_in(name) or str(name) for name in listed)
            near = f"; it lists {names}, in another folder" if listed else ""
            raise InputError(
                f"{image}: {self.path} has no boxes for it{near}; add its name there or leave "
                "it out"
            )
        return max(fitting, key=lambda name: len(name.parts))


def image_number(image: PurePath) -> int | None:
    """Return the id in a name that COCO gave: 785 for 000000000785.jpg, None for other names.

    COCO's names of 2014 begin with COCO_val2014_ or the like. The last digits of any other name are
    no id, for they may be a number of frames or a part of a hash.
    """
    digits = _COCO_NAME.fullmatch(image.stem)
    return int(digits.group(1)) if digits else None


def read_boxes(path: Path, images_of: Path | None = None) -> BoxFile:
    """Read a file of boxes in any of the module's three forms.

    images_of: for detections, the annotation file that lists the ids and names of the pictures.
    Crowds are left out; so are other categories than persons, where the file marks persons.
    Raises InputError for another form and for a file without a box.
    """
    content = read_json(path, "boxes", once=True)
    if images_of is not None and not isinstance(content, list):
        raise InputError(
            f"expected a COCO detection list in {path} to go with --images-of; leave that out"
        )
    # Detections have numbers of pictures, and names where a file lists them.
    notes: list[str] = []
    if isinstance(content, list):
        numbered = _detections(path, content, images_of, notes)
        if images_of is None:
            _expect_boxes(path, numbered.values(), notes)
            return BoxFile(path, by_number=numbered, notes=tuple(notes), inputs=(path,))
        named = _names_of(images_of, numbered, path)
    elif isinstance(content, dict) and "annotations" in content and "images" in content:
        named = _annotations(path, content, notes)
    elif isinstance(content, dict):
        named = [(name, ImageBoxes(_box_array(path, name, it))) for name, it in content.items()]
    else:
        raise InputError(
            "expected COCO annotations, a COCO detection list or "
            f'{{"file.jpg": [[x, y, width, height]]}} in {path}; got something else'
        )
    # Names by their last part, so that a picture is found among few.
    _expect_boxes(path, [boxes for _, boxes in named], notes)
    by_name: dict[str, dict[PurePosixPath, ImageBoxes]] = {}
    for text, boxes in named:
        name = PurePosixPath(text.replace("\\", "/"))
        if name in by_name.setdefault(name.name, {}):
            raise InputError(f"{path}: {name} is listed more than once; join these entries")
        by_name[name.name][name] = boxes
    inputs = (path,) if images_of is None else (path, images_of)
    return BoxFile(path, by_name=by_name, notes=tuple(notes), inputs=inputs)


def _expect_boxes(path: Path, entries: Iterable[ImageBoxes], notes: Iterable[str]) -> None:
    if not any(len(entry.boxes) for entry in entries):
        why = "".join(f"; {note.removeprefix(f'{path}: ')}" for note in notes)
        raise InputError(f"expected at least one person's box in {path}, got none{why}")


def _annotations(path: Path, content: Json, notes: list[str]) -> list[tuple[str, ImageBoxes]]:
    """The boxes of the persons in annotations, with those that follow from their keypoints."""
    findings = Findings(strict=True, path=path)
    file = parse_coco(path, {"categories": [], **content}, findings)
    # The annotations of persons, where the categories mark them.
    persons = {one.id for one in file.categories if one.keypoints or one.name == "person"} | {None}
    are_marked = len(persons) > 1
    taken = [
        one
        for one in file.annotations
        if not one.iscrowd and (one.category_id in persons or not are_marked)
    ]
    note_problems(taken, findings, _USED)
    # Their boxes by picture, as given or made of the keypoints.
    sizes = {image.id: image.size for image in file.images}
    rows: dict[int | None, list[Floats]] = {image.id: [] for image in file.images}
    boxless = made = 0
    for one in taken:
        box = box_of(one, sizes.get(one.image_id))
        boxless += box is None
        made += box is not None and box is not one.box
        if box is not None:
            rows[one.image_id].append(box)
    # All that was made or left out.
    if made:
        notes.append(
            f"{path}: {made} subjects have no box with an area; theirs is the grown extent of "
            "their keypoints"
        )
    if boxless:
        notes.append(f"{path}: {boxless} subjects have no box and no keypoints; they are left out")
    if len(taken) < len(file.annotations):
        others = len(file.annotations) - len(taken)
        notes.append(f"{path}: {others} crowds or other categories than persons are left out")
    return [
        (str(image.file_name), ImageBoxes(np.reshape(rows[image.id], (-1, 4)), image.id))
        for image in file.images
    ]


def _detections(
    path: Path, content: object, images_of: Path | None, notes: list[str]
) -> dict[int, ImageBoxes]:
    # Persons are category 1, or the only category of the file.
    found = parse_detections(path, content)
    categories = {one.category_id for one in found} - {None}
    wanted = categories if len(categories) < 2 else categories & {PERSON_CATEGORY}
    if categories and not wanted:
        raise InputError(
            f"{path}: expected detections of persons, category {PERSON_CATEGORY}, got those of "
            f"{len(categories)} other categories; leave one category in it"
        )
    # Their boxes by picture.
    rows: dict[int, list[Floats]] = {}
    for one in found:
        if one.category_id is None or one.category_id in wanted:
            rows.setdefault(one.image_id, []).append(one.box)
    left_out = len(found) - sum(map(len, rows.values()))
    if left_out:
        notes.append(f"{path}: {left_out} boxes of other categories than persons are left out")
    return {number: ImageBoxes(np.stack(boxes), number) for number, boxes in rows.items()}


def _names_of(
    images_of: Path, numbered: Mapping[int, ImageBoxes], path: Path
) -> list[tuple[str, ImageBoxes]]:
    """Boxes by the names that an annotation file gives to their ids; only its images are read."""
    content = read_json(images_of, "annotations")
    parts: dict[str, list[Json]] = {"annotations": [], "categories": []}
    images = parse_coco(
        images_of,
        {**content, **parts} if isinstance(content, dict) else content,
        Findings(strict=True, path=images_of),
    ).images
    unknown = sorted(numbered.keys() - {image.id for image in images})
    if unknown:
        raise InputError(
            f"{path}: {len(unknown)} image ids are not in {images_of}, the first is {unknown[0]}; "
            "give the annotation file that these detections belong to"
        )
    nobody = np.zeros((0, 4))
    return [
        (str(image.file_name), numbered.get(image.id, ImageBoxes(nobody, image.id)))
        for image in images
        if image.id is not None
    ]


def _box_array(path: Path, where: str, rows: object) -> Floats:
    """Read boxes (N, 4) from JSON lists; their place in the picture is checked when cropped."""
    listed = [rows] if to_floats(rows, 4) is not None else rows
    boxes = [to_floats(row, 4) for row in listed] if isinstance(listed, list) else [None]
    good = [box for box in boxes if box is not None]
    if len(good) < len(boxes):
        raise InputError(
            f"{path}: expected boxes as [x, y, width, height] for {where}, finite numbers and no "
            f"NaN, got {rows!s:.80}"
        )
    return np.reshape(good, (-1, 4)).astype(np.float64)
