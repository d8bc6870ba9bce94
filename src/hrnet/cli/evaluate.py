"""`hrnet evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from hrnet.cli.data import Category, Masks, Part
from hrnet.cli.options import (
    WHOLE,
    BatchSize,
    Detector,
    Device,
    Engine,
    FlipTest,
    MmPerPixel,
    ModelArgument,
    Settings,
    Threads,
    WholeImage,
)
from hrnet.errors import printable

EXAMPLES = """\b
Examples:
  hrnet evaluate default --data val.json --images images/ --flip-test
  hrnet evaluate runs/w32 --data val.json --images images/ --boxes detections.json --json ap.json
  hrnet evaluate runs/boxes --data instances_val.json --images images/
  hrnet evaluate runs/pets --data pets/val/
  hrnet evaluate runs/streets --data streets/ --part val --set scales=[0.75,1,1.25]
"""

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        "-d",
        metavar="FILE|DIR",
        help="Labelled images. For keypoints: a COCO keypoint file. For objects: a COCO file of "
        "boxes. For classes: a folder with one folder per class, or a list of images and classes "
        "(.csv, .txt). For areas: a folder with images/ and masks/, or a list of both (.csv).",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        "-i",
        metavar="DIR",
        help="Image folder. Needed for keypoints and objects; for a list of classes, if its paths "
        "are not relative to the list.",
    ),
]
Boxes = Annotated[
    str,
    typer.Option(
        "--boxes",
        "-b",
        metavar="gt|detector|FILE",
        help="Keypoints only. Boxes to evaluate on: gt (ground truth) are the annotated boxes; "
        "detector those that --detector finds; FILE holds those of a detector, as COCO results.",
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json", "-j", metavar="FILE", help="Write the metrics, and how they were measured, here."
    ),
]


def evaluate(
    model: ModelArgument,
    data: Data,
    images: Images = None,
    boxes: Boxes = "gt",
    json_file: JsonFile = None,
    category: Category = None,
    masks: Masks = None,
    split: Part = None,
    whole_image: WholeImage = False,
    mm_per_pixel: MmPerPixel = None,
    detector: Detector = "auto",
    flip_test: FlipTest = False,
    device: Device = "auto",
    engine: Engine = None,
    threads: Threads = None,
    batch_size: BatchSize = 16,
    settings: Settings = None,
) -> None:
    """Compute the metrics of a model on labelled images.

    Keypoints: COCO's AP and AR, and PCKh if every annotation has a head size, as in MPII.
    Objects: COCO's AP and AR of boxes and masks, and precision and recall at the usual score.
    Classes: top-1 accuracy, top-5 of more than 5 classes, and the mean accuracy over the classes.
    Areas: mean IoU, accuracy of the pixels, and the mean accuracy over the classes.
    """
    from hrnet.console import make_console, print_metrics, show_progress
    from hrnet.evaluation import evaluate as evaluate_model
    from hrnet.files import check_writable_file, write_text

    # Check the output before the long part.
    if json_file is not None:
        check_writable_file(
            json_file, [data, *([images] if images else []), Path(model), Path(boxes)]
        )
    with show_progress("evaluating") as progress:
        result = evaluate_model(
            model,
            data=data,
            images=images,
            boxes=boxes,
            detector=detector,
            category=category,
            labels=masks,
            split=split,
            mm_per_pixel=mm_per_pixel,
            flip_test=flip_test,
            device=device,
            engine=engine,
            threads=threads,
            batch_size=batch_size,
            settings=[*(settings or ()), *(WHOLE if whole_image else ())],
            progress=progress,
        )
    # Print the metrics and how they were measured, and write them.
    print_metrics(make_console(), result.metrics)
    typer.echo("\n".join(map(printable, result.summary().splitlines())))
    if json_file is not None:
        write_text(json_file, result.to_json())
        typer.echo(f"metrics written to {printable(json_file)}")
