"""`hrnet weights`: list the published weights, download them, verify what is in the cache."""

import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.errors import InputError, one_line, printable
from hrnet.files import is_file

if TYPE_CHECKING:
    from hrnet.weights.published import PublishedWeight

FAMILIES = ("hrnet", "litehrnet", "hrformer")
"""Values of --family."""

LIST_EXAMPLES = """\b
Examples:
  hrnet weights list --task pose --dataset coco
  hrnet weights list '*udp*' --family hrnet
"""

FETCH_EXAMPLES = """\b
Examples:
  hrnet weights fetch hrnet_w32-coco-256x192
"""

VERIFY_EXAMPLES = """\b
Examples:
  hrnet weights verify hrnet_w32-coco-256x192
  hrnet weights verify --all
"""

FOLDER_EXAMPLES = """\b
Examples:
  hrnet weights folder
  HRNET_CACHE=/data/weights hrnet weights folder
"""

app = typer.Typer(
    name="weights",
    help="List, download and verify published weights.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Names = Annotated[
    list[str], typer.Argument(metavar="NAME", help="Names that `hrnet weights list` prints.")
]


@app.command("list", epilog=LIST_EXAMPLES)
def list_weights(
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="PATTERN", help="Part of a name, or a pattern such as '*_w18*'."),
    ] = None,
    family: Annotated[
        str | None, typer.Option(metavar="|".join(FAMILIES), help="Only this family.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this task, such as pose.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only those trained on this data set, such as coco."),
    ] = None,
) -> None:
    """List the published weights.

    Columns: name, score, size, licence, and whether the file can be downloaded. On a terminal they
    are a table; in a pipe tabs part them, and - stands for what is unknown.
    """
    from hrnet.weights.cache import cache_folder
    from hrnet.weights.published import rows

    if family not in (None, *FAMILIES):
        raise InputError(f"expected --family as one of {', '.join(FAMILIES)}, got {family!r}")
    found = [
        row
        for row in rows()
        if _fits(row.name, pattern)
        and family in (None, _family(row.variant))
        and task in (None, row.task)
        and dataset in (None, row.dataset)
    ]
    if not found:
        raise InputError(
            "no published weights are of that kind; `hrnet weights list` lists all of them"
        )
    lines = [(r.name, r.metric or "-", _size(r), r.licence or "-", _state(r)) for r in found]
    _print_table(lines)
    typer.echo(f"{len(found)} weights; cache folder {printable(cache_folder())}", err=True)


@app.command(epilog=FETCH_EXAMPLES)
def fetch(names: Names) -> None:
    """Download weights into the cache, and print where each file is."""
    from hrnet.weights.cache import fetch as fetch_row
    from hrnet.weights.published import find_row

    _each([find_row(name) for name in names], lambda row: printable(fetch_row(row)))


@app.command(epilog=VERIFY_EXAMPLES)
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Names that `hrnet weights list` prints."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Take all weights that are in the cache.")
    ] = False,
) -> None:
    """Compare files in the cache with what was published.

    Prints name, result and SHA-256; the exit code is 2 if a file is not as published.
    """
    from hrnet.weights.cache import raw_path
    from hrnet.weights.cache import verify as verify_row
    from hrnet.weights.published import find_row, rows

    if bool(names) == everything:
        raise InputError("expected either names of weights or --all")
    chosen = [find_row(name) for name in names or []]
    if everything:
        chosen = [row for row in rows() if is_file(raw_path(row))]

    def check(row: "PublishedWeight") -> str:
        digest = verify_row(row)
        result = "ok" if row.sha256 else "no published checksum"
        return f"{row.name}\t{result}\t{digest}"

    _each(chosen, check)
    if not chosen:
        typer.echo("there are no published weights in the cache", err=True)


@app.command(epilog=FOLDER_EXAMPLES)
def folder() -> None:
    """Print the cache folder; HRNET_CACHE names another one."""
    from hrnet.weights.cache import cache_folder

    typer.echo(printable(cache_folder()))


def _fits(name: str, pattern: str | None) -> bool:
    wanted = (pattern or "").lower()
    return fnmatchcase(name.lower(), wanted if set(wanted) & set("*?[") else f"*{wanted}*")


def _family(variant: str) -> str:
    """The family in a variant's name: all of a family's names hold its own."""
    return next(family for family in reversed(FAMILIES) if family in variant)


def _size(row: "PublishedWeight") -> str:
    """The size of the file where it is published or the file is there; - where neither."""
    from hrnet.weights.cache import raw_path

    path = raw_path(row)
    num_bytes = path.stat().st_size if is_file(path) else row.size_bytes
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes else "-"


def _state(row: "PublishedWeight") -> str:
    from hrnet.weights.cache import raw_path

    if is_file(raw_path(row)):
        return "in the cache"
    return "download" if row.url else "by hand"


def _print_table(lines: Sequence[tuple[str, ...]]) -> None:
    if not sys.stdout.isatty():
        for line in lines:
            typer.echo("\t".join(line))
        return
    from rich.table import Table

    from hrnet.console import make_console

    table = Table()
    for title in ("name", "score", "size", "licence", "file"):
        table.add_column(title, no_wrap=title == "name")
    for line in lines:
        table.add_row(*line)
    make_console().print(table)


def _each(rows: "list[PublishedWeight]", do: "Callable[[PublishedWeight], str]") -> None:
    """Print what `do` returns for each row; an error stops no other row; exit code 2 at the end."""
    failed = False
    for row in rows:
        try:
            typer.echo(do(row))
        except InputError as error:
            if len(rows) == 1:
                raise
            failed = True
            typer.echo(f"hrnet: error: {one_line(error)}", err=True)
    if failed:
        raise typer.Exit(2)
