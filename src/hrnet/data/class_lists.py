"""Lists of pictures with their classes: CSV files with a header, and text files.

    CSV:   a column of files (file, filename, path, image, ...) and one of classes (class, label,
           category, ...), separated by commas, semicolons or tabs; quotes as usual
    text:  lines `path class_name` or `path index`, as ImageNet's val.txt

A file `classes.txt` beside a list names all classes, one a line, in the order of their indices.
Without it the order is that of the sorted names; in a text file, whole numbers are indices.
"""

import csv
import io
import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hrnet.data.class_dataset import MOST_CLASSES
from hrnet.data.findings import Findings
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder, is_taken, read_text

CSV_SUFFIXES: Final = (".csv", ".tsv")
LIST_SUFFIXES: Final = (*CSV_SUFFIXES, ".txt", ".lst")
"""Suffixes of lists of pictures."""

CLASSES_FILE: Final = "classes.txt"

FILE_COLUMNS: Final = (
    *("file", "filename", "file_name", "path", "filepath", "file_path"),
    *("image", "image_path", "image_name", "img"),
)
CLASS_COLUMNS: Final = ("class", "class_name", "label", "category", "target")
"""Names of the two columns, in lower case; where a header has several, the first here counts."""

_DIGITS = 9
"""Python refuses to read a number of thousands of digits."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One picture with its class. name: its path within the folder of the pictures."""

    name: str
    class_name: str


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a list as it is written. number: counted from 1, with the header."""

    number: int
    file: str
    label: str


def read_list(
    path: Path, folder: Path, findings: Findings
) -> tuple[list[Labelled], tuple[str, ...]]:
    """Read a list; returns the pictures that can be used, and all class names in their order.

    folder: the paths are relative to it. Missing pictures and pictures of two classes are errors.
    Raises InputError where the file is no such list at all.
    """
    if is_file(path) and path.suffix.lower() not in LIST_SUFFIXES:
        raise InputError(
            f"expected a folder with a folder a class, or a list of pictures and classes "
            f"({', '.join(LIST_SUFFIXES)}), got {path}; name one of them"
        )
    is_csv = path.suffix.lower() in CSV_SUFFIXES
    lines = _csv_lines(path) if is_csv else _text_lines(path)
    if not is_folder(folder):
        raise InputError(f"expected the folder of the images, but {folder} is none")
    findings.error(
        "lines without a file or a class",
        [f"line {one.number}" for one in lines if not (one.file and one.label)],
        "complete or remove them",
    )
    lines = [one for one in lines if one.file and one.label]
    class_of, names = _classes(path, {one.label for one in lines}, findings, is_csv=is_csv)
    return _existing(lines, class_of, folder, findings), names


def _csv_lines(path: Path) -> list[_Line]:
    """Read the two columns; InputError where there are no such columns or the CSV is broken."""
    text = read_text(path, "the list of pictures")
    try:
        # The separator is the one by which the header has both columns.
        for separator in ",;\t":
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
            header = [name.strip().lower() for name in next(rows, [])]
            file = next((header.index(name) for name in FILE_COLUMNS if name in header), None)
            label = next((header.index(name) for name in CLASS_COLUMNS if name in header), None)
            if file is not None and label is not None:
                return _rows(rows, file, label)
    except csv.Error as error:
        raise InputError(f"{path}: expected a CSV file, got a broken one ({error})") from None
    raise InputError(
        f"{path}: expected a header with a column of files ({', '.join(FILE_COLUMNS)}) and one "
        f"of classes ({', '.join(CLASS_COLUMNS)}), got {text[:60].strip()!r}; begin the file "
        "with the line file,class"
    )


def _rows(rows: Iterable[list[str]], file: int, label: int) -> list[_Line]:
    """Take two columns of the rows after the header."""
    # A short row lacks what it does not reach; an empty one separates others.
    return [
        _Line(
            number,
            row[file].strip() if file < len(row) else "",
            row[label].strip() if label < len(row) else "",
        )
        for number, row in enumerate(rows, 2)
        if any(row)
    ]


def _text_lines(path: Path) -> list[_Line]:
    """Split each line at its last tab, else at its last space, since paths may hold spaces."""
    lines = []
    for number, line in enumerate(read_text(path, "the list of pictures").split("\n"), 1):
        if text := line.strip():
            file, _, label = text.rpartition("\t" if "\t" in text else " ")
            lines.append(_Line(number, file.strip(), label.strip()))
    return lines


def _classes(
    path: Path, labels: Set[str], findings: Findings, *, is_csv: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the class name of each label, and all class names in their order."""
    names = _read_class_names(path)
    are_indices = bool(labels) and all(map(_is_whole, labels))
    # Names are taken as they are; so are numbers in a CSV that no file gives names to.
    if names and labels <= set(names):
        return {label: label for label in labels}, names
    if not are_indices or (is_csv and not names):
        if names:
            findings.error(
                f"classes that are not in {CLASSES_FILE}",
                sorted(labels - set(names)),
                "add them there, or correct the list",
            )
        names = names or tuple(sorted(labels))
        return {label: label for label in labels & set(names)}, names
    # Indices count the given names, or name the classes themselves.
    end = len(names) or MOST_CLASSES
    short = {label: int(label) for label in labels if len(label) <= _DIGITS}
    indices = {label: index for label, index in short.items() if 0 <= index < end}
    findings.error(
        f"class indices that are not from 0 to {end - 1}",
        sorted(labels - indices.keys()),
        f"correct them, or {CLASSES_FILE}",
    )
    names = names or tuple(map(str, range(1 + max(indices.values(), default=-1))))
    return {label: names[index] for label, index in indices.items()}, names


def _is_whole(label: str) -> bool:
    return label.isascii() and label.removeprefix("-").isdigit()


def _read_class_names(path: Path) -> tuple[str, ...]:
    """Read the names beside a list; none where there is no such file."""
    file = path.with_name(CLASSES_FILE)
    if path.name == CLASSES_FILE or not is_taken(file):
        return ()
    names = [line.strip() for line in read_text(file, "the class names").strip().split("\n")]
    wrong = [name for name, count in Counter(names).items() if count > 1 or not name]
    if wrong:
        raise InputError(
            f"{file}: expected one class name a line, each once, got {wrong[0]!r:.60} "
            f"{names.count(wrong[0])} times"
        )
    return tuple(names)


def _existing(
    lines: Sequence[_Line], class_of: Mapping[str, str], folder: Path, findings: Findings
) -> list[Labelled]:
    """Return each picture once; those that are missing or have two classes are errors."""
    found: dict[str, Labelled] = {}
    missing: list[str] = []
    twice: list[_Line] = []
    contrary: list[_Line] = []
    for one in lines:
        if one.label not in class_of:
            continue
        # Backslashes separate, as in lists made on Windows; `./a.jpg` is `a.jpg`.
        name = posixpath.normpath(one.file.replace("\\", "/"))
        labelled = Labelled(name, class_of[one.label])
        first = found.setdefault(name, labelled)
        if first is not labelled:
            (twice if first.class_name == labelled.class_name else contrary).append(one)
        elif not is_file(folder / name):
            missing.append(name)
    findings.error(
        "pictures that are listed with two classes",
        [f"{one.file} on line {one.number}" for one in contrary],
        "remove the wrong lines",
    )
    findings.error(
        f"pictures that are not in {folder}",
        missing,
        "training would stop; add them, or give another --images",
    )
    findings.warning(
        "pictures that are listed more than once",
        [f"{one.file} on line {one.number}" for one in twice],
        "each is taken once",
    )
    gone = set(missing)
    return [one for name, one in found.items() if name not in gone]
