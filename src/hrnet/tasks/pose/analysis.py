"""The strengths and weaknesses of a pose model: keypoint by keypoint, subject by subject.

Each labelled subject is compared with the pose in its own annotated box. The measures are those of
`metrics.by_keypoint`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco import KeypointDataset, PoseSample
from hrnet.geometry import apply_affine, box_to_crop, crop_matrix, warp_affine
from hrnet.markup import jpeg_uri
from hrnet.metrics.by_keypoint import (
    Swaps,
    ap_by_keypoint,
    count_swaps,
    median_errors,
    pixel_errors,
)
from hrnet.metrics.keypoints import Floats, oks
from hrnet.rasters import read_view
from hrnet.tasks import Job, Result
from hrnet.tasks.pose.dataset import PoseDataset
from hrnet.tasks.pose.evaluation import ImagePoses, pose_limit, select_poses
from hrnet.tasks.pose.figures import figures_by_keypoint
from hrnet.tasks.pose.result import Poses
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.tasks.pose.task import PoseTask

SHARES = (0.5, 0.95)
"""Of the labelled points: the error in pixels that they stay below."""

MAX_EXAMPLES = 12
"""At most so many of the worst and of the best subjects are shown."""

HEIGHT_PX = 256
_GAP_PX = 4

_BOLD = 1.4
"""The lines follow the size of the box; these pictures are shown small, so theirs are wider."""

_HIDDEN_SCORE, _VISIBLE_SCORE = 0.32, 1.0
"""Scores for `Poses.draw`: an annotated but hidden keypoint has about half its colour."""


@dataclass(frozen=True, slots=True)
class KeypointMetrics:
    """The metrics of one keypoint, as `metrics.by_keypoint` defines them.

    labelled: subjects that have it. ap: -1, median_error and pixels: NaN where nobody has. pixels:
    the error that half of its points, and 95% of them, stay below. swapped, of comparable: points
    that lie at the mirror partner, 0 of 0 for keypoints without one.
    """

    name: str
    labelled: int
    ap: float
    median_error: float
    pixels: tuple[float, float]
    swapped: int
    comparable: int


@dataclass(frozen=True, slots=True)
class Example:
    """A subject that is shown: its OKS with its own truth, and the drawing as a data URI."""

    image_name: str
    oks: float
    labelled: int
    uri: str


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """Chances that keypoints are in the picture, beside the scores of their heatmaps.

    present: (N, K), True where labelled. chances, scores: (N, K), 0..1.
    """

    present: NDArray[np.bool_]
    chances: Floats
    scores: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """The strengths and weaknesses of a model on a data set.

    pixels: as of a keypoint, of all labelled points together. swap_rate: of all comparable points,
    NaN without any. least_labelled: examples are subjects with
    at least so many labelled keypoints. worst: the lowest OKS first. best: the highest first.
    presence: None for models without that output. errors: of all labelled points, in pixels.
    figures: those that the model asks for, of each keypoint.
    """

    keypoints: tuple[KeypointMetrics, ...]
    pixels: tuple[float, float]
    swap_rate: float
    least_labelled: int
    worst: tuple[Example, ...]
    best: tuple[Example, ...]
    presence: Presence | None
    errors: Floats
    figures: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """Each labelled subject with the pose of its own box.

    predicted, truth: (N, K, 2). scores, labelled: (N, K). areas: (N,). presence: (N, K), or None
    for models without that output.
    """

    samples: Sequence[PoseSample]
    predicted: Floats
    scores: Floats
    truth: Floats
    labelled: NDArray[np.bool_]
    areas: Floats
    presence: Floats | None


def analyse(task: PoseTask, pairs: Sequence[tuple[Job, Result]], dataset: PoseDataset) -> Analysis:
    """Compare the poses in all annotated boxes with the truth.

    pairs: the pictures of the data set, in order, and the poses found in them.
    """
    keypoints, skeleton = dataset.keypoints, dataset.keypoints.skeleton
    poses = task.image_poses(pairs, dataset)
    matched = _match(keypoints, poses)
    # Left and right taken for each other.
    swaps = count_swaps(
        matched.predicted,
        matched.truth,
        matched.labelled,
        matched.areas,
        skeleton.sigmas,
        skeleton.flip_pairs,
    )
    # The subjects to show.
    least = least_labelled(skeleton.num_keypoints)
    _, pixels = pixel_errors(matched.predicted, matched.truth, matched.labelled, SHARES)
    worst, best = _examples(matched, task.spec, least)
    return Analysis(
        keypoints=_by_keypoint(keypoints, poses, matched, swaps),
        pixels=(float(pixels[0]), float(pixels[1])),
        swap_rate=swaps.rate,
        least_labelled=least,
        worst=worst,
        best=best,
        presence=_presence(matched),
        errors=np.linalg.norm(matched.predicted - matched.truth, axis=-1)[matched.labelled],
        figures=figures_by_keypoint(task.spec, dataset, poses),
    )


def _presence(matched: _Matched) -> Presence | None:
    """Return the presence of all keypoints, None for models without that output."""
    if matched.presence is None:
        return None
    return Presence(matched.labelled, matched.presence, matched.scores)


def least_labelled(num_keypoints: int) -> int:
    """Return the labelled keypoints a subject needs to be shown: OKS of one or two means little."""
    return max(1, num_keypoints // 3)


def _match(dataset: KeypointDataset, poses: Sequence[ImagePoses]) -> _Matched:
    """Join subjects and poses, which are in the order of the boxes: by image, then as annotated."""
    samples = sorted(dataset.samples, key=lambda sample: sample.image_id)
    chances = [image.presence for image in poses if image.presence is not None]
    return _Matched(
        samples=samples,
        predicted=np.concatenate([image.keypoints for image in poses]).astype(np.float64),
        scores=np.concatenate([image.keypoint_scores for image in poses]).astype(np.float64),
        truth=np.stack([sample.keypoints for sample in samples]),
        labelled=np.stack([sample.visibility > 0 for sample in samples]),
        areas=np.array([sample.area for sample in samples]),
        presence=np.concatenate(chances).astype(np.float64) if chances else None,
    )


def _by_keypoint(
    dataset: KeypointDataset, poses: Sequence[ImagePoses], matched: _Matched, swaps: Swaps
) -> tuple[KeypointMetrics, ...]:
    """Compute the metrics of each keypoint, in the order of the skeleton."""
    skeleton, limit = dataset.skeleton, pose_limit(dataset)
    # AP counts the poses that the evaluation keeps, all else the pose of each subject's box.
    scored = [pose for image in poses for pose in select_poses(image, skeleton.sigmas)]
    precisions = ap_by_keypoint(
        dataset.subjects, scored, skeleton.sigmas, dataset.image_paths, limit
    )
    errors = median_errors(matched.predicted, matched.truth, matched.labelled, matched.areas)
    pixels, _ = pixel_errors(matched.predicted, matched.truth, matched.labelled, SHARES)
    counts = matched.labelled.sum(axis=0)
    return tuple(
        KeypointMetrics(
            name=name,
            labelled=int(counts[k]),
            ap=float(precisions[k]),
            median_error=float(errors[k]),
            pixels=(float(pixels[0, k]), float(pixels[1, k])),
            swapped=int(swaps.counts[k]),
            comparable=int(swaps.comparable[k]),
        )
        for k, name in enumerate(skeleton.names)
    )


def _examples(
    matched: _Matched, spec: PoseSpec, least: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Draw the worst and the best subjects by OKS; none is in both."""
    similarity = oks(
        matched.predicted,
        matched.truth,
        matched.areas,
        spec.skeleton.sigmas,
        visible=matched.labelled,
    )
    # Rows with enough labels, the lowest OKS first; equal ones stay in the order of the file.
    usable = np.flatnonzero(matched.labelled.sum(axis=1) >= least)
    order = usable[np.argsort(similarity[usable], kind="stable")].tolist()
    # Half of them at most are the worst, and the best come from the rest.
    count = min(MAX_EXAMPLES, (len(order) + 1) // 2)
    worst, best = (
        tuple(
            Example(
                image_name=matched.samples[row].image_path.name,
                oks=float(similarity[row]),
                labelled=int(matched.labelled[row].sum()),
                uri=_draw(matched, row, spec),
            )
            for row in rows
        )
        for rows in (order[:count], order[count:][::-1][:count])
    )
    return worst, best


def _draw(matched: _Matched, row: int, spec: PoseSpec) -> str:
    """Draw a predicted pose and, right of it, the annotated one, on the crop of the network.

    Returns a data URI of a JPEG of `HEIGHT_PX`.
    """
    sample = matched.samples[row]
    # The crop, by the network's padding and shape, at the size of the drawing.
    height, width = spec.input_size
    size = (HEIGHT_PX, round(HEIGHT_PX * width / height))
    matrix = crop_matrix(*box_to_crop(sample.box_xywh, size, spec.padding), size)
    crop = warp_affine(read_view(sample.image_path, spec), matrix, size)
    # Labels have no scores: visible ones are drawn in full, hidden ones paler, others not at all.
    seen = sample.visibility
    truth = np.select([seen >= 2, seen > 0], [_VISIBLE_SCORE, _HIDDEN_SCORE], 0.0)
    predicted = None if matched.presence is None else matched.presence[row][None]
    drawn = [
        Poses(
            keypoints=apply_affine(points, matrix)[None].astype(np.float32),
            keypoint_scores=scores[None].astype(np.float32),
            boxes=_BOLD * np.array([[0, 0, size[1], size[0]]], dtype=np.float32),
            scores=np.ones(1, dtype=np.float32),
            skeleton=spec.skeleton,
            image_size=size,
            presence=chances,
        ).draw(crop)
        for points, scores, chances in (
            (matched.predicted[row], matched.scores[row], predicted),
            (sample.keypoints, truth, None),
        )
    ]
    gap = np.full((HEIGHT_PX, _GAP_PX, 3), 255, dtype=np.uint8)
    return jpeg_uri(np.concatenate([drawn[0], gap, drawn[1]], axis=1))
