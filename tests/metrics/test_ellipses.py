"""Ellipses: axes by hand, shares by their definition, and a fit that finds what made the errors."""

import math

import numpy as np
import pytest

from hrnet.errors import InputError
from hrnet.metrics.ellipses import (
    distances,
    ellipses_of,
    fit_ellipses,
    limit_of,
    shares_within,
)


def test_axes_by_hand():
    covariances = np.array([[[4.0, 0], [0, 1]], [[1, 0], [0, 9]], [[2.5, 1.5], [1.5, 2.5]]])
    share = 1 - math.exp(-0.5)  # one standard deviation
    found = ellipses_of(covariances, share)
    np.testing.assert_allclose(found, [[2, 1, 0], [3, 1, 90], [2, 1, 45]], atol=1e-5)


@pytest.mark.parametrize("share", [0, 1, -1, 2, math.nan])
def test_shares_beyond_0_and_1_are_refused(share):
    with pytest.raises(InputError, match="between 0 and 1"):
        ellipses_of(np.eye(2), share)


def draw(count: int, scale: float, floor: float, seed: int = 0):
    """Errors of covariances scale * S + floor * unit, with S and the unit of each."""
    rng = np.random.default_rng(seed)
    turn = rng.normal(size=(count, 2, 2)) * rng.uniform(0, 3, (count, 1, 1))
    covariances = turn @ turn.swapaxes(-1, -2)
    units = rng.uniform(0.5, 4, count)
    true = scale * covariances + floor * units[:, None, None] * np.eye(2)
    errors = (np.linalg.cholesky(true) @ rng.normal(size=(count, 2, 1)))[..., 0]
    return errors, covariances, units, true


@pytest.mark.parametrize(("scale", "floor"), [(1.0, 0.5), (0.2, 0.01), (3.0, 2.0)])
def test_the_fit_finds_what_made_the_errors(scale, floor):
    errors, covariances, units, _ = draw(20_000, scale, floor)
    found = fit_ellipses(errors, covariances, units)
    assert found == pytest.approx((scale, floor), rel=0.2)


def test_half_and_nine_tenths_lie_within():
    *_, true = made = draw(20_000, 1.3, 0.4)
    assert shares_within(made[0], true, (0.5, 0.9)) == pytest.approx([0.5, 0.9], abs=0.01)
    scale, floor = fit_ellipses(*made[:3])
    fitted = scale * made[1] + floor * made[2][:, None, None] * np.eye(2)
    fresh = draw(20_000, 1.3, 0.4, seed=1)
    own = scale * fresh[1] + floor * fresh[2][:, None, None] * np.eye(2)
    assert shares_within(made[0], fitted, (0.5,)) == pytest.approx([0.5], abs=1e-3)
    assert shares_within(fresh[0], own, (0.5, 0.9)) == pytest.approx([0.5, 0.9], abs=0.02)


def test_gross_errors_move_little():
    errors, covariances, units, _ = draw(2_000, 1.0, 0.5)
    errors[:100] *= 200
    scale, floor = fit_ellipses(errors, covariances, units)
    assert 0.6 < scale < 2
    assert 0.3 < floor < 1


def test_too_few_points_are_not_fitted():
    assert fit_ellipses(*draw(19, 1, 1)[:3]) is None
    assert shares_within(np.zeros((0, 2)), np.zeros((0, 2, 2)), (0.5, 0.9)) == [-1, -1]


def test_distances_by_the_inverse():
    errors, _, _, true = draw(50, 1, 1)
    by_hand = [e @ np.linalg.inv(s) @ e for e, s in zip(errors, true, strict=True)]
    np.testing.assert_allclose(distances(errors, true), by_hand)
    assert limit_of(0.5) == pytest.approx(2 * math.log(2))
