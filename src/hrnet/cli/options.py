"""Options that several commands share, called and explained the same everywhere."""

from typing import Annotated

import typer

from hrnet.runtime import EngineName

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A model's name, an .onnx file, a .safetensors checkpoint or a run folder.",
    ),
]
FlipTest = Annotated[
    bool,
    typer.Option(
        "--flip-test", help="Average with the mirrored image: a bit better, half as fast."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:1, mps (checkpoints), coreml, directml or openvino (.onnx).",
    ),
]
Engine = Annotated[
    EngineName | None,
    typer.Option(
        metavar="onnxruntime|openvino",
        help="What runs an .onnx file (default: onnxruntime).",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option("--threads", "-t", metavar="N", help="CPU threads (default: all cores)."),
]
BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size",
        metavar="N",
        min=1,
        max=4096,
        help="Crops that go through the network together.",
    ),
]
