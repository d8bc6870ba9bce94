"""The check of image classification data: folders of classes, CSV files and lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from hrnet.check.pictures import PictureFile, check_pictures
from hrnet.check.result import Check, CheckResult, Progress
from hrnet.check.sheet import add_caption, save_sheet
from hrnet.check.show import MAX_ROWS, print_text, print_warnings
from hrnet.data.class_dataset import ClassDataset, ClassSample
from hrnet.data.class_folders import find_parts, holds_classes, read_classes
from hrnet.data.class_split import same_files
from hrnet.data.findings import Findings
from hrnet.data.source import DataSource
from hrnet.errors import InputError, printable
from hrnet.files import is_folder
from hrnet.geometry import Image8
from hrnet.images import read_image

IMBALANCE = 10
"""A class with so many times fewer pictures than the largest is worth a warning."""

SHEET_CLASSES, SHEET_PICTURES = 40, 5
"""Classes on the contact sheet, two a row, and pictures of each."""

TILE_PX = 140


@dataclass(frozen=True, slots=True, eq=False)
class ClassCheck(CheckResult):
    """The findings in the parts of a data set.

    train, val: the data as training would take them; val is None where there is no second part.
    """

    train: ClassDataset
    val: ClassDataset | None

    @property
    def parts(self) -> tuple[ClassDataset, ...]:
        """The training part, and the validation part where there is one."""
        return (self.train,) if self.val is None else (self.train, self.val)

    def facts(self) -> Mapping[str, object]:
        """Return the parts with their pictures by class."""
        return {
            "data": str(self.path),
            "parts": [
                {"path": str(part.path), "images": len(part.samples), "classes": part.counts}
                for part in self.parts
            ],
        }

    def print_facts(self, console: Console) -> None:
        """Print a table of the pictures by class, and the warnings."""
        print_text(console, str(self.path))
        table = Table("class")
        titles = ("images", "share") if self.val is None else ("train", "share", "val")
        for title in titles:
            table.add_column(title, justify="right", no_wrap=True)
        # A class of one part alone has a row too.
        every = tuple(part.counts for part in self.parts)
        names = list(dict.fromkeys(name for counts in every for name in counts))
        total = max(1, len(self.train.samples))
        for name in names[:MAX_ROWS]:
            first, *others = (counts.get(name, 0) for counts in every)
            table.add_row(printable(name), str(first), f"{first / total:.1%}", *map(str, others))
        if len(names) > MAX_ROWS:
            table.add_row(f"and {len(names) - MAX_ROWS} more")
        table.add_section()
        first, *others = (len(part.samples) for part in self.parts)
        table.add_row(f"{len(names)} classes", str(first), "", *map(str, others))
        console.print(table)
        print_warnings(console, self.warnings)

    def draw(self, folder: Path, seed: int) -> list[Path]:
        """Write contact_sheet.jpg with a few training pictures of each class."""
        tiles = [tile for one in _sample(self.train, seed) for tile in _tiles(one)]
        if not tiles:
            return []
        sheet = folder / "contact_sheet.jpg"
        title = f"{self.path.name}: up to {SHEET_PICTURES} pictures of a class"
        save_sheet(tiles, sheet, columns=2 * SHEET_PICTURES, title=title)
        return [sheet]


def check_classes(
    source: DataSource, val: Path | None = None, progress: Progress | None = None
) -> ClassCheck:
    """Check labelled pictures, of a training and a validation part where there are both.

    source: a part, or a folder of parts (see `find_parts`). val: another validation part; a list
    shares the images of `source`.
    Raises InputError with one line where a part is no such data at all.
    """
    train, found = find_parts(source.path)
    paths = [train, *[one for one in (val or found,) if one is not None]]
    lists = [path for path in paths if not is_folder(path)]
    # The reader of training, which goes on after an error here.
    parts, findings = [], Findings(path=source.path)
    for path in paths:
        # The images are of the lists; where there are none, the reader refuses them.
        images = source.images if path in lists or not lists else None
        of_part = Findings(path=path)
        parts.append(read_classes(replace(source, path=path, images=images), of_part))
        # With two parts, each finding names its own.
        name = "" if len(paths) == 1 else f"{path.name}: "
        findings.found += [replace(one, what=f"{name}{one.what}") for one in of_part.found]
    # Beyond the reader: both parts together, and the pictures themselves.
    if len(parts) == 2:
        _compare_classes(parts[0], parts[1], findings)
    _check_balance(parts[0], findings)
    _check_copies(parts, findings)
    files = [PictureFile(one.name, one.image_path) for part in parts for one in part.samples]
    check_pictures(source.path, files, findings, progress)
    val_part = parts[1] if len(parts) == 2 else None
    return ClassCheck(path=source.path, findings=findings, train=parts[0], val=val_part)


def _compare_classes(train: ClassDataset, val: ClassDataset, findings: Findings) -> None:
    known, tested = train.counts, val.counts
    findings.error(
        f"classes of {val.path.name} that {train.path.name} does not have",
        [name for name, count in tested.items() if count and name not in known],
        "a model cannot predict them; rename or remove them",
    )
    findings.warning(
        f"classes without a picture in {val.path.name}",
        [name for name, count in known.items() if count and not tested.get(name)],
        "their accuracy cannot be measured; add pictures",
    )


def _check_balance(train: ClassDataset, findings: Findings) -> None:
    counts = train.counts
    most = max(counts.values(), default=0)
    findings.warning(
        f"classes with less than 1/{IMBALANCE} of the pictures of the largest",
        [f"{name} has {n} of {most}" for name, n in counts.items() if 0 < IMBALANCE * n < most],
        "a model rarely predicts them; add pictures, and look at the accuracy of each class",
    )


def _check_copies(parts: Sequence[ClassDataset], findings: Findings) -> None:
    """Note files of equal content, by where the copies are: the worst place counts."""
    # Every group of copies is named once, by the most harmful relation within it.
    samples = [(number, one) for number, part in enumerate(parts) for one in part.samples]
    in_parts, in_classes, alike = [], [], []
    for group in same_files([one.image_path for _, one in samples]):
        if len(group) == 1:
            continue
        copies = [samples[row] for row in group]
        names = " = ".join(_named(parts, number, one) for number, one in copies[:3])
        if len({number for number, _ in copies}) > 1:
            in_parts.append(names)
        elif len({one.class_name for _, one in copies}) > 1:
            in_classes.append(names)
        else:
            alike.append(names)
    findings.error(
        "pictures with a copy in the other part",
        in_parts,
        "what was trained on would be measured; remove them from one part",
    )
    findings.warning(
        "pictures with a copy in another class",
        in_classes,
        "at most one of the classes is right; remove the others",
    )
    findings.warning("pictures with a copy in their class", alike, "they count more than once")


def _named(parts: Sequence[ClassDataset], number: int, sample: ClassSample) -> str:
    return sample.name if len(parts) == 1 else f"{parts[number].path.name}/{sample.name}"


def _sample(dataset: ClassDataset, seed: int) -> list[list[ClassSample]]:
    """A few pictures of each class, or of some of many classes, in the order of the classes."""
    rng = np.random.default_rng(seed)
    of_class: dict[int, list[ClassSample]] = {}
    for one in dataset.samples:
        of_class.setdefault(one.class_index, []).append(one)
    chosen = rng.permutation(sorted(of_class))[:SHEET_CLASSES]
    drawn = []
    for index in sorted(chosen.tolist()):
        order = rng.permutation(len(of_class[index]))[:SHEET_PICTURES]
        drawn.append([of_class[index][place] for place in sorted(order.tolist())])
    return drawn


def _tiles(samples: Sequence[ClassSample]) -> list[Image.Image]:
    """Tiles of one class, filled up with empty ones; none where no picture can be read."""
    tiles = []
    for one in samples:
        try:
            tiles.append(add_caption(_fitted(read_image(one.image_path)), one.class_name))
        except InputError:  # which has its own finding
            continue
    empty = add_caption(np.zeros((TILE_PX, TILE_PX, 3), dtype=np.uint8), "")
    return tiles + [empty] * (SHEET_PICTURES - len(tiles)) if tiles else []


def _fitted(pixels: Image8) -> Image8:
    """Scale a picture into a square tile with bars beside it."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((TILE_PX, TILE_PX))
    tile = Image.new("RGB", (TILE_PX, TILE_PX))
    tile.paste(picture, ((TILE_PX - picture.width) // 2, (TILE_PX - picture.height) // 2))
    return np.asarray(tile)


CHECK = Check(accepts=lambda source: holds_classes(source.path), run=check_classes)
