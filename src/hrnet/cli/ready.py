"""`hrnet models --ready`: the models that predict at once, by what they are meant for."""

from collections.abc import Iterator

import typer

from hrnet.cli.weights import print_table, size_of, state_of
from hrnet.errors import printable

_TITLES = ("name", "model", "score", "size", "licence", "file")


def print_ready() -> None:
    """Print the models that have a short name, with score, size, licence and where they are."""
    from hrnet.weights.published.cache import cache_folder

    print_table(_TITLES, list(_lines()))
    typer.echo(
        "Downloads are converted at the first use, which needs `pip install 'hrnet[train]'`. "
        f"Without a network, get the file elsewhere and put it into {printable(cache_folder())}.\n"
        "Licences are those of the repositories; data sets have terms of their own.",
        err=True,
    )


def _lines() -> Iterator[tuple[str, ...]]:
    from hrnet.weights.catalog import CATALOG
    from hrnet.weights.published.cache import offline
    from hrnet.weights.published.rows import BY_INTENTION, find_row

    # Models inside the package; their licence stands in the model card beside the file.
    for name, file in CATALOG.items():
        size = f"{file.stat().st_size / 1e6:.1f} MB" if file.is_file() else "-"
        yield name, file.stem, "in its model card", size, "Apache-2.0", "in the package"
    # Published weights: where they cannot be downloaded, what to do instead.
    for name in BY_INTENTION:
        row = find_row(name)
        state = state_of(row)
        if state == "download" and offline():
            state = f"HRNET_OFFLINE is set: unset it, or put {row.file_name} into the cache folder"
        yield name, row.name, row.metric, size_of(row), row.licence, state
