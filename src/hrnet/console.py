"""Tables and progress bars on a terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from hrnet.errors import printable
from hrnet.tasks import Result


def terminal(*, stderr: bool = False) -> Console:
    """Return a console that prints texts as they are: "[x]" and ":x:" mean nothing to it.

    Names that come from files go through `printable` first.
    """
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_result(console: Console, path: Path, result: Result, *, full: bool = True) -> None:
    """Print a line for a picture and, with `full`, the tables of its result."""
    height, width = result.image_size
    line = f"{printable(path)} {width}x{height}: {result.summary()}"
    console.print(line, soft_wrap=True)
    for table in result.tables(console.width) if full else ():
        console.print(table)


def print_figures(console: Console, figures: Mapping[str, float]) -> None:
    """Print a table of named figures in 0..1; a negative one means that nothing could count."""
    table = Table("figure")
    table.add_column("0..1", justify="right")
    for name, value in figures.items():
        table.add_row(printable(name), f"{value:.4f}" if value >= 0 else "-")
    console.print(table)


@contextmanager
def show_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show on stderr how far a task is; yields what is to be called with (done, total)."""
    console = terminal(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
