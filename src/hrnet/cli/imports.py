"""`hrnet data import`: annotations of other tools and of published data sets as COCO files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hrnet.errors import one_line, printable

if TYPE_CHECKING:
    from hrnet.data.imports.run import ImportReport

FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="yolo|voc|cvat|labelstudio|deeplabcut|sleap|mpii|wholebody|faces|cofw|coco",
        help="The tool that wrote SOURCE (default: detected).",
    ),
]

Published = Annotated[
    str | None,
    typer.Option(
        "--skeleton",
        metavar="NAME",
        help="coco: the published keypoints that SOURCE has, such as ap10k; it gets their names, "
        "bones, mirror pairs and sigmas.",
    ),
]

Heads = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="mpii: head boxes for PCKh, such as gt_valid.mat."),
]

Likelihood = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="yolo, deeplabcut: keypoints that a network scored below this count as unlabelled "
        "(default: 0.6 for deeplabcut, none for yolo).",
    ),
]


IMPORT_EXAMPLES = """\b
Examples:
  hrnet data import dlc_project/ --out walks.json
  hrnet data import labels.slp --out flies.json --images frames/
  hrnet data import dataset.yaml --out cars.json --part train --names front,back
  hrnet data import VOCdevkit/VOC2007/ --out voc.json --part trainval
  hrnet data import face_landmarks_300w_train.csv --out faces.json --images 300w/
  hrnet data import ap10k-test-split1.json --format coco --skeleton ap10k --out t.json
"""


def import_source(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Output of the tool: a file or folder.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The COCO file to write.")
    ],
    format_name: FormatName = None,
    images: Annotated[
        Path | None,
        typer.Option("--images", "-i", metavar="DIR", help="Image folder, if not as in SOURCE."),
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
    heads: Heads = None,
    skeleton: Published = None,
    likelihood: Likelihood = None,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Make boxes of the keypoints where SOURCE has none, larger by this on each side "
            "(default: 0.1; no boxes, but whole pictures, if SOURCE has none at all and one "
            "subject a picture).",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write keypoints or boxes of another tool as a COCO file.

    Keypoints are read where SOURCE has any, else boxes (yolo, voc, cvat, labelstudio).
    """
    from hrnet.data.imports.common import ImportOptions
    from hrnet.data.imports.run import import_annotations

    options = ImportOptions(
        images=images,
        names=tuple(name.strip() for name in names.split(",")) if names else None,
        category=category,
        part=part,
        extracted=out.parent / f"{out.stem}_images",
        heads=heads,
        skeleton=skeleton,
        likelihood=likelihood,
    )
    done = import_annotations(
        source, out, options, format_name=format_name, margin=margin, force=force
    )
    _print_import(done)


def _print_import(done: "ImportReport") -> None:
    typer.echo(printable(done.line))
    for note in done.notes:
        typer.echo(f"note: {one_line(note)}")
    if len(done.parts) > 1:
        parts = one_line(", ".join(done.parts))
        typer.echo(f"note: all parts ({parts}) are in one file; --part takes one of them")
    typer.echo(printable(f"written: {done.out}"))
    typer.echo(
        printable(
            f"look at it: hrnet data check {done.out} --images {done.images} --report report/"
        )
    )
