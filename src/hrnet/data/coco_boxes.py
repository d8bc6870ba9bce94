"""The labelled boxes of a COCO instance file, for training and evaluation.

Source: https://cocodataset.org/#format-data, "Object Detection". Crowds, and annotations with
`ignore: 1`, are regions to ignore. Everything that is left out is noted with its count.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hrnet.data.box_dataset import BoxDataset, BoxSample, Segmentation
from hrnet.data.category import note_unlisted
from hrnet.data.coco_file import (
    STOPS,
    CocoAnnotation,
    CocoCategory,
    CocoFile,
    CocoImage,
    note_problems,
    parse_coco,
    twice,
)
from hrnet.data.findings import Findings
from hrnet.data.image_paths import image_paths
from hrnet.data.run_lengths import is_mask_of
from hrnet.errors import InputError
from hrnet.files import read_json
from hrnet.geometry import Size
from hrnet.numbers import to_floats, to_int

_KINDS = ("id", "image_id", "unlisted", "category_id", "bbox", "iscrowd")
"""Faults of an annotation that matter to boxes."""

_FARTHEST_PX = 100_000
"""Largest coordinate of a polygon; the time and memory to fill one grow with its extent."""


def holds_boxes(content: object) -> bool:
    """Return True for the content of a COCO file whose annotations have boxes and no keypoints."""
    if not isinstance(content, dict):
        return False
    entries = [content.get(part) for part in ("annotations", "categories")]
    annotations, categories = (
        [one for one in part if isinstance(one, dict)] if isinstance(part, list) else []
        for part in entries
    )
    has_keypoints = any(one.get("keypoints") for one in (*annotations, *categories))
    return not has_keypoints and any(one.get("bbox") for one in annotations)


def read_coco_boxes(path: Path, images: Path, category: str | None = None) -> BoxDataset:
    """Read a COCO instance file; pictures are `images`/file_name.

    category: the name (or id) of the one to take; None takes all, in the order of their ids.
    Raises InputError with one line for the first error, pictures aside.
    """
    findings = Findings(strict=True, path=path)
    file = parse_coco(path, read_json(path, "annotations"), findings)
    return make_boxes(file, images, findings, category)


def make_boxes(
    file: CocoFile, images: Path, findings: Findings, category: str | None = None
) -> BoxDataset:
    """Take the boxes of a file as training does; what is wrong with them goes to the findings.

    images, category: as in `read_coco_boxes`. Raises InputError where no category is left.
    """
    note_unlisted(file, findings)
    # The categories that are classes, and their annotations.
    categories = choose_classes(file, findings, category)
    classes = {one.id: index for index, one in enumerate(categories)}
    if len(file.categories) == 1:  # which an annotation need not name
        classes[None] = 0
    unnamed = [one.name for one in file.annotations if one.category_id is None]
    if None not in classes:
        findings.error("annotations without a category_id", unnamed, STOPS)
    chosen = [one for one in file.annotations if one.category_id in classes]
    note_problems(chosen, findings, _KINDS)
    findings.error(
        "annotations without a box", [one.name for one in chosen if one.box is None], STOPS
    )
    flat = [one.name for one in chosen if one.box is not None and min(one.box[2:]) <= 0]
    findings.warning("boxes of no area", flat, "they are left out")
    # The samples, one a picture.
    of_image: dict[int | None, list[CocoAnnotation]] = {}
    for one in chosen:
        if one.box is not None and min(one.box[2:]) > 0:
            of_image.setdefault(one.image_id, []).append(one)
    paths = image_paths(images, file.images)
    listed = {image.id: image for image in file.images if image.id in paths}
    owned = [of_image.get(number, []) for number in listed]
    samples = [
        _sample(image, paths[number], own, classes)
        for (number, image), own in zip(listed.items(), owned, strict=True)
    ]
    if all(one.ignore.all() for one in samples):
        detail = f"none in {len(samples)} pictures, regions to ignore aside"
        findings.state("error", "boxes of objects", detail, "add boxes, or take other data")
    # Areas that are made up, and masks that are lost.
    boxed = [one for own in owned for one in own]
    made = [one.name for one in boxed if not _has_area(one)]
    findings.warning("boxes without an area above 0", made, "that of the box is taken")
    masks = [mask for sample in samples for mask in sample.masks or [None] * len(sample.ignore)]
    lost = [one.name for one, mask in zip(boxed, masks, strict=True) if _loses_mask(one, mask)]
    findings.warning("masks that cannot be drawn whole", lost, "what is wrong is left out")
    names = tuple(one.name for one in categories)
    return BoxDataset(file.path, names, tuple(samples), findings.notes)


def choose_classes(file: CocoFile, findings: Findings, wanted: str | None) -> list[CocoCategory]:
    """Return the category of a name or id, or all, by their ids; InputError where there is none."""
    unnumbered = [one.name for one in file.categories if one.id is None]
    findings.error("categories without an id that is a whole number", unnumbered, STOPS)
    listed = sorted(file.categories, key=lambda one: one.id or 0)
    for what, values in (("ids", [o.id for o in listed]), ("names", [o.name for o in listed])):
        findings.error(f"category {what} that occur more than once", twice(values), STOPS)
    chosen = [one for one in listed if wanted is None or wanted in (one.name, str(one.id))]
    if not chosen:
        known = ", ".join(one.name for one in listed[:20]) or "there are none"
        got = "none" if wanted is None else f"{wanted:.60}"
        hint = "name one of them" if file.categories else "add them to the file"
        raise InputError(f"{file.path}: expected categories ({known}), got {got}; {hint}")
    return chosen


def _sample(
    image: CocoImage, path: Path, own: Sequence[CocoAnnotation], classes: dict[int | None, int]
) -> BoxSample:
    boxes = np.array([one.box for one in own], np.float64).reshape(-1, 4)
    masks = tuple(_segmentation(one.raw.get("segmentation"), image.size) for one in own)
    areas = np.array([one.area if _has_area(one) else np.nan for one in own], np.float64)
    extents = boxes[:, 2] * boxes[:, 3]
    return BoxSample(
        image_path=path,
        image_size=image.size,
        name=f"image {image.id}",
        boxes_xywh=boxes,
        classes=np.array([classes[one.category_id] for one in own], np.int64),
        ignore=np.array([one.iscrowd or to_int(one.raw.get("ignore")) == 1 for one in own], bool),
        masks=masks if any(mask is not None for mask in masks) else None,
        areas=np.where(np.isnan(areas), extents, areas),
    )


def _has_area(one: CocoAnnotation) -> bool:
    return one.area is not None and one.area > 0


def _loses_mask(one: CocoAnnotation, mask: Segmentation | None) -> bool:
    """Return whether an annotation has a mask, or a part of one, that was not read."""
    given = one.raw.get("segmentation")
    if not given or not isinstance(given, (list, dict)):
        return bool(given)
    return mask is None or len(mask) < len(given)


def _segmentation(value: object, image_size: Size | None) -> Segmentation | None:
    """Return polygons or run lengths that can be drawn, None for anything else."""
    if isinstance(value, list):
        polygons = [to_floats(one) for one in value]
        good = [one for one in polygons if one is not None and len(one) >= 6]
        even = [one.tolist() for one in good if len(one) % 2 == 0]
        near = all(max(map(abs, one)) <= _FARTHEST_PX for one in even)
        return even if even and near else None
    if isinstance(value, dict):
        size = to_floats(value.get("size"), 2)
        own = None if size is None else (int(size[0]), int(size[1]))
        fits = own is not None and is_mask_of(value, image_size or own)
        return value if fits else None
    return None
