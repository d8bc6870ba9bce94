"""`hrnet data`: check labelled data, split them, import those of other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.cli.imports import IMPORT_EXAMPLES, import_source
from hrnet.cli.options import WholeImage
from hrnet.errors import InputError, one_line, printable

if TYPE_CHECKING:
    from hrnet.data.source import DataSource
    from hrnet.data.split import WrittenPart

CHECK_EXAMPLES = """\b
Examples:
  hrnet data check my.json --images images/ --report check/
  hrnet data check flowers/ --report check/
  hrnet data check train.csv --val val.csv --images photos/
  hrnet data check photos/ --masks masks/ --report check/
"""

SPLIT_EXAMPLES = """\b
Examples:
  hrnet data split my.json --out parts/ --val 0.1 --test 0.1
  hrnet data split my.json --out parts/ --group video
  hrnet data split my.json --out dogs/ --category dog --val 0
  hrnet data split flowers/ --out parts/ --val 0.2
"""

MASKS_EXAMPLES = """\b
Examples:
  hrnet data masks instances.json --images images/ --out areas/
  hrnet data import annotations.xml --out roofs.json --images images/
  hrnet data masks roofs.json --images images/ --out roofs/ --no-background
"""

app = typer.Typer(
    name="data",
    help="Check, split and import labelled pictures, draw masks.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Source = Annotated[
    Path,
    typer.Argument(
        metavar="DATA",
        help="A COCO file of keypoints or boxes (.json); for classes a folder with a folder a "
        "class, or a list (.csv, .txt); for areas a folder with images/ and masks/, or a list of "
        "both (.csv).",
    ),
]

Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        "-i",
        metavar="DIR",
        help="Image folder of a COCO file or list (default for lists: their own folder).",
    ),
]

Category = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Take this category alone (default: all; those with keypoints must have the same).",
    ),
]

Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Areas: the folder of the masks, if not masks/ beside images/."
    ),
]

Part = Annotated[
    str | None,
    typer.Option(
        "--part", metavar="NAME", help="Areas: a part of DATA, such as val, if it has parts."
    ),
]

OneCategory = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Keypoints and boxes: take this category alone (default: all)."
    ),
]


@app.command(epilog=CHECK_EXAMPLES)
def check(
    data: Source,
    images: Images = None,
    val: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Validation part of classes, compared with DATA (default: DATA's own, if any).",
        ),
    ] = None,
    category: Category = None,
    masks: Masks = None,
    part: Part = None,
    whole_image: WholeImage = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write a contact sheet of the data and check.json to this folder."
        ),
    ] = None,
) -> None:
    """Check labelled images: counts, broken files, wrong labels.

    All images are decoded. The exit code is 2 if there are errors; warnings leave it at 0.
    """
    from hrnet.check.run import check_data, expect_writable, print_result, write_report
    from hrnet.console import make_console, show_progress
    from hrnet.data.source import DataSource

    # Prove that the report can be written before all images are decoded.
    source = DataSource(
        data,
        images=images,
        category=category,
        labels=masks,
        split=part,
        whole_images=whole_image or None,
    )
    if report is not None:
        expect_writable(report, source)
    with show_progress("checking images") as progress:
        result = check_data(source, val, progress)
    print_result(make_console(), result)
    if report is not None:
        for file in write_report(result, report):
            typer.echo(f"written: {printable(file)}")
    if result.errors:
        typer.echo(f"hrnet: errors in {printable(data)}:", err=True)
        for finding in result.errors:
            typer.echo(f"  {one_line(finding.line)}", err=True)
        raise typer.Exit(2)


@app.command(epilog=SPLIT_EXAMPLES)
def split(
    data: Source,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Write the parts here: train, val and test, as .json or .csv.",
        ),
    ],
    val: Annotated[float, typer.Option(metavar="SHARE", help="Share of images in val.")] = 0.1,
    test: Annotated[float, typer.Option(metavar="SHARE", help="Share of images in test.")] = 0.0,
    group: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Keypoints and boxes: a key of the images, such as video_id; images with the same "
            "value stay in one part.",
        ),
    ] = None,
    category: OneCategory = None,
    images: Images = None,
    masks: Masks = None,
    part: Part = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the draw.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Split labelled images into parts, as new annotation files.

    The images stay where they are.
    Keypoints and boxes: each category is spread over the parts as evenly as whole images allow.
    With --category the parts hold that category alone; with --val 0 there is one part.
    Classes: each class is split, and copies of one image stay together. Areas: as boxes, with
    copies of one image together.
    """
    from hrnet.data.class_folders import holds_classes
    from hrnet.data.masks import holds_masks
    from hrnet.data.source import DataSource
    from hrnet.data.split import split_dataset

    # The kind of data decides between the splits; none ignores an option of another.
    how = {"val": val, "test": test}
    if masks is not None or holds_masks(data):
        _expect_ungrouped(data, group, category)
        areas = DataSource(data, images=images, labels=masks, split=part)
        _split_areas(areas, out, **how, seed=seed, force=force)
        return
    if part is not None:
        raise InputError(f"expected --part with areas alone, got {data}; leave it out")
    if holds_classes(data):
        _expect_ungrouped(data, group, category)
        _split_classes(DataSource(data, images=images), out, **how, seed=seed, force=force)
        return
    if images is not None:
        raise InputError(f"expected --images with lists alone, got {data}; leave it out")
    for written in split_dataset(
        data, out, **how, group=group, category=category, seed=seed, force=force
    ):
        _print_part(written, group)


def _expect_ungrouped(data: Path, group: str | None, category: str | None) -> None:
    if group is not None or category is not None:
        raise InputError(
            f"{data}: expected --group and --category with COCO files alone; leave them out"
        )


def _split_classes(
    source: "DataSource", out: Path, *, val: float, test: float, seed: int, force: bool
) -> None:
    """Split pictures with a class each, and print the parts."""
    from hrnet.data.class_split import split_class_files

    parts = split_class_files(source, out, val=val, test=test, seed=seed, force=force)
    for file, part in parts.items():
        typer.echo(f"{printable(file)}: {len(part.samples)} images")


def _split_areas(
    source: "DataSource", out: Path, *, val: float, test: float, seed: int, force: bool
) -> None:
    """Split pictures with masks, and print the parts."""
    from hrnet.data.mask_split import split_masks

    parts = split_masks(source, out, val=val, test=test, seed=seed, force=force)
    for file, count in parts.items():
        typer.echo(f"{printable(file)}: {count} images")


def _print_part(part: "WrittenPart", group: str | None) -> None:
    """Print the counts of a written part, and the categories that it lacks."""
    from hrnet.data.findings import first_of

    groups = f" in {part.groups} group{'s' * (part.groups != 1)}" if group else ""
    typer.echo(f"{printable(part.file)}: {part.images} images{groups}, {part.subjects} {part.kind}")
    if part.alone:
        typer.echo(printable(f"note: {part.alone} images have no {group} and stand alone"))
    if part.lacking:
        named = one_line(first_of(part.lacking))
        typer.echo(f"note: {len(part.lacking)} categories are not in it ({named})")


@app.command("masks", epilog=MASKS_EXAMPLES)
def draw(
    annotations: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A COCO file of objects with outlines (.json)."),
    ],
    images: Annotated[
        Path, typer.Option("--images", "-i", metavar="DIR", help="Folder of its images.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Write masks/, masks.csv, classes.json here."
        ),
    ],
    background: Annotated[
        bool,
        typer.Option(
            "--background/--no-background",
            help="Class 0 is where no object is; without it these pixels are ignored.",
        ),
    ] = True,
    category: OneCategory = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Draw masks for segmentation from outlines of objects.

    Later objects lie over earlier ones. Outlines of CVAT, Label Studio and YOLO become such a file
    by `hrnet data import`.
    """
    from hrnet.data.mask_drawing import draw_masks

    done = draw_masks(
        annotations, images, out, background=background, category=category, force=force
    )
    named = ", ".join(one_line(name) for name in done.class_names[:40])
    counts = f"{done.objects} objects in {done.images} images"
    typer.echo(printable(f"{counts}, {len(done.class_names)} classes: {named}"))
    for note in done.notes:
        typer.echo(f"note: {one_line(note)}")
    typer.echo(printable(f"written: {done.list_file}"))
    typer.echo(printable(f"look at it: hrnet data check {done.list_file} --report report/"))


app.command("import", epilog=IMPORT_EXAMPLES)(import_source)
