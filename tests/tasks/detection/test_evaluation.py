"""Metrics of detections: numbers by hand, classes by name, regions to ignore, masks, details."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hrnet.data.box_dataset import BoxSample
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.spec import NetworkSpec
from hrnet.tasks import Job
from hrnet.tasks.detection.dataset import DetectionDataset, read_dataset
from hrnet.tasks.detection.evaluation import MAX_CLASS_METRICS, details
from hrnet.tasks.detection.result import Detections
from hrnet.tasks.detection.spec import DetectionSpec
from hrnet.tasks.detection.task import DetectionTask

pytest.importorskip("pycocotools")

NAMES = ("cat", "dog")
BOX = [10, 10, 40, 40]
FOUND = [10, 10, 50, 50]


def sample(boxes, classes, ignore=None, **fields) -> BoxSample:
    count = len(boxes)
    return BoxSample(
        Path("a.png"),
        (100, 100),
        "one",
        np.array(boxes, float).reshape(-1, 4),
        np.array(classes, np.int64),
        np.zeros(count, bool) if ignore is None else np.array(ignore),
        **fields,
    )


def found(boxes, scores, classes, names=NAMES, **fields) -> Detections:
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array(scores, np.float32),
        class_ids=np.array(classes, np.int64),
        class_names=names,
        image_size=(100, 100),
        **fields,
    )


def spec_of(names=NAMES, head="faster", **fields) -> DetectionSpec:
    network = NetworkSpec(
        variant="small_hrnet_w16", task="detection", num_outputs=len(names), head=head
    )
    return DetectionSpec(
        name="pets", network=network, input_size=(64, 64), class_names=names, **fields
    )


def given(samples, results, data_names=NAMES, **fields):
    """A task, its pairs and the data set."""
    data = DetectionDataset(Path("boxes.json"), data_names, tuple(samples))
    task = DetectionTask(spec_of(results[0].class_names, **fields))
    return task, list(zip(data.jobs, results, strict=True)), data


def metrics(samples, results, **fields) -> dict[str, float]:
    task, pairs, data = given(samples, results, **fields)
    return task.evaluate(pairs, data)


def test_what_is_right_counts_1_and_the_rest_0():
    samples = [sample([BOX], [0]), sample([], [])]
    nothing = found([], [], [])
    right = found([FOUND], [0.9], [0])
    perfect = metrics(samples, [right, nothing])
    assert next(iter(perfect)) == "AP"
    assert [perfect[name] for name in ("AP", "AP50", "AR", "APM", "precision", "recall")] == (
        pytest.approx([1] * 6)
    )
    assert (perfect["APS"], perfect["AP/cat"], perfect["AP/dog"]) == (-1, pytest.approx(1), -1)
    empty = metrics(samples, [nothing, nothing])
    assert (empty["AP"], empty["AR"], empty["precision"], empty["recall"]) == (0, 0, -1, 0)
    assert metrics(samples, [found([FOUND], [0.9], [1]), nothing])["AP50"] == 0
    # Better scored and wrong: half the precision.
    wrong = found([[1, 1, 9, 9]], [0.95], [0])
    assert metrics(samples, [right, wrong])["AP50"] == pytest.approx(0.5)


def test_an_overlap_of_4_fifths_counts_at_some_thresholds():
    """0.50, 0.55 ... 0.80 of ten."""
    values = metrics([sample([BOX], [1])], [found([[10, 10, 50, 42.2]], [0.9], [1])])
    assert [values[name] for name in ("AP50", "AP75", "AP", "AR")] == pytest.approx(
        [1, 1, 0.7, 0.7]
    )


def test_a_region_to_ignore_counts_neither_way():
    samples = [sample([BOX, [60, 10, 30, 80]], [0, 0], [False, True])]
    both = found([FOUND, [61, 20, 80, 40], [62, 50, 80, 80]], [0.5, 0.9, 0.9], [0] * 3)
    values = metrics(samples, [both])
    assert (values["AP"], values["precision"], values["recall"]) == (pytest.approx(1), 1, 1)


def test_precision_and_recall_are_at_the_usual_score():
    samples = [sample([BOX, [60, 60, 30, 30]], [0, 0])]
    result = found([FOUND, [60, 60, 90, 90], [0, 70, 20, 90]], [0.9, 0.4, 0.3], [0] * 3)
    for score, expected in ((0.5, (1, 0.5)), (0.35, (1, 1)), (0.3, (2 / 3, 1))):
        values = metrics(samples, [result], usual_score=score - 1e-6)
        assert (values["precision"], values["recall"]) == pytest.approx(expected)


def test_classes_go_by_name_and_those_the_data_lack_are_left_out():
    names = ("owl", "dog", "cat")
    result = found([FOUND, [0, 0, 9, 9]], [0.5, 0.9], [2, 0], names)
    values = metrics([sample([BOX], [0])], [result])
    assert (values["AP"], values["precision"]) == (pytest.approx(1), 1)


def test_nothing_to_find_has_no_value():
    assert metrics([sample([], [])], [found([], [], [])])["AP"] == -1


def test_a_part_of_the_pictures_is_compared_with_its_own_labels():
    """As each rank does: the pair of the second picture alone."""
    samples = [sample([[0, 0, 90, 90]], [1]), sample([BOX], [0])]
    task, pairs, data = given(samples, [found([], [], []), found([FOUND], [0.9], [0])])
    assert task.evaluate(pairs[1:], data)["AP"] == pytest.approx(1)


def test_masks_are_compared_where_model_and_data_have_them():
    polygon = [[10, 10, 50, 10, 50, 50, 10, 50]]
    half = np.ones((1, 28, 28), np.float32)
    half[:, :, 14:] = 0
    labelled, boxed = sample([BOX], [0], masks=(polygon,)), sample([BOX], [0])
    result = found([FOUND], [0.9], [0], mask_maps=half)
    values = metrics([labelled], [result], head="mask")
    assert values["AP"] == pytest.approx(1)
    assert values["mask AP50"] == pytest.approx(1)
    assert values["mask AP"] == pytest.approx(0.1)
    assert list(values)[:11:10] == ["AP", "mask AP"]
    assert "mask AP" not in metrics([boxed], [result], head="mask")
    assert "mask AP" not in metrics([labelled], [found([FOUND], [0.9], [0])])


def test_details_have_classes_and_sizes():
    samples = [sample([BOX, [60, 60, 20, 20]], [0, 1], areas=np.array([1600.0, 300]))]
    task, pairs, data = given(samples, [found([FOUND], [0.9], [0])])
    values = details(task, pairs, data)
    assert values["classes"] == [
        {"class": "cat", "objects": 1, "AP": pytest.approx(1), "AP50": pytest.approx(1)},
        {"class": "dog", "objects": 1, "AP": 0, "AP50": 0},
    ]
    rows = {row["size"]: row for row in values["sizes"]}
    assert [rows[name]["objects"] for name in ("all", "small", "medium", "large")] == [2, 1, 1, 0]
    assert (rows["all"]["precision"], rows["all"]["recall"]) == (1, 0.5)
    assert (rows["small"]["recall"], rows["medium"]["recall"], rows["large"]["recall"]) == (
        0,
        1,
        -1,
    )


def test_of_many_classes_there_are_no_metrics_each():
    for count, expected in ((1, 0), (2, 2), (MAX_CLASS_METRICS, 20), (MAX_CLASS_METRICS + 1, 0)):
        names = tuple(f"c{index}" for index in range(count))
        values = metrics(
            [sample([BOX], [0])], [found([FOUND], [0.9], [0], names)], data_names=names
        )
        assert sum(name.startswith("AP/") for name in values) == expected


def test_a_comparison_is_made_once(monkeypatch):
    import hrnet.tasks.detection.evaluation as module

    calls = []
    real = module.compare
    monkeypatch.setattr(module, "compare", lambda *given: calls.append(1) or real(*given))
    task, pairs, data = given([sample([BOX], [0])], [found([FOUND], [0.9], [0])])
    task.evaluate(pairs, data)
    details(task, pairs, data)
    assert len(calls) == 1
    task.evaluate(list(pairs), data)
    assert len(calls) == 2


def test_a_model_must_find_the_classes_of_the_data():
    data = DetectionDataset(Path("boxes.json"), NAMES, ())
    for names in (("cat", "dog"), ("owl", "dog", "cat")):
        data.expect_labels_of(spec_of(names))
    with pytest.raises(InputError, match=r"got 1 others \(dog\); rename them, or train") as caught:
        data.expect_labels_of(spec_of(("cat", "owl")))
    assert len(str(caught.value).splitlines()) == 1


def test_a_picture_of_another_size_is_refused():
    data = DetectionDataset(Path("boxes.json"), NAMES, (sample([BOX], [0]),))
    other = replace(found([], [], []), image_size=(100, 90))
    with pytest.raises(InputError, match="90x100"):
        data.keep(Job(Path("a.png")), other)


@pytest.mark.parametrize("name", ["data.yaml", "annotations.xml", "."])
def test_data_of_other_tools_need_an_import(tmp_path, name):
    with pytest.raises(
        InputError, match=r"in a COCO file \(.json\), got the .*`hrnet data import`"
    ):
        read_dataset(DataSource(tmp_path / name, images=tmp_path))
