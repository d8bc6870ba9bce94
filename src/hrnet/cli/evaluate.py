"""`hrnet evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from hrnet.cli.data import Category
from hrnet.cli.options import BatchSize, Device, Engine, FlipTest, Threads
from hrnet.errors import printable

EXAMPLES = """\b
Examples:
  hrnet evaluate default --data val.json --images images/ --flip-test
  hrnet evaluate runs/w32 --data val.json --images images/ --boxes detections.json --json ap.json
"""

JsonFile = Annotated[
    Path | None,
    typer.Option("--json", "-j", metavar="FILE", help="Write the metrics and the protocol here."),
]


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model's name, an .onnx file, a .safetensors checkpoint or a run folder.",
        ),
    ],
    data: Annotated[
        Path, typer.Option("--data", "-d", metavar="FILE", help="COCO keypoint annotations.")
    ],
    images: Annotated[
        Path, typer.Option("--images", "-i", metavar="DIR", help="The folder of their images.")
    ],
    boxes: Annotated[
        str,
        typer.Option(
            "--boxes",
            "-b",
            metavar="gt|FILE",
            help="gt: the annotated boxes; FILE: those of a detector, as COCO results.",
        ),
    ] = "gt",
    json_file: JsonFile = None,
    category: Category = None,
    flip_test: FlipTest = False,
    device: Device = "auto",
    engine: Engine = None,
    threads: Threads = None,
    batch_size: BatchSize = 16,
) -> None:
    """Measure COCO AP and AR on annotated images.

    Annotations with head sizes, such as those of MPII, give PCKh too.
    """
    from hrnet.console import make_console, print_metrics, show_progress
    from hrnet.evaluation import evaluate as evaluate_model
    from hrnet.files import check_writable_file, write_text

    if json_file is not None:
        check_writable_file(json_file, [data, images, Path(model), Path(boxes)])
    with show_progress("evaluating") as progress:
        result = evaluate_model(
            model,
            data=data,
            images=images,
            boxes=boxes,
            category=category,
            flip_test=flip_test,
            device=device,
            engine=engine,
            threads=threads,
            batch_size=batch_size,
            progress=progress,
        )
    print_metrics(make_console(), result.metrics)
    typer.echo("\n".join(map(printable, result.summary().splitlines())))
    if json_file is not None:
        write_text(json_file, result.to_json())
        typer.echo(f"metrics written to {printable(json_file)}")
