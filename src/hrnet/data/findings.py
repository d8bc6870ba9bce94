"""Problems of a data set: one line each, with a count and the first few examples.

One reader serves two uses. A check collects every finding and goes on; training, evaluation and
all else that must not go on raise the first error as it is found.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final

from hrnet.errors import InputError

Level = Literal["error", "warning"]
"""error: training would stop or be wrong. warning: worth a look."""

MAX_EXAMPLES = 5


def first_of(names: Sequence[str]) -> str:
    """Join the first few names, each cut to 80 letters, with dots where there are more."""
    dots = ["..."] if len(names) > MAX_EXAMPLES else []
    return ", ".join([*(f"{name:.80}" for name in names[:MAX_EXAMPLES]), *dots])


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of problem: its name, its count, the first examples, and a hint to mend it.

    what: names the things that are wrong, which `examples` lists. Where it is a statement of its
    own, `detail` replaces the count.
    """

    level: Level
    what: str
    count: int
    examples: tuple[str, ...]
    hint: str
    detail: str = ""

    @property
    def line(self) -> str:
        """The finding on one line."""
        shown = ", ".join(self.examples)
        more = ", ..." if self.count > len(self.examples) > 0 else ""
        counted = self.detail or f"{self.count} ({shown}{more})"
        return " ".join(f"{self.what}: {counted}; {self.hint}".split())


@final
@dataclass(slots=True)
class Findings:
    """Collects findings in the order in which they are found.

    strict: the first error is raised as an InputError. path: the file that its line names.
    """

    strict: bool = False
    path: Path | None = None
    found: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings with which training would stop or be wrong."""
        return tuple(finding for finding in self.found if finding.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are worth a look."""
        return tuple(finding for finding in self.found if finding.level == "warning")

    @property
    def notes(self) -> tuple[str, ...]:
        """The warnings, one line each."""
        return tuple(finding.line for finding in self.warnings)

    def error(self, what: str, examples: Iterable[object], hint: str) -> None:
        """Note an error with all its examples; nothing where there are none."""
        self._add("error", what, examples, hint)

    def warning(self, what: str, examples: Iterable[object], hint: str) -> None:
        """Note a warning with all its examples; nothing where there are none."""
        self._add("warning", what, examples, hint)

    def state(self, level: Level, what: str, detail: object, hint: str) -> None:
        """Note one fact that has a detail in place of examples."""
        self._note(Finding(level, what, 1, (), hint, str(detail)[:300]))

    def _add(self, level: Level, what: str, examples: Iterable[object], hint: str) -> None:
        # All are counted, the first few are kept.
        every = [str(example) for example in examples]
        if every:
            shown = tuple(f"{example:.200}" for example in every[:MAX_EXAMPLES])
            self._note(Finding(level, what, len(every), shown, hint))

    def _note(self, finding: Finding) -> None:
        if self.strict and finding.level == "error":
            where = "" if self.path is None else f"{self.path}: "
            raise InputError(f"{where}{finding.line}")
        self.found.append(finding)
