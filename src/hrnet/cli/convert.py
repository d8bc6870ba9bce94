"""`hrnet convert`: a file of weights of any known project becomes a checkpoint of ours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from hrnet.cli.sizes import parse_size
from hrnet.errors import printable
from hrnet.extras import packages_for

if TYPE_CHECKING:
    from hrnet.codecs.heatmap import CodecKind

EXAMPLES = """\b
Examples:
  hrnet convert pose_hrnet_w32_256x192.pth w32.safetensors --report
  hrnet convert mine.pth mine.safetensors --input 256x192 --skeleton coco --codec udp
"""

Input = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="HxW", help="Height and width that a pose model takes, such as 256x192."
    ),
]
Corners = Annotated[
    bool | None,
    typer.Option(
        "--align-corners/--no-align-corners",
        help="How a segmentation model enlarges (default: as usual for such files).",
    ),
]
Position = Annotated[
    Literal["table", "none"] | None,
    typer.Option(
        metavar="table|none",
        help="Whether an HRFormer adds its position biases (default: as usual for such files).",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(metavar="N", help="Interpolate an HRFormer's position biases to windows of N."),
]


Skeleton = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Keypoints of a pose model, such as coco or mpii."),
]
Codec = Annotated[
    str | None,
    typer.Option(metavar="classic|dark|udp", help="How a pose model's heatmaps hold keypoints."),
]
Sigma = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER", help="Standard deviation of a pose model's peaks, in heatmap pixels."
    ),
]
BlurKernel = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Smoothing of dark and udp heatmaps in pixels; mmpose 1.x takes 11 at every size.",
    ),
]


def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A .pth, .pt, .ckpt, .bin or .safetensors file, or the name of published weights.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
    report: Annotated[
        bool, typer.Option("--report", help="Print what was read, left out and made up.")
    ] = False,
    input_size: Input = None,
    skeleton: Skeleton = None,
    codec: Codec = None,
    sigma: Sigma = None,
    blur_kernel: BlurKernel = None,
    align_corners: Corners = None,
    relative_position: Position = None,
    window: Window = None,
) -> None:
    """Convert weights of another project to a checkpoint of ours.

    The file shows which network they are of; nothing needs to be named but what it lacks.
    """
    size = parse_size(input_size) if input_size else None
    with packages_for("converting"):
        from hrnet.weights.convert import convert_file
    result = convert_file(
        source,
        out,
        input_size=size,
        skeleton=skeleton,
        codec=cast("CodecKind | None", codec),  # the description checks it
        sigma=sigma,
        blur_kernel=blur_kernel,
        align_corners=align_corners,
        relative_position=relative_position,
        window=window,
    )
    if report:
        typer.echo("\n".join(map(printable, result.lines())))
    typer.echo(printable(f"{out}: {result.summary()}"))
    if result.network.task == "pose" and not result.can_predict:
        typer.echo("to predict with it, convert it with --input and --skeleton", err=True)
