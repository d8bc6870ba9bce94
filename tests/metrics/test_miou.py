"""IoU and accuracies of pixels, compared with counting them one by one."""

import numpy as np
import pytest

from hrnet.errors import InputError
from hrnet.metrics.miou import class_iou, count_pixels, mean_accuracy, mean_iou, pixel_accuracy


def by_hand(truth, predicted, classes):
    """IoU of each class by sets of pixels; None where it nowhere occurs."""
    found = []
    for one in range(classes):
        true = {place for place, label in enumerate(truth) if label == one}
        guess = {
            place for place, label in enumerate(predicted) if label == one and truth[place] >= 0
        }
        union = true | guess
        found.append(len(true & guess) / len(union) if union else None)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_metrics_are_those_of_a_plain_count(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 9))
    truth = rng.integers(-1, classes - 1, 200)  # the last class is absent
    predicted = rng.integers(0, max(1, classes - 1), 200)
    confusion = count_pixels(truth.reshape(10, 20), predicted.reshape(10, 20), classes)
    expected = by_hand(truth.tolist(), predicted.tolist(), classes)
    found = class_iou(confusion)
    for ours, theirs in zip(found.tolist(), expected, strict=True):
        assert np.isnan(ours) if theirs is None else ours == pytest.approx(theirs, rel=1e-12)
    present = [one for one in expected if one is not None]
    assert mean_iou(confusion) == pytest.approx(np.mean(present), rel=1e-12)
    zeros = [one or 0.0 for one in expected]
    assert mean_iou(confusion, absent_as_zero=True) == pytest.approx(np.mean(zeros), rel=1e-12)
    counted = truth >= 0
    right = (truth == predicted)[counted]
    assert pixel_accuracy(confusion) == pytest.approx(right.mean(), rel=1e-12)
    by_class = [right[truth[counted] == one].mean() for one in set(truth[counted].tolist())]
    assert mean_accuracy(confusion) == pytest.approx(np.mean(by_class), rel=1e-12)


def test_nothing_that_counts_gives_minus_one():
    confusion = count_pixels(np.full((3, 3), -1), np.zeros((3, 3), int), 2)
    assert mean_iou(confusion) == pixel_accuracy(confusion) == mean_accuracy(confusion) == -1


def test_wrong_indices_and_shapes_are_refused():
    zeros = np.zeros((2, 2), int)
    for truth, predicted in ((zeros + 2, zeros), (zeros, zeros + 2), (zeros, zeros - 1)):
        with pytest.raises(InputError, match="classes within"):
            count_pixels(truth, predicted, 2)
    with pytest.raises(InputError, match=r"expected \(2, 2\) predicted classes, got \(2, 1\)"):
        count_pixels(zeros, zeros[:, :1], 2)
