"""Top-k accuracy, accuracy by class and confusions, with ties and against other definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.metrics.topk import (
    class_accuracy,
    confused_pairs,
    confusion_matrix,
    top_k_accuracy,
    true_ranks,
)


def test_ranks_count_the_classes_before_the_true_one():
    scores = [[0.1, 0.7, 0.2], [0.1, 0.7, 0.2], [0.1, 0.7, 0.2]]
    assert true_ranks(scores, [1, 2, 0]).tolist() == [0, 1, 2]


def test_of_equal_scores_the_lower_index_ranks_first():
    assert true_ranks([[0.5, 0.5, 0.0]] * 3, [0, 1, 2]).tolist() == [0, 1, 2]


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(2, 9))
def test_ranks_are_places_in_the_stable_order(seed, count, classes):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (count, classes))  # with many ties
    truth = rng.integers(0, classes, count)
    order = np.argsort(-scores, axis=1, kind="stable")
    expected = [row.tolist().index(own) for row, own in zip(order, truth, strict=True)]
    ranks = true_ranks(scores, truth)
    assert ranks.tolist() == expected
    assert top_k_accuracy(ranks, classes) == 1
    assert top_k_accuracy(ranks, 1) == (scores.argmax(axis=1) == truth).mean()


def test_nothing_to_count_is_minus_one():
    assert top_k_accuracy(true_ranks(np.zeros((0, 3)), np.zeros(0, int)), 1) == -1


@pytest.mark.parametrize(
    ("scores", "truth", "message"),
    [
        (np.zeros((2, 3)), [0], "got shapes"),
        (np.zeros(3), [0], "got shapes"),
        (np.zeros((2, 3)), [0, 3], r"within 0\.\.2, got 0 to 3"),
        (np.zeros((2, 3)), [-1, 0], "got -1 to 0"),
    ],
)
def test_what_does_not_fit_is_refused(scores, truth, message):
    with pytest.raises(InputError, match=message):
        true_ranks(scores, truth)


def test_rows_of_the_confusion_matrix_are_the_truth():
    matrix = confusion_matrix([0, 0, 1, 2], [0, 1, 1, 0], 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_accuracy_by_class_leaves_out_what_is_not_there():
    found = class_accuracy([0, 0, 1, 1, 1], [0, 1, 1, 1, 2], 4)
    np.testing.assert_array_equal(found, [0.5, 2 / 3, np.nan, np.nan])


def test_the_most_frequent_confusion_comes_first():
    truth, predicted = [2, 2, 0, 0, 1], [1, 1, 1, 2, 1]
    assert confused_pairs(truth, predicted) == [(2, 1, 2), (0, 1, 1), (0, 2, 1)]
    assert confused_pairs([0, 1], [0, 1]) == []
