"""`hrnet report`: one HTML page about a training run."""

from pathlib import Path
from typing import Annotated

import typer

from hrnet.cli.options import BatchSize, Device, FlipTest, Threads
from hrnet.errors import one_line, printable

EXAMPLES = """\b
Examples:
  hrnet report runs/w32
  hrnet report runs/w32 --data test.json --images images/ --flip-test --out test.html
"""


Page = Annotated[
    Path | None,
    typer.Option(
        "--out", "-o", metavar="FILE", help="The page to write (default: RUN/report.html)."
    ),
]


def report(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Folder of a run or a cross-validation, which may still go on.",
        ),
    ],
    out: Page = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            "-d",
            metavar="FILE|DIR",
            help="Labelled data to evaluate on (default: the run's validation data).",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", "-i", metavar="DIR", help="Image folder of --data."),
    ] = None,
    flip_test: FlipTest = False,
    figures: Annotated[
        bool,
        typer.Option(
            "--figures/--no-figures", help="Evaluate the best checkpoint, or only read the log."
        ),
    ] = True,
    device: Device = "auto",
    threads: Threads = None,
    batch_size: BatchSize = 16,
) -> None:
    """Write an HTML page about a training run or a cross-validation.

    It shows metrics, curves, pictures and settings, also while the training goes on; of a
    cross-validation the figures of each fold, their mean and standard deviation.
    """
    from hrnet.console import show_progress
    from hrnet.reports import report as write_report

    with show_progress("evaluating") as progress:
        written = write_report(
            run,
            out=out,
            data=data,
            images=images,
            flip_test=flip_test,
            figures=figures,
            device=device,
            threads=threads,
            batch_size=batch_size,
            progress=progress,
        )
    if written.without_figures is not None:
        typer.echo(f"no figures: {one_line(written.without_figures)}")
    typer.echo(f"report written to {printable(written.path)}")
