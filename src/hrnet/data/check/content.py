"""A tolerant reading of a COCO keypoint file: whatever is malformed is noted, nothing stops it."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.check.findings import Findings
from hrnet.data.coco import load_json
from hrnet.data.sigmas import Json
from hrnet.errors import InputError
from hrnet.geometry import Size

Key = int | str
"""An id as the file has it: a number where it is one."""

_BEYOND_FLOATS = 2**53


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An entry of images; None for what it lacks."""

    key: Key | None
    file_name: str | None
    size: Size | None


@dataclass(frozen=True, slots=True, eq=False)
class ListedSubject:
    """An entry of annotations that says which image it is of.

    category: as `category_key` writes it; None where it names none, which means the only one.
    triples: (K, 3) x, y, visibility; None where it has none or they cannot be read.
    box: (4,) xywh; None where it cannot be read.
    """

    name: str
    image: Key
    category: str | None
    triples: NDArray[np.float64] | None
    box: NDArray[np.float64] | None
    is_crowd: bool

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which of the keypoints (K,) are labelled; none of a crowd's."""
        if self.triples is None or self.is_crowd:
            return np.zeros(0, dtype=bool)
        return np.asarray(self.triples[:, 2] > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """All entries that could be read. category: the one whose keypoints are checked.

    raw: the file as it is. keyed: the categories with keypoints, as `category_key` writes them.
    annotations: as they are in the file, those of the category.
    """

    path: Path
    raw: Json
    category: Json
    keyed: frozenset[str]
    images: Sequence[ListedImage]
    subjects: Sequence[ListedSubject]
    annotations: Sequence[Json]

    @property
    def names(self) -> tuple[str, ...]:
        """The K keypoint names of the category."""
        names = self.category["keypoints"]
        assert isinstance(names, list)
        return tuple(names)


def read_content(path: Path, findings: Findings) -> Content:
    """Read a COCO file and note what is malformed in it.

    Raises InputError with one line for a file that is not JSON or not in COCO's form at all.
    """
    raw = load_json(path, "annotations")
    parts = ("images", "annotations", "categories")
    lists = [raw.get(part) for part in parts] if isinstance(raw, dict) else []
    if not isinstance(raw, dict) or not all(isinstance(part, list) for part in lists):
        raise InputError(
            f"{path}: expected a COCO keypoint file with the lists images, annotations and "
            "categories; got something else; `hrnet data import` reads other formats"
        )
    images, annotations, categories = (_objects(part, raw[part], findings) for part in parts)
    counts = {category_key(c.get("id")): _keypoint_count(c, annotations) for c in categories}
    category = _chosen(categories, annotations, findings)
    known = [
        one for one in annotations if _of(one, category) and isinstance(one.get("keypoints"), list)
    ]
    return Content(
        path=path,
        raw=raw,
        category=category,
        keyed=frozenset(key for key, keypoints in counts.items() if keypoints),
        images=_images(images, findings),
        subjects=_subjects(annotations, counts, findings),
        annotations=known,
    )


def _objects(part: str, entries: Sequence[object], findings: Findings) -> list[Json]:
    wrong = [f"entry {place}" for place, one in enumerate(entries) if not isinstance(one, Mapping)]
    findings.error(f"{part} that are no objects", wrong, "correct or remove them")
    return [one for one in entries if isinstance(one, Mapping)]


def _key(value: object) -> Key | None:
    """An id as a number where it is one, as a text otherwise; None where there is none."""
    if value is None or isinstance(value, float | list | dict):
        return int(value) if isinstance(value, float) and value.is_integer() else None
    try:
        return int(str(value))
    except ValueError:
        return str(value)


def category_key(value: object) -> str:
    """A category's id as a text that is the same where training takes two ids for the same."""
    if isinstance(value, int | float):
        return repr(float(value)) if abs(value) < _BEYOND_FLOATS else repr(value)
    return json.dumps(value)


def _of(annotation: Json, category: Json) -> bool:
    if "category_id" not in annotation:
        return True
    return category_key(annotation["category_id"]) == category_key(category.get("id"))


def _keypoint_count(category: Json, annotations: Sequence[Json]) -> int:
    """K of a category: of its names or, where it has none, of most of its annotations."""
    names = category.get("keypoints")
    if isinstance(names, list) and names:
        return len(names)
    lengths: Counter[int] = Counter()
    for one in annotations:
        values = one.get("keypoints")
        if _of(one, category) and isinstance(values, list) and values and len(values) % 3 == 0:
            lengths[len(values) // 3] += 1
    return lengths.most_common(1)[0][0] if lengths else 0


def _chosen(
    categories: Sequence[Json], annotations: Sequence[Json], findings: Findings
) -> dict[str, object]:
    """The category with keypoint names and most annotations; a stand-in where none has names."""
    used = Counter(category_key(one.get("category_id")) for one in annotations)
    named = [c for c in categories if isinstance(c.get("keypoints"), list) and c["keypoints"]]
    if not named:
        findings.state(
            "error",
            "no category has keypoint names",
            "expected one",
            'training would stop; add them to the category as "keypoints": [...]',
        )
    findings.error(
        "categories with keypoint names, where one is expected",
        [c.get("name", c.get("id")) for c in named if len(named) > 1],
        "training would stop; split the file by category",
    )
    empty: Json = {}
    most = max(named or categories, key=lambda c: used[category_key(c.get("id"))], default=empty)
    names = most.get("keypoints")
    stand_ins = [f"kp_{k}" for k in range(_keypoint_count(most, annotations))]
    given = [str(name) for name in names] if isinstance(names, list) and names else stand_ins
    return {**most, "keypoints": given or ["kp_0"]}


def _images(entries: Sequence[Json], findings: Findings) -> list[ListedImage]:
    images = [
        ListedImage(
            _key(one.get("id")),
            str(one["file_name"]) if one.get("file_name") else None,
            _size(one.get("height"), one.get("width")),
        )
        for one in entries
    ]
    lacking: tuple[tuple[str, list[bool]], ...] = (
        ("an id that is a whole number", [not isinstance(i.key, int) for i in images]),
        ("a file name", [i.file_name is None for i in images]),
        ("height and width", [i.size is None for i in images]),
    )
    for what, lacks in lacking:
        found = [_named(images[place], place) for place, lack in enumerate(lacks) if lack]
        findings.error(f"images without {what}", found, "training would stop; add it")
    return images


def _named(image: ListedImage, place: int) -> str:
    return image.file_name or (f"image {image.key}" if image.key is not None else f"entry {place}")


def _size(height: object, width: object) -> Size | None:
    try:
        size = int(str(height)), int(str(width))
    except ValueError:
        return None
    return size if min(size) > 0 else None


def _subjects(
    annotations: Sequence[Json], counts: Mapping[str, int], findings: Findings
) -> list[ListedSubject]:
    no_id, no_image, lengths, numbers, boxes = [], [], [], [], []
    subjects = []
    for place, one in enumerate(annotations):
        name, image = f"entry {place}", _key(one.get("image_id"))
        category = category_key(one["category_id"]) if "category_id" in one else None
        if isinstance(_key(one.get("id")), int):
            name = str(one["id"])
        else:
            no_id.append(name)
        if image is None:
            no_image.append(name)
            continue
        count = counts.get(category, 0) if category is not None else max(counts.values(), default=0)
        box = _numbers(one.get("bbox"))
        if box is None or len(box) != 4:
            boxes.append(name)
            box = None
        triples = _numbers(one.get("keypoints") or [])
        if triples is None:
            numbers.append(name)
        elif len(triples) and count and len(triples) != 3 * count:
            lengths.append(f"{name} has {len(triples)} of {3 * count}")
            triples = None
        flat = triples if triples is not None and count and len(triples) else None
        shaped = flat.reshape(-1, 3) if flat is not None else None
        crowd = bool(one.get("iscrowd"))
        subjects.append(ListedSubject(name, image, category, shaped, box, crowd))
    stops = "training or evaluation would stop; correct them"
    findings.error("annotations without an id that is a whole number", no_id, stops)
    findings.error("annotations without an image_id", no_image, stops)
    findings.error("annotations whose keypoints are no flat list of finite numbers", numbers, stops)
    findings.error("annotations with another number of keypoint values", lengths, stops)
    findings.error("annotations without a box of four finite numbers", boxes, stops)
    return subjects


def _numbers(values: object) -> NDArray[np.float64] | None:
    """A flat list of finite numbers as an array; None for anything else."""
    if not isinstance(values, list):
        return None
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in values):
        return None
    return np.array(values, dtype=np.float64)
