"""Tables and progress bars on a terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from hrnet.errors import printable
from hrnet.metrics.names import has_unit
from hrnet.tasks import Result


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that prints text literally, without markup such as "[x]" or ":x:".

    Names from files must go through `printable` first.
    """
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_result(console: Console, path: Path, result: Result, *, full: bool = True) -> None:
    """Print one line for an image and, if `full`, the tables of its result."""
    height, width = result.image_size
    line = f"{printable(path)} {width}x{height}: {result.summary()}"
    console.print(line, soft_wrap=True)
    for table in result.tables(console.width) if full else ():
        console.print(table)


def print_metrics(console: Console, metrics: Mapping[str, float]) -> None:
    """Print a table of metrics; "-" for a negative one, where nothing could count."""
    table = Table("metric")
    table.add_column("value" if any(map(has_unit, metrics)) else "0..1", justify="right")
    for name, value in metrics.items():
        table.add_row(printable(name), f"{value:.4f}" if value >= 0 else "-")
    console.print(table)


@contextmanager
def show_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on stderr; yield the function to call with (done, total)."""
    console = make_console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
