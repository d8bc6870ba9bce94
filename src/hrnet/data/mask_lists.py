"""Lists of pictures with their masks: two columns, as CSV with the header image,mask, or .lst.

    CSV:   image,mask                   .lst and .txt, as of the official HRNet code:
           photos/a.jpg,masks/a.png     leftImg8bit/val/a.png  gtFine/val/a.png

A file classes.json beside a list names the classes, see `hrnet.data.mask_classes`.
"""

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hrnet.data.findings import Findings
from hrnet.data.mask_dataset import IGNORED, MaskDataset, MaskSample
from hrnet.errors import InputError, printable
from hrnet.files import is_file, read_text, resolve
from hrnet.images import SUFFIXES

LIST_SUFFIXES = (".csv", ".lst", ".txt")
HEADER = ("image", "mask")


def is_mask_list(path: Path) -> bool:
    """Return True for a list whose first row with two columns names two pictures."""
    if path.suffix.lower() not in LIST_SUFFIXES or not is_file(path):
        return False
    try:
        rows = _rows(path)
    except InputError:  # the reader of classes describes what is wrong with it
        return False
    first = next((row for row in rows[:2] if tuple(row) != HEADER), [])
    if not first:  # the header alone, or nothing at all
        return bool(rows) and tuple(rows[0]) == HEADER
    return _names_pictures(first)


def _names_pictures(row: Sequence[str]) -> bool:
    return len(row) == 2 and all(Path(one).suffix.lower() in SUFFIXES for one in row)


def _rows(path: Path) -> list[list[str]]:
    """Return the rows with anything in them; InputError where the file cannot be read."""
    text = read_text(path, "the list of masks")
    if path.suffix.lower() != ".csv":
        return [line.split() for line in text.splitlines() if line.strip()]
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise InputError(f"{path}: expected a CSV file, got a broken one ({error})") from None
    return [[cell.strip() for cell in row] for row in rows]


def read_mask_list(path: Path, folder: Path, findings: Findings) -> list[tuple[str, Path, Path]]:
    """Read name, picture and mask of each row; paths are relative to `folder`.

    Rows of another form, missing files and pictures that are listed twice are errors.
    """
    rows = _rows(path)
    if path.suffix.lower() == ".csv":
        if not rows or tuple(rows[0]) != HEADER:
            got = ",".join(rows[0])[:60] if rows else "nothing"
            raise InputError(f"{path}: expected the header {','.join(HEADER)}, got {got}")
        rows = rows[1:]
    wrong = [" ".join(row)[:80] for row in rows if not _names_pictures(row)]
    findings.error("rows without a picture and its mask", wrong, "complete or remove them")
    pairs = [(row[0], folder / row[0], folder / row[1]) for row in rows if _names_pictures(row)]
    missing = [str(file) for _, *files in pairs for file in files if not is_file(file)]
    findings.error(f"files that are not in {folder}", missing, "add them, or correct the list")
    listed = Counter(name for name, *_ in pairs)
    twice = [name for name, count in listed.items() if count > 1]
    findings.error("pictures that are listed twice", twice, "remove one of the rows")
    return [one for one in pairs if is_file(one[1]) and is_file(one[2])]


def list_text(samples: Sequence[MaskSample], folder: Path) -> str:
    """Return a CSV list of samples, with paths relative to `folder`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    base = resolve(folder)
    for one in samples:
        files = (one.image_path, one.mask_path)
        writer.writerow([_relative(file, base) for file in files])
    return text.getvalue()


def _relative(file: Path, base: Path) -> str:
    # Links stay links: a picture may be a link to a file elsewhere.
    name = Path(os.path.relpath(file.absolute(), base)).as_posix()
    if printable(name) != name or name != name.strip() or "\\" in name:
        raise InputError(
            f"expected names of printable characters, without backslashes and spaces at an end, "
            f"got {name!r:.200}; rename it"
        )
    return name


def classes_text(dataset: MaskDataset) -> str:
    """Return the classes.json of a data set whose masks all have the same codes."""
    codes = dataset.samples[0].codes
    names, colors = dataset.class_names, dataset.colors
    listed: list[dict[str, object]] = []
    for value, index in codes.classes.items():
        if index == IGNORED:
            continue
        entry: dict[str, object] = {"name": names[index]}
        if codes.rgb:
            entry["color"] = f"#{value:06x}"
        else:
            entry["value"] = value
            if colors is not None:
                entry["color"] = "#{:02x}{:02x}{:02x}".format(*colors[index])
        listed.append(entry)
    # In the order of the classes, which the reader takes from their first mention.
    listed.sort(key=lambda entry: names.index(str(entry["name"])))
    ignored = [value for value, index in codes.classes.items() if index == IGNORED]
    content = {
        "classes": listed,
        "ignore": [f"#{value:06x}" if codes.rgb else value for value in ignored],
        "mirror": [[names[left], names[right]] for left, right in dataset.mirror_pairs],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
