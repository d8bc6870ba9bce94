"""OKS sigmas from the spread of annotators who labelled the same subjects.

Source: the COCO keypoint evaluation, https://cocodataset.org/#keypoints-eval: sigma_k squared is
the mean of (d / s) squared, with d the distance of an annotator's point to the true one and s the
square root of the subject's area. OKS then divides by k = 2 * sigma. Here the true point is the
mean of the annotators', and what that hides is put back by dividing by one less than their number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Json = Mapping[str, object]

ANNOTATOR_KEYS = ("annotator", "annotator_id", "created_by")
SUBJECT_KEYS = ("subject_id", "instance_id")
"""Optional keys of an annotation, looked up in this order: who made it, and of which subject."""

SAME_SUBJECT_IOU = 0.5
"""Annotations of one image without a subject's id belong together from this overlap of boxes on."""

MIN_SUBJECTS = 10
"""A sigma is inferred for a keypoint that two annotators labelled on this many subjects."""

AREA_OF_BOX = 0.53
"""Area of a person as part of its box, where the annotations give none (the custom of mmpose)."""


@dataclass(frozen=True, slots=True)
class AnnotatorSpread:
    """What several annotators of the same subjects tell.

    sigmas: one for each of K keypoints, None where it cannot be inferred.
    subjects: for each keypoint on how many subjects two annotators or more labelled it.
    num_subjects: how many subjects have several annotators at all.
    """

    sigmas: tuple[float | None, ...]
    subjects: tuple[int, ...]
    num_subjects: int


@dataclass(frozen=True, slots=True, eq=False)
class _Labels:
    """One annotation that can be compared: who made it, points (K, 3), box (4,) xywh, area."""

    annotator: str
    subject: str | None
    points: NDArray[np.float64]
    box: NDArray[np.float64]
    area: float


def annotator_spread(annotations: Iterable[Json], num_keypoints: int) -> AnnotatorSpread:
    """Infer sigmas from the annotations of one category; whatever is malformed is passed over.

    Several annotations are of one subject if they are of the same image, have different
    annotators (`ANNOTATOR_KEYS`), and share a `SUBJECT_KEYS` value or, where they have none, have
    boxes of an IoU of `SAME_SUBJECT_IOU` or more. The pairs with the largest overlap are joined
    first, and a subject has one annotation of each annotator.
    sigma_k is the root of the sum of |point - subject's mean|^2 / area over all labelled points of
    all subjects, divided by the sum of (annotators - 1) over these subjects.
    """
    by_image: dict[str, list[_Labels]] = {}
    for annotation in annotations:
        labels = _labels(annotation, num_keypoints)
        if labels is not None:
            by_image.setdefault(str(annotation.get("image_id")), []).append(labels)
    groups = [group for labels in by_image.values() for group in _subjects(labels)]
    squares, freedom = np.zeros(num_keypoints), np.zeros(num_keypoints)
    subjects = np.zeros(num_keypoints, dtype=np.int64)
    for group in groups:
        points = np.stack([labels.points for labels in group])  # (annotators, K, 3)
        labelled = points[..., 2] > 0
        count = labelled.sum(axis=0)
        mean = (points[..., :2] * labelled[..., None]).sum(axis=0) / np.maximum(count, 1)[:, None]
        distance2 = ((points[..., :2] - mean) ** 2).sum(axis=-1) * labelled
        several = count > 1
        area = float(np.mean([labels.area for labels in group]))
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


def annotator_of(annotation: Json) -> str | None:
    """Who made an annotation, by the first of `ANNOTATOR_KEYS` that it has."""
    return _first(annotation, ANNOTATOR_KEYS)


def _first(annotation: Json, keys: Sequence[str]) -> str | None:
    return next((str(annotation[key]) for key in keys if annotation.get(key) is not None), None)


def _labels(annotation: Json, num_keypoints: int) -> _Labels | None:
    annotator = annotator_of(annotation)
    if annotator is None or annotation.get("iscrowd"):
        return None
    points = _finite(annotation.get("keypoints"), 3 * num_keypoints)
    box = _finite(annotation.get("bbox"), 4)
    if points is None or box is None or min(box[2:]) <= 0:
        return None
    given = _finite([annotation.get("area")], 1)
    area = float(given[0]) if given is not None and given[0] > 0 else AREA_OF_BOX * box[2] * box[3]
    subject = _first(annotation, SUBJECT_KEYS)
    return _Labels(annotator, subject, points.reshape(-1, 3), box, float(area))


def _finite(values: object, length: int) -> NDArray[np.float64] | None:
    """A list of so many finite numbers as an array, None for anything else."""
    if not isinstance(values, list) or len(values) != length:
        return None
    if not all(isinstance(value, int | float) for value in values):
        return None
    array = np.array(values, dtype=np.float64)
    return array if np.isfinite(array).all() else None


def _subjects(labels: Sequence[_Labels]) -> list[list[_Labels]]:
    """The subjects of one image that several annotators labelled, each with its annotations."""
    named: dict[str, dict[str, _Labels]] = {}
    for one in labels:
        if one.subject is not None:
            named.setdefault(one.subject, {}).setdefault(one.annotator, one)
    groups = [list(group.values()) for group in named.values()]
    groups += _by_overlap([one for one in labels if one.subject is None])
    return [group for group in groups if len(group) > 1]


def _by_overlap(labels: Sequence[_Labels]) -> list[list[_Labels]]:
    """Join annotations by their boxes, the largest overlap first, one of each annotator."""
    if len({one.annotator for one in labels}) < 2:
        return []
    group_of = {index: [index] for index in range(len(labels))}
    overlaps = _overlaps(np.stack([one.box for one in labels]))
    firsts, seconds = np.nonzero(np.triu(overlaps >= SAME_SUBJECT_IOU, 1))
    for pair in np.argsort(-overlaps[firsts, seconds], kind="stable"):
        first, second = group_of[int(firsts[pair])], group_of[int(seconds[pair])]
        joined = [labels[index].annotator for index in first + second]
        if first is not second and len(set(joined)) == len(joined):
            first += second
            group_of.update(dict.fromkeys(second, first))
    distinct = {id(group): group for group in group_of.values()}
    return [[labels[index] for index in group] for group in distinct.values()]


def _overlaps(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (N, N) of boxes (N, 4) xywh with an area."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    inter = np.prod(np.maximum(shared, 0), axis=-1)
    area = np.prod(boxes[:, 2:], axis=-1)
    return np.asarray(inter / (area[:, None] + area - inter))
