"""Options of several commands, with the same names and help texts everywhere."""

from typing import Annotated

import typer

from hrnet.runtime import EngineName

_MODEL = (
    "A name (see `hrnet models --ready` and `hrnet weights list`), an .onnx file, a .safetensors "
    "checkpoint or the folder of a training run."
)

Model = Annotated[str, typer.Option("--model", "-m", metavar="MODEL", help=_MODEL)]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL)]
FlipTest = Annotated[
    bool,
    typer.Option(
        "--flip-test", help="Average with the mirrored image: slightly better, half as fast."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="auto, cpu, cuda or cuda:1; checkpoints also mps; .onnx files also coreml, directml "
        "or openvino.",
    ),
]
Engine = Annotated[
    EngineName | None,
    typer.Option(
        metavar="onnxruntime|openvino",
        help="Program that runs an .onnx file (default: onnxruntime).",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", "-t", metavar="N", help="Number of CPU threads (default: all cores)."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="NAME=VALUE",
        help="Areas only. Change the way to the result, such as scales=[0.5,1,1.5] or "
        "window=[512,512]; may be repeated.",
    ),
]
MmPerPixel = Annotated[
    float | None,
    typer.Option(
        "--mm-per-pixel",
        metavar="MM",
        help="Keypoints only. Size of a pixel in millimetres, for images without mm_per_pixel.",
    ),
]
WHOLE = ("subjects=picture",)
"""The setting of a loaded model that `WholeImage` asks for."""
WholeImage = Annotated[
    bool,
    typer.Option(
        "--whole-image",
        help="Keypoints only. Take each whole image as one subject, whatever boxes there are.",
    ),
]
Detector = Annotated[
    str,
    typer.Option(
        "--detector",
        metavar="NAME|FILE|none",
        help="Keypoints only. Model that finds the subjects in images without --boxes (default: "
        "the person finder in the package, for models of persons); none takes each whole image as "
        "one subject.",
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(
        "--min-score",
        metavar="SCORE",
        min=0,
        max=1,
        help="Least score, 0..1, of what a detector finds (default: the model's usual one).",
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size",
        metavar="N",
        min=1,
        max=4096,
        help="Number of crops per call of the network; more needs more memory.",
    ),
]
