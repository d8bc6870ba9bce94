"""The input of a COCO evaluation: every annotated subject, and the boxes of a detector."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hrnet.data.coco import KeypointDataset
from hrnet.data.coco_file import Floats, parse_detections
from hrnet.data.findings import first_of
from hrnet.errors import InputError
from hrnet.files import read_json


@dataclass(frozen=True, slots=True, eq=False)
class ScoredBoxes:
    """The boxes to predict in one image: boxes_xywh (N, 4) in pixels, scores (N,)."""

    image_id: int
    boxes_xywh: Floats
    scores: Floats


def no_boxes(image_id: int) -> ScoredBoxes:
    """Return the boxes of an image that has none."""
    return ScoredBoxes(image_id, np.zeros((0, 4)), np.zeros(0))


def annotated_boxes(dataset: KeypointDataset) -> list[ScoredBoxes]:
    """Return the boxes of all samples, clamped as `data.coco` gives them, with score 1."""
    samples = dataset.samples
    ids = [sample.image_id for sample in samples]
    return _by_image(ids, [sample.box_xywh for sample in samples], [1.0] * len(samples))


def _by_image(
    image_ids: Sequence[int], boxes: Sequence[Floats], scores: Sequence[float]
) -> list[ScoredBoxes]:
    """Group boxes by their images, those of an image in the order in which they came."""
    # Sort by image, then cut where the id changes.
    order = np.argsort(image_ids, kind="stable")
    ids, starts = np.unique(np.array(image_ids)[order], return_index=True)
    boxes_xywh, confidence = np.array(boxes), np.array(scores)
    return [
        ScoredBoxes(int(image_id), boxes_xywh[rows], confidence[rows])
        for image_id, rows in zip(ids, np.split(order, starts[1:]), strict=True)
    ]


def read_detections(file: Path, dataset: KeypointDataset) -> tuple[list[ScoredBoxes], int]:
    """Read a detector's boxes in the COCO results form, those of the data set's categories.

    Returns them and the number of those of other categories, which are left out.
    Raises InputError with one line for another form, boxes that are NaN or have no area, boxes
    without a score, images that the data set does not hold, and where no box is left.
    """
    # The boxes of the data set's categories, each with a score.
    kept, scores, others = [], [], 0
    for number, found in enumerate(parse_detections(file, read_json(file, "detections")), 1):
        if found.category_id is None or found.category_id in dataset.category_ids:
            if found.score is None:
                raise InputError(f"{file}: detection {number}, score: expected a number, got none")
            kept.append(found)
            scores.append(found.score)
        else:
            others += 1
    if not kept:
        wanted = ", ".join(map(str, sorted(dataset.category_ids)))
        raise InputError(
            f"{file}: expected detections of category {wanted}, found none; "
            "use the category ids of the annotation file"
        )
    # All of them are of its images.
    image_ids = [one.image_id for one in kept]
    unknown = sorted(set(image_ids) - set(dataset.image_paths))
    if unknown:
        raise InputError(
            f"{file}: {len(unknown)} image ids are not in {dataset.path} "
            f"({first_of([str(one) for one in unknown])}); give the detections of these images"
        )
    return _by_image(image_ids, [one.box for one in kept], scores), others
