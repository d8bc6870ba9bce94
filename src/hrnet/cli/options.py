"""Options of several commands, with the same names and help texts everywhere."""

from typing import Annotated

import typer

from hrnet.runtime import EngineName

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Model: a name (see `hrnet weights list`), an .onnx file, a .safetensors checkpoint "
        "or the folder of a training run.",
    ),
]
ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name (see `hrnet weights list`), an .onnx file, a .safetensors checkpoint or the "
        "folder of a training run.",
    ),
]
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
