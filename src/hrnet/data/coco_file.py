"""The one reader of COCO's JSON: it makes typed entries of any file and notes malformed ones.

Source: https://cocodataset.org/#format-data. The use of an entry is decided elsewhere. An
annotation keeps the kinds of its faults, and `note_problems` makes findings of those annotations
that are used: one of a category that nobody trains on stops nothing.

Whole numbers may be written 1, 1.0 or "1". Backslashes in file names are separators. Keys beyond
COCO's: `crop_box`, `head_size`, `normaliser`, `mm_per_pixel` (see `data.coco`), and who labelled
which subject (`data.sigmas`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hrnet.data.findings import Findings
from hrnet.errors import InputError
from hrnet.files import read_json
from hrnet.geometry import Size
from hrnet.numbers import to_float, to_floats, to_int

Json = Mapping[str, object]
Floats = NDArray[np.float64]

ANNOTATOR_KEYS: Final = ("annotator", "annotator_id", "created_by")
SUBJECT_KEYS: Final = ("subject_id", "instance_id")
"""Optional keys of an annotation, looked up in this order: who made it, and of which subject."""

WHOLEBODY_PARTS: Final = ("foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
"""Where COCO-WholeBody keeps the points beyond COCO's 17."""

STOPS: Final = "training or evaluation would stop; correct them"

PROBLEMS: Final = {
    "id": ("annotations without an id that is a whole number", STOPS),
    "image_id": ("annotations without an image_id", STOPS),
    "unlisted": (
        "annotations of images that are not listed",
        "training would stop; add the images or remove the annotations",
    ),
    "category_id": ("annotations whose category_id is no whole number", STOPS),
    "keypoints": ("annotations whose keypoints are no flat list of finite numbers", STOPS),
    "visibility": (
        "annotations with a visibility other than 0, 1 and 2",
        "a score is no visibility: write 2 (visible), 1 (hidden) or 0 (not labelled)",
    ),
    "bbox": ("annotations without a box of four finite numbers", STOPS),
    "iscrowd": ("annotations whose iscrowd is neither 0 nor 1", STOPS),
    "crop_box": ("annotations whose crop_box is not x, y and a positive width and height", STOPS),
    "head_size": ("annotations whose head_size is not a number above 0 pixels", STOPS),
    "normaliser": ("annotations whose normaliser is not a number above 0 pixels", STOPS),
}
"""Possible faults of an annotation, by their kind: what is wrong and what to do about it."""


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An entry of images; absent values are None.

    size: (height, width). mm_per_pixel: along x and y.
    """

    id: int | None
    file_name: str | None
    size: Size | None
    mm_per_pixel: tuple[float, float] | None
    raw: Json


@dataclass(frozen=True, slots=True)
class CocoCategory:
    """An entry of categories. keypoints: its K names, none where it has no keypoints."""

    id: int | None
    name: str
    keypoints: tuple[str, ...]
    raw: Json


@dataclass(frozen=True, slots=True, eq=False)
class CocoAnnotation:
    """An entry of annotations; absent or unreadable values are None.

    name: its id, or its place in the file. category_id: None where it names none, which means the
    only one. triples: (K, 3) x, y and visibility; None where nothing is labelled. box: (4,) xywh,
    perhaps without an area. area: as given, if it is a number. wrong: keys of `PROBLEMS` with the
    detail, empty for a good one. parts: those of `WHOLEBODY_PARTS` that it has.
    """

    name: str
    id: int | None
    image_id: int | None
    category_id: int | None
    triples: Floats | None
    box: Floats | None
    area: float | None
    area_given: bool
    iscrowd: bool
    crop_box: Floats | None
    head_size: float | None
    normaliser: float | None
    annotator: str | None
    subject: str | None
    parts: tuple[str, ...]
    wrong: Mapping[str, str]
    raw: Json

    @property
    def labelled(self) -> bool:
        """True where a keypoint is labelled and it is no crowd."""
        return self.triples is not None and not self.iscrowd


@dataclass(frozen=True, slots=True, eq=False)
class CocoFile:
    """All entries of a file. raw: the content as it is."""

    path: Path
    raw: Json
    images: Sequence[CocoImage]
    categories: Sequence[CocoCategory]
    annotations: Sequence[CocoAnnotation]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """An entry of COCO's results form. box: (4,) xywh. score: None where it has none."""

    image_id: int
    category_id: int | None
    box: Floats
    score: float | None


def read_coco(path: Path, findings: Findings) -> CocoFile:
    """Read a COCO file and note malformed images and categories.

    Raises InputError with one line for a file that is not JSON or not in COCO's form at all.
    """
    return parse_coco(path, read_json(path, "annotations"), findings)


def parse_coco(path: Path, content: object, findings: Findings) -> CocoFile:
    """Read the content of a COCO file, as `read_coco`; `path` is for the messages."""
    parts = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(p), list) for p in parts):
        lacks = [p for p in parts if isinstance(content, dict) and p not in content]
        got = f"it lacks {', '.join(lacks)}" if lacks else "got something else"
        raise InputError(
            f"{path}: expected a COCO file with the lists images, annotations and categories; "
            f"{got}; `hrnet data import` reads other formats"
        )
    images, annotations, categories = (_objects(part, content[part], findings) for part in parts)
    listed = _images(images, findings)
    known = frozenset(image.id for image in listed if image.id is not None)
    return CocoFile(
        path=path,
        raw=content,
        images=listed,
        categories=[_category(one) for one in categories],
        annotations=[parse_annotation(one, n, known) for n, one in enumerate(annotations)],
    )


def _objects(part: str, entries: Sequence[object], findings: Findings) -> list[Json]:
    wrong = [f"entry {place}" for place, one in enumerate(entries) if not isinstance(one, Mapping)]
    findings.error(f"{part} that are no objects", wrong, "correct or remove them")
    return [one for one in entries if isinstance(one, Mapping)]


def _images(entries: Sequence[Json], findings: Findings) -> list[CocoImage]:
    images = [
        CocoImage(to_int(one.get("id")), _file_name(one), _size(one), _spacing(one), one)
        for one in entries
    ]
    # Without an id or a name no annotation finds its picture.
    lacking: tuple[tuple[str, list[bool]], ...] = (
        ("an id that is a whole number", [image.id is None for image in images]),
        ("a file name", [image.file_name is None for image in images]),
    )
    for what, lacks in lacking:
        found = [_named(images[place], place) for place, lack in enumerate(lacks) if lack]
        findings.error(f"images without {what}", found, "training would stop; add it")
    findings.error(
        "images whose mm_per_pixel is not one number above 0, or two for x and y",
        [
            _named(image, place)
            for place, image in enumerate(images)
            if image.mm_per_pixel is None and image.raw.get("mm_per_pixel") is not None
        ],
        STOPS,
    )
    findings.error(
        "image ids that occur more than once",
        twice(image.id for image in images if image.id is not None),
        "annotations would go to the wrong picture; number the images anew",
    )
    return images


def note_sizes(images: Sequence[CocoImage], findings: Findings) -> None:
    """Note the images without a size, which boxes alone do not need."""
    found = [_named(image, place) for place, image in enumerate(images) if image.size is None]
    findings.error("images without height and width", found, "training would stop; add it")


def twice(values: Iterable[object]) -> list[object]:
    """Return the values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def _named(image: CocoImage, place: int) -> str:
    return image.file_name or (f"image {image.id}" if image.id is not None else f"entry {place}")


def _file_name(image: Json) -> str | None:
    name = image.get("file_name")
    return name.replace("\\", "/") if isinstance(name, str) and name else None


def _size(image: Json) -> Size | None:
    height, width = to_int(image.get("height")), to_int(image.get("width"))
    return (height, width) if height and width and min(height, width) > 0 else None


def _spacing(image: Json) -> tuple[float, float] | None:
    """Return the millimetres of a pixel along x and y; None where they are missing or wrong."""
    given = image.get("mm_per_pixel")
    numbers = to_floats(given if isinstance(given, list) else [given])
    if numbers is None or len(numbers) not in (1, 2) or not (numbers > 0).all():
        return None
    return float(numbers[0]), float(numbers[-1])


def _category(entry: Json) -> CocoCategory:
    names = entry.get("keypoints")
    keypoints = tuple(map(str, names)) if isinstance(names, list) else ()
    number = to_int(entry.get("id"))
    return CocoCategory(number, str(entry.get("name", number)), keypoints, entry)


def parse_annotation(entry: Json, place: int, images: Collection[int]) -> CocoAnnotation:
    """Read an entry of annotations; images: the ids that are listed."""
    # The ids; a fault of any value is kept by its kind.
    wrong: dict[str, str] = {}
    number, image_id = to_int(entry.get("id")), to_int(entry.get("image_id"))
    category_id = to_int(entry.get("category_id"))
    if number is None:
        wrong["id"] = ""
    if image_id not in images:
        wrong["image_id" if image_id is None else "unlisted"] = ""
    if entry.get("category_id") is not None and category_id is None:
        wrong["category_id"] = ""
    return CocoAnnotation(
        name=f"entry {place}" if number is None else str(number),
        id=number,
        image_id=image_id,
        category_id=category_id,
        triples=_triples(entry.get("keypoints"), wrong),
        box=_box(entry.get("bbox"), wrong),
        area=to_float(entry.get("area")),
        area_given=entry.get("area") is not None,
        iscrowd=_crowd(entry.get("iscrowd"), wrong),
        crop_box=_crop_box(entry.get("crop_box"), wrong),
        head_size=_length("head_size", entry, wrong),
        normaliser=_length("normaliser", entry, wrong),
        annotator=_first(entry, ANNOTATOR_KEYS),
        subject=_first(entry, SUBJECT_KEYS),
        parts=tuple(part for part in WHOLEBODY_PARTS if part in entry),
        wrong=wrong,
        raw=entry,
    )


def _triples(values: object, wrong: dict[str, str]) -> Floats | None:
    """Keypoints (K, 3) where one is labelled. Zeros alone label nothing, however many there are."""
    numbers = to_floats([] if values is None else values)
    if numbers is None:
        wrong["keypoints"] = ""
    if numbers is None or not numbers.any():
        return None
    # Triples x, y, visibility; their number is checked against the category later.
    if len(numbers) % 3:
        wrong["length"] = str(len(numbers))
        return None
    given = set(numbers[2::3].tolist())
    if not given <= {0, 1, 2}:
        wrong["visibility"] = f" has {min(given - {0, 1, 2}):g}"
    return numbers.reshape(-1, 3) if given != {0} else None


def _box(values: object, wrong: dict[str, str]) -> Floats | None:
    if values is None or values == []:
        return None
    box = to_floats(values, 4)
    if box is None:
        wrong["bbox"] = ""
    return box


def _crowd(value: object, wrong: dict[str, str]) -> bool:
    number = int(value) if isinstance(value, bool) else 0 if value is None else to_int(value)
    if number not in (0, 1):
        wrong["iscrowd"] = ""
    return number == 1


def _crop_box(values: object, wrong: dict[str, str]) -> Floats | None:
    box = None if values is None else to_floats(values, 4)
    if values is not None and (box is None or min(box[2:]) <= 0):
        wrong["crop_box"] = f" has {values!r:.60}"
    return box


def _length(key: str, entry: Json, wrong: dict[str, str]) -> float | None:
    """Return a length in pixels, None where there is none."""
    value = entry.get(key)
    length = to_float(value)
    if value is not None and (length is None or length <= 0):
        wrong[key] = f" has {value!r:.60}"
    return length


def _first(entry: Json, keys: Sequence[str]) -> str | None:
    return next((str(entry[key]) for key in keys if entry.get(key) is not None), None)


def note_problems(
    annotations: Iterable[CocoAnnotation],
    findings: Findings,
    kinds: Collection[str] = PROBLEMS.keys(),
) -> None:
    """Note the faults of annotations that are used; kinds: those that matter to the use."""
    found: dict[str, list[str]] = {}
    for one in annotations:
        for kind, detail in one.wrong.items():
            found.setdefault(kind, []).append(f"{one.name}{detail}")
    for kind, (what, hint) in PROBLEMS.items():
        if kind in kinds:
            findings.error(what, found.get(kind, ()), hint)


def parse_detections(path: Path, content: object) -> list[Detection]:
    """Read COCO's results form: a list of {"image_id", "category_id", "bbox", "score"}.

    Raises InputError with one line for another form, and for boxes that are NaN or have no area.
    """
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(
            f"{path}: expected a list of detections in the COCO results form, got something else; "
            '[{"image_id": ..., "category_id": ..., "bbox": [x, y, width, height], "score": ...}]'
        )
    return [_detection(f"{path}: detection {n}", entry) for n, entry in enumerate(content, 1)]


def _detection(name: str, entry: Json) -> Detection:
    image_id, box = to_int(entry.get("image_id")), to_floats(entry.get("bbox"), 4)
    category_id, score = to_int(entry.get("category_id")), to_float(entry.get("score"))
    if image_id is None:
        got = f"{entry.get('image_id')!r:.60}"
        raise InputError(f"{name}, image_id: expected a whole number, got {got}")
    if box is None:
        got = f"{entry.get('bbox')!r:.60}"
        raise InputError(f"{name}, bbox: expected 4 finite numbers (no NaN, no text), got {got}")
    if min(box[2:]) <= 0:
        raise InputError(f"{name}: expected a box of positive width and height, got {box.tolist()}")
    for key, value in (("category_id", category_id), ("score", score)):
        if value is None and entry.get(key) is not None:
            raise InputError(f"{name}, {key}: expected a number, got {entry[key]!r:.60}")
    return Detection(image_id, category_id, box, score)
