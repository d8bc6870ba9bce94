"""COCO's AP of boxes and masks: numbers by hand, pycocotools run on plain files, and matches."""

import json

import numpy as np
import pytest

from hrnet.data.run_lengths import run_lengths
from hrnet.metrics.coco_boxes import (
    BOX_METRICS,
    FoundObjects,
    Tally,
    TrueObjects,
    compare_boxes,
)

pytest.importorskip("pycocotools")


def true(boxes, classes=None, ignore=None, areas=None, masks=None) -> TrueObjects:
    boxes = np.array(boxes, float).reshape(-1, 4)
    count = len(boxes)
    return TrueObjects(
        (200, 300),
        boxes,
        np.array(classes or [0] * count, np.int64),
        boxes[:, 2] * boxes[:, 3] if areas is None else np.array(areas, float),
        np.array(ignore or [False] * count, bool),
        masks,
    )


def found(boxes, scores, classes=None, masks=None) -> FoundObjects:
    boxes = np.array(boxes, float).reshape(-1, 4)
    ids = np.array(classes or [0] * len(boxes), np.int64)
    return FoundObjects(boxes, np.array(scores, float), ids, masks)


def scene(seed, images=6, classes=3):
    """Objects of all sizes, some of them crowds; found are moved copies, and some more."""
    rng = np.random.default_rng(seed)
    truth, results = [], []
    for _ in range(images):
        count = int(rng.integers(0, 8))
        boxes = np.c_[rng.uniform(0, 150, (count, 2)), rng.choice([12, 50, 130], (count, 2))]
        ids = rng.integers(0, classes, count)
        areas = boxes[:, 2] * boxes[:, 3] * rng.uniform(0.4, 1, count)
        truth.append(true(boxes, ids.tolist(), (rng.random(count) < 0.2).tolist(), areas))
        moved = np.r_[boxes + rng.normal(0, 3, boxes.shape), rng.uniform(5, 90, (3, 4))]
        moved[:, 2:] = moved[:, 2:].clip(min=1)
        labels = np.r_[ids, rng.integers(0, classes, 3)].tolist()
        results.append(found(moved, rng.random(count + 3).round(3), labels))
    return truth, results


def by_files(tmp_path, truth, results, classes):
    """The metrics as pycocotools computes them of files, in the way of its documentation."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations, entries = [], []
    for image, (own, other) in enumerate(zip(truth, results, strict=True)):
        for box, label, area, ignore in zip(
            own.boxes_xywh.tolist(), own.classes.tolist(), own.areas, own.ignore, strict=True
        ):
            known = {"id": len(annotations) + 1, "image_id": image, "category_id": label}
            annotations.append(known | {"bbox": box, "area": area, "iscrowd": int(ignore)})
        for box, score, label in zip(
            other.boxes_xywh.tolist(), other.scores.tolist(), other.classes.tolist(), strict=True
        ):
            entries.append({"image_id": image, "category_id": label, "bbox": box, "score": score})
    images = [{"id": image, "height": 200, "width": 300} for image in range(len(truth))]
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": label} for label in range(classes)]
    for name, value in (("true.json", content), ("found.json", entries)):
        (tmp_path / name).write_text(json.dumps(value))
    data = COCO(str(tmp_path / "true.json"))
    run = COCOeval(data, data.loadRes(str(tmp_path / "found.json")), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return {name: run.stats[place] for name, place in BOX_METRICS.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_metrics_are_those_of_pycocotools_on_files(tmp_path, seed):
    truth, results = scene(seed)
    figures = compare_boxes(truth, results, 3)
    assert figures.metrics == pytest.approx(by_files(tmp_path, truth, results, 3), abs=1e-12)
    assert 0 < figures.metrics["AP"] < 1
    counted = figures.class_ap > -1
    assert figures.class_ap[counted].mean() == pytest.approx(figures.metrics["AP"])
    assert figures.class_ap50[counted].mean() == pytest.approx(figures.metrics["AP50"])
    assert figures.curves["IoU 0.75"].mean() == pytest.approx(figures.metrics["AP75"])
    assert figures.objects.sum() == figures.sizes["all"].objects


def test_matches_name_the_rows():
    truth = [true([[10, 10, 40, 40], [100, 100, 50, 50], [200, 10, 90, 90]], None, [0, 0, 1])]
    boxes = [
        [100, 100, 50, 48],
        [10, 10, 40, 40],
        [11, 10, 40, 40],
        [210, 20, 50, 50],
        [0, 0, 9, 9],
    ]
    results = [found(boxes, [0.5, 0.6, 0.7, 0.8, 0.9], [0, 0, 0, 0, -1])]
    (matches,) = compare_boxes(truth, results, 1).matches
    # The better scored of two copies matches; in the crowd, and of no class, nothing counts.
    assert matches.partners[:3].tolist() == [1, -1, 0]
    assert matches.counts.tolist() == [True, True, True, False, False]


def test_precision_and_recall_at_a_score_by_size():
    """Two small objects and a large one; a wrong small box, a wrong large one below the score."""
    truth = [true([[0, 0, 20, 20], [40, 0, 20, 20], [100, 50, 120, 120]])]
    boxes = [[0, 0, 20, 20], [100, 50, 120, 120], [60, 100, 20, 20], [0, 60, 110, 110]]
    figures = compare_boxes(truth, [found(boxes, [0.9, 0.8, 0.7, 0.3])], 1)
    assert figures.sizes["all"].rates(0.5) == pytest.approx((2 / 3, 2 / 3))
    assert figures.sizes["small"].rates(0.5) == (0.5, 0.5)
    assert figures.sizes["large"].rates(0.5) == (1, 1)
    assert figures.sizes["large"].rates(0.2) == (0.5, 1)
    assert figures.sizes["medium"].rates(0.5) == (-1, -1)
    assert [tally.objects for tally in figures.sizes.values()] == [3, 2, 0, 1]
    assert Tally(np.zeros(0), np.zeros(0, bool), 4).rates(0.5) == (-1, 0)


def test_sizes_go_by_areas_and_not_by_boxes():
    """A thin object in a large box is small in COCO."""
    result = [found([[0, 0, 100, 100]], [0.9])]
    thin = compare_boxes([true([[0, 0, 100, 100]], areas=[500])], result, 1).metrics
    whole = compare_boxes([true([[0, 0, 100, 100]])], result, 1).metrics
    assert (thin["APS"], thin["APL"]) == (pytest.approx(1), -1)
    assert (whole["APS"], whole["APL"]) == (-1, pytest.approx(1))


def test_masks_are_compared_by_their_pixels():
    """The same box, half of it filled: an IoU of 0.5 counts at the first threshold alone."""
    whole, half = np.zeros((200, 300), bool), np.zeros((200, 300), bool)
    whole[50:150, 100:200] = True
    half[50:150, 100:150] = True
    polygon = [[100, 50, 200, 50, 200, 150, 100, 150]]
    box = [[100, 50, 100, 100]]
    truth = [true(box, masks=[polygon])]
    for mask, expected in ((whole, 1), (half, 0.1)):
        results = [found(box, [0.9], masks=[run_lengths(mask)])]
        figures = compare_boxes(truth, results, 1, "segm")
        assert figures.metrics["AP"] == pytest.approx(expected)
        assert compare_boxes(truth, results, 1).metrics["AP"] == pytest.approx(1)
    # An object without a mask counts neither way.
    two = [true([*box, [0, 0, 50, 50]], masks=[run_lengths(whole), None])]
    both = [found([*box, [0, 0, 50, 50]], [0.9, 0.95], masks=[run_lengths(whole)] * 2)]
    assert compare_boxes(two, both[:1], 1, "segm").metrics["AR"] == pytest.approx(1)


def test_nothing_to_find_and_nothing_found():
    nothing, empty = found([], []), true([])
    assert set(compare_boxes([empty], [nothing], 2).metrics.values()) == {-1}
    assert compare_boxes([], [], 1).metrics["AP"] == -1
    missed = compare_boxes([true([[0, 0, 9, 9]], [1])], [nothing], 2)
    assert missed.metrics["AP"] == 0
    assert missed.class_ap.tolist() == [-1, 0]
    assert missed.objects.tolist() == [0, 1]
