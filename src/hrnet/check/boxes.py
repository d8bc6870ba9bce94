"""The check of COCO files of boxes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from hrnet.check.copies import near_copies
from hrnet.check.keypoints.rules import SLACK_PX, check_names
from hrnet.check.pictures import PictureFile, check_pictures
from hrnet.check.result import Check, CheckResult, Progress
from hrnet.check.sheet import add_caption, font, save_sheet
from hrnet.check.show import MAX_ROWS, print_text, print_warnings
from hrnet.data.box_dataset import BoxDataset, BoxSample
from hrnet.data.class_split import same_files
from hrnet.data.coco_boxes import holds_boxes, make_boxes
from hrnet.data.coco_file import read_coco
from hrnet.data.findings import Findings
from hrnet.data.image_paths import image_paths
from hrnet.data.source import DataSource
from hrnet.drawing import class_color
from hrnet.errors import InputError, printable
from hrnet.files import is_file, is_folder, read_json
from hrnet.geometry import Floats
from hrnet.images import read_image

SMALL_PX, LARGE_PX = 32.0, 96.0
"""Sides of the squares between which objects are medium, as in COCO's metrics."""

FEW = 10
"""A class with fewer boxes is worth a warning."""

LEAST_PX = 2.0
"""A box with a side below it is hardly an object."""

SAME = 0.95
"""IoU from which two boxes of a class in a picture are of one object."""

SHEET_PICTURES, COLUMNS, TILE_PX = 24, 6, 260


@dataclass(frozen=True, slots=True, eq=False)
class BoxCheck(CheckResult):
    """The findings in a file of boxes. dataset: the data as training would take them."""

    images: Path
    dataset: BoxDataset

    @property
    def classes(self) -> Mapping[str, tuple[int, int]]:
        """Class name -> its pictures and its boxes, regions to ignore aside."""
        found = [one.classes[~one.ignore] for one in self.dataset.samples]
        return {
            name: (sum(bool((own == index).any()) for own in found), _count(found, index))
            for index, name in enumerate(self.dataset.class_names)
        }

    @property
    def counts(self) -> Mapping[str, int]:
        """The amounts of pictures, boxes and regions to ignore, and the sizes of the boxes."""
        samples = self.dataset.samples
        areas = np.concatenate([np.zeros(0), *[_areas(one)[~one.ignore] for one in samples]])
        small, large = areas < SMALL_PX**2, areas >= LARGE_PX**2
        return {
            "images": len(samples),
            "images without boxes": sum(len(one.classes) == 0 for one in samples),
            "boxes": len(areas),
            "regions to ignore": sum(int(one.ignore.sum()) for one in samples),
            "masks": sum(mask is not None for one in samples for mask in one.masks or ()),
            "small": int(small.sum()),
            "medium": int((~small & ~large).sum()),
            "large": int(large.sum()),
        }

    def facts(self) -> Mapping[str, object]:
        """Return the source, the counts, and pictures and boxes by class."""
        return {
            "annotations": str(self.path),
            "images": str(self.images),
            "counts": dict(self.counts),
            "classes": {
                name: {"images": images, "boxes": boxes}
                for name, (images, boxes) in self.classes.items()
            },
        }

    def print_facts(self, console: Console) -> None:
        """Print the counts, a table of the classes, and the warnings."""
        print_text(console, str(self.path))
        counts = self.counts
        print_text(console, ", ".join(f"{number} {name}" for name, number in counts.items()))
        table = Table("class")
        for title in ("images", "boxes", "share"):
            table.add_column(title, justify="right", no_wrap=True)
        total, classes = max(1, counts["boxes"]), self.classes
        for name, (images, boxes) in list(classes.items())[:MAX_ROWS]:
            table.add_row(printable(name), str(images), str(boxes), f"{boxes / total:.1%}")
        if len(classes) > MAX_ROWS:
            table.add_row(f"and {len(classes) - MAX_ROWS} more")
        console.print(table)
        print_warnings(console, self.warnings)

    def draw(self, folder: Path, seed: int) -> list[Path]:
        """Write contact_sheet.jpg with a sample of the pictures and their boxes."""
        order = np.random.default_rng(seed).permutation(len(self.dataset.samples))
        chosen = [self.dataset.samples[index] for index in sorted(order[:SHEET_PICTURES].tolist())]
        tiles = [tile for one in chosen if (tile := _tile(one, self.dataset)) is not None]
        if not tiles:
            return []
        sheet = folder / "contact_sheet.jpg"
        title = f"{self.path.name}: {len(tiles)} of {len(self.dataset.samples)} pictures"
        save_sheet(tiles, sheet, columns=COLUMNS, title=title)
        return [sheet]


def check_boxes(
    annotations: Path,
    images: Path,
    progress: Progress | None = None,
    *,
    category: str | None = None,
) -> BoxCheck:
    """Check a COCO file of boxes, and decode all its pictures.

    category: as in `read_coco_boxes`, whose first error is the first that is found here.
    Raises InputError with one line where the file is not in COCO's form at all, or where `images`
    is no folder; everything else is a finding.
    """
    if not is_folder(images):
        raise InputError(f"expected the folder of the images, but {images} is none")
    # The reader of training and evaluation, which goes on after an error here.
    findings = Findings(path=annotations)
    file = read_coco(annotations, findings)
    dataset = make_boxes(file, images, findings, category)
    result = BoxCheck(path=annotations, findings=findings, images=images, dataset=dataset)
    # Oddities that do not stop a training.
    check_names(file, findings)
    _check_classes(result.classes, findings)
    for what, wrong, hint in _WARNINGS:
        found = [(one, int(wrong(one).sum())) for one in dataset.samples]
        findings.warning(what, [f"{many} in {one.name}" for one, many in found if many], hint)
    copies = _check_copies(dataset, findings)
    paths = image_paths(images, file.images)
    names = {paths[one.id]: one.file_name for one in file.images if one.id in paths}
    files = [
        PictureFile(names[one.image_path] or one.name, one.image_path, one.image_size)
        for one in dataset.samples
    ]
    small = check_pictures(images, files, findings, progress)
    # Pictures that hardly differ, copies of the same bytes aside.
    shown = [one for one in dataset.samples if one.image_path in small]
    pairs = near_copies([small[one.image_path] for one in shown])
    findings.warning(
        "pictures that hardly differ from another one",
        [
            f"{shown[row].name} and {shown[other].name}"
            for row, other in pairs
            if copies[shown[row].name] != copies[shown[other].name]
        ],
        "frames or copies of one scene: keep them in one part, by `hrnet data split --group`",
    )
    return result


def _count(classes: Sequence[NDArray[np.int64]], index: int) -> int:
    return sum(int((own == index).sum()) for own in classes)


def _areas(sample: BoxSample) -> Floats:
    return sample.boxes_xywh.prod(axis=1) if sample.areas is None else sample.areas


def _check_classes(classes: Mapping[str, tuple[int, int]], findings: Findings) -> None:
    empty = [name for name, (_, boxes) in classes.items() if not boxes]
    findings.warning("classes without a box", empty, "a model learns never to find them")
    few = [f"{name} has {boxes}" for name, (_, boxes) in classes.items() if 0 < boxes < FEW]
    findings.warning(
        f"classes with fewer than {FEW} boxes",
        few,
        "a model rarely finds them; add pictures, and look at the AP of each class",
    )


def _check_copies(dataset: BoxDataset, findings: Findings) -> Mapping[str, int]:
    """Note pictures of equal content, of which a part may be measured and a part trained on.

    Returns the group of equal content of each sample, by its name.
    """
    samples = dataset.samples
    groups = same_files([one.image_path for one in samples])
    findings.warning(
        "pictures with a copy",
        [" = ".join(samples[row].name for row in group[:3]) for group in groups if len(group) > 1],
        "a split may train on one and measure on the other; keep one of them",
    )
    return {samples[row].name: number for number, group in enumerate(groups) for row in group}


def _outside(sample: BoxSample) -> NDArray[np.bool_]:
    """Return which boxes (M,) have nothing in the picture."""
    low, high = _corners(sample)
    beyond: NDArray[np.bool_] = np.any((high <= 0) | (low >= _extent(sample)), axis=1)
    return beyond


def _stand_out(sample: BoxSample) -> NDArray[np.bool_]:
    low, high = _corners(sample)
    beyond: NDArray[np.bool_] = np.any(
        (low < -SLACK_PX) | (high > _extent(sample) + SLACK_PX), axis=1
    )
    return beyond & ~_outside(sample)


def _tiny(sample: BoxSample) -> NDArray[np.bool_]:
    tiny: NDArray[np.bool_] = np.any(sample.boxes_xywh[:, 2:] < LEAST_PX, axis=1)
    return tiny & ~sample.ignore


def _twice(sample: BoxSample) -> NDArray[np.bool_]:
    """Return which boxes (M,) are nearly that of an earlier object of their class."""
    low, high = _corners(sample)
    sides = (np.minimum(high[:, None], high) - np.maximum(low[:, None], low)).clip(0)
    shared, area = sides.prod(axis=2), (high - low).prod(axis=1)
    near = shared >= SAME * (area[:, None] + area - shared)
    alike = near & (sample.classes[:, None] == sample.classes)
    alike &= ~sample.ignore[:, None] & ~sample.ignore
    again: NDArray[np.bool_] = np.tril(alike, -1).any(axis=1)
    return again


def _corners(sample: BoxSample) -> tuple[Floats, Floats]:
    """Return left top and right bottom (M, 2)."""
    boxes = sample.boxes_xywh
    return boxes[:, :2], boxes[:, :2] + boxes[:, 2:]


def _extent(sample: BoxSample) -> Floats:
    """Return width and height, without end where the file has none."""
    size = sample.image_size
    return np.array((np.inf, np.inf) if size is None else size[::-1], np.float64)


_WARNINGS: tuple[tuple[str, Callable[[BoxSample], NDArray[np.bool_]], str], ...] = (
    ("pictures with boxes outside them", _outside, "training drops them; correct them"),
    ("pictures with boxes that stand out of them", _stand_out, "training clips them"),
    (
        f"pictures with boxes of less than {LEAST_PX:g} pixels",
        _tiny,
        "no network sees them; remove them, or set their ignore to 1",
    ),
    (
        f"pictures with boxes of one class that overlap by {SAME:g} or more",
        _twice,
        "if they are of one object, it counts twice; remove one",
    ),
)
"""(message, rule, hint); `rule(sample)` returns a mask (M,) of the boxes that break it."""


def _tile(sample: BoxSample, dataset: BoxDataset) -> Image.Image | None:
    """Draw a picture with its boxes on a square tile; None where it cannot be read."""
    try:
        pixels = read_image(sample.image_path)
    except InputError:  # which has its own finding
        return None
    picture = Image.fromarray(pixels)
    scale = TILE_PX / max(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size])
    pen = ImageDraw.Draw(picture)
    low, high = (np.clip(one * scale, -1, TILE_PX + 1) for one in _corners(sample))
    rows = zip(low.tolist(), high.tolist(), sample.classes.tolist(), sample.ignore, strict=True)
    for (left, top), (right, bottom), index, ignored in rows:
        color = (128, 128, 128) if ignored else class_color(index)
        pen.rectangle((left, top, right, bottom), outline=color, width=2)
        name = "ignored" if ignored else printable(dataset.class_names[index])[:20]
        place = (max(left, 0) + 3, max(top, 0) + 1)
        pen.text(place, name, fill=color, font=font(11), stroke_width=2, stroke_fill="black")
    tile = Image.new("RGB", (TILE_PX, TILE_PX))
    tile.paste(picture, ((TILE_PX - picture.width) // 2, (TILE_PX - picture.height) // 2))
    return add_caption(np.asarray(tile), f"{sample.name}  {sample.image_path.name}")


def _accepts(source: DataSource) -> bool:
    path = source.path
    try:
        return is_file(path) and holds_boxes(read_json(path, "annotations"))
    except InputError:  # the check of keypoint files names what is wrong
        return False


def _run(source: DataSource, val: Path | None, progress: Progress | None) -> BoxCheck:
    if source.images is None:
        raise InputError(f"{source.path}: expected the folder of its images; add --images")
    if val is not None:
        raise InputError(f"{source.path}: expected --val for classes alone; check {val} by itself")
    return check_boxes(source.path, source.images, progress, category=source.category)


CHECK = Check(accepts=_accepts, run=_run)
