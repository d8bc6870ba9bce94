"""What a COCO evaluation compares: every annotated subject, and the boxes of a detector.

`data.coco` leaves out subjects that nothing can be learned from; an evaluation needs them, because
a pose that matches one of them must not count as wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco import KeypointDataset, load_json
from hrnet.data.sigmas import AREA_OF_BOX
from hrnet.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One annotated subject as it counts in the evaluation; see `metrics.coco.TruePose`.

    Crowds and subjects without a labelled keypoint are here too. The box is not clamped.
    area_given: False where the area is `AREA_OF_BOX` of the box.
    """

    annotation_id: int
    image_id: int
    keypoints: NDArray[np.float64]
    visibility: NDArray[np.int64]
    box_xywh: NDArray[np.float64]
    area: float
    area_given: bool
    iscrowd: bool


@dataclass(frozen=True, slots=True, eq=False)
class ScoredBoxes:
    """The boxes to look at in one image: boxes_xywh (N, 4) in pixels, scores (N,)."""

    image_id: int
    boxes_xywh: NDArray[np.float64]
    scores: NDArray[np.float64]


def read_subjects(dataset: KeypointDataset) -> list[Subject]:
    """Read all subjects of a data set's category again from its annotation file.

    Raises InputError with one line where an annotation has no box or an area that is no number.
    """
    content = load_json(dataset.path, "annotations")
    assert isinstance(content, dict)  # read_keypoints has seen this file
    return [
        _subject(f"{dataset.path}: annotation {annotation['id']}", annotation, dataset)
        for annotation in content["annotations"]
        if annotation.get("category_id", dataset.category_id) == dataset.category_id
    ]


def _subject(name: str, annotation: Mapping[str, object], dataset: KeypointDataset) -> Subject:
    shape = (dataset.skeleton.num_keypoints, 3)
    labels = annotation.get("keypoints") or np.zeros(shape)
    triples = _finite(f"{name}, keypoints", labels, shape)
    box = _finite(f"{name}, bbox", annotation.get("bbox"), (4,))
    area = annotation.get("area")
    given = area is not None
    square_px = _finite(f"{name}, area", area, ()) if given else AREA_OF_BOX * box[2] * box[3]
    return Subject(
        annotation_id=int(str(annotation["id"])),
        image_id=int(str(annotation["image_id"])),
        keypoints=triples[:, :2],
        visibility=triples[:, 2].astype(np.int64),
        box_xywh=box,
        area=float(square_px),
        area_given=given,
        iscrowd=bool(annotation.get("iscrowd")),
    )


def _finite(name: str, value: object, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return numbers of that shape, or raise InputError that names where they stand."""
    expected = f"{int(np.prod(shape))} finite numbers" if shape else "a finite number"
    try:
        numbers = np.asarray(value, dtype=np.float64).reshape(shape)
    except (TypeError, ValueError):
        raise InputError(f"{name}: expected {expected}, got {value!r:.60}") from None
    if not np.isfinite(numbers).all():
        raise InputError(f"{name}: expected {expected}, got NaN or infinity")
    return numbers


def annotated_boxes(dataset: KeypointDataset) -> list[ScoredBoxes]:
    """Return the boxes of all samples, clamped as `data.coco` gives them, with score 1."""
    samples = dataset.samples
    ids = [sample.image_id for sample in samples]
    return _by_image(ids, [sample.box_xywh for sample in samples], [1.0] * len(samples))


def _by_image(
    image_ids: Sequence[int], boxes: Sequence[NDArray[np.float64]], scores: Sequence[float]
) -> list[ScoredBoxes]:
    """Group boxes by their images, those of an image in the order in which they came."""
    order = np.argsort(image_ids, kind="stable")
    ids, starts = np.unique(np.array(image_ids)[order], return_index=True)
    boxes_xywh, confidence = np.array(boxes), np.array(scores)
    return [
        ScoredBoxes(int(image_id), boxes_xywh[rows], confidence[rows])
        for image_id, rows in zip(ids, np.split(order, starts[1:]), strict=True)
    ]


def read_detections(file: Path, dataset: KeypointDataset) -> list[ScoredBoxes]:
    """Read a detector's boxes in the COCO results form, those of the data set's category.

    The file is a list of {"image_id", "category_id", "bbox": [x, y, width, height], "score"}.
    Raises InputError with one line for another form, boxes that are NaN or have no area, images
    that the data set does not hold, and where no box is left.
    """
    entries = load_json(file, "detections")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(
            f"{file}: expected a list of detections in the COCO results form, "
            '[{"image_id": ..., "category_id": ..., "bbox": [x, y, width, height], "score": ...}]'
        )
    kept = [
        _detection(f"{file}: detection {number}", entry)
        for number, entry in enumerate(entries, 1)
        if entry.get("category_id", dataset.category_id) == dataset.category_id
    ]
    if not kept:
        raise InputError(
            f"{file}: expected detections of category {dataset.category_id}, found none; "
            "use the category ids of the annotation file"
        )
    image_ids, boxes, scores = zip(*kept, strict=True)
    _expect_known(file, image_ids, dataset)
    return _by_image(image_ids, boxes, scores)


def _detection(name: str, entry: Mapping[str, object]) -> tuple[int, NDArray[np.float64], float]:
    missing = [key for key in ("image_id", "bbox", "score") if key not in entry]
    if missing:
        raise InputError(f"{name}: expected image_id, bbox and score, it lacks {missing}")
    image_id = _finite(f"{name}, image_id", entry["image_id"], ())
    box = _finite(f"{name}, bbox", entry["bbox"], (4,))
    if min(box[2:]) <= 0:
        raise InputError(f"{name}: expected a box of positive width and height, got {box.tolist()}")
    return int(image_id), box, float(_finite(f"{name}, score", entry["score"], ()))


def _expect_known(file: Path, image_ids: Sequence[int], dataset: KeypointDataset) -> None:
    unknown = sorted(set(image_ids) - set(dataset.image_paths))
    if unknown:
        raise InputError(
            f"{file}: {len(unknown)} image ids are not in {dataset.path} "
            f"({', '.join(map(str, unknown[:5]))}{', ...' if len(unknown) > 5 else ''}); "
            "give the detections of these images"
        )
