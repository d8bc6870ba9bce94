"""Show predictions on a terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from hrnet.errors import printable
from hrnet.tasks.pose.result import Poses

_COLUMN_WIDTH = 23
"""Of one person: '1234.5, 1234.5  0.92' with its frame."""


def terminal(*, stderr: bool = False) -> Console:
    """Return a console that prints texts as they are: "[x]" and ":x:" mean nothing to it.

    Names that come from files go through `printable` first.
    """
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_poses(console: Console, path: Path, poses: Poses, *, full: bool = True) -> None:
    """Print a line for a picture and, with `full`, tables of its keypoints.

    The tables have one row a keypoint and one column a person, as many as the terminal is wide; a
    cell holds x, y in pixels and the score.
    """
    console.print(summary(path, poses), soft_wrap=True)
    if full:
        names = max(len(printable(name)) for name in poses.skeleton.names) + 4
        step = max(1, (console.width - names) // _COLUMN_WIDTH)
        for first in range(0, len(poses), step):
            console.print(_table(poses, range(first, min(first + step, len(poses)))))


def summary(path: Path, poses: Poses) -> str:
    """One line: the file, its size, how many persons and how sure the model is of each."""
    height, width = poses.image_size
    count = len(poses)
    persons = "no persons" if count == 0 else "1 person" if count == 1 else f"{count} persons"
    scores = " ".join(f"{score:.2f}" for score in poses.scores.tolist()[:12])
    more = " ..." if count > 12 else ""
    whole = "" if poses.boxes_given else " (the whole image)"
    scored = f", score {scores}{more}" if count else ""
    return f"{printable(path)} {width}x{height}: {persons}{whole}{scored}"


def _table(poses: Poses, rows: range) -> Table:
    table = Table("keypoint", title="x, y in pixels and score 0..1", title_justify="left")
    for row in rows:
        table.add_column(f"person {row + 1}", justify="right", no_wrap=True)
    for index, name in enumerate(poses.skeleton.names):
        table.add_row(printable(name), *(_cell(poses, row, index) for row in rows))
    table.add_section()
    table.add_row("mean score", *(f"{poses.scores[row]:.2f}" for row in rows))
    return table


def _cell(poses: Poses, row: int, index: int) -> str:
    x, y = poses.keypoints[row, index].tolist()
    return f"{x:.1f}, {y:.1f}  {poses.keypoint_scores[row, index]:.2f}"


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
