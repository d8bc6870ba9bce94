"""`hrnet export`: an ONNX file that predicts without torch."""

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
            metavar="MODEL", help="A model's name, a .safetensors checkpoint or a run folder."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The .onnx file to write.")
    ],
    half: Annotated[
        bool, typer.Option("--half", help="Store weights in half precision: half the file.")
    ] = False,
) -> None:
    """Write a checkpoint as an ONNX file that predicts without torch."""
    with packages_for("exporting"):
        from hrnet.exporters.export import export as write
    difference = write(model, out, half=half)
    size = out.stat().st_size / 1e6
    typer.echo(
        f"{printable(out)}: {size:.2f} MB, differs from the network by {difference:.2g} at most"
    )
