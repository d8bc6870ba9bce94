"""`hrnet export`."""

from pathlib import Path
from typing import Annotated

import typer

from hrnet.errors import printable
from hrnet.extras import packages_for

EXAMPLES = """\b
Examples:
  hrnet export runs/w32 --out w32.onnx --half
  hrnet export default --out default.onnx
"""


def export(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name (see `hrnet weights list`), a .safetensors checkpoint or the folder of a "
            "training run.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The .onnx file to write.")
    ],
    half: Annotated[
        bool,
        typer.Option(
            "--half",
            help="Store the weights as float16, which halves the file; it computes in float32.",
        ),
    ] = False,
) -> None:
    """Export a model to an ONNX file, which needs no torch to predict."""
    with packages_for("exporting"):
        from hrnet.exporters.export import export as write
    difference = write(model, out, half=half)
    size = out.stat().st_size / 1e6
    typer.echo(
        f"{printable(out)}: {size:.2f} MB, differs from the network by at most {difference:.2g} "
        "of the largest output"
    )
