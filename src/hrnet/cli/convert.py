"""`hrnet convert`: a file of weights of any known project becomes a checkpoint of ours."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hrnet.cli.sizes import parse_size
from hrnet.errors import printable
from hrnet.extras import packages_for

EXAMPLES = """\b
Examples:
  hrnet convert pose_hrnet_w32_256x192.pth w32.safetensors --report
  hrnet convert mine.pth mine.safetensors --input 256x192 --skeleton coco --codec udp
"""

Input = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="HxW", help="Height and width of the model's input, such as 256x192."
    ),
]
Corners = Annotated[
    bool | None,
    typer.Option(
        "--align-corners/--no-align-corners",
        help="Corner alignment of a segmentation model's upsampling (default: as in that project).",
    ),
]
Position = Annotated[
    Literal["table", "none"] | None,
    typer.Option(
        metavar="table|none",
        help="Position bias of an HRFormer (default: as in that project).",
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
    typer.Option(
        metavar="classic|dark|udp|exact|face",
        help="Encoding of keypoints in a pose model's heatmaps.",
    ),
]
Sigma = Annotated[
    float | None,
    typer.Option(
        metavar="NUMBER", help="Standard deviation of a pose model's peaks, in heatmap pixels."
    ),
]
Protocol = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Classes of a segmentation model and the way to its published score, such as "
        "hrnet/cityscapes or mmsegmentation/ade20k.",
    ),
]
BlurKernel = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Smoothing of dark and udp heatmaps in pixels; mmpose 1.x takes 11 at every size.",
    ),
]

_OPTIONS = {"input_size": "--input", "skeleton": "--skeleton"}
"""Required fields of a model's description that files may lack and no task assumes."""


def convert(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A .pth, .pt, .ckpt, .bin, .pdparams or .safetensors file, or the name of "
            "published weights.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The .safetensors file to write.")],
    report: Annotated[
        bool, typer.Option("--report", help="Print the tensors that were read, left out and added.")
    ] = False,
    input_size: Input = None,
    skeleton: Skeleton = None,
    codec: Codec = None,
    sigma: Sigma = None,
    blur_kernel: BlurKernel = None,
    protocol: Protocol = None,
    align_corners: Corners = None,
    relative_position: Position = None,
    window: Window = None,
) -> None:
    """Convert another project's weights to a checkpoint.

    The architecture is detected. Options give what prediction needs and the file does not hold.
    """
    # Options of the task's description and of the network, where they are given.
    facts = {
        "input_size": parse_size(input_size) if input_size else None,
        "skeleton": skeleton,
        "codec": codec,
        "sigma": sigma,
        "blur_kernel": blur_kernel,
        "protocol": protocol,
    }
    options = {
        "align_corners": align_corners,
        "relative_position": relative_position,
        "window": window,
    }
    with packages_for("converting"):
        from hrnet.tasks import TASKS, get_task
        from hrnet.weights.convert import convert_file
    given = {name: value for name, value in facts.items() if value is not None}
    result = convert_file(source, out, facts=given, options=options)
    # Print the report, the result, and what is still missing for prediction.
    if report:
        typer.echo("\n".join(map(printable, result.lines())))
    typer.echo(printable(f"{out}: {result.summary()}"))
    if result.assumed:
        typer.echo(f"note: {printable(result.assumed)}")
    task = result.network.task
    if not result.can_predict and task in TASKS:
        fields = get_task(task).spec.model_fields
        asked = " and ".join(option for name, option in _OPTIONS.items() if name in fields)
        typer.echo(f"to predict with it, convert it with {asked}", err=True)
