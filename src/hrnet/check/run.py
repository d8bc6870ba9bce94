"""Check any data before they are trained on: pick the check, print its result, write its report."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from hrnet.check import boxes, classes, keypoints, masks
from hrnet.check.result import Check, CheckResult, Progress
from hrnet.check.show import print_text
from hrnet.data.source import DataSource
from hrnet.errors import InputError
from hrnet.files import check_writable_file, exists, make_writable_folder, write_text

CHECKS: Mapping[str, Check] = {
    "masks": masks.CHECK,
    "classes": classes.CHECK,
    "boxes": boxes.CHECK,
    "keypoints": keypoints.CHECK,
}
"""The kinds of data; the first that accepts a source checks it."""

JSON_FILE = "check.json"
REPORT_FILES = (JSON_FILE, "contact_sheet.jpg", "mirrored.jpg")
"""All files that a report may consist of."""


def check_data(
    source: DataSource, val: Path | None = None, progress: Progress | None = None
) -> CheckResult:
    """Check data of the kind that `source.path` looks like, and decode all their pictures.

    val: validation data to compare with. Raises InputError with one line where the path holds no
    such data at all; everything else is a finding.
    """
    if not exists(source.path):
        raise InputError(
            f"expected a file or folder, but {source.path} does not exist; check the path"
        )
    check = next(one for one in CHECKS.values() if one.accepts(source))
    if source.whole_images and not check.whole_images:
        raise InputError(
            f"expected --whole-image for keypoints alone, got {source.path}; leave it out"
        )
    return check.run(source, val, progress)


def to_json(result: CheckResult) -> str:
    """Return everything that is printed, machine-readable."""
    findings = {
        "errors": [asdict(finding) for finding in result.errors],
        "warnings": [asdict(finding) for finding in result.warnings],
    }
    return json.dumps({**result.facts(), **findings}, indent=1)


def print_result(console: Console, result: CheckResult) -> None:
    """Print counts and warnings, and the numbers of findings; the errors are for the caller."""
    result.print_facts(console)
    errors, warnings = len(result.errors), len(result.warnings)
    counts = (f"{n} kind{'s' * (n > 1)}" if n else "none" for n in (errors, warnings))
    print_text(console, "errors: {}, warnings: {}".format(*counts))


def expect_writable(folder: Path, source: DataSource) -> None:
    """Raise InputError, before any work is done, where a report could not be written."""
    inputs = [path for path in (source.path, source.images) if path is not None]
    for name in REPORT_FILES:
        check_writable_file(folder / name, inputs)


def write_report(result: CheckResult, folder: Path, seed: int = 0) -> list[Path]:
    """Write check.json and the pictures of a check into a folder; returns the files.

    The seed fixes the sample that the pictures show.
    """
    make_writable_folder(folder)
    write_text(folder / JSON_FILE, to_json(result))
    return [folder / JSON_FILE, *result.draw(folder, seed)]
