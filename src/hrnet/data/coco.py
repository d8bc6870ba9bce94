"""The labelled subjects of a COCO keypoint file, for training and evaluation.

Source: https://cocodataset.org/#format-data, "Keypoint Detection"; the reading of the official
HRNet pose code: crowds and subjects without a labelled keypoint are left out and boxes are clamped
to the picture, ending at the last pixel's centre. Training, evaluation and `hrnet data check` share
this module; everything that it leaves out or makes up is noted with its count.

Where no annotation has a box, no picture more than one subject, and the keypoints are not those of
a published data set of persons, each whole picture is the crop of its subject. Else a box that is
missing or has no area is the grown extent of the keypoints. An area that is missing or cannot be is
a part of the box. Keys of ours may stand in an annotation: `crop_box` (x, y, width, height), which
is cropped in place of the clamped `bbox` and may stick out of the picture; `head_size` in pixels,
for PCKh; `normaliser` in pixels, for NME. An image may have `mm_per_pixel`, one number or two for x
and y.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.category import CategorySkeleton, Chosen, choose_categories, describe_category
from hrnet.data.coco_file import (
    STOPS,
    CocoAnnotation,
    CocoFile,
    CocoImage,
    Floats,
    note_problems,
    note_sizes,
    parse_coco,
)
from hrnet.data.findings import Findings
from hrnet.data.image_paths import image_paths
from hrnet.data.sigmas import AREA_OF_BOX, given_area
from hrnet.data.subject_boxes import DEFAULT_MARGIN, box_of, clamp_box
from hrnet.data.whole_images import are_whole
from hrnet.files import address_in, exists, read_json
from hrnet.geometry import Size, whole_image_box
from hrnet.skeleton import Skeleton, of_persons


@dataclass(frozen=True, slots=True, eq=False)
class PoseSample:
    """One labelled subject in one picture.

    box_xywh: (4,) pixels, the box to crop. keypoints: (K, 2) pixels. visibility: (K,) of 0 (not
    labelled), 1 (hidden) and 2 (visible). image_size: (height, width) as annotated.
    area: square pixels, see `Subject`.
    head_size, normaliser: the lengths in pixels that PCKh and NME are measured by, where the
    annotations give them. extent: (width, height) of the annotated box. mm_per_pixel: along x and
    y, None where unknown.
    """

    image_path: Path
    image_id: int
    annotation_id: int
    box_xywh: Floats
    keypoints: Floats
    visibility: NDArray[np.int64]
    image_size: Size
    area: float = nan
    head_size: float | None = None
    normaliser: float | None = None
    extent: tuple[float, float] = (nan, nan)
    mm_per_pixel: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        return f"annotation {self.annotation_id}"


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """One annotated subject as it counts in the evaluation; see `metrics.coco.TruePose`.

    Crowds and subjects without a labelled keypoint are here too, because a pose that matches one of
    them must not count as wrong; counts is False for these. The box is not clamped. box_given:
    False where it is the extent of the keypoints. area_given: False where the area is
    `AREA_OF_BOX` of the box.
    """

    annotation_id: int
    image_id: int
    keypoints: Floats
    visibility: NDArray[np.int64]
    box_xywh: Floats
    box_given: bool
    area: float
    area_given: bool
    iscrowd: bool
    counts: bool


@dataclass(frozen=True, slots=True, eq=False)
class KeypointDataset:
    """The subjects of one annotation file.

    described: the skeleton, and where its parts come from. category_ids: of the categories that
    were taken, which have the same keypoints. samples: for training. subjects: all.
    whole_images: the boxes of all samples are their whole pictures.
    notes: one line for each kind of thing that was left out or made up, with its count.
    """

    path: Path
    described: CategorySkeleton
    category_ids: frozenset[int]
    image_paths: Mapping[int, Path]
    samples: tuple[PoseSample, ...]
    subjects: tuple[Subject, ...]
    notes: tuple[str, ...]
    whole_images: bool = False

    @property
    def skeleton(self) -> Skeleton:
        return self.described.skeleton

    @property
    def sigmas_source(self) -> str:
        """Name the source of the OKS sigmas, for the evaluation's protocol."""
        return self.described.sigmas_source


def read_keypoints(
    annotations: str | Path,
    images: str | Path,
    category: str | None = None,
    *,
    whole_images: bool | None = None,
) -> KeypointDataset:
    """Read a COCO keypoint file; pictures are `images`/file_name.

    category: the name (or id) of the one to take; None takes all that have the same keypoints.
    whole_images: take each whole picture as one subject, whatever its box; None does so where there
        are no boxes, no picture has more than one subject, and these are no persons.
    Raises InputError with one line for the first error that `hrnet data check` would list, pictures
    aside.
    """
    path = Path(annotations)
    content = read_json(path, "annotations")
    return parse_keypoints(path, Path(images), content, category, whole_images=whole_images)


def parse_keypoints(
    path: Path,
    images: Path,
    content: object,
    category: str | None = None,
    *,
    whole_images: bool | None = None,
) -> KeypointDataset:
    """Read the content of a COCO keypoint file, as `read_keypoints`; `path` is for the messages."""
    findings = Findings(strict=True, path=path)
    file = parse_coco(path, content, findings)
    chosen = choose_categories(file, findings, category)
    return make_dataset(file, chosen, images, findings, whole_images=whole_images)


def make_dataset(
    file: CocoFile,
    chosen: Chosen,
    folder: Path,
    findings: Findings,
    *,
    whole_images: bool | None = None,
) -> KeypointDataset:
    """Make samples and subjects of a file's entries; unusable ones are noted and left out."""
    # Faults of the annotations, and the skeleton of their keypoints.
    note_sizes(file.images, findings)
    note_problems(chosen.annotations, findings)
    described = describe_category(chosen.raw, chosen.annotations, findings)
    names = described.skeleton.names
    note_lengths(chosen.annotations, len(names), findings)
    # Persons are found, not taken to fill their picture.
    wanted = False if whole_images is None and of_persons(names) else whole_images
    whole = are_whole(chosen.annotations, wanted, findings)
    # Subjects and samples of all that is as it should be.
    images = {one.id: one for one in file.images if one.size is not None}
    paths = image_paths(folder, file.images)
    taken, subjects, samples = [], [], []
    for one in chosen.annotations:
        image = images.get(one.image_id)
        if image is not None and not one.wrong and _length(one) in (0, 3 * len(names)):
            taken.append(one)
            subjects.append(_subject(one, image, len(names)))
            samples.append(_sample(one, image, subjects[-1], paths, whole=whole))
    _note_addresses(file.images, paths, samples, findings)
    _note_made_up(taken, subjects, findings, whole=whole)
    _note_left_out(subjects, samples, names, findings)
    return KeypointDataset(
        path=file.path,
        described=described,
        category_ids=chosen.ids,
        image_paths=paths,
        samples=tuple(sample for sample in samples if sample is not None),
        subjects=tuple(subjects),
        notes=findings.notes,
        whole_images=whole,
    )


def _length(one: CocoAnnotation) -> int:
    """Return the number of keypoint values of an annotation, 0 where nothing is labelled."""
    return int(one.wrong.get("length", 0 if one.triples is None else one.triples.size))


def note_lengths(annotations: Sequence[CocoAnnotation], count: int, findings: Findings) -> None:
    """Note the annotations that have other than `count` keypoints, or none."""
    findings.error(
        "annotations with another number of keypoint values",
        [
            f"{one.name} has {_length(one)} of {3 * count}"
            for one in annotations
            if _length(one) not in (0, 3 * count)
        ],
        STOPS,
    )


def _subject(one: CocoAnnotation, image: CocoImage, count: int) -> Subject:
    """An annotation with a box and an area, made up where it has none that can be."""
    assert one.id is not None
    assert one.image_id is not None
    assert image.size is not None
    triples = np.zeros((count, 3)) if one.triples is None else one.triples
    box, area = box_of(one, image.size), given_area(one, image.size)
    box = np.zeros(4) if box is None else box
    return Subject(
        annotation_id=one.id,
        image_id=one.image_id,
        keypoints=triples[:, :2],
        visibility=triples[:, 2].astype(np.int64),
        box_xywh=box,
        box_given=box is one.box,
        area=AREA_OF_BOX * float(box[2] * box[3]) if area is None else area,
        area_given=area is not None,
        iscrowd=one.iscrowd,
        counts=one.labelled,
    )


def _sample(
    one: CocoAnnotation,
    image: CocoImage,
    subject: Subject,
    paths: Mapping[int, Path],
    *,
    whole: bool,
) -> PoseSample | None:
    """Make a training sample; None for subjects that do not count and boxes outside the picture.

    Data sets such as MPII give the crop. Such a `crop_box` may stick out of the picture, and
    clamping would move its centre.
    """
    assert image.size is not None
    box = whole_image_box(image.size) if whole else clamp_box(subject.box_xywh, image.size)
    if box is None or not subject.counts or subject.image_id not in paths:
        return None
    return PoseSample(
        image_path=paths[subject.image_id],
        image_id=subject.image_id,
        annotation_id=subject.annotation_id,
        box_xywh=box if one.crop_box is None or whole else one.crop_box,
        keypoints=subject.keypoints,
        visibility=subject.visibility,
        image_size=image.size,
        area=subject.area,
        head_size=one.head_size,
        normaliser=one.normaliser,
        extent=(float(subject.box_xywh[2]), float(subject.box_xywh[3])),
        mm_per_pixel=image.mm_per_pixel,
    )


def _note_addresses(
    images: Sequence[CocoImage],
    paths: Mapping[int, Path],
    samples: Sequence[PoseSample | None],
    findings: Findings,
) -> None:
    used = {sample.image_id for sample in samples if sample is not None}
    named = [(one.file_name, paths[one.id]) for one in images if one.id in used and one.file_name]
    findings.error(
        "images whose file name is an address",
        [name for name, path in named if address_in(name) and not exists(path)],
        "addresses are not fetched; download the images and write their file names",
    )


def _note_made_up(
    annotations: Sequence[CocoAnnotation],
    subjects: Sequence[Subject],
    findings: Findings,
    *,
    whole: bool,
) -> None:
    counted = [(a, one) for a, one in zip(annotations, subjects, strict=True) if one.counts]
    findings.warning(
        "subjects whose box is missing or has no area",
        [annotation.name for annotation, one in counted if not one.box_given and not whole],
        f"theirs is the extent of their keypoints, grown on each side by {DEFAULT_MARGIN:g} of its "
        "longer side",
    )
    findings.warning(
        "subjects whose area cannot be",
        [annotation.name for annotation, one in counted if annotation.area_given > one.area_given],
        f"an evaluation takes {AREA_OF_BOX:g} of their box; an area is in square pixels, above 1 "
        "and within the picture's",
    )


def _note_left_out(
    subjects: Sequence[Subject],
    samples: Sequence[PoseSample | None],
    names: Sequence[str],
    findings: Findings,
) -> None:
    # Without a labelled keypoint there is nothing to judge.
    labelled = [one for one in subjects if one.counts]
    if not labelled:
        if not findings.errors:  # otherwise it follows from what is wrong
            what = "subjects with a labelled keypoint"
            findings.state("error", what, 0, "nothing can be trained or measured")
        return
    # Subjects that no crop can show.
    boxless = [
        subject.annotation_id
        for subject, sample in zip(subjects, samples, strict=True)
        if subject.counts and sample is None
    ]
    findings.warning(
        "subjects whose box has no area within the picture",
        boxless,
        "training leaves them out; correct the boxes",
    )
    if len(boxless) == len(labelled):
        what = "subjects with a labelled keypoint and a usable box"
        findings.state("error", what, 0, "nothing can be trained or measured")
    # Keypoints that are missing everywhere, and points in another unit.
    seen = np.any([one.visibility > 0 for one in labelled], axis=0)
    findings.warning(
        "keypoints that nobody labelled",
        [name for name, some in zip(names, seen.tolist(), strict=True) if not some],
        "a network cannot learn them",
    )
    within_1 = [one.annotation_id for one in labelled if _seems_normalised(one)]
    if 2 * len(within_1) > len(labelled):
        findings.error(
            "subjects whose points all lie within 0..1",
            within_1,
            "keypoints must be in pixels; multiply x by the width and y by the height",
        )


def _seems_normalised(subject: Subject) -> bool:
    points = subject.keypoints[subject.visibility > 0]
    return len(points) > 1 and bool(((points >= 0) & (points <= 1)).all())
