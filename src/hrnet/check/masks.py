"""The check of pictures with masks: classes by pixels, masks that do not fit, copies, leaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from hrnet.check.copies import near_copies
from hrnet.check.pictures import PictureFile, check_pictures
from hrnet.check.result import Check, CheckResult, Progress
from hrnet.check.sheet import add_caption, save_sheet
from hrnet.check.show import MAX_ROWS, print_text, print_warnings
from hrnet.data.class_split import same_files
from hrnet.data.findings import Findings
from hrnet.data.mask_dataset import Labels, MaskDataset, MaskSample
from hrnet.data.masks import find_parts, holds_masks, read_masks
from hrnet.data.source import DataSource
from hrnet.drawing import Color, class_color
from hrnet.errors import InputError, printable
from hrnet.images import read_image

RARE = 1e-3
"""A class with a smaller share of the pixels is worth a warning."""

SHEET_PICTURES, COLUMNS, TILE_PX = 24, 6, 220

_OPACITY = 0.55
_LEGEND = 10


@dataclass(frozen=True, slots=True, eq=False)
class PartOfMasks:
    """One part of the data. name: of the part. pixels, pictures: (C,), in which a class occurs.

    ignored: pixels that do not count.
    """

    name: str
    dataset: MaskDataset
    pixels: NDArray[np.int64]
    pictures: NDArray[np.int64]
    ignored: int


@dataclass(frozen=True, slots=True, eq=False)
class MaskCheck(CheckResult):
    """The findings in pictures with masks. parts: to train on, and perhaps to measure on."""

    parts: tuple[PartOfMasks, ...]

    def facts(self) -> Mapping[str, object]:
        """Return the parts with the pictures and pixels of each class."""
        return {
            "data": str(self.path),
            "parts": [
                {
                    "part": part.name,
                    "images": len(part.dataset.samples),
                    "ignored_pixels": part.ignored,
                    "classes": {
                        name: {"images": images, "pixels": pixels}
                        for name, images, pixels in zip(
                            part.dataset.class_names,
                            part.pictures.tolist(),
                            part.pixels.tolist(),
                            strict=True,
                        )
                    },
                }
                for part in self.parts
            ],
        }

    def print_facts(self, console: Console) -> None:
        """Print a table of the classes for each part, and the warnings."""
        print_text(console, str(self.path))
        for part in self.parts:
            total = max(1, int(part.pixels.sum()))
            everything = max(1, total + part.ignored)
            print_text(
                console,
                f"{part.name}: {len(part.dataset.samples)} images, "
                f"{part.ignored / everything:.1%} of the pixels are ignored",
            )
            table = Table("class")
            for title in ("images", "pixels", "share"):
                table.add_column(title, justify="right", no_wrap=True)
            names = part.dataset.class_names
            rows = zip(names, part.pictures.tolist(), part.pixels.tolist(), strict=True)
            for name, images, pixels in list(rows)[:MAX_ROWS]:
                table.add_row(printable(name), str(images), f"{pixels:,}", f"{pixels / total:.2%}")
            if len(names) > MAX_ROWS:
                table.add_row(f"and {len(names) - MAX_ROWS} more")
            console.print(table)
        print_warnings(console, self.warnings)

    def draw(self, folder: Path, seed: int) -> list[Path]:
        """Write contact_sheet.jpg: a sample of the pictures with their masks over them."""
        part = self.parts[0]
        order = np.random.default_rng(seed).permutation(len(part.dataset.samples))
        chosen = [part.dataset.samples[row] for row in sorted(order[:SHEET_PICTURES].tolist())]
        colors = _colors(part.dataset)
        tiles = [tile for one in chosen if (tile := _tile(one, colors)) is not None]
        if not tiles:
            return []
        sheet = folder / "contact_sheet.jpg"
        title = f"{self.path.name}: {len(tiles)} of {len(part.dataset.samples)} pictures"
        largest = np.argsort(-part.pixels, kind="stable")[:_LEGEND].tolist()
        legend = [(printable(part.dataset.class_names[one])[:20], colors[one]) for one in largest]
        save_sheet(tiles, sheet, columns=COLUMNS, title=title, legend=legend)
        return [sheet]


def check_masks(
    source: DataSource, val: Path | None = None, progress: Progress | None = None
) -> MaskCheck:
    """Check pictures with masks, of a part to train on and of one to measure on if there is one.

    val: other data to measure on, in a form that is read without further options.
    Raises InputError with one line where a part is no such data at all.
    """
    sources = _parts(source, val)
    findings, parts = Findings(path=source.path), []
    for name, one in sources.items():
        # The reader of training, which goes on after an error here.
        of_part = Findings(path=one.path)
        dataset = read_masks(one, of_part)
        part = _count(name, dataset, of_part)
        _check_classes(part, of_part)
        parts.append(part)
        # With two parts, each finding names its own.
        prefix = "" if len(sources) == 1 else f"{name}: "
        findings.found += [replace(found, what=f"{prefix}{found.what}") for found in of_part.found]
    if len(parts) == 2:
        _compare_classes(parts[0], parts[1], findings)
    samples = [one for part in parts for one in part.dataset.samples]
    owners = [part.name for part in parts for _ in part.dataset.samples]
    files = [PictureFile(one.name, one.image_path) for one in samples]
    small = check_pictures(source.path, files, findings, progress)
    _check_copies(samples, owners, findings)
    shown = [row for row, one in enumerate(samples) if one.image_path in small]
    pairs = near_copies([small[samples[row].image_path] for row in shown])
    _check_near([(shown[one], shown[other]) for one, other in pairs], samples, owners, findings)
    return MaskCheck(path=source.path, findings=findings, parts=tuple(parts))


def _parts(source: DataSource, val: Path | None) -> dict[str, DataSource]:
    """Return the parts by their names: one, or one to train on and one to measure on."""
    first, second = (None, None)
    if source.labels is None and source.split is None:
        first, second = find_parts(source.path)
    name = first or source.split or source.path.name
    found = {name: replace(source, split=first or source.split)}
    if val is not None:
        return found | {f"{val.name} (val)": DataSource(val)}
    return found | ({second: replace(source, split=second)} if first and second else {})


def _count(name: str, dataset: MaskDataset, findings: Findings) -> PartOfMasks:
    """Read all masks and count pixels and pictures of each class; broken masks are errors."""
    classes = len(dataset.class_names)
    pixels, pictures = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    broken, empty, plain, ignored = [], [], [], 0
    for one in dataset.samples:
        try:
            labels = one.labels()
        except InputError as error:
            broken.append(str(error))
            continue
        counts = np.bincount(labels[labels >= 0], minlength=classes)
        pixels += counts
        pictures += counts > 0
        ignored += int((labels < 0).sum())
        if not counts.any():
            empty.append(one.name)
        elif (counts > 0).sum() == 1:
            plain.append(f"{one.name} ({dataset.class_names[int(counts.argmax())]})")
    findings.error("masks that cannot be used", broken, "training would stop; correct them")
    findings.warning("masks without a pixel that counts", empty, "nothing is learned from them")
    findings.warning(
        "masks of one class alone", plain, "right for empty pictures; else draw the others"
    )
    return PartOfMasks(name, dataset, pixels, pictures, ignored)


def _check_classes(part: PartOfMasks, findings: Findings) -> None:
    names = part.dataset.class_names
    shares = part.pixels / max(1, int(part.pixels.sum()))
    findings.warning(
        "classes without a pixel",
        [name for name, pixels in zip(names, part.pixels, strict=True) if not pixels],
        "a model learns never to find them",
    )
    findings.warning(
        f"classes with less than {RARE:.1%} of the pixels",
        [
            f"{name} has {share:.3%}"
            for name, share in zip(names, shares, strict=True)
            if 0 < share < RARE
        ],
        "a model rarely finds them; look at the IoU of each class",
    )


def _compare_classes(train: PartOfMasks, val: PartOfMasks, findings: Findings) -> None:
    known = set(train.dataset.class_names)
    findings.error(
        f"classes of {val.name} that {train.name} does not have",
        [name for name in val.dataset.class_names if name not in known],
        "a model cannot find them; rename or remove them",
    )


def _check_copies(samples: Sequence[MaskSample], owners: Sequence[str], findings: Findings) -> None:
    """Note pictures of equal bytes, within a part and, worse, in both."""
    groups = [group for group in same_files([one.image_path for one in samples]) if len(group) > 1]
    across: list[str] = []
    alike: list[str] = []
    for group in groups:
        named = " = ".join(f"{owners[row]}/{samples[row].name}" for row in group[:3])
        (across if len({owners[row] for row in group}) > 1 else alike).append(named)
    findings.error(
        "pictures with a copy in the other part",
        across,
        "what was trained on would be measured; remove them from one part",
    )
    findings.warning(
        "pictures with a copy",
        alike,
        "a split may train on one and measure on the other; keep one of them",
    )


def _check_near(
    pairs: Sequence[tuple[int, int]],
    samples: Sequence[MaskSample],
    owners: Sequence[str],
    findings: Findings,
) -> None:
    findings.warning(
        "pictures that hardly differ from another one",
        [
            f"{owners[row]}/{samples[row].name} and {owners[other]}/{samples[other].name}"
            for row, other in pairs
        ],
        "frames or copies of one scene: keep them in one part",
    )


def _colors(dataset: MaskDataset) -> Sequence[Color]:
    return dataset.colors or [class_color(index) for index in range(len(dataset.class_names))]


def _tile(sample: MaskSample, colors: Sequence[Color]) -> Image.Image | None:
    """Draw a picture with its mask over it on a square tile; None where one cannot be read."""
    try:
        pixels, labels = read_image(sample.image_path), sample.labels()
    except InputError:  # which has its own finding
        return None
    picture = Image.fromarray(pixels)
    picture.thumbnail((TILE_PX, TILE_PX))
    mask = Image.fromarray(labels.astype(np.int32)).resize(picture.size, Image.Resampling.NEAREST)
    blended = _blended(np.asarray(picture), np.asarray(mask), colors)
    tile = Image.new("RGB", (TILE_PX, TILE_PX))
    place = ((TILE_PX - picture.width) // 2, (TILE_PX - picture.height) // 2)
    tile.paste(Image.fromarray(blended), place)
    return add_caption(np.asarray(tile), sample.name)


def _blended(
    pixels: NDArray[np.uint8], labels: NDArray[np.int32] | Labels, colors: Sequence[Color]
) -> NDArray[np.uint8]:
    """Blend the colours of classes over a picture; what is ignored stays as it is."""
    tint = np.array(colors, np.float32)[labels.clip(0)]
    share = np.where(labels < 0, 0, _OPACITY)[..., None]
    blended: NDArray[np.uint8] = np.rint(pixels + (tint - pixels) * share).astype(np.uint8)
    return blended


def _accepts(source: DataSource) -> bool:
    return source.labels is not None or holds_masks(source.path)


CHECK = Check(accepts=_accepts, run=check_masks)
