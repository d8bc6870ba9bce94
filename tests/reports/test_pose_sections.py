"""Pose's part of the report, on poses that are made by hand."""

import numpy as np
import pytest

from hrnet.data.coco import read_keypoints
from hrnet.evaluation import evaluate
from hrnet.predict import load
from hrnet.reports.evaluated import evaluate_run
from hrnet.tasks import DataSource
from hrnet.tasks.pose import analysis as module
from hrnet.tasks.pose.result import Poses


@pytest.fixture
def found(made):
    """Analyse poses that are the truth moved by (subject, K, 2) pixels, by image and box."""

    def look(moves):
        task = load(made.folder).task
        dataset = task.dataset(DataSource(made.data, made.data.parent))
        samples = sorted(dataset.samples, key=lambda sample: sample.image_id)
        pairs = []
        for at, job in zip((0, 2), dataset.jobs, strict=True):
            points = np.stack([one.keypoints for one in samples[at : at + 2]])
            poses = Poses(
                keypoints=(points + moves[at : at + 2]).astype(np.float32),
                keypoint_scores=np.full((2, 3), 0.9, np.float32),
                boxes=np.array([[0, 0, 9, 9]] * 2, np.float32),
                scores=np.full(2, 0.9, np.float32),
                skeleton=dataset.keypoints.skeleton,
                image_size=(96, 128),
            )
            pairs.append((job, poses))
        return module.analyse(task, pairs, dataset)

    return look


def test_right_poses(found):
    result = found(np.zeros((4, 3, 2)))
    assert result.swap_rate == 0.0
    assert [one.name for one in result.keypoints] == ["nose", "left_hand", "right_hand"]
    assert [one.labelled for one in result.keypoints] == [4, 4, 2]
    assert [one.ap for one in result.keypoints] == pytest.approx([1.0] * 3)
    assert [one.median_error for one in result.keypoints] == [0.0] * 3
    assert [one.pixels for one in result.keypoints] == [(0.0, 0.0)] * 3
    assert result.pixels == (0.0, 0.0)
    assert [one.comparable for one in result.keypoints] == [0, 2, 2]
    assert [one.oks for one in (*result.worst, *result.best)] == [1.0] * 4


def test_the_worst_come_first_and_the_best_too(found):
    moves = np.zeros((4, 3, 2))
    moves[:, :, 0] = np.array([3.0, 200.0, 1.0, 9.0])[:, None]
    result = found(moves)
    assert [one.image_name for one in result.worst] == ["<b>4.png", "<b>9.png"]
    assert [one.image_name for one in result.best] == ["<b>9.png", "<b>4.png"]
    order = [one.oks for one in (*result.worst, *result.best[::-1])]
    assert order == sorted(order)
    assert [one.labelled for one in result.worst] == [2, 2]
    assert all(one.uri.startswith("data:image/jpeg;base64,") for one in result.best)
    # Left hand: errors 3, 200, 1 and 9 px over the square roots of 3004, 3066, 3004, 3066.
    expected = (3 / 3004**0.5 + 9 / 3066**0.5) / 2
    assert result.keypoints[1].median_error == pytest.approx(expected)
    assert result.keypoints[1].pixels[0] == pytest.approx((3 + 9) / 2)


def test_swaps_are_counted(found):
    moves = np.zeros((4, 3, 2))
    moves[0, 1:] = [[40, 0], [-40, 0]]  # left hand on the right one, and back
    result = found(moves)
    assert [(one.swapped, one.comparable) for one in result.keypoints] == [(0, 0), (1, 2), (1, 2)]
    assert result.swap_rate == 0.5


def test_subjects_with_few_labels_are_not_shown(found, monkeypatch):
    monkeypatch.setattr(module, "least_labelled", lambda count: count)
    result = found(np.zeros((4, 3, 2)))
    assert [one.labelled for one in (*result.worst, *result.best)] == [3, 3]
    monkeypatch.setattr(module, "least_labelled", lambda count: count + 1)
    result = found(np.zeros((4, 3, 2)))
    assert (result.worst, result.best) == ((), ())


def test_the_figures_are_those_of_evaluate(made):
    told = []
    options = {"data": made.data, "images": made.data.parent, "flip_test": True}
    source = DataSource(made.data, made.data.parent)
    found = evaluate_run(made.folder, source, flip_test=True, progress=lambda *at: told.append(at))
    assert found.result == evaluate(made.folder, **options)
    assert told == [(1, 2), (2, 2)]
    assert found.parameters > 1e6


def test_subjects_know_their_annotation(made):
    subjects = read_keypoints(made.data, made.data.parent).subjects
    assert [one.annotation_id for one in subjects] == [1, 2, 3, 4]
