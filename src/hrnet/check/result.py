"""The protocol between the checks of each kind of data and the code that runs them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console

from hrnet.data.findings import Finding
from hrnet.data.source import DataSource

Progress = Callable[[int, int], None]
"""Called with the number of pictures that are done, and of all."""


class CheckResult(Protocol):
    """The findings and facts of one data set."""

    @property
    def path(self) -> Path: ...

    @property
    def errors(self) -> Sequence[Finding]:
        """The findings with which training would stop or be wrong."""
        ...

    @property
    def warnings(self) -> Sequence[Finding]:
        """The findings that are worth a look."""
        ...

    def facts(self) -> Mapping[str, object]:
        """Return counts and properties, findings aside, as they go into JSON."""
        ...

    def print_facts(self, console: Console) -> None:
        """Print the same as tables and lines, and the warnings."""
        ...

    def draw(self, folder: Path, seed: int) -> list[Path]:
        """Write pictures of the data into a folder; returns the files."""
        ...


@dataclass(frozen=True, slots=True)
class Check:
    """The check of one kind of data.

    accepts: True for a path that looks like this kind. run: checks the data; a second path names
    validation data to be compared. Raises InputError where they are no such data at all.
    """

    accepts: Callable[[Path], bool]
    run: Callable[[DataSource, Path | None, Progress | None], CheckResult]
