"""AP, errors and swaps of single keypoints, on cases whose answers are known by hand."""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from hrnet.metrics.by_keypoint import (
    ap_by_keypoint,
    count_swaps,
    each_oks,
    median_errors,
    pixel_errors,
)
from hrnet.metrics.coco import ScoredPose, coco_keypoint_metrics

SIGMAS = (0.1, 0.1, 0.1)
AREA = 10_000.0
PAIRS = ((1, 2),)


@dataclass(frozen=True)
class Subject:
    image_id: int
    keypoints: np.ndarray
    visibility: np.ndarray
    box_xywh: np.ndarray
    area: float = AREA
    iscrowd: bool = False


def subject(image, visibility=(2, 2, 2)):
    points = np.array([[50.0, 10.0], [20.0, 60.0], [80.0, 60.0]])
    return Subject(image, points, np.array(visibility), np.array([0.0, 0.0, 100.0, 100.0]))


def off_by(value):
    """The distance in pixels at which a single keypoint has this OKS."""
    return math.sqrt(-2 * math.log(value) * AREA * (2 * SIGMAS[0]) ** 2)


def pose(image, shifts, score=0.9):
    return ScoredPose(image, subject(image).keypoints + [[0, shift] for shift in shifts], score)


def test_each_keypoint_is_judged_alone():
    truth = [subject(1), subject(2)]
    found = [pose(1, (0, off_by(0.72), 500)), pose(2, (0, off_by(0.72), 500))]
    first, second, third = ap_by_keypoint(truth, found, SIGMAS)
    assert first == pytest.approx(1.0)
    assert second == pytest.approx(0.5)  # of OKS 0.50, 0.55 ... 0.95 it reaches five
    assert third == 0.0


def test_subjects_without_the_label_are_ignored():
    truth = [subject(1), subject(2, (2, 0, 2))]
    found = [pose(1, (0, 0, 0), 0.5), pose(2, (0, 120, 0), 0.9)]
    assert ap_by_keypoint(truth, found, SIGMAS).tolist() == pytest.approx([1.0, 1.0, 1.0])
    elsewhere = [found[0], pose(2, (500, 500, 500), 0.9)]  # far from the box: COCO counts it
    assert ap_by_keypoint(truth, elsewhere, SIGMAS)[1] == pytest.approx(0.5)


def test_a_keypoint_that_nobody_has_cannot_count():
    found = ap_by_keypoint([subject(1, (2, 2, 0))], [pose(1, (0, 0, 0))], SIGMAS)
    assert found.tolist() == pytest.approx([1.0, 1.0, -1.0])


def test_poses_of_images_without_subjects_are_wrong():
    found = [pose(1, (0, 0, 0), 0.5), pose(2, (0, 0, 0), 0.9)]
    precisions = ap_by_keypoint([subject(1)], found, SIGMAS, image_ids=iter((1, 2)))
    assert precisions.tolist() == pytest.approx([0.5] * 3)


def test_of_one_keypoint_it_is_the_whole_ap():
    rng = np.random.default_rng(0)
    box, area = np.array([0.0, 0.0, 100.0, 100.0]), AREA
    truth = [Subject(i, rng.uniform(0, 100, (1, 2)), np.array([2]), box, area) for i in range(20)]
    found = [
        ScoredPose(one.image_id, one.keypoints + rng.normal(0, 15, (1, 2)), rng.uniform())
        for one in truth
    ]
    whole = coco_keypoint_metrics(truth, found, SIGMAS[:1])["AP"]
    assert 0.1 < whole < 0.9
    assert ap_by_keypoint(truth, found, SIGMAS[:1]).tolist() == [whole]


def test_pixel_errors_are_quantiles_of_the_labelled_points():
    rng = np.random.default_rng(0)
    truth, labelled = rng.uniform(0, 100, (40, 2, 2)), np.ones((40, 2), bool)
    labelled[20:, 1] = False
    gaps = rng.exponential(3, (40, 2))
    angles = rng.uniform(0, 2 * np.pi, (40, 2))
    predicted = truth + gaps[..., None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    each, every = pixel_errors(predicted, truth, labelled, (0.5, 0.95))
    assert each[:, 0] == pytest.approx(np.quantile(gaps[:, 0], (0.5, 0.95)))
    assert each[0, 1] == pytest.approx(np.median(gaps[:20, 1]))
    assert every[0] == pytest.approx(np.median(gaps[labelled]))
    each, every = pixel_errors(predicted, truth, np.zeros((40, 2), bool), (0.5,))
    assert np.isnan(each).all() and np.isnan(every).all()


def test_median_errors():
    truth = np.zeros((3, 2, 2))
    predicted = np.array([[[3.0, 4], [1, 0]], [[0, 20], [9, 9]], [[30, 40], [9, 9]]])
    labelled = np.array([[True, True], [True, False], [True, False]])
    areas = [100.0, 400.0, 2500.0]
    assert median_errors(predicted, truth, labelled, areas) == pytest.approx([1.0, 0.1])
    unseen = median_errors(predicted, truth, np.zeros((3, 2), bool), areas)
    assert np.isnan(unseen).all()


def swaps_of(points, labelled=(True, True, True), truth=None):
    truth = subject(1).keypoints if truth is None else np.array(truth)
    return count_swaps([points], [truth], [labelled], [AREA], SIGMAS, PAIRS)


def test_exchanged_sides_are_swaps():
    nose, left, right = subject(1).keypoints.tolist()
    found = swaps_of([nose, right, left])
    assert found.counts.tolist() == [0, 1, 1]
    assert found.comparable.tolist() == [0, 1, 1]
    assert found.rate == 1.0
    one = swaps_of([nose, right, right])
    assert one.counts.tolist() == [0, 1, 0]
    assert one.rate == 0.5


def test_right_and_far_points_are_no_swaps():
    nose, left, right = subject(1).keypoints.tolist()
    assert swaps_of([nose, left, right]).rate == 0.0
    far = [right[0], right[1] + off_by(0.49)]
    near = [right[0], right[1] + off_by(0.51)]
    assert swaps_of([nose, far, right]).rate == 0.0
    assert swaps_of([nose, near, right]).rate == 0.5


def test_a_point_that_fits_both_sides_is_no_swap():
    side_view = [[50, 10], [40, 60], [44, 60]]
    assert swaps_of([[50, 10], [44, 60], [40, 60]], truth=side_view).rate == 0.0


def test_swaps_need_both_labels_and_a_pair():
    nose, left, right = subject(1).keypoints.tolist()
    found = swaps_of([nose, right, left], labelled=(True, True, False))
    assert found.comparable.tolist() == [0, 0, 0]
    assert math.isnan(found.rate)
    points = np.array([[nose, right, left]])
    unpaired = count_swaps(points, [subject(1).keypoints], [[True] * 3], [AREA], SIGMAS, ())
    assert math.isnan(unpaired.rate)


def test_oks_of_single_points():
    truth = subject(1).keypoints
    moved = truth + np.array([[0, 0], [0, off_by(0.5)], [off_by(0.9), 0]])
    assert each_oks([moved], [truth], [AREA], SIGMAS)[0] == pytest.approx([1.0, 0.5, 0.9])
