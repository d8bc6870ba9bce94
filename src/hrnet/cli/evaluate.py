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
  hrnet evaluate runs/pets --data pets/val/ --json accuracy.json
"""

DataPath = Annotated[
    Path,
    typer.Option(
        "--data",
        "-d",
        metavar="PATH",
        help="COCO keypoint annotations; or a folder with a folder a class, or a list of images "
        "and classes.",
    ),
]

Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        "-i",
        metavar="DIR",
        help="The folder of the images; a folder of classes holds them itself.",
    ),
]

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
    data: DataPath,
    images: Images = None,
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
    """Measure a model on labelled images.

    Pose models: COCO AP and AR, and PCKh for annotations with head sizes, such as those of MPII.
    Classification models: top-1 and top-5 accuracy.
    """
    from hrnet.console import make_console, print_metrics, show_progress
    from hrnet.evaluation import evaluate as evaluate_model
    from hrnet.files import check_writable_file, write_text

    if json_file is not None:
        inputs = [data, Path(model), Path(boxes), *([images] if images else [])]
        check_writable_file(json_file, inputs)
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
