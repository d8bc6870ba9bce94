"""`hrnet data`: check keypoint annotations, split them, import them from other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.errors import one_line, printable

if TYPE_CHECKING:
    from hrnet.data.imports.run import ImportReport

CHECK_EXAMPLES = """\b
Examples:
  hrnet data check my.json --images images/ --report check/
"""

SPLIT_EXAMPLES = """\b
Examples:
  hrnet data split my.json --out parts/ --val 0.1 --test 0.1
  hrnet data split my.json --out parts/ --group video
  hrnet data split my.json --out dogs/ --category dog --val 0
"""

IMPORT_EXAMPLES = """\b
Examples:
  hrnet data import dlc_project/ --out walks.json
  hrnet data import labels.slp --out flies.json --images frames/
  hrnet data import dataset.yaml --out cars.json --part train --names front,back
"""

app = typer.Typer(
    name="data",
    help="Check, split and import keypoint annotations.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Annotations = Annotated[
    Path, typer.Argument(metavar="FILE", help="COCO keypoint annotations, of any keypoints.")
]

Category = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Take this category alone (default: all, which must have the same keypoints).",
    ),
]

Likelihood = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="yolo and deeplabcut: take keypoints that a network scored below this as not "
        "labelled (default: 0.6 for deeplabcut, none for yolo).",
    ),
]


@app.command(epilog=CHECK_EXAMPLES)
def check(
    annotations: Annotations,
    images: Annotated[
        Path, typer.Option("--images", "-i", metavar="DIR", help="The folder of their images.")
    ],
    category: Category = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write a contact sheet of drawn subjects, mirrored ones and check.json here.",
        ),
    ] = None,
) -> None:
    """Say what is in a keypoint file and what is wrong with it.

    Decodes every image and lists what would stop or spoil a training. With errors the exit code is
    2; warnings leave it at 0.
    """
    from hrnet.check.run import check_dataset
    from hrnet.check.sheet import REPORT_FILES, write_report
    from hrnet.check.show import print_check
    from hrnet.console import make_console, show_progress
    from hrnet.files import check_writable_file

    if report is not None:
        for name in REPORT_FILES:
            check_writable_file(report / name, [annotations, images])
    with show_progress("checking images") as progress:
        result = check_dataset(annotations, images, progress, category=category)
    print_check(make_console(), result)
    if report is not None:
        for file in write_report(result, report):
            typer.echo(f"written: {printable(file)}")
    if result.errors:
        typer.echo(f"hrnet: errors in {printable(annotations)}:", err=True)
        for finding in result.errors:
            typer.echo(f"  {one_line(finding.line)}", err=True)
        raise typer.Exit(2)


@app.command(epilog=SPLIT_EXAMPLES)
def split(
    annotations: Annotations,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Write train.json, val.json and test.json here."
        ),
    ],
    val: Annotated[float, typer.Option(metavar="SHARE", help="Share of images in val.json.")] = 0.1,
    test: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of images in test.json.")
    ] = 0.0,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A key of the images, such as video_id; equal values stay together.",
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take this category alone (default: all).")
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="Another number deals the images out differently.")
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Split a keypoint file by its images into parts.

    With --category the parts hold that category alone; with --val 0 there is one part, train.json.
    """
    from hrnet.data.split import split_dataset

    parts = split_dataset(
        annotations,
        out,
        val=val,
        test=test,
        group=group,
        category=category,
        seed=seed,
        force=force,
    )
    for part in parts:
        groups = f" in {part.groups} group{'s' * (part.groups != 1)}" if group is not None else ""
        typer.echo(
            f"{printable(part.file)}: {part.images} images{groups}, {part.subjects} subjects"
        )


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_source(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="What the tool wrote: a file or a folder.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="The COCO keypoint file to write."),
    ],
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="yolo|cvat|labelstudio|deeplabcut|sleap|mpii|wholebody",
            help="The tool that wrote SOURCE (default: found out from it).",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", "-i", metavar="DIR", help="Where the images are, if elsewhere."),
    ] = None,
    names: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME,...", help="Names of the keypoints, in their order."),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Take this class, label, skeleton or individual alone."),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Take this part of the data set alone, such as train."),
    ] = None,
    heads: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="mpii: head boxes for PCKh, such as gt_valid.mat."),
    ] = None,
    likelihood: Likelihood = None,
    margin: Annotated[
        float,
        typer.Option(metavar="SHARE", help="How much a box made of keypoints grows on each side."),
    ] = 0.1,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write another tool's annotations as a COCO keypoint file."""
    from hrnet.data.imports.common import ImportOptions
    from hrnet.data.imports.run import import_annotations

    options = ImportOptions(
        images=images,
        names=tuple(name.strip() for name in names.split(",")) if names else None,
        category=category,
        part=part,
        extracted=out.with_name(f"{out.stem}_images"),
        heads=heads,
        likelihood=likelihood,
    )
    done = import_annotations(
        source, out, options, format_name=format_name, margin=margin, force=force
    )
    _print_import(done)


def _print_import(done: "ImportReport") -> None:
    typer.echo(
        f"{done.format}: {done.num_images} images, {done.num_subjects} subjects, "
        f"{len(done.names)} keypoints: {printable(', '.join(done.names))}"
    )
    for note in done.notes:
        typer.echo(f"note: {one_line(note)}")
    typer.echo(printable(f"written: {done.out}"))
    typer.echo(
        printable(
            f"look at it: hrnet data check {done.out} --images {done.images} --report report/"
        )
    )
