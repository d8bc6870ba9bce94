"""Split image classification data by class into parts, and write the parts as lists."""

import csv
import io
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from hrnet.data.class_dataset import ClassDataset
from hrnet.data.class_folders import read_classes
from hrnet.data.class_lists import CLASSES_FILE
from hrnet.data.source import DataSource
from hrnet.data.split import deal_groups, part_shares
from hrnet.errors import InputError, printable
from hrnet.files import check_new_file, resolve, sha256_of, write_text


def same_files(paths: Sequence[Path]) -> list[list[int]]:
    """Group files by their content; returns groups of indices, each with its first file's place.

    Only files of equal size are read. A file that cannot be read is a group of its own.
    """
    same: list[list[int]] = []
    for group in _grouped(paths, range(len(paths)), lambda path: path.stat().st_size):
        same += _grouped(paths, group, sha256_of) if len(group) > 1 else [group]
    return sorted(same)


def _grouped(
    paths: Sequence[Path], indices: Iterable[int], value: Callable[[Path], object]
) -> list[list[int]]:
    """Group files of one value; one that cannot be read is a group of its own."""
    groups: dict[object, list[int]] = defaultdict(list)
    for index in indices:
        try:
            key = value(paths[index])
        except OSError:
            key = ("unreadable", index)
        groups[key].append(index)
    return list(groups.values())


def split_classes(
    dataset: ClassDataset, *, val: float = 0.1, test: float = 0.0, seed: int = 0
) -> dict[str, ClassDataset]:
    """Deal the pictures of each class out to `train`, `val` and, with a share above 0, `test`.

    val, test: shares of each class, met as nearly as its pictures allow. Files of equal content
    stay together, with the class of the first of them. All parts have all classes; a class with
    fewer contents than parts lacks pictures in some. The seed fixes the parts.
    Raises InputError for shares outside 0..1 and for parts that would be empty.
    """
    shares = part_shares(val, test)
    if seed < 0:
        raise InputError(f"expected the seed as a whole number from 0, got {seed}")
    # The groups of equal content, by the class of their first picture.
    samples = dataset.samples
    of_class: dict[int, list[list[int]]] = defaultdict(list)
    for group in same_files([sample.image_path for sample in samples]):
        of_class[samples[group[0]].class_index].append(group)
    # Each class is dealt out by itself; its own seed keeps it as it is where others change.
    rows: dict[str, list[int]] = {name: [] for name in shares}
    for index, groups in sorted(of_class.items()):
        sizes = [len(group) for group in groups]
        dealt = deal_groups(sizes, shares, sum(sizes), (seed, index))
        for name, chosen in dealt.items():
            rows[name] += [row for number in chosen for row in groups[number]]
    empty = [name for name, chosen in rows.items() if not chosen]
    if empty:
        raise InputError(
            f"{dataset.path}: expected pictures for each part, but {', '.join(empty)} would get "
            "none; add pictures, or leave the part out"
        )
    return {
        name: replace(dataset, samples=tuple(samples[row] for row in sorted(chosen)))
        for name, chosen in rows.items()
    }


def split_class_files(
    source: DataSource,
    folder: Path,
    *,
    val: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
    force: bool = False,
) -> dict[Path, ClassDataset]:
    """Write train.csv, val.csv and perhaps test.csv with classes.txt, which keeps the order.

    The pictures stay where they are: the lists name them relative to `folder`.
    Raises InputError as `split_classes` and `read_classes`, for names that a list cannot hold, and
    for files that exist (unless `force`), before anything is written.
    """
    dataset = read_classes(source)
    parts = split_classes(dataset, val=val, test=test, seed=seed)
    texts = {folder / f"{name}.csv": _as_csv(part, folder) for name, part in parts.items()}
    names = folder / CLASSES_FILE
    texts[names] = "".join(f"{_writable(name)}\n" for name in dataset.class_names)
    for file in texts:
        check_new_file(file, [source.path], force=force)
    for file, text in texts.items():
        write_text(file, text)
    return {folder / f"{name}.csv": part for name, part in parts.items()}


def _as_csv(part: ClassDataset, folder: Path) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "class"))
    base = resolve(folder)
    for sample in part.samples:
        # Links stay links: a class may be a link to a folder elsewhere.
        path = Path(os.path.relpath(sample.image_path.absolute(), base)).as_posix()
        writer.writerow((_writable(path), _writable(sample.class_name)))
    return text.getvalue()


def _writable(name: str) -> str:
    """Return a name that a list can hold; InputError for others."""
    if printable(name) != name or name != name.strip() or "\\" in name:
        raise InputError(
            f"expected names of printable characters, without backslashes and spaces at an end, "
            f"got {name!r:.200}; rename it"
        )
    return name
