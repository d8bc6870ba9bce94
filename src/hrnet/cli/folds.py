"""Cross-validation by `hrnet train --folds`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from hrnet.errors import InputError, printable
from hrnet.run_folder import FOLDS

Folds = Annotated[
    int | None,
    typer.Option(
        "--folds",
        metavar="N",
        help="Keypoints and boxes: cross-validation. Deal the images out to N folds, train N "
        "models, each on all folds but one, and measure each on that one.",
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="NAME",
        help="With --folds: a key of the images, such as patient; images with the same value stay "
        "in one fold.",
    ),
]


class Own(TypedDict):
    """Arguments of `own_experiment` that each fold has."""

    category: str | None
    whole_images: bool
    mm_per_pixel: float | None
    settings: list[str]


def cross_validate(
    data: Path | None,
    images: Path | None,
    out: Path | None,
    folds: int | None,
    group: str | None,
    own: Own,
    *,
    alone: Mapping[str, object],
    say: Callable[[str], None],
) -> None:
    """Start a cross-validation, or go on with the one in `out` where no folds are given.

    alone: options that do not go with it, by their names.
    """
    from hrnet.training.folds import start_folds, train_folds
    from hrnet.training.launch import launched

    if launched().size > 1:
        raise InputError("expected one process for --folds, got several; start it without torchrun")
    if folds is None and out is not None:
        if own["settings"]:
            raise InputError(
                "a cross-validation keeps the settings that it began with; leave --set"
            )
        _print(train_folds(out, say), out, say)
        return
    given = [name for name, value in alone.items() if value]
    if given:
        raise InputError(f"expected --folds without {given[0]}; leave one of them out")
    if data is None or data.suffix.lower() != ".json" or images is None or out is None:
        raise InputError(
            "expected --data FILE.json, a COCO file, --images DIR and --out RUN with --folds; data "
            "of other tools become such a file by `hrnet data import`"
        )
    assert folds is not None
    found = start_folds(data, images, folds=folds, out=out, group=group, say=say, **own)
    _print(found, out, say)


def _print(
    found: Mapping[str, Mapping[str, float]] | None, out: Path, say: Callable[[str], None]
) -> None:
    """Print the figures of each fold, their mean and standard deviation."""
    from rich.table import Table

    from hrnet.console import make_console
    from hrnet.folds import over_all

    if found is None:
        say(f"go on with `hrnet train --resume {out}`")
        return
    table = Table("metric")
    for name in (*found, "mean", "sd"):
        table.add_column(name, justify="right", no_wrap=True)
    for metric, (mean, spread) in over_all(found).items():
        values = [*(one.get(metric, -1.0) for one in found.values()), mean, spread]
        cells = (f"{value:.4f}" if value >= 0 else "-" for value in values)
        table.add_row(printable(metric), *cells)
    make_console().print(table)
    say(f"figures written to {out / FOLDS}")
