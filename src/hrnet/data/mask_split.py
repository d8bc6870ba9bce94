"""Split pictures with masks into parts, and write the parts as lists."""

from collections import Counter
from pathlib import Path

import numpy as np

from hrnet.data.class_split import same_files
from hrnet.data.mask_classes import CLASSES_FILE
from hrnet.data.mask_dataset import MaskDataset
from hrnet.data.mask_lists import classes_text, list_text
from hrnet.data.masks import read_masks
from hrnet.data.source import DataSource
from hrnet.data.split import deal_balanced, part_shares
from hrnet.errors import InputError
from hrnet.files import check_new_file, write_text


def split_masks(
    source: DataSource,
    folder: Path,
    *,
    val: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
    force: bool = False,
) -> dict[Path, int]:
    """Write train.csv, val.csv and, with a share above 0, test.csv, with their classes.json.

    val, test: shares of all pictures; each class is spread over the parts, see `deal_balanced`,
    and pictures of equal content stay together. The seed fixes the parts. Returns the files with
    the number of their pictures.
    Raises InputError for shares outside 0..1, parts that would be empty, files that exist (unless
    `force`) and for the data, before anything is written.
    """
    if seed < 0:
        raise InputError(f"expected --seed as a whole number from 0, got {seed}")
    dataset, shares = read_masks(source), part_shares(val, test)
    _expect_one_coding(dataset)
    # Groups of equal pictures, and the classes that they show.
    groups = same_files([one.image_path for one in dataset.samples])
    contents: list[Counter[int | None]] = [
        Counter(one for row in group for one in _shown(dataset, row)) for group in groups
    ]
    dealt = deal_balanced([len(group) for group in groups], contents, shares, seed)
    parts = {
        folder / f"{name}.csv": sorted(row for index in indices for row in groups[index])
        for name, indices in dealt.items()
    }
    empty = [file.stem for file, rows in parts.items() if not rows]
    if empty:
        raise InputError(
            f"{source.path}: expected pictures for each part, but {', '.join(empty)} would get "
            f"none of {len(groups)}; change --val and --test, or add pictures"
        )
    # All that could go wrong is checked before the first file is written.
    texts = {
        file: list_text([dataset.samples[row] for row in rows], folder)
        for file, rows in parts.items()
    }
    texts[folder / CLASSES_FILE] = classes_text(dataset)
    for file in texts:
        check_new_file(file, [source.path], force=force)
    for file, text in texts.items():
        write_text(file, text)
    return {file: len(rows) for file, rows in parts.items()}


def _shown(dataset: MaskDataset, row: int) -> list[int | None]:
    """Return the classes that a picture shows; None where it shows none."""
    shown: list[int | None] = [
        int(one) for one in np.unique(dataset.samples[row].labels()) if one >= 0
    ]
    return shown or [None]


def _expect_one_coding(dataset: MaskDataset) -> None:
    """Raise InputError for masks that each have values of their own, which no list can name."""
    if len({id(one.codes) for one in dataset.samples}) > 1:
        raise InputError(
            f"{dataset.path}: expected masks with the same values for all pictures, got values "
            "that differ from one to the next; name the parts that these data have"
        )
