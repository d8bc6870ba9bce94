"""The base of the checks of each kind of data, by which they are run."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hrnet.data.findings import Finding, Findings
from hrnet.data.source import DataSource

Progress = Callable[[int, int], None]
"""Called with the number of pictures that are done, and of all."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckResult(ABC):
    """The findings and facts of one data set."""

    path: Path
    findings: Findings

    @property
    def errors(self) -> Sequence[Finding]:
        """The findings with which training would stop or be wrong."""
        return self.findings.errors

    @property
    def warnings(self) -> Sequence[Finding]:
        """The findings that are worth a look."""
        return self.findings.warnings

    @abstractmethod
    def facts(self) -> Mapping[str, object]:
        """Return counts and properties, findings aside, as they go into JSON."""

    @abstractmethod
    def print_facts(self, console: Console) -> None:
        """Print the same as tables and lines, and the warnings."""

    @abstractmethod
    def draw(self, folder: Path, seed: int) -> list[Path]:
        """Write pictures of the data into a folder; returns the files."""


@dataclass(frozen=True, slots=True)
class Check:
    """The check of one kind of data.

    accepts: True for data that look like this kind. run: checks the data; a second path names
    validation data to be compared. Raises InputError where they are no such data at all.
    whole_images: True where `DataSource.whole_images` means something.
    """

    accepts: Callable[[DataSource], bool]
    run: Callable[[DataSource, Path | None, Progress | None], CheckResult]
    whole_images: bool = False
