"""Rules for annotations beyond those of the reader, and the counts of a file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from hrnet.data.coco import KeypointDataset, Subject
from hrnet.data.coco_file import CocoAnnotation, CocoFile, Floats, twice
from hrnet.data.findings import Findings
from hrnet.data.subject_boxes import clamp_box
from hrnet.geometry import Size
from hrnet.numbers import to_int

SLACK_PX = 1.0
"""A point or box may stand out by this much: some tools count pixels from edges, some from 1."""

LEAST_AREA, MOST_AREA = 0.02, 1.5
"""An area of less or more than so many times its box is far from it; a segmentation fills a part of
its box, and some tools write the box's own area."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The amounts of everything in a file.

    subjects: annotations with a labelled keypoint that are no crowd. samples: those of them that
    training takes, whose box has an area within the picture. other_categories: annotations that
    are not looked at. boxes_from_keypoints, areas_estimated: of the subjects. labelled, visible:
    for each of K keypoints the number of subjects that have it labelled, and visible.
    """

    images: int
    images_without_subjects: int
    annotations: int
    other_categories: int
    subjects: int
    samples: int
    crowds: int
    without_keypoints: int
    boxes_from_keypoints: int
    areas_estimated: int
    labelled: tuple[int, ...]
    visible: tuple[int, ...]


def check_names(file: CocoFile, findings: Findings) -> None:
    """Note annotation ids and file names that occur twice."""
    findings.warning(
        "annotation ids that occur more than once",
        twice(annotation.name for annotation in file.annotations),
        "other tools look annotations up by their id; number them anew",
    )
    findings.warning(
        "file names that occur more than once",
        twice(str(PurePosixPath(image.file_name)) for image in file.images if image.file_name),
        "parts of a split may share pictures; join these entries",
    )


def check_counts(annotations: Iterable[CocoAnnotation], findings: Findings) -> None:
    """Note annotations whose num_keypoints is not how many keypoints are labelled."""
    # Crowds and annotations that have another fault are not compared.
    wrong = []
    for one in annotations:
        labelled = 0 if one.triples is None else int((one.triples[:, 2] > 0).sum())
        if one.raw.get("num_keypoints") is not None and not one.iscrowd and not one.wrong:
            number = to_int(one.raw["num_keypoints"])
            wrong += [f"{one.name} has {labelled}"] if number != labelled else []
    findings.warning(
        "annotations whose num_keypoints is not how many are labelled",
        wrong,
        "here the labelled ones count; other tools leave out those with 0",
    )


def check_subjects(file: CocoFile, subjects: Iterable[Subject], findings: Findings) -> None:
    """Note boxes, areas and points that are not where they should be."""
    # Each rule counts the boxes or keypoints of a subject that break it.
    sizes = {image.id: image.size for image in file.images}
    placed = [(one, size) for one in subjects if one.counts and (size := sizes.get(one.image_id))]
    for what, wrong, hint in _WARNINGS:
        found = [(subject.annotation_id, wrong(subject, size)) for subject, size in placed]
        names, total = [name for name, many in found if many], sum(many for _, many in found)
        in_all = f"{total} keypoints in all; " if total > len(names) else ""
        findings.warning(what, names, in_all + hint)


def _points(subject: Subject) -> Floats:
    """Return the labelled points (N, 2) of a subject."""
    return subject.keypoints[subject.visibility > 0]


def _box_stands_out(subject: Subject, size: Size) -> int:
    if clamp_box(subject.box_xywh, size) is None:
        return 0
    low, high = subject.box_xywh[:2], subject.box_xywh[:2] + subject.box_xywh[2:]
    return bool(min(low) < -SLACK_PX or (high > np.array(size[::-1]) + SLACK_PX).any())


def _area_is_far(subject: Subject, size: Size) -> int:
    ratio = subject.area / max(1.0, float(subject.box_xywh[2:].prod()))
    return subject.area_given and not LEAST_AREA <= ratio <= MOST_AREA


def _points_leave_picture(subject: Subject, size: Size) -> int:
    return _outside(_points(subject), np.zeros(2), np.array(size[::-1]) - 1.0)


def _points_leave_box(subject: Subject, size: Size) -> int:
    box = subject.box_xywh
    return _outside(_points(subject), box[:2], box[:2] + box[2:]) if subject.box_given else 0


def _outside(points: Floats, low: Floats, high: Floats) -> int:
    return int(((points < low - SLACK_PX) | (points > high + SLACK_PX)).any(axis=1).sum())


def _at_the_corner(subject: Subject, size: Size) -> int:
    return int((_points(subject) == 0).all(axis=1).sum())


_WARNINGS: tuple[tuple[str, Callable[[Subject, Size], int], str], ...] = (
    ("boxes that stand out of the picture", _box_stands_out, "training clips them"),
    (
        f"areas below {LEAST_AREA:g} or above {MOST_AREA:g} times their box",
        _area_is_far,
        "OKS measures by them; correct them, or leave them out to have them estimated",
    ),
    (
        "subjects with labelled keypoints outside the picture",
        _points_leave_picture,
        "no crop shows them; set their visibility to 0",
    ),
    (
        "subjects with labelled keypoints outside their box",
        _points_leave_box,
        "a crop shows the box and its padding alone; widen the box",
    ),
    (
        "subjects with a labelled keypoint at (0, 0)",
        _at_the_corner,
        "that is often a missing one; set its visibility to 0",
    ),
)
"""(message, rule, hint) for labelled subjects; `rule(subject, size)` counts the faults of one, by
the size of its picture."""


def count(file: CocoFile, dataset: KeypointDataset) -> Counts:
    """Count images, annotations and the labels of each keypoint."""
    # Visibilities (subjects, K): 0 not labelled, 1 hidden, 2 visible.
    labelled = [one for one in dataset.subjects if one.counts]
    states = np.array([one.visibility for one in labelled], dtype=np.int64)
    states = states.reshape(-1, dataset.skeleton.num_keypoints)
    taken = [one for one in file.annotations if one.category_id in (dataset.category_ids | {None})]
    # The other annotations are crowds, or without a label, or of other categories.
    crowds = sum(one.iscrowd for one in taken)
    shown = {one.image_id for one in labelled}
    return Counts(
        images=len(file.images),
        images_without_subjects=sum(image.id not in shown for image in file.images),
        annotations=len(taken),
        other_categories=len(file.annotations) - len(taken),
        subjects=len(labelled),
        samples=len(dataset.samples),
        crowds=crowds,
        without_keypoints=len(taken) - crowds - len(labelled),
        boxes_from_keypoints=sum(
            not one.box_given and not dataset.whole_images for one in labelled
        ),
        areas_estimated=sum(not one.area_given for one in labelled),
        labelled=tuple((states > 0).sum(axis=0).tolist()),
        visible=tuple((states == 2).sum(axis=0).tolist()),
    )
