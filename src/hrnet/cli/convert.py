"""`hrnet convert`: a file of weights of any known project becomes a checkpoint of ours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from hrnet.cli.sizes import parse_size
from hrnet.errors import printable
from hrnet.extras import needing

if TYPE_CHECKING:
    from hrnet.codecs.heatmap import CodecKind

Input = Annotated[
    str | None,
    typer.Option("--input", metavar="HxW", help="Input of a pose model, such as 256x192."),
]
Corners = Annotated[
    bool | None,
    typer.Option(
        "--align-corners/--no-align-corners",
        help="How a segmentation model enlarges; as usual for such files unless said.",
    ),
]
Position = Annotated[
    Literal["table", "none"] | None,
    typer.Option(help="Whether an HRFormer adds its position biases; as usual unless said."),
]
Window = Annotated[
    int | None,
    typer.Option(metavar="N", help="Interpolate an HRFormer's position biases to windows of N."),
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
    skeleton: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Keypoints of a pose model, such as coco or mpii."),
    ] = None,
    codec: Annotated[
        str | None, typer.Option(help="How a pose model's heatmaps hold keypoints, such as udp.")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option(help="Of a pose model's Gaussians, in heatmap pixels.")
    ] = None,
    blur_kernel: Annotated[
        int | None,
        typer.Option(
            help="Smoothing of dark and udp heatmaps in pixels; mmpose 1.x takes 11 at every size."
        ),
    ] = None,
    align_corners: Corners = None,
    relative_position: Position = None,
    window: Window = None,
) -> None:
    """Convert weights of another project to a checkpoint of ours; what they are is found out."""
    size = parse_size(input_size) if input_size else None
    with needing("converting"):
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
