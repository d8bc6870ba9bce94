"""Lines on a terminal that all checks print alike."""

from collections.abc import Sequence

from rich.console import Console

from hrnet.data.findings import Finding
from hrnet.errors import printable

MAX_ROWS = 60
"""Rows and items beyond so many are only counted; check.json has all."""


def print_text(console: Console, text: str) -> None:
    """Print a line as it is, whatever the width of the terminal."""
    console.print(printable(text), soft_wrap=True)


def print_list(console: Console, title: str, items: Sequence[str]) -> None:
    """Print the first items of a list on one line."""
    more = [f"and {len(items) - MAX_ROWS} more"] if len(items) > MAX_ROWS else []
    print_text(console, f"{title}: {', '.join([*items[:MAX_ROWS], *more])}")


def print_warnings(console: Console, warnings: Sequence[Finding]) -> None:
    """Print a line for each warning."""
    for finding in warnings:
        print_text(console, f"warning: {finding.line}")
