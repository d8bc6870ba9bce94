"""OKS sigmas from the spread of annotators who labelled the same subjects.

Source: the COCO keypoint evaluation, https://cocodataset.org/#keypoints-eval: sigma_k squared is
the mean of (d / s) squared, with d the distance of an annotator's point to the true one and s the
square root of the subject's area. OKS then divides by k = 2 * sigma. The true point is estimated by
the annotators' mean, so the sum is divided by n - 1 for n annotators (Bessel's correction).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco_file import CocoAnnotation, Floats
from hrnet.geometry import Size

SAME_SUBJECT_IOU = 0.5
"""Annotations of one image without a subject's id belong together from this overlap of boxes on."""

MIN_SUBJECTS = 10
"""A sigma is inferred for a keypoint that two annotators labelled on this many subjects."""

AREA_OF_BOX = 0.53
"""Area of a person as part of its box, where the annotations give none (the custom of mmpose)."""


def given_area(annotation: CocoAnnotation, size: Size | None = None) -> float | None:
    """Return an annotation's area in square pixels, None where it has none that can be.

    A single pixel or less is no subject, and nothing is larger than its picture of (height, width).
    """
    area, most = annotation.area, np.inf if size is None else float(size[0]) * size[1]
    return area if area is not None and 1 < area <= most else None


@dataclass(frozen=True, slots=True)
class AnnotatorSpread:
    """The spread among several annotators of the same subjects.

    sigmas: one for each of K keypoints, None where it cannot be inferred.
    subjects: for each keypoint on how many subjects two annotators or more labelled it.
    num_subjects: how many subjects have several annotators at all.
    """

    sigmas: tuple[float | None, ...]
    subjects: tuple[int, ...]
    num_subjects: int


def annotator_spread(annotations: Iterable[CocoAnnotation], num_keypoints: int) -> AnnotatorSpread:
    """Infer sigmas from the annotations of one category; malformed ones are ignored.

    Several annotations are of one subject if they are of the same image, have different
    annotators, and share the subject's id or, where they have none, have boxes of an IoU of
    `SAME_SUBJECT_IOU` or more. The pairs with the largest overlap are joined first, and a subject
    has one annotation of each annotator.
    """
    # Groups of annotations of one subject, found within each image.
    by_image: dict[int | None, list[CocoAnnotation]] = {}
    for annotation in annotations:
        if _comparable(annotation, num_keypoints):
            by_image.setdefault(annotation.image_id, []).append(annotation)
    groups = [group for labels in by_image.values() for group in _subjects(labels)]
    # sigma_k^2 = sum(|point - subject's mean|^2 / area) / sum(annotators - 1), over the subjects on
    # which two or more labelled keypoint k.
    squares, freedom = np.zeros(num_keypoints), np.zeros(num_keypoints)
    subjects = np.zeros(num_keypoints, dtype=np.int64)
    for group in groups:
        points = np.stack([_part(one.triples) for one in group])  # (annotators, K, 3)
        labelled = points[..., 2] > 0
        count = labelled.sum(axis=0)
        mean = (points[..., :2] * labelled[..., None]).sum(axis=0) / np.maximum(count, 1)[:, None]
        distance2 = ((points[..., :2] - mean) ** 2).sum(axis=-1) * labelled
        # One annotator has no spread.
        several = count > 1
        area = float(np.mean([_area(one) for one in group]))
        squares += np.where(several, distance2.sum(axis=0) / area, 0)
        freedom += np.where(several, count - 1, 0)
        subjects += several
    sigmas = np.sqrt(squares / np.maximum(freedom, 1))
    known = (subjects >= MIN_SUBJECTS) & (sigmas > 0)
    return AnnotatorSpread(
        sigmas=tuple(float(s) if k else None for s, k in zip(sigmas, known, strict=True)),
        subjects=tuple(subjects.tolist()),
        num_subjects=len(groups),
    )


def _comparable(one: CocoAnnotation, num_keypoints: int) -> bool:
    has_area = one.box is not None and min(one.box[2:]) > 0
    fits = one.triples is not None and len(one.triples) == num_keypoints
    return one.annotator is not None and not one.iscrowd and fits and has_area


def _part(values: Floats | None) -> Floats:
    assert values is not None  # of what is `_comparable`
    return values


def _area(one: CocoAnnotation) -> float:
    width, height = _part(one.box)[2:].tolist()
    return given_area(one) or AREA_OF_BOX * width * height


def _subjects(labels: Sequence[CocoAnnotation]) -> list[list[CocoAnnotation]]:
    """The subjects of one image that several annotators labelled, each with its annotations."""
    named: dict[str, dict[str | None, CocoAnnotation]] = {}
    for one in labels:
        if one.subject is not None:
            named.setdefault(one.subject, {}).setdefault(one.annotator, one)
    groups = [list(group.values()) for group in named.values()]
    groups += _by_overlap([one for one in labels if one.subject is None])
    return [group for group in groups if len(group) > 1]


def _by_overlap(labels: Sequence[CocoAnnotation]) -> list[list[CocoAnnotation]]:
    """Join annotations by their boxes, the largest overlap first, one of each annotator."""
    if len({one.annotator for one in labels}) < 2:
        return []
    # Every annotation is a group at first; pairs join groups in the order of their overlap.
    group_of = {index: [index] for index in range(len(labels))}
    overlaps = _overlaps(np.stack([_part(one.box) for one in labels]))
    firsts, seconds = np.nonzero(np.triu(overlaps >= SAME_SUBJECT_IOU, 1))
    for pair in np.argsort(-overlaps[firsts, seconds], kind="stable"):
        first, second = group_of[int(firsts[pair])], group_of[int(seconds[pair])]
        joined = [labels[index].annotator for index in first + second]
        if first is not second and len(set(joined)) == len(joined):
            first += second
            group_of.update(dict.fromkeys(second, first))
    # Several annotations share one list now; each list counts once.
    distinct = {id(group): group for group in group_of.values()}
    return [[labels[index] for index in group] for group in distinct.values()]


def _overlaps(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (N, N) of boxes (N, 4) xywh with an area."""
    # IoU = intersection / (area + area - intersection)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    inter = np.prod(np.maximum(shared, 0), axis=-1)
    area = np.prod(boxes[:, 2:], axis=-1)
    return np.asarray(inter / (area[:, None] + area - inter))
