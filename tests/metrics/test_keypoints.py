"""OKS, its suppression, rescoring and PCK: golden values, loops written here, properties."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.metrics.keypoints import oks, oks_nms, pck, rescore
from hrnet.skeleton import COCO_PERSON

seeds = st.integers(0, 2**32 - 1)
num_keypoints = st.sampled_from([1, 2, 5, 17, 21])
counts = st.integers(1, 9)


def some_poses(seed, count, points):
    """Poses (count, points, 2) of which some nearly agree, with scores, areas and sigmas."""
    rng = np.random.default_rng(seed)
    first = rng.uniform(0, 200, (max(1, count // 2), points, 2))
    poses = first[rng.integers(len(first), size=count)] + rng.normal(0, 3, (count, points, 2))
    return (
        poses,
        rng.permutation(count) + rng.uniform(0.1, 0.9, count),
        rng.uniform(500, 20000, count),
        rng.uniform(0.02, 0.12, points),
    )


def pairwise_oks(poses, areas, sigmas):
    """OKS (N, N) of every pose with every other, with the mean of the two areas."""
    return oks(poses[:, None], poses[None], (areas[:, None] + areas[None]) / 2, sigmas)


def oks_by_loop(one, other, area, sigmas):
    total = 0.0
    for (x, y), (u, v), sigma in zip(one, other, sigmas, strict=True):
        variance = (2 * sigma) ** 2
        total += math.exp(-((x - u) ** 2 + (y - v) ** 2) / variance / area / 2)
    return total / len(sigmas)


def nms_by_loop(poses, scores, areas, sigmas, threshold):
    kept = []
    for index in sorted(range(len(scores)), key=lambda row: -scores[row]):
        similar = [
            oks_by_loop(poses[index], poses[row], (areas[index] + areas[row]) / 2, sigmas)
            for row in kept
        ]
        if all(value <= threshold for value in similar):
            kept.append(index)
    return kept


class TestGolden:
    @pytest.fixture
    def golden(self, golden_dir: Path):
        with np.load(golden_dir / "postprocess.npz") as arrays:
            return {name[4:]: arrays[name] for name in arrays.files if name.startswith("oks/")}

    def test_similarities(self, golden):
        ours = pairwise_oks(golden["keypoints"][..., :2], golden["areas"], COCO_PERSON.sigmas)
        np.testing.assert_allclose(ours, golden["iou_matrix"], rtol=1e-12, atol=1e-15)

    @pytest.mark.parametrize("threshold", [0.9, 0.5])
    def test_nms(self, golden, threshold):
        poses, scores, areas = (golden[name] for name in ("keypoints", "scores", "areas"))
        kept = oks_nms(poses[..., :2], scores, areas, COCO_PERSON.sigmas, threshold=threshold)
        np.testing.assert_array_equal(kept, golden[f"keep_{threshold}"])

    def test_rescoring(self, golden):
        ours = rescore(golden["scores"], golden["keypoints"][..., 2])
        np.testing.assert_allclose(ours, golden["rescored_invis0.2"], rtol=1e-12)


class TestOks:
    def test_a_known_number(self):
        # 6 px off, area 100^2, sigma 0.05: exp(-36 / (2 * 10000 * 0.01)) = exp(-0.18)
        value = oks([[[3.0, 4.0]]], [[[9.0, 4.0]]], [1e4], [0.05])
        np.testing.assert_allclose(value, [math.exp(-0.18)])

    @given(seeds, counts, num_keypoints)
    def test_equals_the_loop(self, seed, count, points):
        poses, _, areas, sigmas = some_poses(seed, count, points)
        ours = pairwise_oks(poses, areas, sigmas)
        for row in range(count):
            for column in range(count):
                area = (areas[row] + areas[column]) / 2
                expected = oks_by_loop(poses[row], poses[column], area, sigmas)
                assert ours[row, column] == pytest.approx(expected, abs=1e-12)

    @given(seeds, counts, num_keypoints)
    def test_itself_is_one_and_pairs_are_symmetric(self, seed, count, points):
        poses, _, areas, sigmas = some_poses(seed, count, points)
        similar = pairwise_oks(poses, areas, sigmas)
        np.testing.assert_allclose(np.diag(similar), 1.0, rtol=1e-15)
        np.testing.assert_allclose(similar, similar.T)
        assert similar.min() >= 0
        assert similar.max() <= 1 + 1e-15

    @given(seeds, num_keypoints, st.floats(0.1, 10))
    def test_the_unit_of_length_does_not_matter(self, seed, points, factor):
        poses, _, areas, sigmas = some_poses(seed, 4, points)
        scaled = pairwise_oks(poses * factor, areas * factor**2, sigmas)
        np.testing.assert_allclose(scaled, pairwise_oks(poses, areas, sigmas), atol=1e-9)

    def test_hidden_keypoints_are_left_out(self):
        one = np.zeros((3, 2))
        other = np.array([[0.0, 0.0], [900.0, 0.0], [0.0, 0.0]])
        visible = np.array([True, False, True])
        assert oks(one, other, 100.0, [0.05] * 3, visible=visible) == pytest.approx(1.0)
        assert oks(one, other, 100.0, [0.05] * 3) == pytest.approx(2 / 3)
        assert oks(one, other, 100.0, [0.05] * 3, visible=np.zeros(3, bool)) == 0.0

    def test_an_area_of_zero_is_not_a_division_by_zero(self):
        assert oks(np.zeros((1, 2)), np.zeros((1, 2)), 0.0, [0.1]) == 1.0
        assert oks(np.zeros((1, 2)), np.ones((1, 2)), 0.0, [0.1]) == 0.0

    @pytest.mark.parametrize("sigmas", [[0.1] * 16, [0.1] * 16 + [0.0], [0.1] * 16 + [np.nan]])
    def test_wrong_sigmas(self, sigmas):
        with pytest.raises(InputError, match="expected 17 positive sigmas"):
            oks(np.zeros((17, 2)), np.zeros((17, 2)), 1.0, sigmas)


class TestSuppression:
    @given(seeds, counts, num_keypoints, st.floats(0.05, 0.95))
    def test_nms_equals_the_loop(self, seed, count, points, threshold):
        poses, scores, areas, sigmas = some_poses(seed, count, points)
        expected = nms_by_loop(poses, scores, areas, sigmas, threshold)
        kept = oks_nms(poses, scores, areas, sigmas, threshold=threshold)
        assert kept.tolist() == expected

    @given(seeds, counts, num_keypoints)
    def test_nms_keeps_the_best_and_leaves_nothing_similar(self, seed, count, points):
        poses, scores, areas, sigmas = some_poses(seed, count, points)
        kept = oks_nms(poses, scores, areas, sigmas, threshold=0.5)
        assert kept[0] == np.argmax(scores)
        assert (np.diff(scores[kept]) < 0).all()
        similar = pairwise_oks(poses[kept], areas[kept], sigmas)
        assert (similar[~np.eye(len(kept), dtype=bool)] <= 0.5).all()

    def test_copies_become_one(self):
        poses = np.zeros((5, 21, 2))
        kept = oks_nms(poses, [0.1, 0.5, 0.5, 0.2, 0.3], np.ones(5), [0.05] * 21)
        assert kept.tolist() == [1]

    def test_nothing_in_nothing_out(self):
        kept = oks_nms(np.zeros((0, 17, 2)), [], [], COCO_PERSON.sigmas)
        assert kept.shape == (0,)
        assert kept.dtype == np.int64

    def test_arguments_stay_as_they_were(self):
        poses, scores, areas, sigmas = some_poses(2, 9, 4)
        before = [array.copy() for array in (poses, scores, areas, sigmas)]
        oks_nms(poses, scores, areas, sigmas)
        for array, copy in zip((poses, scores, areas, sigmas), before, strict=True):
            np.testing.assert_array_equal(array, copy)

    def test_wrong_shape(self):
        with pytest.raises(InputError, match=r"shape \(N, K, 2\), got \(4, 17, 3\)"):
            oks_nms(np.zeros((4, 17, 3)), np.ones(4), np.ones(4), COCO_PERSON.sigmas)


class TestRescore:
    def test_only_sure_keypoints_count(self):
        scores = rescore([0.5, 1.0, 1.0], [[0.9, 0.5, 0.1], [0.2, 0.2, 0.2], [0.3, 0.0, 0.0]])
        np.testing.assert_allclose(scores, [0.35, 0.0, 0.3])

    def test_another_threshold_and_no_poses(self):
        np.testing.assert_allclose(rescore([1.0], [[0.9, 0.5]], threshold=0.6), [0.9])
        assert rescore(np.zeros(0), np.zeros((0, 21))).shape == (0,)


class TestPck:
    truth = np.zeros((2, 3, 2))
    predicted = np.array(
        [[[3.0, 4.0], [0.0, 5.1], [0.0, 0.0]], [[0.0, 11.0], [1.0, 0.0], [0.0, 0.0]]]
    )
    visible = np.array([[1, 1, 0], [1, 1, 0]])

    def test_by_hand(self):
        # half of (10, 20) px: 5 and 10; distances 5, 5.1 and 11, 1
        found = pck(self.predicted, self.truth, self.visible, [10.0, 20.0], threshold=0.5)
        np.testing.assert_array_equal(found.per_keypoint, [0.5, 0.5, np.nan])
        assert found.counts.tolist() == [2, 2, 0]
        assert found.mean == 0.5

    @given(seeds, counts, num_keypoints)
    def test_mean_is_over_all_labelled_keypoints(self, seed, count, points):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(0, 50, (count, points, 2))
        predicted = truth + rng.normal(0, 8, truth.shape)
        visible = rng.random((count, points)) < 0.7
        lengths = rng.uniform(10, 40, count)
        hits = labelled = 0
        for row in range(count):
            for point in range(points):
                if visible[row, point]:
                    labelled += 1
                    gap = math.dist(predicted[row, point], truth[row, point])
                    hits += gap <= 0.3 * lengths[row]
        mean = pck(predicted, truth, visible, lengths, threshold=0.3).mean
        assert math.isnan(mean) if labelled == 0 else mean == pytest.approx(hits / labelled)

    def test_a_nan_prediction_is_not_found(self):
        found = pck([[[np.nan, 0.0]]], [[[0.0, 0.0]]], [[1]], [10.0], threshold=0.5)
        assert found.mean == 0.0

    def test_no_subjects(self):
        found = pck(np.zeros((0, 4, 2)), np.zeros((0, 4, 2)), np.zeros((0, 4)), [], threshold=1.0)
        assert np.isnan(found.per_keypoint).all()
        assert math.isnan(found.mean)

    @pytest.mark.parametrize("length", [0.0, -1.0, np.nan])
    def test_a_length_must_be_positive(self, length):
        with pytest.raises(InputError, match="expected lengths above 0"):
            pck(self.predicted, self.truth, self.visible, [1.0, length], threshold=0.5)
