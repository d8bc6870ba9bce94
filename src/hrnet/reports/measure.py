"""Measure a run's model on labelled pictures: figures, each keypoint, the best and worst subjects.

The poses are those of `engine.evaluate` with the annotated boxes; nothing is predicted twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco import KeypointDataset, Sample
from hrnet.data.source import DataSource
from hrnet.evaluation import EvaluationResult, Progress, judge, open_model, predict_dataset
from hrnet.metrics.by_keypoint import Swaps, ap_by_keypoint, count_swaps, median_errors
from hrnet.metrics.keypoints import Floats, oks
from hrnet.predict import BATCH_SIZE
from hrnet.reports.pictures import Pair, draw_pair
from hrnet.spec import ModelSpec
from hrnet.tasks.pose.dataset import PoseDataset
from hrnet.tasks.pose.evaluation import ImagePoses, pose_limit, select_poses
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.tasks.pose.task import Pose

MAX_EXAMPLES = 12
"""At most so many of the worst and of the best subjects are shown."""


@dataclass(frozen=True, slots=True)
class KeypointFigures:
    """The figures of one keypoint; see `metrics.by_keypoint` for how the figures are defined.

    labelled: subjects that have it. ap: -1 and median_error: NaN where nobody has. swapped, of
    comparable: points that lie at the mirror partner, 0 of 0 for keypoints without one.
    """

    name: str
    labelled: int
    ap: float
    median_error: float
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
class Findings:
    """All that was measured.

    parameters, macs: of the network, for one crop. swap_rate: of all comparable points, NaN without
    any. least_labelled: examples are subjects with
    at least so many labelled keypoints. worst: the lowest OKS first. best: the highest first.
    """

    result: EvaluationResult
    parameters: int
    macs: int
    keypoints: tuple[KeypointFigures, ...]
    swap_rate: float
    least_labelled: int
    worst: tuple[Example, ...]
    best: tuple[Example, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """Each labelled subject with the pose of its own box.

    predicted, truth: (N, K, 2). scores, labelled: (N, K). areas: (N,).
    """

    samples: Sequence[Sample]
    predicted: Floats
    scores: Floats
    truth: Floats
    labelled: NDArray[np.bool_]
    areas: Floats


def measure(
    run: Path,
    *,
    data: Path,
    images: Path,
    category: str | None = None,
    flip_test: bool = False,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> Findings:
    """Look at all annotated boxes with a run's best checkpoint, and measure its poses.

    Raises InputError as `hrnet.evaluation.evaluate` does.
    """
    model, runner = open_model(run, device=device, threads=threads)
    dataset = model.task.dataset(DataSource(data, images, category=category))
    pairs = predict_dataset(
        model, dataset, flip_test=flip_test, batch_size=batch_size, progress=progress
    )
    result = judge(model, runner, dataset, pairs, flip_test=flip_test)
    assert isinstance(model.task, Pose)
    assert isinstance(dataset, PoseDataset)
    poses, keypoints = model.task.image_poses(pairs, dataset), dataset.keypoints
    matched = _match(keypoints, poses)
    skeleton = keypoints.skeleton
    swaps = count_swaps(
        matched.predicted,
        matched.truth,
        matched.labelled,
        matched.areas,
        skeleton.sigmas,
        skeleton.flip_pairs,
    )
    least = least_labelled(skeleton.num_keypoints)
    worst, best = _examples(matched, model.task.spec, least)
    parameters, macs = _cost(model.spec)
    return Findings(
        result=result,
        parameters=parameters,
        macs=macs,
        keypoints=_by_keypoint(keypoints, poses, matched, swaps),
        swap_rate=swaps.rate,
        least_labelled=least,
        worst=worst,
        best=best,
    )


def _cost(spec: ModelSpec) -> tuple[int, int]:
    """Parameters and multiply-adds; torch is loaded here, so that a page without figures does."""
    import torch

    from hrnet.models import build_network
    from hrnet.models import cost as costs

    with torch.device("meta"):  # without weights: only counted
        cost = costs.measure(build_network(spec.network), spec.input_size)
    return cost.parameters, cost.macs


def least_labelled(num_keypoints: int) -> int:
    """Return the labelled keypoints a subject needs to be shown: OKS of one or two means little."""
    return max(1, num_keypoints // 3)


def _match(dataset: KeypointDataset, poses: Sequence[ImagePoses]) -> _Matched:
    """Poses are in the order of the boxes: by image, and within an image as annotated."""
    samples = sorted(dataset.samples, key=lambda sample: sample.image_id)
    return _Matched(
        samples=samples,
        predicted=np.concatenate([image.keypoints for image in poses]).astype(np.float64),
        scores=np.concatenate([image.keypoint_scores for image in poses]).astype(np.float64),
        truth=np.stack([sample.keypoints for sample in samples]),
        labelled=np.stack([sample.visibility > 0 for sample in samples]),
        areas=np.array([sample.area for sample in samples]),
    )


def _by_keypoint(
    dataset: KeypointDataset, poses: Sequence[ImagePoses], matched: _Matched, swaps: Swaps
) -> tuple[KeypointFigures, ...]:
    skeleton = dataset.skeleton
    scored = [pose for image in poses for pose in select_poses(image, skeleton.sigmas)]
    images = dataset.image_paths
    limit = pose_limit(dataset)
    precisions = ap_by_keypoint(dataset.subjects, scored, skeleton.sigmas, images, limit)
    errors = median_errors(matched.predicted, matched.truth, matched.labelled, matched.areas)
    counts = matched.labelled.sum(axis=0)
    return tuple(
        KeypointFigures(
            name=name,
            labelled=int(counts[k]),
            ap=float(precisions[k]),
            median_error=float(errors[k]),
            swapped=int(swaps.counts[k]),
            comparable=int(swaps.comparable[k]),
        )
        for k, name in enumerate(skeleton.names)
    )


def _examples(
    matched: _Matched, spec: PoseSpec, least: int
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The worst and the best subjects by OKS, drawn; none is in both."""
    similarity = oks(
        matched.predicted,
        matched.truth,
        matched.areas,
        spec.skeleton.sigmas,
        visible=matched.labelled,
    )
    usable = np.flatnonzero(matched.labelled.sum(axis=1) >= least)
    order = usable[np.argsort(similarity[usable], kind="stable")].tolist()
    count = min(MAX_EXAMPLES, (len(order) + 1) // 2)
    worst, best = (
        tuple(_example(matched, spec, row, float(similarity[row])) for row in rows)
        for rows in (order[:count], order[count:][::-1][:count])
    )
    return worst, best


def _example(matched: _Matched, spec: PoseSpec, row: int, similarity: float) -> Example:
    sample = matched.samples[row]
    pair = Pair(sample, matched.predicted[row], matched.scores[row])
    return Example(
        image_name=sample.image_path.name,
        oks=similarity,
        labelled=int(matched.labelled[row].sum()),
        uri=draw_pair(pair, spec),
    )
