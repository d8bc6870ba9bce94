"""COCO's average precision and recall of boxes and masks, by pycocotools, and its matches.

Precision and recall at a score come from the same matches, at an IoU of 0.50, so that sizes and
regions to ignore count in them as they do in AP.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from hrnet.geometry import Floats, Size
from hrnet.metrics.coco import CocoDict, expect_pycocotools, open_run, quiet

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

BOX_METRICS = {
    "AP": 0,
    "AP50": 1,
    "AP75": 2,
    "APS": 3,
    "APM": 4,
    "APL": 5,
    "AR": 8,
    "ARS": 9,
    "ARM": 10,
    "ARL": 11,
}
"""Metric -> its place in pycocotools' `stats`. S, M, L: objects below 32^2 pixels, to 96^2, above.

AR is at 100 boxes of a class in an image.
"""

SIZES = ("all", "small", "medium", "large")
"""Sizes of objects by their areas, as in COCO."""

CURVE_IOUS = {"IoU 0.50": 0, "IoU 0.75": 5}
"""Curves of precision, by the places of their thresholds."""

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which a curve has a precision."""


@dataclass(frozen=True, slots=True, eq=False)
class TrueObjects:
    """The labelled objects of an image.

    image_size: (height, width). boxes_xywh: (M, 4) pixels. classes: (M,) from 0. areas: (M,) square
    pixels. ignore: (M,) True for regions that count neither way. masks: of each, in COCO's form;
    one without a mask counts neither way in a comparison of masks. None: not compared by masks.
    """

    image_size: Size
    boxes_xywh: Floats
    classes: NDArray[np.int64]
    areas: Floats
    ignore: NDArray[np.bool_]
    masks: Sequence[object] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FoundObjects:
    """What was found in an image.

    boxes_xywh: (N, 4) pixels. scores: (N,). classes: (N,) from 0, -1 for one that the data do not
    have. masks: of each, as COCO's compressed run lengths; None: not compared by masks.
    """

    boxes_xywh: Floats
    scores: Floats
    classes: NDArray[np.int64]
    masks: Sequence[dict[str, object]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """The matches in an image at IoU 0.50.

    partners: (N,) for each found object the row of the labelled one that it matches, or -1.
    counts: (N,) False where it counts neither way.
    """

    partners: NDArray[np.int64]
    counts: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What counts among objects of one size. scores, right: (D,), of found ones. objects: labelled.

    right: True where it matches an object.
    """

    scores: Floats
    right: NDArray[np.bool_]
    objects: int

    def rates(self, min_score: float) -> tuple[float, float]:
        """Return precision and recall of what has at least that score; -1 where nothing counts."""
        right = self.right[self.scores >= min_score]
        precision = float(right.mean()) if right.size else -1.0
        return precision, int(right.sum()) / self.objects if self.objects else -1.0


@dataclass(frozen=True, slots=True, eq=False)
class BoxFigures:
    """The comparison of all images.

    metrics: by the names of `BOX_METRICS`, 0..1, or -1 where nothing can count. class_ap,
    class_ap50: (C,), likewise. objects: (C,) labelled objects that count. curves: by the names of
    `CURVE_IOUS`, precision (101,) at `RECALLS`, the mean over the classes. sizes: by the names of
    `SIZES`. matches: of each image.
    """

    metrics: dict[str, float]
    class_ap: Floats
    class_ap50: Floats
    objects: NDArray[np.int64]
    curves: dict[str, Floats]
    sizes: dict[str, Tally]
    matches: tuple[Matches, ...]


def compare_boxes(
    truth: Sequence[TrueObjects],
    found: Sequence[FoundObjects],
    num_classes: int,
    kind: Literal["bbox", "segm"] = "bbox",
) -> BoxFigures:
    """Compare what was found in images with what is labelled, by boxes or by masks.

    truth, found: one for each image. Raises InputError without pycocotools.
    """
    expect_pycocotools()
    # Both sides as COCO data sets; images and classes count from 1 there.
    true_entries = [
        entry for image, own in enumerate(truth, 1) for entry in _true_entries(own, image, kind)
    ]
    found_entries = [
        entry for image, own in enumerate(found, 1) for entry in _found_entries(own, image, kind)
    ]
    images = [
        {"id": image, "height": own.image_size[0], "width": own.image_size[1]}
        for image, own in enumerate(truth, 1)
    ]
    categories = [{"id": number} for number in range(1, num_classes + 1)]
    sides = (_numbered(true_entries), _numbered(found_entries))
    with quiet():
        run = open_run(kind, images, categories, *sides)
        run.evaluate()
        run.accumulate()
        run.summarize()
    # (thresholds, recalls, classes) for objects of all sizes, 100 boxes of a class in an image
    precision = run.eval["precision"][:, :, :, 0, -1]
    return BoxFigures(
        metrics={name: float(run.stats[place]) for name, place in BOX_METRICS.items()},
        class_ap=_mean(precision, (0, 1)),
        class_ap50=_mean(precision[:1], (0, 1)),
        objects=_objects(truth, num_classes),
        curves={name: _mean(precision[place], 1) for name, place in CURVE_IOUS.items()},
        sizes={name: _tally(run, place) for place, name in enumerate(SIZES)},
        matches=_matches(run, sides, found),
    )


def _true_entries(own: TrueObjects, image: int, kind: str) -> Iterator[CocoDict]:
    """Yield the annotations of an image; regions to ignore are crowds, as pycocotools knows them.

    `row` is the place in the image.
    """
    for row, box in enumerate(np.asarray(own.boxes_xywh, np.float64).tolist()):
        mask = own.masks[row] if own.masks is not None else None
        ignore = bool(own.ignore[row]) or (kind == "segm" and mask is None)
        left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
        yield {
            "image_id": image,
            "category_id": int(own.classes[row]) + 1,
            "bbox": box,
            "area": float(own.areas[row]),
            "iscrowd": int(ignore),
            "segmentation": mask or [[left, top, right, top, right, bottom, left, bottom]],
            "row": row,
        }


def _found_entries(own: FoundObjects, image: int, kind: str) -> Iterator[CocoDict]:
    """Yield the results of an image with the areas that pycocotools' `loadRes` gives them."""
    for row, box in enumerate(np.asarray(own.boxes_xywh, np.float64).tolist()):
        if own.classes[row] < 0:
            continue
        entry: CocoDict = {
            "image_id": image,
            "category_id": int(own.classes[row]) + 1,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": 0,
            "score": float(own.scores[row]),
            "row": row,
        }
        if kind == "segm":
            from pycocotools import mask as coco_mask

            assert own.masks is not None
            runs = own.masks[row]
            entry |= {"segmentation": runs, "area": float(coco_mask.area(runs))}
        yield entry


def _numbered(entries: Sequence[CocoDict]) -> list[CocoDict]:
    return [{**entry, "id": number} for number, entry in enumerate(entries, 1)]


def _mean(values: Floats, axes: int | tuple[int, ...]) -> Floats:
    """Return means of what counts; -1, which stands for what does not, where there is nothing."""
    counts = values > -1
    totals = np.where(counts, values, 0).sum(axis=axes)
    numbers = counts.sum(axis=axes)
    means: Floats = np.where(numbers > 0, totals / np.maximum(numbers, 1), -1.0)
    return means


def _objects(truth: Sequence[TrueObjects], num_classes: int) -> NDArray[np.int64]:
    classes = [own.classes[~own.ignore] for own in truth]
    joined = np.concatenate([np.zeros(0, np.int64), *classes])
    return np.bincount(joined, minlength=num_classes).astype(np.int64)


def _of_size(run: "COCOeval", place: int) -> Iterator[dict[str, Any]]:
    """Yield the matches of each image and class that has any, of objects of one size."""
    sizes, images = len(run.params.areaRng), len(run.params.imgIds)
    for number in range(len(run.params.catIds)):
        first = (number * sizes + place) * images
        yield from (one for one in run.evalImgs[first : first + images] if one is not None)


def _tally(run: "COCOeval", place: int) -> Tally:
    """Count what matches at IoU 0.50, the first threshold."""
    scores, right, objects = [np.zeros(0)], [np.zeros(0, bool)], 0
    for one in _of_size(run, place):
        counts = ~np.asarray(one["dtIgnore"][0], bool)
        scores.append(np.asarray(one["dtScores"])[counts])
        right.append(np.asarray(one["dtMatches"][0])[counts] > 0)
        objects += int((np.asarray(one["gtIgnore"]) == 0).sum())
    return Tally(np.concatenate(scores), np.concatenate(right), objects)


def _matches(
    run: "COCOeval",
    sides: tuple[list[CocoDict], list[CocoDict]],
    found: Sequence[FoundObjects],
) -> tuple[Matches, ...]:
    """Return the matches of each image at IoU 0.50, by the rows of its objects."""
    # Ids count from 1, in the order of the entries.
    true_rows, found_rows = ([cast(int, one["row"]) for one in side] for side in sides)
    matches = [
        Matches(np.full(len(own.scores), -1), np.zeros(len(own.scores), bool)) for own in found
    ]
    for one in _of_size(run, 0):
        image = matches[int(one["image_id"]) - 1]
        partners, ignored = one["dtMatches"][0].tolist(), one["dtIgnore"][0].tolist()
        for number, partner, ignore in zip(one["dtIds"], partners, ignored, strict=True):
            row = found_rows[number - 1]
            image.counts[row] = not ignore
            image.partners[row] = true_rows[int(partner) - 1] if partner > 0 else -1
    return tuple(matches)
