"""`hrnet weights`: list the published weights, download them, verify what is in the cache."""

import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.errors import InputError, one_line, printable
from hrnet.files import is_file

if TYPE_CHECKING:
    from hrnet.weights.published.rows import PublishedWeight

FAMILIES = ("hrnet", "litehrnet", "hrformer")
"""Values of --family: the keys of `models.FAMILIES`, which would import torch."""

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
        typer.Argument(
            metavar="PATTERN", help="Part of a name or file name, or a pattern: '*_w18*'."
        ),
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

    Columns: name, score, size, licence, file (download, by hand, or in the cache). On a terminal
    they are a table; in a pipe tabs separate them, and - stands for an unknown value.
    """
    from hrnet.weights.published.cache import cache_folder
    from hrnet.weights.published.rows import rows

    # Take the rows that all given options fit.
    if family not in (None, *FAMILIES):
        raise InputError(f"expected --family as one of {', '.join(FAMILIES)}, got {family!r}")
    found = [
        row
        for row in rows()
        if (_fits(row.name, pattern) or _fits(row.file_name, pattern))
        and family in (None, _family(row.network.variant))
        and task in (None, row.network.task)
        and dataset in (None, row.dataset)
    ]
    if not found:
        raise InputError(
            "no published weights are of that kind; `hrnet weights list` lists all of them"
        )
    # Print one line each, and the cache's folder beside the list.
    lines = [(r.name, r.metric or "-", size_of(r), r.licence or "-", state_of(r)) for r in found]
    print_table(("name", "score", "size", "licence", "file"), lines)
    typer.echo(f"{len(found)} weights; cache folder {printable(cache_folder())}", err=True)


@app.command(epilog=FETCH_EXAMPLES)
def fetch(names: Names) -> None:
    """Download weights into the cache, and print their paths."""
    from hrnet.weights.published.cache import fetch as fetch_row
    from hrnet.weights.published.rows import find_row

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
    """Compare files in the cache with the published checksums.

    Prints name, result and SHA-256; the exit code is 2 if a file is not as published.
    """
    from hrnet.weights.published.cache import raw_path
    from hrnet.weights.published.cache import verify as verify_row
    from hrnet.weights.published.rows import find_row, rows

    # Choose the rows: by name, or all that are in the cache.
    if bool(names) == everything:
        raise InputError("expected either names of weights or --all")
    chosen = [find_row(name) for name in names or []]
    if everything:
        chosen = [row for row in rows() if is_file(raw_path(row))]

    # Hash each file again; the first error stops no other file.
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
    from hrnet.weights.published.cache import cache_folder

    typer.echo(printable(cache_folder()))


def _fits(name: str, pattern: str | None) -> bool:
    wanted = (pattern or "").lower()
    return fnmatchcase(name.lower(), wanted if set(wanted) & set("*?[") else f"*{wanted}*")


def _family(variant: str) -> str:
    """Return the family in a variant's name: all variants are named after their family."""
    return max((family for family in FAMILIES if family in variant), key=len)


def size_of(row: "PublishedWeight") -> str:
    """Return the size of the file, as published or in the cache; - where unknown."""
    from hrnet.weights.published.cache import raw_path

    path = raw_path(row)
    num_bytes = path.stat().st_size if is_file(path) else row.size_bytes
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes else "-"


def state_of(row: "PublishedWeight") -> str:
    """Return where the file is: in the cache, to be downloaded, or to be fetched by hand."""
    from hrnet.weights.published.cache import raw_path

    if is_file(raw_path(row)):
        return "in the cache"
    return "download" if row.url else "by hand"


def print_table(titles: Sequence[str], lines: Sequence[tuple[str, ...]]) -> None:
    """Print lines as a table with titles on a terminal, and separated by tabs in a pipe."""
    if not sys.stdout.isatty():
        for line in lines:
            typer.echo("\t".join(line))
        return
    from rich.table import Table

    from hrnet.console import make_console

    table = Table()
    for title in titles:
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
