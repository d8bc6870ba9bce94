"""PCKh: the metrics of MPII's tables, by hand and by what must hold for any poses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.metrics.pckh import GROUPS, UNSCORED, head_sizes, pckh, pckh_metrics
from hrnet.weights.skeletons import published_skeleton

NAMES = published_skeleton("mpii").names
seeds = st.integers(0, 2**32 - 1)


def some_poses(seed, count=6):
    """Truth (count, 16, 2), what is labelled, and head sizes; every joint is labelled once."""
    rng = np.random.default_rng(seed)
    visible = rng.random((count, 16)) < 0.7
    visible[0] = True
    return rng.uniform(0, 500, (count, 16, 2)), visible, rng.uniform(20, 120, count)


def moved(truth, sizes, share, seed=0):
    """Each joint moved in a direction of its own by that share of the head size."""
    angle = np.random.default_rng(seed).uniform(0, 2 * math.pi, truth.shape[:2])
    step = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return truth + share * sizes[:, None, None] * step


def test_the_head_size_is_three_fifths_of_the_diagonal():
    np.testing.assert_allclose(head_sizes([[10, 10, 40, 50], [0, 0, 6, 8]]), [30, 6])


def test_pelvis_and_thorax_are_joints_6_and_7_of_mpii():
    assert [NAMES.index(name) for name in UNSCORED] == [6, 7]
    assert {member for group in GROUPS.values() for member in group} < set(NAMES)


def test_by_hand():
    """Two persons with head sizes 20 and 40: within 10 and 20 px; strictly within 2 and 4 px."""
    truth = np.zeros((2, 16, 2))
    predicted = np.zeros((2, 16, 2))
    predicted[0, 9] = [6.0, 8.0]  # head of the first: exactly 10, found
    predicted[1, 9] = [0.0, 20.5]  # head of the second: missed
    predicted[0, 0] = [99.0, 0.0]  # its right ankle: missed
    predicted[:, 6:8] = 1e6  # pelvis and thorax do not count
    visible = np.ones((2, 16), dtype=bool)
    visible[1, 0] = False  # the second has no right ankle
    visible[:, 13] = False  # nobody has a left shoulder, and only one has a right one
    visible[0, 12] = False
    metrics = pckh_metrics(predicted, truth, visible, [20, 40], NAMES)
    labelled = 2 * 14 - 1 - 2 - 1
    assert metrics == {
        "PCKh@0.5": pytest.approx((labelled - 2) / labelled),
        "PCKh@0.1": pytest.approx((labelled - 3) / labelled),
        "PCKh@0.5 Head": 0.5,
        "PCKh@0.5 Shoulder": 1.0,
        "PCKh@0.5 Elbow": 1.0,
        "PCKh@0.5 Wrist": 1.0,
        "PCKh@0.5 Hip": 1.0,
        "PCKh@0.5 Knee": 1.0,
        "PCKh@0.5 Ankle": 0.5,  # none of one right ankle, two of two left ones
    }


def test_the_strict_threshold_is_a_tenth():
    """The official code reads 0.11, at which these would be found."""
    truth, visible, sizes = some_poses(1)
    metrics = pckh_metrics(moved(truth, sizes, 0.105), truth, visible, sizes, NAMES)
    assert (metrics["PCKh@0.5"], metrics["PCKh@0.1"]) == (1.0, 0.0)
    usual = pckh(moved(truth, sizes, 0.105), truth, visible, sizes, NAMES, threshold=0.11)
    assert usual.mean == 1.0


@given(seeds)
def test_the_truth_is_perfect(seed):
    truth, visible, sizes = some_poses(seed)
    metrics = pckh_metrics(truth, truth, visible, sizes, NAMES)
    assert set(metrics.values()) == {1.0}
    assert len(metrics) == 2 + len(GROUPS)


@given(seeds, st.floats(0.51, 20))
def test_nothing_is_found_beyond_the_threshold(seed, share):
    truth, visible, sizes = some_poses(seed)
    metrics = pckh_metrics(moved(truth, sizes, share, seed), truth, visible, sizes, NAMES)
    assert set(metrics.values()) == {0.0}


@given(seeds, st.floats(0.05, 20))
def test_the_size_of_the_picture_does_not_matter(seed, factor):
    truth, visible, sizes = some_poses(seed)
    noise = np.random.default_rng(seed).normal(0, 30, truth.shape)
    usual = pckh_metrics(truth + noise, truth, visible, sizes, NAMES)
    scaled = pckh_metrics(factor * (truth + noise), factor * truth, visible, factor * sizes, NAMES)
    assert scaled == usual


@given(seeds)
def test_the_mean_weighs_joints_by_their_counts(seed):
    truth, visible, sizes = some_poses(seed)
    predicted = truth + np.random.default_rng(seed).normal(0, 30, truth.shape)
    hits = counted = 0
    for row in range(len(truth)):
        for joint, name in enumerate(NAMES):
            if visible[row, joint] and name not in ("pelvis", "thorax"):
                counted += 1
                hits += math.dist(predicted[row, joint], truth[row, joint]) <= 0.5 * sizes[row]
    found = pckh(predicted, truth, visible, sizes, NAMES)
    assert found.mean == pytest.approx(hits / counted)
    assert found.counts[[6, 7]].tolist() == [0, 0]


def test_what_nobody_has_is_told_by_minus_one():
    nothing = np.zeros((2, 16), dtype=bool)
    zeros = np.zeros((2, 16, 2))
    metrics = pckh_metrics(zeros, zeros, nothing, [1.0, 2.0], NAMES)
    assert set(metrics.values()) == {-1.0}
    assert not nothing.any()


def test_other_keypoints_have_the_groups_that_they_name():
    names = ("left_hip", "right_hip", "tail", "left_knee")
    points, visible = np.zeros((1, 4, 2)), np.ones((1, 4))
    metrics = pckh_metrics(points, points, visible, [10.0], names)
    assert metrics == {"PCKh@0.5": 1.0, "PCKh@0.1": 1.0, "PCKh@0.5 Hip": 1.0}


def test_wrong_input():
    points = np.zeros((1, 16, 2))
    with pytest.raises(InputError, match=r"shape \(N, 3\), one for each name, got \(1, 16\)"):
        pckh(points, points, np.ones((1, 16)), [1.0], ("a", "b", "c"))
    with pytest.raises(InputError, match="expected lengths above 0"):
        pckh(points, points, np.ones((1, 16)), [0.0], NAMES)
