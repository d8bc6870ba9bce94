"""The order and the calibration of chances."""

import numpy as np
import pytest

from hrnet.metrics.presence import Bin, area_under_curve, calibration_error, reliability


def test_the_area_is_the_share_of_pairs_in_the_right_order():
    present = [[True, False], [True, False]]
    assert area_under_curve(present, [[0.9, 0.1], [0.8, 0.2]]) == 1.0
    assert area_under_curve(present, [[0.1, 0.9], [0.2, 0.8]]) == 0.0
    assert area_under_curve(present, [[0.9, 0.1], [0.1, 0.1]]) == (2 + 0.5 + 0.5) / 4
    assert area_under_curve(present, [[0.5, 0.5], [0.5, 0.5]]) == 0.5


def test_the_area_is_that_of_all_pairs_compared_one_by_one():
    rng = np.random.default_rng(0)
    chances = rng.integers(0, 8, 60) / 8  # many are equal
    present = rng.random(60) < chances
    gap = chances[present][:, None] - chances[~present][None]
    assert area_under_curve(present, chances) == pytest.approx(((gap > 0) + (gap == 0) / 2).mean())


def test_without_both_kinds_there_is_no_area():
    assert area_under_curve([True, True], [0.1, 0.9]) == -1
    assert area_under_curve([False], [0.1]) == -1
    assert area_under_curve([], []) == -1


def test_bins_hold_the_mean_chance_and_the_share_present():
    bins = reliability([True, False, True, True], [0.32, 0.38, 0.9, 1.0])
    assert bins == [Bin(2, pytest.approx(0.35), 0.5), Bin(2, pytest.approx(0.95), 1.0)]


def test_the_calibration_error_is_the_mean_gap():
    present, chances = [True, False, True, True], [0.32, 0.38, 0.9, 1.0]
    assert calibration_error(present, chances) == pytest.approx((2 * 0.15 + 2 * 0.05) / 4)
    assert calibration_error([True] * 5, [0.0] * 5) == 1.0
    assert calibration_error([], []) == -1


def test_chances_that_hold_have_hardly_an_error():
    rng = np.random.default_rng(1)
    chances = rng.random(100_000)
    present = rng.random(100_000) < chances
    assert calibration_error(present, chances) < 0.01
    assert calibration_error(present, np.sqrt(chances)) > 0.1
