"""The six methods of pose: boxes to crops, heatmaps to keypoints, subjects to AP.

    boxes --crop_matrices--> matrices --warp_affine--> crops --network--> heatmaps
    --codec.decode--> points in the crop --inverse matrix--> keypoints in pixels of the picture

Source: the official HRNet pose code (Sun et al. 2019); the crop is `geometry.box_to_crop`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from hrnet.codecs.heatmap import flip_heatmaps
from hrnet.codecs.spread import map_covariances
from hrnet.data.source import DataSource
from hrnet.geometry import (
    Floats,
    Picture,
    Size,
    invert_affine,
    warp_affine,
    whole_image_box,
    xywh_to_xyxy,
    xyxy_to_xywh,
)
from hrnet.spec import ModelSpec
from hrnet.tasks import (
    Crop,
    Dataset,
    Job,
    Outputs,
    Regions,
    Result,
    Sample,
    Task,
    TaskParts,
    expect_outputs,
)
from hrnet.tasks.pose.crops import check_boxes, cut_crops, to_picture
from hrnet.tasks.pose.ellipses import fitted, shares
from hrnet.tasks.pose.found import crop_areas, keep_poses
from hrnet.tasks.pose.result import Poses
from hrnet.tasks.pose.spec import PoseSpec

if TYPE_CHECKING:
    from hrnet.config import Experiment
    from hrnet.data.coco_evaluation import ScoredBoxes
    from hrnet.tasks.pose.dataset import PoseDataset
    from hrnet.tasks.pose.evaluation import ImagePoses


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """What was found in one crop.

    keypoints: (K, 2), pixels of the picture. scores: (K,), 0..1. presence: (K,), 0..1, None for
    models without that output. covariances: (K, 2, 2), square pixels, None for models without.
    """

    keypoints: NDArray[np.float32]
    scores: NDArray[np.float32]
    presence: NDArray[np.float32] | None
    covariances: NDArray[np.float32] | None


class PosePage:
    """A picture with its boxes, and the keypoints that have come in so far."""

    def __init__(self, image: Picture, boxes: ArrayLike | Regions | None, spec: PoseSpec) -> None:
        self._image: Picture | None = image  # until the last crop is cut
        self._image_size: Size = (image.shape[0], image.shape[1])
        self._spec = spec
        self._found = boxes if isinstance(boxes, Regions) else None
        self._boxes_given = boxes is not None
        given = boxes.boxes_xywh if isinstance(boxes, Regions) else boxes
        self._boxes: Floats = (
            whole_image_box(self._image_size)[None]
            if given is None
            else check_boxes(given, self._image_size)
        )
        self._parts: list[Located] = []

    def crops(self) -> Iterator[Crop]:
        """Cut the crop of each box."""
        assert self._image is not None
        for pixels, matrix in cut_crops(self._image, self._boxes, self._spec):
            yield Crop(self, pixels, matrix)
        self._image = None

    def add(self, part: object) -> None:
        """Take the keypoints of the next crop."""
        self._parts.append(cast(Located, part))  # as `postprocess` gave it

    @property
    def done(self) -> bool:
        return len(self._parts) == len(self._boxes)

    def result(self) -> Poses:
        """Join the keypoints of all boxes; a subject's score is the mean of its keypoints'.

        Poses in a detector's boxes are rescored and sorted, and near copies are left out, see
        `keep_poses`.
        """
        count, points = len(self._boxes), self._spec.skeleton.num_keypoints
        keypoints = np.array([part.keypoints for part in self._parts], np.float32)
        scores = np.array([part.scores for part in self._parts], np.float32).reshape(count, points)
        presence = None
        if self._spec.network.presence:
            chances = np.array([part.presence for part in self._parts], np.float32)
            presence = chances.reshape(count, points)
        covariances = None
        if self._spec.spread is not None:
            ellipses = np.array([part.covariances for part in self._parts], np.float32)
            covariances = ellipses.reshape(count, points, 2, 2)
        poses = Poses(
            keypoints=keypoints.reshape(count, points, 2),
            keypoint_scores=scores,
            boxes=xywh_to_xyxy(self._boxes).astype(np.float32),
            scores=scores.mean(axis=1),
            skeleton=self._spec.skeleton,
            image_size=self._image_size,
            boxes_given=self._boxes_given,
            presence=presence,
            covariances=covariances,
        )
        return poses if self._found is None else keep_poses(poses, self._found, self._spec)


class PoseTask:
    """Top-down pose estimation: each box of a picture is one subject.

    The parts for labelled data are imported where they are used: predicting starts without them.
    """

    def __init__(self, spec: ModelSpec, experiment: "Experiment | None" = None) -> None:
        assert isinstance(spec, PoseSpec)
        self._spec = spec
        self._experiment = experiment

    @property
    def spec(self) -> PoseSpec:
        return self._spec

    def preprocess(self, image: Picture, boxes: ArrayLike | Regions | None) -> PosePage:
        """Open a picture with its boxes; None takes the whole picture as one subject."""
        return PosePage(image, boxes, self.spec)

    def unflip(self, outputs: Outputs) -> Outputs:
        """Mirror heatmaps back, and move them by one pixel unless the codec is unbiased.

        That is the official SHIFT_HEATMAP; UDP, section 3, makes it needless.
        """
        heatmaps, *presence = self._expect_fit(outputs)
        shift, order = not self.spec.heatmap_codec.unbiased, self.spec.skeleton.flip_order
        mirrored = (chances[:, list(order)] for chances in presence)
        return (flip_heatmaps(heatmaps, order, shift=shift), *mirrored)

    def postprocess(self, outputs: Outputs, crops: Sequence[Crop]) -> Iterable[Located]:
        """Read the keypoints and their scores from the heatmaps of each crop."""
        heatmaps, *presence = self._expect_fit(outputs, len(crops))
        points, scores = self.spec.heatmap_codec.decode(heatmaps)
        matrices = np.stack([crop.matrix for crop in crops])
        located = to_picture(points, matrices, self.spec)
        chances = presence[0] if presence else [None] * len(crops)
        ellipses = self._ellipses(heatmaps, points, invert_affine(matrices))
        # a heatmap may peak above 1
        parts = zip(located, scores.clip(0, 1), chances, ellipses, strict=True)
        return (Located(*part) for part in parts)

    def _ellipses(
        self, heatmaps: NDArray[np.float32], points: Floats, back: Floats
    ) -> Sequence[NDArray[np.float32] | None]:
        """Return the covariances (K, 2, 2) of the keypoints of each crop, in pixels of the picture.

        points: (N, K, 2) in crop pixels. back: (N, 2, 3), from crop to picture.
        """
        if self.spec.spread is None:
            return [None] * len(heatmaps)
        codec, (scale, floor) = self.spec.heatmap_codec, self.spec.spread
        wider = map_covariances(heatmaps, points / codec.stride, codec.sigma)
        own = scale * wider + floor * np.eye(2)
        # J S J^T, with J from heatmap pixels to those of the picture
        turn = (back[:, :, :2] * codec.stride)[:, None]
        found: NDArray[np.float32] = (turn @ own @ turn.swapaxes(-1, -2)).astype(np.float32)
        return list(found)

    @staticmethod
    def dataset(source: DataSource) -> "PoseDataset":
        """Read a COCO keypoint file, see `tasks.pose.dataset`."""
        from hrnet.tasks.pose.dataset import read_dataset

        return read_dataset(source)

    def batch(
        self, samples: Sequence[Sample], pictures: Sequence[Picture], rngs: Sequence[Generator]
    ) -> tuple[Picture, dict[str, NDArray[np.float32]]]:
        """Draw a crop of each sample; return crops (N, H, W, C) and targets.

        The targets are rows (N, K, h) and columns (N, K, w), whose products are the heatmaps, and
        weights (N, K) of the keypoints; for a presence output also present (N, K), 1 for what is
        labelled and in the crop, and presence_weights.
        """
        from hrnet.data.augment import distort
        from hrnet.data.coco import PoseSample
        from hrnet.tasks.pose.augment import draw_crop
        from hrnet.tasks.pose.config import NO_AUGMENTATION, PoseExperiment
        from hrnet.tasks.pose.face_augment import draw_faces

        spec, codec, augmentation = self.spec, self.spec.heatmap_codec, NO_AUGMENTATION
        presence_weight = 1.0
        if isinstance(self._experiment, PoseExperiment):
            augmentation = self._experiment.augmentation
            presence_weight = self._experiment.train.presence_weight
        if spec.codec == "face":
            return draw_faces(samples, pictures, rngs, spec=spec, augmentation=augmentation)
        crops, points, weights = [], [], []
        for sample, picture, rng in zip(samples, pictures, rngs, strict=True):
            assert isinstance(sample, PoseSample)
            matrix, located, weight = draw_crop(sample, spec, augmentation=augmentation, rng=rng)
            crop = warp_affine(picture, matrix, spec.input_size)
            crops.append(distort(crop, augmentation, rng))
            points.append(located)
            weights.append(weight)
        rows, columns, kept = codec.encode_profiles(np.stack(points), np.stack(weights))
        targets = {"rows": rows, "columns": columns, "weights": kept}
        if spec.network.presence:
            size = np.array(spec.input_size[::-1])
            inside = ((np.stack(points) > -0.5) & (np.stack(points) < size - 0.5)).all(axis=2)
            targets["present"] = ((kept > 0) & inside).astype(np.float32)
            targets["presence_weights"] = np.full_like(kept, presence_weight)
        return np.stack(crops), targets

    def evaluate(self, pairs: Sequence[tuple[Job, Result]], dataset: Dataset) -> dict[str, float]:
        """Compute the figures that the model asks for; without any, COCO's.

        COCO's ten metrics come after PCKh where each annotated box has a head size. In annotated
        boxes the figures of presence and ellipses come last, where the model has them.
        """
        from hrnet.tasks.pose.dataset import PoseDataset
        from hrnet.tasks.pose.evaluation import presence_figures
        from hrnet.tasks.pose.figures import asked_figures

        assert isinstance(dataset, PoseDataset)
        found = self.image_poses(pairs, dataset)
        metrics = asked_figures(self.spec, dataset, found)
        if not dataset.has_own_boxes:
            return metrics
        presence = presence_figures(dataset.keypoints, found)
        return metrics | presence | shares(pairs, dataset, self.spec)

    def image_poses(
        self, pairs: Sequence[tuple[Job, Result]], dataset: "PoseDataset"
    ) -> "list[ImagePoses]":
        """Join the poses of each image with the boxes that they were found in."""
        return [self._joined(dataset.pages[job.index], poses) for job, poses in pairs]

    def _joined(self, page: "ScoredBoxes", poses: Result) -> "ImagePoses":
        from hrnet.tasks.pose.evaluation import ImagePoses

        assert isinstance(poses, Poses)
        boxes: Floats = page.boxes_xywh
        box_scores: Floats = page.scores
        if poses.box_scores is not None:  # of the model's own detector
            boxes, box_scores = xyxy_to_xywh(poses.boxes), poses.box_scores
        return ImagePoses(
            image_id=page.image_id,
            keypoints=poses.keypoints,
            keypoint_scores=poses.keypoint_scores,
            box_scores=box_scores,
            areas=crop_areas(boxes, self.spec),
            presence=poses.presence,
        )

    def _expect_fit(self, outputs: Outputs, count: int | None = None) -> Outputs:
        """Return outputs that are finite and of `count` crops; InputError for others."""
        count = len(outputs[0]) if count is None else count
        codec, points = self.spec.heatmap_codec, self.spec.skeleton.num_keypoints
        presence = [(count, points)] if self.spec.network.presence else []
        expect_outputs(outputs, [(count, points, *codec.heatmap_size), *presence])
        return outputs


def _details(
    task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
) -> dict[str, object]:
    """Return the figures of each keypoint, where the model asks for any: `by_keypoint`."""
    from hrnet.tasks.pose.dataset import PoseDataset
    from hrnet.tasks.pose.figures import figures_by_keypoint

    assert isinstance(task, PoseTask)
    assert isinstance(dataset, PoseDataset)
    each = figures_by_keypoint(task.spec, dataset, task.image_poses(pairs, dataset))
    return {"by_keypoint": each} if each else {}


TASK = TaskParts(
    name="pose",
    make=PoseTask,
    spec=PoseSpec,
    settings="hrnet.tasks.pose.config",
    network="hrnet.tasks.pose.network",
    sections="hrnet.tasks.pose.sections",
    results="keypoints",
    without_boxes="no boxes given: each whole image was taken as one subject",
    hub_tag="keypoint-detection",
    fitted=fitted,
    details=_details,
)
