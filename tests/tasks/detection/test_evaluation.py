"""COCO's AP of boxes: numbers by hand, classes by name, and regions to ignore."""

from pathlib import Path

import numpy as np
import pytest

from hrnet.data.box_dataset import BoxSample
from hrnet.errors import InputError
from hrnet.spec import NetworkSpec
from hrnet.tasks import Job
from hrnet.tasks.detection.dataset import DetectionDataset
from hrnet.tasks.detection.evaluation import evaluate_boxes
from hrnet.tasks.detection.result import Detections
from hrnet.tasks.detection.spec import DetectionSpec

NAMES = ("cat", "dog")


def sample(boxes, classes, ignore=None) -> BoxSample:
    count = len(boxes)
    return BoxSample(
        Path("a.png"),
        (100, 100),
        "one",
        np.array(boxes, float).reshape(-1, 4),
        np.array(classes, np.int64),
        np.zeros(count, bool) if ignore is None else np.array(ignore),
    )


def found(boxes, scores, classes, names=NAMES) -> Detections:
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array(scores, np.float32),
        class_ids=np.array(classes, np.int64),
        class_names=names,
        image_size=(100, 100),
    )


def ap(samples, results) -> dict[str, float]:
    data = DetectionDataset(Path("boxes.json"), NAMES, tuple(samples))
    jobs = [Job(Path("a.png"), index=index) for index in range(len(samples))]
    return evaluate_boxes(list(zip(jobs, results, strict=True)), data)


def test_what_is_right_counts_1_and_the_rest_0():
    samples = [sample([[10, 10, 40, 40]], [0]), sample([], [])]
    nothing = found([], [], [])
    right = found([[10, 10, 50, 50]], [0.9], [0])
    assert list(ap(samples, [right, nothing]).values()) == pytest.approx([1] * 4)
    assert set(ap(samples, [nothing, nothing]).values()) == {0.0}
    wrong_class = found([[10, 10, 50, 50]], [0.9], [1])
    assert ap(samples, [wrong_class, nothing])["AP50"] == 0
    # Better scored and wrong: half the precision.
    assert ap(samples, [right, found([[1, 1, 9, 9]], [0.95], [0])])["AP50"] == pytest.approx(0.5)


def test_an_overlap_of_4_fifths_counts_at_some_thresholds():
    """0.50, 0.55 ... 0.80 of ten."""
    metrics = ap([sample([[10, 10, 40, 40]], [1])], [found([[10, 10, 50, 42.2]], [0.9], [1])])
    assert metrics == pytest.approx({"AP50": 1, "AP75": 1, "AP": 0.7, "AR": 0.7})
    assert next(iter(metrics)) == "AP"


def test_a_region_to_ignore_counts_neither_way():
    samples = [sample([[10, 10, 40, 40], [60, 10, 30, 80]], [0, 0], [False, True])]
    both = found([[10, 10, 50, 50], [61, 20, 80, 40], [62, 50, 80, 80]], [0.5, 0.9, 0.9], [0] * 3)
    assert ap(samples, [both])["AP"] == pytest.approx(1)


def test_classes_go_by_name_and_those_the_data_lack_are_left_out():
    names = ("owl", "dog", "cat")
    result = found([[10, 10, 50, 50], [0, 0, 9, 9]], [0.5, 0.9], [2, 0], names)
    assert ap([sample([[10, 10, 40, 40]], [0])], [result])["AP"] == pytest.approx(1)


def test_nothing_to_find_has_no_value():
    assert ap([sample([], [])], [found([], [], [])])["AP"] == -1


def test_a_model_must_find_the_classes_of_the_data():
    data = DetectionDataset(Path("boxes.json"), NAMES, ())
    for names in (("cat", "dog"), ("owl", "dog", "cat")):
        data.expect_labels_of(spec_of(names))
    with pytest.raises(InputError, match=r"got 1 others \(dog\); rename them, or train") as caught:
        data.expect_labels_of(spec_of(("cat", "owl")))
    assert len(str(caught.value).splitlines()) == 1


def spec_of(names) -> DetectionSpec:
    network = NetworkSpec(
        variant="small_hrnet_w16", task="detection", num_outputs=len(names), head="faster"
    )
    return DetectionSpec(name="pets", network=network, input_size=(64, 64), class_names=names)
