"""The rules that annotations are held to, and the counts of a data set."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrnet.data.check.content import Content, ListedImage, ListedSubject, category_key
from hrnet.data.check.findings import Findings
from hrnet.data.coco import clamp_box
from hrnet.geometry import Size

SLACK_PX = 1.0
"""A point or box may stand out by this much: some tools count pixels from edges, some from 1."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is.

    subjects: annotations with a labelled keypoint that are no crowd. samples: those of them that
    training takes, whose box has an area within the picture. labelled, visible: for each of K
    keypoints the number of subjects that have it labelled, and visible.
    """

    images: int
    images_without_subjects: int
    annotations: int
    subjects: int
    samples: int
    crowds: int
    without_keypoints: int
    labelled: tuple[int, ...]
    visible: tuple[int, ...]


def check_links(content: Content, findings: Findings) -> None:
    """Ids that occur twice, and annotations of images or categories that are not listed."""
    images = [image.key for image in content.images if image.key is not None]
    findings.error(
        "image ids that occur more than once",
        _twice(images),
        "annotations would go to the wrong picture; number the images anew",
    )
    findings.warning(
        "annotation ids that occur more than once",
        _twice(subject.name for subject in content.subjects),
        "other tools look annotations up by their id; number them anew",
    )
    findings.warning(
        "file names that occur more than once",
        _twice(image.file_name for image in content.images if image.file_name),
        "parts of a split may share pictures; join these entries",
    )
    known = set(images)
    findings.error(
        "annotations of images that are not listed",
        [subject.name for subject in content.subjects if subject.image not in known],
        "training would stop; add the images or remove the annotations",
    )
    categories = content.raw["categories"]
    assert isinstance(categories, list)
    listed = {category_key(c.get("id")) for c in categories if isinstance(c, dict)}
    findings.error(
        "annotations of categories that are not listed",
        [s.name for s in content.subjects if s.category is not None and s.category not in listed],
        "training would leave them out; correct their category_id",
    )


def _twice(values: Iterable[object]) -> list[object]:
    return [value for value, count in Counter(values).items() if count > 1]


def check_subjects(content: Content, findings: Findings) -> None:
    """Boxes and points: within the picture, points within their box, visibilities known."""
    sizes = {image.key: image.size for image in content.images if image.size}
    drawn = [s for s in content.subjects if s.labelled.any()]
    placed = [(s, sizes[s.image]) for s in drawn if s.image in sizes]
    for what, wrong, hint in _WARNINGS:
        found = [(subject.name, wrong(subject, size)) for subject, size in placed]
        names, total = [name for name, many in found if many], sum(many for _, many in found)
        in_all = f"{total} keypoints in all; " if total > len(names) else ""
        findings.warning(what, names, in_all + hint)
    small = [s.name for s in drawn if _seems_normalised(s)]
    if 2 * len(small) > len(drawn):
        findings.error(
            "subjects whose points all lie within 0..1",
            small,
            "keypoints must be in pixels; multiply x by the width and y by the height",
        )


def _points(subject: ListedSubject) -> NDArray[np.float64]:
    """The labelled points (N, 2) of a subject."""
    assert subject.triples is not None
    return np.asarray(subject.triples[subject.labelled, :2])


def _box_is_empty(subject: ListedSubject, size: Size) -> int:
    return subject.box is not None and clamp_box(subject.box, size) is None


def _box_stands_out(subject: ListedSubject, size: Size) -> int:
    if subject.box is None or _box_is_empty(subject, size):
        return 0
    low, high = subject.box[:2], subject.box[:2] + subject.box[2:]
    return bool(min(low) < -SLACK_PX or (high > np.array(size[::-1]) + SLACK_PX).any())


def _points_leave_picture(subject: ListedSubject, size: Size) -> int:
    return _outside(_points(subject), np.zeros(2), np.array(size[::-1]) - 1.0)


def _points_leave_box(subject: ListedSubject, size: Size) -> int:
    if subject.box is None or min(subject.box[2:]) <= 0:
        return 0
    return _outside(_points(subject), subject.box[:2], subject.box[:2] + subject.box[2:])


def _outside(
    points: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> int:
    return int(((points < low - SLACK_PX) | (points > high + SLACK_PX)).any(axis=1).sum())


def _at_the_corner(subject: ListedSubject, size: Size) -> int:
    return int((_points(subject) == 0).all(axis=1).sum())


def _odd_visibility(subject: ListedSubject, size: Size) -> int:
    assert subject.triples is not None
    return int((~np.isin(subject.triples[:, 2], (0, 1, 2))).sum())


def _seems_normalised(subject: ListedSubject) -> bool:
    points = _points(subject)
    return len(points) > 1 and bool(((points >= 0) & (points <= 1)).all())


_WARNINGS: tuple[tuple[str, Callable[[ListedSubject, Size], int], str], ...] = (
    (
        "subjects whose box has no area within the picture",
        _box_is_empty,
        "training leaves them out; correct the boxes",
    ),
    ("boxes that stand out of the picture", _box_stands_out, "training clips them"),
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
    (
        "subjects with a visibility other than 0, 1 and 2",
        _odd_visibility,
        "it is rounded down, and 1 or more counts as labelled",
    ),
)
"""What is told of subjects with labelled keypoints: how many of them, or of their keypoints, are
so, from the subject and the picture's size."""


def count(content: Content) -> Counts:
    """Count images, annotations and what is labelled of each keypoint of the category."""
    names = len(content.names)
    sizes = {image.key: image.size for image in content.images}
    with_points = [s for s in content.subjects if s.labelled.any()]
    samples = [s for s in with_points if is_sample(content, s, sizes.get(s.image))]
    chosen = [s for s in with_points if len(s.labelled) == names]
    states = np.zeros((len(chosen), names))
    for row, subject in enumerate(chosen):
        assert subject.triples is not None
        states[row] = subject.triples[:, 2]
    crowds = sum(subject.is_crowd for subject in content.subjects)
    return Counts(
        images=len(content.images),
        images_without_subjects=_images_without(content.images, with_points),
        annotations=len(content.subjects),
        subjects=len(with_points),
        samples=len(samples),
        crowds=crowds,
        without_keypoints=len(content.subjects) - crowds - len(with_points),
        labelled=tuple((states > 0).sum(axis=0).tolist()),
        visible=tuple((states >= 2).sum(axis=0).tolist()),
    )


def is_sample(content: Content, subject: ListedSubject, size: Size | None) -> bool:
    """Whether training takes a subject: of the category, labelled, its box within the picture."""
    if size is None or subject.box is None or not subject.labelled.any():
        return False
    if subject.category is not None and subject.category not in content.keyed:
        return False
    return clamp_box(subject.box, size) is not None


def _images_without(images: Sequence[ListedImage], subjects: Sequence[ListedSubject]) -> int:
    shown = {subject.image for subject in subjects}
    return sum(image.key not in shown for image in images)
