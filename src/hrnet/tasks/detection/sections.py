"""Detection's part of the report: class by class, curves, sizes, mistakes and worst pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hrnet.charts import Chart, Series, draw_chart
from hrnet.drawing import Color, draw_boxes
from hrnet.errors import printable
from hrnet.geometry import Floats, Image8, xywh_to_xyxy
from hrnet.images import read_image
from hrnet.markup import (
    Section,
    bar,
    gallery,
    jpeg_uri,
    long_table,
    section,
    share,
    table,
    text,
    tiles,
)
from hrnet.metrics.coco_boxes import BOX_METRICS, RECALLS
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.detection.evaluation import MASK, Comparison, by_size, comparison_of

_MAX_ROWS = 30
_MAX_EXAMPLES = 12
_CROP_PX = 240
_PICTURE_PX = 480

_RIGHT: Color = (86, 180, 233)
_WRONG: Color = (240, 150, 20)
_MISSED: Color = (235, 130, 190)

_MEANING = {
    "AP": "mean precision, over IoU 0.50, 0.55 ... 0.95, mean of the classes",
    "AP50": "at IoU 0.50, loose",
    "AP75": "at IoU 0.75, strict",
    "APS": "of objects below 32² pixels",
    "APM": "of objects of 32² to 96² pixels",
    "APL": "of objects of more than 96² pixels",
    "AR": "mean recall, over IoU 0.50, 0.55 ... 0.95, of at most 100 boxes of a class in a picture",
    "ARS": "of objects below 32² pixels",
    "ARM": "of objects of 32² to 96² pixels",
    "ARL": "of objects of more than 96² pixels",
}

METRIC_MEANING: dict[str, str] = {
    **{name: _MEANING[name] for name in BOX_METRICS},
    **{MASK + name: f"by masks: {_MEANING[name]}" for name in BOX_METRICS},
    "precision": "detections of at least the usual score that are right, at IoU 0.50",
    "recall": "objects that these detections find",
}
"""Metric -> its meaning, beside its value in 0..1 in the report."""


def report_sections(
    task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
) -> list[Section]:
    """Return the sections of a detector; those of mistakes where there are any."""
    found = comparison_of(task, pairs, dataset)
    looks = [_look(found, row) for row in range(len(found.jobs))]
    wrong, worst = _surest_wrong(found, looks), _worst(looks)
    return [
        _classes(found),
        _scores(found),
        *([_mistakes(found, wrong)] if wrong else []),
        *([_pictures(found, looks, worst)] if worst else []),
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """The detections of a picture at the usual score: rows that are right, wrong, and missed."""

    right: NDArray[np.intp]
    wrong: NDArray[np.intp]
    missed: NDArray[np.intp]

    @property
    def mistakes(self) -> int:
        return len(self.wrong) + len(self.missed)


def _look(found: Comparison, picture: int) -> _Look:
    matches, truth = found.boxes.matches[picture], found.truth[picture]
    sure = found.results[picture].scores >= found.usual_score
    hits = sure & (matches.partners >= 0) & matches.counts
    # An object is missed unless a sure detection matches it.
    missed = ~truth.ignore
    missed[matches.partners[hits]] = False
    return _Look(
        right=np.flatnonzero(hits),
        wrong=np.flatnonzero(sure & (matches.partners < 0) & matches.counts),
        missed=np.flatnonzero(missed),
    )


def _surest_wrong(found: Comparison, looks: Sequence[_Look]) -> list[tuple[int, int]]:
    """Return (picture, row) of the wrong detections of the highest scores."""
    wrong = [(picture, int(row)) for picture, look in enumerate(looks) for row in look.wrong]
    wrong.sort(key=lambda place: -found.results[place[0]].scores[place[1]])
    return wrong[:_MAX_EXAMPLES]


def _worst(looks: Sequence[_Look]) -> list[int]:
    """Return the pictures with the most mistakes."""
    order = sorted(range(len(looks)), key=lambda picture: -looks[picture].mistakes)
    return [picture for picture in order[:_MAX_EXAMPLES] if looks[picture].mistakes]


def _classes(found: Comparison) -> Section:
    """Return each class with its AP, the lowest first, those without objects last."""
    boxes, masks = found.boxes, found.masks
    order = sorted(
        range(len(found.class_names)),
        key=lambda index: (boxes.class_ap[index] < 0, boxes.class_ap[index]),
    )
    rows = [
        (
            text(found.class_names[index]),
            f"{boxes.objects[index]:,}",
            share(boxes.class_ap[index]),
            bar(boxes.class_ap[index]),
            share(boxes.class_ap50[index]),
            *(() if masks is None else (share(masks.class_ap[index]),)),
        )
        for index in order
    ]
    head = ("class", "objects", "AP", "", "AP50", *(() if masks is None else ("mask AP",)))
    return section(
        "classes",
        "Class by class",
        tiles(
            [
                ("classes", str(len(rows))),
                ("objects", f"{boxes.objects.sum():,}"),
                ("pictures", f"{len(found.jobs):,}"),
            ]
        ),
        "<p>The classes with the lowest AP come first. A dash stands where there are no "
        "objects.</p>",
        long_table(head, rows, most=_MAX_ROWS, numbers=(1, 2, 4, 5)),
    )


def _scores(found: Comparison) -> Section:
    """Return the curves of precision over recall, and precision and recall by size."""
    curves = tuple(
        Series(name, tuple(zip(RECALLS.tolist(), values.tolist(), strict=True)))
        for name, values in found.boxes.curves.items()
        if (values >= 0).all()
    )
    chart = Chart("Precision over recall", "recall", "precision", curves, fixed=(0.0, 1.0))
    rows = [
        (
            str(row["size"]),
            f"{row['objects']:,}",
            *(share(float(str(row[name]))) for name in ("AP", "AR", "precision", "recall")),
        )
        for row in by_size(found)
    ]
    head = ("size", "objects", "AP", "AR", "precision", "recall")
    return section(
        "precision",
        "Precision and recall",
        draw_chart(chart) if curves else "",
        "<p>The curve is the mean over the classes: how many of the detections are right, where "
        "so large a part of the objects is found.</p>",
        table(head, rows, numbers=range(1, 6)),
        f"<p>Precision and recall are those of detections with a score of at least "
        f"{found.usual_score:g}, the model’s usual one, all classes together, at IoU 0.50. Small "
        "objects are below 32² pixels, large ones above 96².</p>",
    )


def _mistakes(found: Comparison, wrong: Iterable[tuple[int, int]]) -> Section:
    """Return the wrong detections of the highest scores, each cut out of its picture."""
    pictures = []
    for picture, row in wrong:
        # The picture is read again rather than kept.
        path = Path(str(found.jobs[picture].image))
        result = found.results[picture]
        one, why = result[row], _reason(found, picture, row)
        title = f"{one.name} {one.score:.2f}"
        crop = _cut(read_image(path), one.box)
        caption = f"<b>{text(title)}</b> {text(why)}<br>{text(path.name)}"
        pictures.append((jpeg_uri(crop), f"{path.name}: {title}, {why}", caption))
    return section(
        "mistakes",
        "The surest mistakes",
        "<p>Detections with the highest scores that match no object.</p>",
        gallery(pictures),
    )


def _reason(found: Comparison, picture: int, row: int) -> str:
    """Describe why a detection is wrong, by the labelled object that it overlaps the most."""
    truth, one = found.truth[picture], found.results[picture][row]
    overlaps = _ious(one.box, xywh_to_xyxy(truth.boxes_xywh))
    overlaps[truth.ignore] = 0
    if not overlaps.size or overlaps.max() < 0.1:
        return "nothing labelled there"
    nearest = int(overlaps.argmax())
    name, overlap = found.class_names[truth.classes[nearest]], overlaps[nearest]
    if name != one.name:
        return f"labelled {name}, IoU {overlap:.2f}"
    return "found twice" if overlap >= 0.5 else f"misplaced, IoU {overlap:.2f}"


def _ious(box: Floats, others: Floats) -> Floats:
    """Return the IoU of a box (4,) xyxy with others (M, 4)."""
    corners = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = (corners[1] - corners[0]).clip(min=0).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    ious: Floats = shared / np.maximum(areas - shared, 1e-9)
    return ious


def _cut(pixels: Image8, box: NDArray[np.float32]) -> Image8:
    """Cut a square around a box out of a picture, black beyond its edges, and draw the box."""
    centre, extent = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    side = round(max(1.6 * extent, 64))
    left, top = np.rint(centre - side / 2).astype(int).tolist()
    part = Image.fromarray(pixels).crop((left, top, left + side, top + side))
    scaled = (box - np.array([left, top, left, top])) * (_CROP_PX / side)
    square = np.asarray(part.resize((_CROP_PX, _CROP_PX)))
    return draw_boxes(square, scaled[None].astype(np.float32), [""], [_WRONG])


def _pictures(found: Comparison, looks: Sequence[_Look], worst: Iterable[int]) -> Section:
    """Return the pictures with the most mistakes, everything drawn."""
    pictures = []
    for picture in worst:
        path = Path(str(found.jobs[picture].image))
        look = looks[picture]
        drawn = _all_drawn(found, picture, look, read_image(path))
        words = f"{len(look.wrong)} wrong, {len(look.missed)} missed, {len(look.right)} right"
        caption = f"<b>{words}</b><br>{text(path.name)}"
        pictures.append((jpeg_uri(drawn), f"{path.name}: {words}", caption))
    return section(
        "pictures",
        "Worst pictures",
        "<p>Pictures with the most mistakes. Orange detections are wrong, pink objects are missed, "
        f"blue detections are right; all of a score of at least {found.usual_score:g}.</p>",
        gallery(pictures),
    )


def _all_drawn(found: Comparison, picture: int, look: _Look, pixels: Image8) -> Image8:
    """Draw what is wrong, missed and right in a picture; what is right has no caption."""
    result, truth = found.results[picture], found.truth[picture]
    wrong = [f"{printable(one.name)} {one.score:.2f}" for one in result[look.wrong]]
    missed = [printable(found.class_names[index]) for index in truth.classes[look.missed]]
    boxes = np.concatenate(
        [
            result.boxes[look.wrong],
            xywh_to_xyxy(truth.boxes_xywh[look.missed]),
            result.boxes[look.right],
        ]
    )
    labels = [*wrong, *(f"missed {name}" for name in missed), *[""] * len(look.right)]
    counts = ((_WRONG, len(look.wrong)), (_MISSED, len(look.missed)), (_RIGHT, len(look.right)))
    colors = [color for color, count in counts for _ in range(count)]
    # On a smaller picture, for the page.
    small = Image.fromarray(pixels)
    small.thumbnail((_PICTURE_PX, _PICTURE_PX))
    scale = small.width / pixels.shape[1], small.height / pixels.shape[0]
    scaled = (boxes * np.tile(scale, 2)).astype(np.float32)
    return draw_boxes(np.asarray(small), scaled, labels, colors)
