"""COCO AP and AR against a second computation written here, for several skeletons."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.metrics.coco import (
    COCO_METRICS,
    MAX_POSES,
    ScoredPose,
    coco_keypoint_metrics,
    most_poses,
)
from hrnet.skeleton import COCO_PERSON

THRESHOLDS = [0.5 + 0.05 * step for step in range(10)]


@dataclass(frozen=True)
class Subject:
    image_id: int
    keypoints: np.ndarray
    visibility: np.ndarray
    box_xywh: np.ndarray
    area: float
    iscrowd: bool = False


def scene(seed, points=17, images=4, people=3):
    """Subjects far from each other, and for each a prediction off by a random amount."""
    rng = np.random.default_rng(seed)
    truth, predicted = [], []
    for image in range(images):
        for person in range(people):
            corner = np.array([1000.0 * person, 10.0])
            keypoints = corner + rng.uniform(0, 100, (points, 2))
            visibility = rng.integers(0, 3, points)
            visibility[0] = 2
            box = np.array([*corner, 100.0, 100.0])
            area = float(rng.choice([2000.0, 9000.0, 12000.0]))
            truth.append(Subject(image, keypoints, visibility, box, area))
            off = rng.normal(0, rng.uniform(0.5, 8), (points, 2))
            predicted.append(ScoredPose(image, keypoints + off, float(rng.uniform())))
    return truth, predicted


def similarity(pose, subject, sigmas):
    """OKS over labelled keypoints, as the COCO page writes it."""
    values = [
        math.exp(-(math.dist(p, q) ** 2) / (2 * subject.area * (2 * sigma) ** 2))
        for p, q, visible, sigma in zip(
            pose.keypoints, subject.keypoints, subject.visibility, sigmas, strict=True
        )
        if visible > 0
    ]
    return sum(values) / len(values)


def precision_and_recall(truth, predicted, sigmas, threshold):
    """Interpolated AP at 101 recalls, and the largest recall, without ignored subjects."""
    taken, hits = set(), []
    for pose in sorted(predicted, key=lambda pose: -pose.score):
        best, match = threshold, None
        for index, subject in enumerate(truth):
            if subject.image_id == pose.image_id and index not in taken:
                value = similarity(pose, subject, sigmas)
                if value >= best:
                    best, match = value, index
        hits.append(match is not None)
        taken.add(match)
    found = np.cumsum(hits)
    recall, precision = found / len(truth), found / np.arange(1, len(hits) + 1)
    steps = [
        max((p for p, r in zip(precision, recall, strict=True) if r >= step - 1e-12), default=0.0)
        for step in np.linspace(0, 1, 101)
    ]
    return float(np.mean(steps)), float(recall[-1])


@pytest.mark.parametrize("points", [1, 17, 21])
@settings(max_examples=8)
@given(seed=st.integers(0, 2**32 - 1))
def test_equals_a_second_computation(points, seed):
    truth, predicted = scene(seed, points)
    sigmas = np.random.default_rng(seed).uniform(0.02, 0.12, points).tolist()
    ours = coco_keypoint_metrics(truth, predicted, sigmas)
    each = [precision_and_recall(truth, predicted, sigmas, limit) for limit in THRESHOLDS]
    assert ours["AP"] == pytest.approx(np.mean([ap for ap, _ in each]), abs=1e-9)
    assert ours["AR"] == pytest.approx(np.mean([ar for _, ar in each]), abs=1e-9)
    assert ours["AP50"] == pytest.approx(each[0][0], abs=1e-9)
    assert ours["AP75"] == pytest.approx(each[5][0], abs=1e-9)
    assert ours["AR50"] == pytest.approx(each[0][1], abs=1e-9)
    assert ours["AR75"] == pytest.approx(each[5][1], abs=1e-9)


def uniform_scene(similar, sigma, points=17, area=10000.0):
    """Twelve subjects whose predictions all have one OKS, under one sigma."""
    gap = math.sqrt(-2 * area * (2 * sigma) ** 2 * math.log(similar))
    truth, _ = scene(0, points)
    truth = [replace(one, area=area, visibility=np.full(points, 2)) for one in truth]
    return truth, [
        ScoredPose(one.image_id, one.keypoints + np.array([gap, 0.0]), 0.5) for one in truth
    ]


def test_the_ten_metrics_of_poses_with_one_known_similarity():
    truth, predicted = uniform_scene(0.72, sigma=0.05)
    ours = coco_keypoint_metrics(truth, predicted, [0.05] * 17)
    assert tuple(ours) == COCO_METRICS
    expected = {"AP": 0.5, "AP50": 1, "AP75": 0, "APM": -1, "APL": 0.5}
    expected |= {"AR": 0.5, "AR50": 1, "AR75": 0, "ARM": -1, "ARL": 0.5}
    assert ours == pytest.approx(expected)


def test_the_sigmas_of_the_data_set_are_used():
    truth, predicted = uniform_scene(0.72, sigma=0.05)
    assert coco_keypoint_metrics(truth, predicted, [0.2] * 17)["AP"] == pytest.approx(1.0)
    assert coco_keypoint_metrics(truth, predicted, [0.01] * 17)["AP"] == 0.0


@pytest.mark.parametrize("points", [1, 17, 21])
def test_perfect_poses(points, capsys):
    truth, _ = scene(3, points)
    predicted = [ScoredPose(one.image_id, one.keypoints, 0.9) for one in truth]
    ours = coco_keypoint_metrics(truth, predicted, [0.05] * points)
    assert ours == pytest.approx(dict.fromkeys(COCO_METRICS, 1.0))
    assert capsys.readouterr() == ("", "")


def test_no_predictions_and_no_subjects():
    truth, predicted = scene(4)
    assert coco_keypoint_metrics(truth, [], COCO_PERSON.sigmas)["AP"] == 0.0
    nothing = coco_keypoint_metrics([], [], COCO_PERSON.sigmas)
    assert nothing == dict.fromkeys(COCO_METRICS, -1.0)
    wrong = coco_keypoint_metrics([], predicted, COCO_PERSON.sigmas, image_ids=range(4))
    assert wrong["AP"] == -1.0


def test_poses_in_an_image_without_subjects_lower_precision():
    truth, _ = scene(5)
    predicted = [ScoredPose(one.image_id, one.keypoints, 0.5) for one in truth]
    ghost = ScoredPose(99, truth[0].keypoints, 0.9)
    ours = coco_keypoint_metrics(truth, [*predicted, ghost], COCO_PERSON.sigmas, image_ids=[99])
    assert ours["AR"] == 1.0
    assert ours["AP"] == pytest.approx(12 / 13)


def test_crowds_and_unlabelled_subjects_are_ignored():
    truth, _ = scene(6)
    predicted = [ScoredPose(one.image_id, one.keypoints, 0.5) for one in truth]
    crowd = replace(truth[0], iscrowd=True)
    unlabelled = replace(truth[1], visibility=np.zeros(17, dtype=int))
    ours = coco_keypoint_metrics([crowd, unlabelled, *truth[2:]], predicted, COCO_PERSON.sigmas)
    assert ours["AP"] == 1.0


def test_unknown_image_ids():
    truth, _ = scene(7)
    stray = ScoredPose(4711, truth[0].keypoints, 0.5)
    with pytest.raises(InputError, match=r"1 image ids .* the first is 4711"):
        coco_keypoint_metrics(truth, [stray], COCO_PERSON.sigmas)


def test_keypoints_must_fit_the_sigmas():
    truth, predicted = scene(8, points=16)
    with pytest.raises(InputError, match=r"shape \(17, 2\), one for each sigma, got \(16, 2\)"):
        coco_keypoint_metrics(truth, predicted, COCO_PERSON.sigmas)


@pytest.mark.parametrize("crowds", [0, 3])
def test_without_subjects_as_many_poses_count_as_in_coco(crowds):
    truth = [replace(subject, iscrowd=True) for subject in scene(0)[0][:crowds]]
    assert most_poses(truth, only_labelled=False) == MAX_POSES
