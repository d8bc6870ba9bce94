"""Heatmaps: decoding undoes encoding, flipping undoes flipping, and a batch is its members."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrnet.codecs.heatmap import (
    MAX_STEP,
    HeatmapCodec,
    argmax_2d,
    flip_heatmaps,
    refine_dark_udp,
    smooth,
)

KINDS = ("classic", "dark", "udp", "exact")
seeds = st.integers(0, 2**32 - 1)
counts = st.sampled_from([0, 1, 2, 5])
keypoints = st.sampled_from([1, 5, 17, 21])
recipes = st.sampled_from(
    [((256, 192), 2.0), ((384, 288), 3.0), ((128, 160), 2.0), ((96, 96), 1.5), ((192, 128), 1.75)]
)
few = settings(max_examples=20)
every_codec = pytest.mark.parametrize("kind", KINDS)


def make_codec(kind: str, recipe: tuple[tuple[int, int], float]) -> HeatmapCodec:
    (height, width), sigma = recipe
    return HeatmapCodec(kind, (height, width), (height // 4, width // 4), sigma)


def some_points(codec: HeatmapCodec, seed: int, shape: tuple[int, int], margin: float = 0):
    """Points (N, K, 2) in crop pixels, `margin` heatmap pixels or more from the border."""
    high = np.array(codec.heatmap_size[::-1]) - 1 - margin
    return np.random.default_rng(seed).uniform(margin, high, (*shape, 2)) * codec.stride


def swaps(count: int) -> list[int]:
    """A flip order for any number of keypoints: neighbours swap, a last odd one stays."""
    order = [index ^ 1 for index in range(count)]
    return order if count % 2 == 0 else [*order[:-1], count - 1]


def mirror(points: np.ndarray, width: int, order: list[int]) -> np.ndarray:
    """Points (N, K, 2) of a crop of that width as they are in its mirror image."""
    return points[:, order] * (-1, 1) + (width - 1, 0)


@few
@given(seeds, counts, keypoints, recipes)
def test_classic_is_right_within_half_a_heatmap_pixel(seed, count, points, recipe):
    codec = make_codec("classic", recipe)
    truth = some_points(codec, seed, (count, points))
    heatmaps, weights = codec.encode(truth, np.ones((count, points)))
    assert heatmaps.shape == (count, points, *codec.heatmap_size)
    assert heatmaps.dtype == weights.dtype == np.float32
    decoded, scores = codec.decode(heatmaps)
    assert decoded.shape == (count, points, 2)
    assert decoded.dtype == scores.dtype == np.float32
    assert (weights == 1).all()
    assert (scores == 1).all()
    assert (np.abs(decoded - truth) <= 0.5 * codec.stride + 1e-3).all()


@pytest.mark.parametrize("kind", ["dark", "udp"])
@few
@given(seed=seeds, count=counts, points=keypoints, recipe=recipes)
def test_dark_and_udp_are_right_within_a_thousandth(kind, seed, count, points, recipe):
    """Away from the border, where nothing of the Gaussian is lost."""
    codec = make_codec(kind, recipe)
    truth = some_points(codec, seed, (count, points), margin=4 * codec.sigma)
    decoded, scores = codec.decode(codec.encode(truth, np.ones((count, points)))[0])
    assert decoded.shape == (count, points, 2)
    assert (np.abs(decoded - truth) <= 1e-3 * codec.stride).all()
    assert (scores > 0.85).all()


@every_codec
@few
@given(seed=seeds, points=keypoints)
def test_a_batch_decodes_as_its_members(kind, seed, points):
    codec = make_codec(kind, ((128, 96), 2.0))
    heatmaps = np.random.default_rng(seed).normal(0, 0.3, (3, points, 32, 24)).astype(np.float32)
    heatmaps += codec.encode(some_points(codec, seed, (3, points)), np.ones((3, points)))[0]
    together, scores = codec.decode(heatmaps)
    alone = [codec.decode(heatmaps[row : row + 1]) for row in range(3)]
    np.testing.assert_array_equal(scores, np.concatenate([score for _, score in alone]))
    # A Newton step on noise may be long, and then last bits show.
    bound = 1e-3 * (1 + np.abs(together))
    assert (np.abs(together - np.concatenate([point for point, _ in alone])) <= bound).all()


@every_codec
def test_a_batch_encodes_as_its_members(kind):
    codec = make_codec(kind, ((128, 96), 2.0))
    truth, weights = some_points(codec, 5, (3, 5)), np.array([[1, 0, 1, 0.5, 2]] * 3)
    together, kept = codec.encode(truth, weights)
    for row in range(3):
        heatmaps, weight = codec.encode(truth[row : row + 1], weights[row : row + 1])
        np.testing.assert_array_equal(heatmaps[0], together[row])
        np.testing.assert_array_equal(weight[0], kept[row])


@few
@given(seeds, counts, keypoints)
def test_flipping_heatmaps_twice_changes_nothing(seed, count, points):
    maps = np.random.default_rng(seed).random((count, points, 8, 6), dtype=np.float32)
    before = maps.copy()
    twice = flip_heatmaps(
        flip_heatmaps(maps, swaps(points), shift=False), swaps(points), shift=False
    )
    np.testing.assert_array_equal(twice, maps)
    np.testing.assert_array_equal(maps, before)


@few
@given(seeds, keypoints)
def test_the_shift_moves_one_pixel_to_the_right_and_keeps_the_first_column(seed, points):
    maps = np.random.default_rng(seed).random((2, points, 8, 6), dtype=np.float32)
    plain = flip_heatmaps(maps, swaps(points), shift=False)
    moved = flip_heatmaps(maps, swaps(points), shift=True)
    np.testing.assert_array_equal(moved[..., 1:], plain[..., :-1])
    np.testing.assert_array_equal(moved[..., 0], plain[..., 0])


@few
@given(seeds, counts, keypoints, recipes)
def test_flipping_is_exact_with_udp(seed, count, points, recipe):
    """Targets of a mirrored crop are the mirrored targets, without a shift."""
    codec = make_codec("udp", recipe)
    truth, weights = some_points(codec, seed, (count, points)), np.ones((count, points))
    mirrored = mirror(truth, recipe[0][1], swaps(points))
    back = flip_heatmaps(codec.encode(mirrored, weights)[0], swaps(points), shift=False)
    np.testing.assert_allclose(back, codec.encode(truth, weights)[0], atol=1e-5)


@few
@given(seeds, recipes)
def test_the_shift_aligns_classic_flips_within_a_pixel(seed, recipe):
    codec = make_codec("classic", recipe)
    truth, weights = some_points(codec, seed, (2, 5), margin=1), np.ones((2, 5))
    mirrored = mirror(truth, recipe[0][1], swaps(5))
    back = flip_heatmaps(codec.encode(mirrored, weights)[0], swaps(5), shift=True)
    distance = np.abs(argmax_2d(back)[0] - argmax_2d(codec.encode(truth, weights)[0])[0])
    assert distance.max() <= 1


@every_codec
def test_unlabelled_and_far_points_have_empty_heatmaps_and_no_weight(kind):
    codec = make_codec(kind, ((128, 96), 2.0))
    points = [[[48, 64], [48, 64], [-60, 64], [48, 160], [-20, 64]]]
    heatmaps, weights = codec.encode(points, [[1, 0, 1, 1, 1]])
    assert weights.tolist() == [[1, 0, 0, 0, 1]]
    assert heatmaps.any(axis=(2, 3)).tolist() == [[True, False, False, False, True]]


@pytest.mark.parametrize(
    ("x", "weight", "drawn"),
    [(-9, 0, False), (-8, 1, False), (-7, 1, True), (29, 1, True), (30, 0, False)],
)
def test_a_classic_target_is_lost_where_its_square_lies_outside(x, weight, drawn):
    """Upstream counts the square from x - 6 to x + 7, though the Gaussian ends at x + 6.

    It also rounds towards zero after adding a half, so -8 is drawn at -7.
    """
    heatmaps, weights = make_codec("classic", ((128, 96), 2.0)).encode([[[4 * x, 64]]], [[1]])
    assert weights.tolist() == [[weight]]
    assert heatmaps.any() == drawn


@pytest.mark.parametrize(("x", "weight"), [(-8.6, 0), (-8.4, 1), (29.4, 1), (29.6, 0)])
def test_a_udp_weight_follows_the_nearest_pixel(x, weight):
    """Of 24 columns; x + 0.5 is cut towards 0, and the square counts from 6 before to 7 after."""
    codec = make_codec("udp", ((128, 96), 2.0))
    _, weights = codec.encode(np.array([[[x, 16]]]) * codec.stride, [[1]])
    assert weights.tolist() == [[weight]]


@pytest.mark.parametrize(("sigma", "reach"), [(1.5, 5), (1.75, 6), (2, 6), (3, 9)])
@pytest.mark.parametrize("kind", ["classic", "udp"])
@pytest.mark.parametrize("x", [15.6, 16.4])
def test_targets_are_cut_at_three_sigmas_rounded_up(kind, sigma, reach, x):
    """Around the nearest pixel, 16, wherever in it the keypoint is."""
    codec = make_codec(kind, ((128, 128), sigma))
    heatmaps, _ = codec.encode(np.array([[[x, x]]]) * codec.stride, [[1]])
    columns = np.flatnonzero(heatmaps[0, 0].any(axis=0)).tolist()
    rows = np.flatnonzero(heatmaps[0, 0].any(axis=1)).tolist()
    assert columns == rows == list(range(16 - reach, 17 + reach))


def test_dark_targets_are_not_cut():
    heatmaps, _ = make_codec("dark", ((128, 128), 3)).encode([[[64, 64]]], [[1]])
    assert heatmaps.all()


def refined(kind: str, x: float, y: float) -> np.ndarray:
    """Return the shift by decoding from the largest pixel of a Gaussian at heatmap pixel (x, y)."""
    codec = make_codec(kind, ((128, 96), 2.0))
    heatmaps, _ = make_codec("dark", ((128, 96), 2.0)).encode([[[4 * x, 4 * y]]], [[1]])
    points, _ = codec.decode(heatmaps)
    return (points / codec.stride - np.round([x, y]))[0, 0]


@pytest.mark.parametrize(
    ("kind", "moving"),
    [("classic", range(2, 23)), ("dark", range(2, 22)), ("udp", range(24))],
)
def test_which_peaks_near_the_border_are_refined(kind, moving):
    """Of 24 columns; the tests of the border differ among the published codes."""
    moved = [column for column in range(24) if abs(refined(kind, column + 0.2, 16)[0]) > 0.01]
    assert moved == list(moving)
    rows = [row for row in range(32) if abs(refined(kind, 12, row + 0.2)[1]) > 0.01]
    assert rows == [*range(moving.start, moving.stop + 8)]


@pytest.mark.parametrize(("offset", "step"), [(0.3, 0.25), (-0.3, -0.25), (0.0, 0.0)])
def test_classic_moves_a_quarter_to_the_higher_neighbour(offset, step):
    assert refined("classic", 12 + offset, 16 - offset).tolist() == [step, -step]


@pytest.mark.parametrize(("height", "moves"), [(9e-4, False), (1, True), (1e5, False)])
def test_udp_holds_heatmaps_within_its_limits(height, moves):
    """Below 1e-3 and above 50 every pixel counts the same, so nothing shows where the peak is."""
    codec = make_codec("udp", ((128, 96), 2.0))
    heatmaps, _ = codec.encode(np.array([[[12.2, 16.2]]]) * codec.stride, [[1]])
    points, _ = codec.decode(heatmaps * np.float32(height))
    np.testing.assert_allclose(points / codec.stride, [[[12, 16]]], atol=0.3 if moves else 1e-5)
    assert bool((points / codec.stride > [12.1, 16.1]).all()) == moves


def bump(x: float, y: float, height: float = 1.0, spread: float = 1.5) -> np.ndarray:
    """A Gaussian on a heatmap of 32 rows and 24 columns."""
    columns, rows = np.arange(24), np.arange(32)[:, None]
    squares = (columns - x) ** 2 + (rows - y) ** 2
    return height * np.exp(-squares / (2 * spread**2))


MISLEADING = {
    "saddle": bump(12, 10) + bump(13, 23) + bump(12, 16, 1.1, 0.1),
    "valley": bump(6, 16) + bump(19, 16) + bump(12, 9) + bump(12, 24) + bump(12, 16, 1.1, 0.1),
    "slope": bump(12, 21, 1, 2.6) + bump(12, 14, 1.1, 0.1),
}
"""One bright pixel where the smoothed map has no peak; unguarded, the step is up to 18 long."""


@pytest.mark.parametrize("kind", ["dark", "udp"])
@pytest.mark.parametrize("name", MISLEADING)
def test_where_no_peak_is_near_the_largest_pixel_is_kept(kind, name):
    codec = make_codec(kind, ((128, 96), 2.0))
    heatmaps = MISLEADING[name].astype("f4")[None, None]
    points, _ = codec.decode(heatmaps)
    np.testing.assert_allclose(points / codec.stride, argmax_2d(heatmaps)[0], atol=1e-5)


@every_codec
@few
@given(seed=seeds, scale=st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 60.0, 1e3]))
def test_no_point_is_further_than_three_heatmap_pixels_from_the_largest(kind, seed, scale):
    """On noise, rough and smooth; so every result stays within its crop's reach."""
    codec = make_codec(kind, ((128, 96), 2.0))
    rough = np.random.default_rng(seed).normal(0, scale, (2, 9, 32, 24)).astype("f4")
    misleading = np.stack(list(MISLEADING.values())).astype("f4")[None]
    for heatmaps in (rough, smooth(rough, 11), misleading):
        points, _ = codec.decode(heatmaps)
        step = points / codec.stride - argmax_2d(heatmaps)[0]
        assert np.hypot(step[..., 0], step[..., 1]).max() <= MAX_STEP + 1e-4


def newton(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step of UDP from a square of 3 by 3 logarithms, without a guard, and the curvatures."""
    (nw, n, _), (w, c, e), (_, s, se) = logs
    mixed = (se - e - s + 2 * c + nw - w - n) / 2
    tiny = np.finfo("f4").eps
    second = np.array([[e - 2 * c + w + tiny, mixed], [mixed, s - 2 * c + n + tiny]])
    step = -np.linalg.solve(second, np.array([e - w, s - n]) / 2)
    return step, np.linalg.eigvalsh(second)


@pytest.mark.parametrize("kernel", [9, 11, 17])
@pytest.mark.parametrize("scale", [1e-3, 1e-2, 1.0, 25.0, 200.0])
@settings(max_examples=8)
@given(seed=seeds)
def test_only_what_is_needed_is_smoothed_and_nothing_shows_it(kernel, scale, seed):
    """Also where the published limits of the smoothed map, 1e-3 and 50, are met."""
    rng = np.random.default_rng(seed)
    spots = [bump(*rng.uniform(0, (24, 32))) for _ in range(12)]
    heatmaps = np.stack(spots).astype("f4").reshape(2, 6, 32, 24)
    heatmaps += rng.normal(0, 0.01, heatmaps.shape).astype("f4")
    heatmaps *= np.float32(scale)
    points, _ = argmax_2d(heatmaps)
    logs = np.log(np.clip(smooth(heatmaps, kernel), 1e-3, 50).astype(float))
    logs = np.pad(logs, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    found = refine_dark_udp(points, heatmaps, kernel) - points
    for place in np.ndindex(2, 6):
        x, y = points[place].astype(int)
        step, curvatures = newton(logs[place][y : y + 3, x : x + 3])
        if np.hypot(*step) < 0.9 * MAX_STEP and curvatures.max() < -1e-3:
            # Last bits of float32 show more the longer the step and the flatter the map.
            bound = 1e-5 * (1 + np.hypot(*step)) / np.abs(curvatures).min()
            np.testing.assert_allclose(found[place], step, rtol=0, atol=bound)


def test_the_largest_of_no_positive_values_is_at_the_origin():
    heatmaps = np.full((1, 2, 4, 3), -2, dtype=np.float32)
    heatmaps[0, 0, 2, 1], heatmaps[0, 1, 2, 1] = -1, 1
    points, scores = argmax_2d(heatmaps)
    assert points.tolist() == [[[0, 0], [1, 2]]]
    assert scores.tolist() == [[-1, 1]]


@every_codec
def test_weights_are_kept_and_do_not_scale_the_heatmap(kind):
    """Below 0.5 there is no Gaussian."""
    heatmaps, weights = make_codec(kind, ((128, 96), 2.0)).encode(
        [[[40, 40]] * 3], [[0.5, 2, 0.25]]
    )
    assert weights.tolist() == [[0.5, 2, 0.25]]
    np.testing.assert_array_equal(heatmaps[0, 0], heatmaps[0, 1])
    assert heatmaps.any(axis=(2, 3)).tolist() == [[True, True, False]]


@every_codec
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_heatmaps_without_a_positive_value_give_finite_points(kind, value):
    points, scores = make_codec(kind, ((64, 64), 2.0)).decode(np.full((1, 2, 16, 16), value, "f4"))
    assert np.isfinite(points).all()
    assert (scores == value).all()
    if kind == "classic":
        assert not points.any()


@every_codec
@few
@given(seed=seeds)
def test_noise_decodes_to_finite_points(kind, seed):
    rng = np.random.default_rng(seed)
    heatmaps = rng.normal(0, rng.choice([1e-6, 1, 1e3]), (2, 3, 16, 12)).astype(np.float32)
    points, _ = make_codec(kind, ((64, 48), 2.0)).decode(heatmaps)
    assert np.isfinite(points).all()


@every_codec
def test_coding_leaves_its_arguments_alone(kind):
    codec = make_codec(kind, ((64, 64), 2.0))
    points, weights = np.full((1, 2, 2), 20.0), np.ones((1, 2))
    heatmaps, _ = codec.encode(points, weights)
    before = heatmaps.copy()
    codec.decode(heatmaps)
    assert (points == 20).all()
    assert (weights == 1).all()
    np.testing.assert_array_equal(heatmaps, before)


@few
@given(seeds, st.sampled_from([11, 17]))
def test_smoothing_is_a_gaussian_that_keeps_the_maximum(seed, kernel):
    maps = np.random.default_rng(seed).random((1, 2, 20, 15), dtype=np.float32)
    offset = np.arange(kernel) - kernel // 2
    weights = np.exp(-(offset**2) / (2 * (0.15 * kernel + 0.35) ** 2))
    for before, after in zip(maps[0], smooth(maps, kernel)[0], strict=True):
        rows = [np.convolve(row, weights, "full")[kernel // 2 :][:15] for row in before]
        both = [
            np.convolve(column, weights, "full")[kernel // 2 :][:20]
            for column in np.transpose(rows)
        ]
        expected = np.transpose(both)
        np.testing.assert_allclose(after, expected * before.max() / expected.max(), rtol=1e-4)
