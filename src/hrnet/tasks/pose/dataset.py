"""Annotated subjects of a COCO keypoint file as a data set of the pose task."""

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from hrnet.data.coco import KeypointDataset, PoseSample, read_keypoints
from hrnet.data.coco_evaluation import (
    ScoredBoxes,
    annotated_boxes,
    no_boxes,
    read_detections,
)
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import is_folder, sha256_of
from hrnet.geometry import Floats, Size
from hrnet.images import expect_size
from hrnet.metrics.coco import MAX_POSES, expect_pycocotools
from hrnet.metrics.landmarks import Landmarks, expect_lengths
from hrnet.skeleton import count_subjects, of_persons
from hrnet.spec import ModelSpec
from hrnet.tasks import Job, Result
from hrnet.tasks.pose.evaluation import pose_limit
from hrnet.tasks.pose.spec import COCO_METRICS, PoseSpec


@dataclass(frozen=True, eq=False)
class PoseDataset:
    """The subjects of an annotation file, and the boxes to evaluate on.

    boxes: the detector's file, None for the annotated boxes. pages: the boxes of each image, one
    entry for each of `jobs`. left_out: detections of categories that are not evaluated on.
    detect: there are no boxes, a model's detector finds them. mm_per_pixel: of pictures that do not
    have their own.
    """

    keypoints: KeypointDataset
    boxes: Path | None
    pages: tuple[ScoredBoxes, ...]
    left_out: int
    detect: bool = False
    mm_per_pixel: float | None = None

    @property
    def path(self) -> Path:
        return self.keypoints.path

    @property
    def notes(self) -> tuple[str, ...]:
        return self.keypoints.notes

    @property
    def samples(self) -> tuple[PoseSample, ...]:
        return self.keypoints.samples

    @property
    def jobs(self) -> list[Job]:
        paths = self.keypoints.image_paths
        return [
            Job(paths[page.image_id], None if self.detect else page.boxes_xywh, index)
            for index, page in enumerate(self.pages)
        ]

    @property
    def has_own_boxes(self) -> bool:
        """True where the boxes are those of the annotations."""
        return self.boxes is None and not self.detect

    @property
    def has_head_sizes(self) -> bool:
        """True where PCKh can be measured: annotated boxes, each with a head size."""
        return self.has_own_boxes and all(one.head_size is not None for one in self.samples)

    def keep(self, job: Job, result: Result) -> Result:
        """Return the result; InputError where a picture has another size than annotated."""
        size = self._sizes.get(self.pages[job.index].image_id, result.image_size)
        expect_size(Path(str(job.image)), result.image_size, size)
        return result

    @cached_property
    def _sizes(self) -> dict[int, Size]:
        """Annotated sizes of the pictures that have samples."""
        return {sample.image_id: sample.image_size for sample in self.samples}

    def facts(self) -> dict[str, object]:
        """Return `data`, `boxes` and `metric` of the protocol.

        data: persons are the subjects that count; ignored are crowds and subjects without a
        labelled keypoint; areas_estimated are persons without an `area` that can be, which got
        `AREA_OF_BOX` of their box.
        """
        skeleton, names = self.keypoints.skeleton, self.keypoints.skeleton.names
        counted, ignored, estimated = self._counts
        return {
            "data": {
                "annotations": self.path.name,
                "sha256": sha256_of(self.path),
                "images": len(self.keypoints.image_paths),
                "persons": counted,
                "ignored": ignored,
                "areas_estimated": estimated,
                "keypoints": names,
                "flip_pairs": [(names[left], names[right]) for left, right in skeleton.flip_pairs],
                "sigmas": skeleton.sigmas,
                "sigmas_source": self.keypoints.sigmas_source,
                "notes": self.notes,
            },
            "boxes": {
                "source": self._source,
                "sha256": sha256_of(self.boxes) if self.boxes else None,
                "count": self._num_boxes,
                "left_out": self.left_out,
            },
            "metric": self._metric(),
        }

    def describe(self) -> list[str]:
        """Describe in lines the subjects, the boxes and the metric."""
        counted, ignored, estimated = self._counts
        persons = of_persons(self.keypoints.skeleton.names)
        return [
            f"data {self.path.name}: {count_subjects(counted, persons=persons)} in "
            f"{len(self.keypoints.image_paths)} images"
            + (f", {estimated} areas estimated" if estimated else "")
            + (f", {ignored} crowds or without a label" if ignored else "")
            + f", OKS sigmas: {self.keypoints.sigmas_source}",
            (
                f"boxes by {self._source}"
                if self.detect
                else f"{self._num_boxes} boxes ({self._source})"
            )
            + (f", {self.left_out} of other categories left out" if self.left_out else ""),
            self._metric(),
            *(f"note: {note}" for note in self.notes),
        ]

    def expect_labels_of(self, spec: ModelSpec) -> None:
        """Raise InputError where the annotated keypoints are not those of a model."""
        assert isinstance(spec, PoseSpec)
        _expect_same_keypoints(spec, self.keypoints)
        self._expect_lengths(spec)
        if spec.whole_images and self.has_own_boxes and not self.keypoints.whole_images:
            raise InputError(
                f"{self.path} has boxes, and {spec.name:.60} takes whole pictures; set "
                "data.whole_images=true"
            )

    def landmarks(self, found: Floats | None = None) -> Landmarks:
        """Return the true landmarks of all samples, by image, beside those found in their boxes.

        found: (N, K, 2) in pixels, in that order; None takes the true ones.
        """
        samples = sorted(self.samples, key=lambda sample: sample.image_id)
        true = np.stack([one.keypoints for one in samples])
        known = np.stack([one.visibility > 0 for one in samples])
        usual = (self.mm_per_pixel,) * 2
        return Landmarks(
            names=self.keypoints.skeleton.names,
            found=true if found is None else found,
            true=true,
            known=known,
            counted=known,
            boxes=np.array([one.extent for one in samples], np.float64),
            mm_per_pixel=np.array([one.mm_per_pixel or usual for one in samples], np.float64),
            normalisers=np.array([one.normaliser for one in samples], np.float64),
        )

    def _expect_lengths(self, spec: PoseSpec) -> None:
        """Raise InputError where figures that a model asks for cannot be computed of these data."""
        wanted = [group for group in spec.metrics if group != COCO_METRICS]
        if not wanted:
            return
        if not self.has_own_boxes:
            raise InputError(
                f"expected the annotated boxes for {wanted[0]}, which compares each subject with "
                'its own truth; take boxes=gt, or --set metrics=["coco"]'
            )
        landmarks = self.landmarks()
        for group in wanted:
            expect_lengths(str(self.path), group, landmarks)

    @property
    def _counts(self) -> tuple[int, int, int]:
        """Subjects that count, those that do not, and those with an estimated area that count."""
        subjects = self.keypoints.subjects
        counted = [one for one in subjects if one.counts]
        estimated = sum(not one.area_given for one in counted)
        return len(counted), len(subjects) - len(counted), estimated

    @property
    def _source(self) -> str:
        """Name the source of the boxes."""
        if self.has_own_boxes:
            return "whole pictures" if self.keypoints.whole_images else "gt"
        return "the model's detector" if self.boxes is None else self.boxes.name

    @property
    def _num_boxes(self) -> int:
        return sum(len(page.scores) for page in self.pages)

    def _metric(self) -> str:
        """Name the programs behind the metrics."""
        poses = pose_limit(self.keypoints)
        more = f" ({MAX_POSES} in COCO)" if poses > MAX_POSES else ""
        coco = f"pycocotools {version('pycocotools')}, {poses} poses an image{more}"
        if not self.has_head_sizes:
            return coco
        return (
            f"{coco}; PCKh of {len(self.samples)} annotated boxes by their head_size, without "
            "rescoring and suppression"
        )


def read_dataset(source: DataSource) -> PoseDataset:
    """Read a COCO keypoint file, and the detector's boxes where the source names a file of them.

    Raises InputError with one line for the first error in them.
    """
    expect_pycocotools()
    if is_folder(source.path):
        raise InputError(
            f"expected keypoints in a COCO keypoint file, got the folder {source.path}; name a "
            "file, or take a model of such data"
        )
    if source.images is None:
        raise InputError(
            f"expected the image folder of {source.path}, got none; add --images DIR (images=...)"
        )
    keypoints = read_keypoints(
        source.path, source.images, source.category, whole_images=source.whole_images
    )
    if source.detect:
        pages = [no_boxes(image_id) for image_id in keypoints.image_paths]
        return PoseDataset(keypoints, None, tuple(pages), 0, detect=True)
    if source.boxes is None:
        boxes = tuple(annotated_boxes(keypoints))
        return PoseDataset(keypoints, None, boxes, 0, mm_per_pixel=source.mm_per_pixel)
    detected, left_out = read_detections(source.boxes, keypoints)
    return PoseDataset(keypoints, source.boxes, tuple(detected), left_out)


def _expect_same_keypoints(spec: PoseSpec, dataset: KeypointDataset) -> None:
    ours, theirs = spec.skeleton.names, dataset.skeleton.names
    if ours != theirs:
        index = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), -1)
        detail = (
            f"; keypoint {index + 1} is {ours[index]}, not {theirs[index]}" if index >= 0 else ""
        )
        raise InputError(
            f"{dataset.path} has other keypoints than the model {spec.name}: {len(theirs)}, not "
            f"{len(ours)}{detail}; name data of the same keypoints in the same order"
        )
