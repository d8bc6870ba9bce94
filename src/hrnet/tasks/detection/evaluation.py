"""COCO's average precision of boxes, by pycocotools."""

import contextlib
import io
from collections.abc import Sequence

import numpy as np

from hrnet.tasks import Job, Result
from hrnet.tasks.detection.dataset import DetectionDataset
from hrnet.tasks.detection.result import Detections

METRICS = {"AP": 0, "AP50": 1, "AP75": 2, "AR": 8}
"""The metrics, by their places in the `stats` of pycocotools."""

CocoDict = dict[str, object]


def evaluate_boxes(
    pairs: Sequence[tuple[Job, Result]], dataset: DetectionDataset
) -> dict[str, float]:
    """Return AP, AP50, AP75 and AR in 0..1, or -1 where nothing can count.

    Boxes of classes that the data do not have are left out.
    """
    numbers = {name: index for index, name in enumerate(dataset.class_names, 1)}
    found: list[CocoDict] = []
    for job, result in pairs:
        assert isinstance(result, Detections)
        for entry in result.entries(job.index):
            if entry["class"] in numbers:
                found.append({**entry, "category_id": numbers[str(entry["class"])]})
    true = [
        {"image_id": index, "category_id": int(number) + 1, "bbox": box.tolist(), "ignore": ignore}
        for index, sample in enumerate(dataset.samples)
        for number, box, ignore in zip(
            sample.classes, sample.boxes_xywh, sample.ignore.tolist(), strict=True
        )
    ]
    images = [job.index for job, _ in pairs]
    return _run_pycocotools(images, list(numbers.values()), _numbered(true), _numbered(found))


def _numbered(entries: Sequence[CocoDict]) -> list[CocoDict]:
    """Return entries as pycocotools reads them: with ids from 1, areas, and crowds to ignore."""
    numbered: list[CocoDict] = []
    for number, entry in enumerate(entries, 1):
        area = float(np.prod(np.array(entry["bbox"])[2:]))
        crowd = int(bool(entry.get("ignore")))
        numbered.append({**entry, "id": number, "area": area, "iscrowd": crowd})
    return numbered


def _run_pycocotools(
    images: list[int], categories: list[int], true: list[CocoDict], found: list[CocoDict]
) -> dict[str, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        # Both sides as COCO data sets.
        sides = []
        for entries in (true, found):
            side = COCO()
            side.dataset = {
                "images": [{"id": image} for image in images],
                "categories": [{"id": number} for number in categories],
                "annotations": entries,
            }
            side.createIndex()
            sides.append(side)
        run = COCOeval(*sides, iouType="bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return {name: float(run.stats[place]) for name, place in METRICS.items()}
