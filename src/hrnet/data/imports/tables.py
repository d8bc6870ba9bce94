"""Rows of CSV files."""

import csv
import io
from pathlib import Path

from hrnet.errors import InputError
from hrnet.files import read_text


def table_rows(file: Path) -> list[list[str]]:
    """Read the rows of a CSV file that hold anything; InputError where it is no table."""
    # Strict: a quote without its partner would swallow the rows behind it.
    reader = csv.reader(io.StringIO(read_text(file, "labels"), newline=""), strict=True)
    try:
        return [row for row in reader if any(row)]
    except csv.Error as error:
        raise InputError(
            f"{file}, line {reader.line_num}: expected a row of a table, got something else "
            f"({error})"
        ) from None
