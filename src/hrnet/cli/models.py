"""`hrnet models` and `hrnet info`: what networks there are and what each costs."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hrnet.cli.sizes import parse_size
from hrnet.errors import InputError
from hrnet.extras import packages_for
from hrnet.files import check_writable_file, write_text

if TYPE_CHECKING:
    from hrnet.geometry import Size
    from hrnet.models import Network
    from hrnet.models.cost import NetworkStatistics, PartStatistics
    from hrnet.spec import NetworkSpec, Task

MODELS_EXAMPLES = """\b
Examples:
  hrnet models hrformer
  hrnet models '*_w18*' --task segmentation
  hrnet models --json models.json
"""

INFO_EXAMPLES = """\b
Examples:
  hrnet info litehrnet_18
  hrnet info hrnet_w48 --task segmentation --head ocr --input 512x1024
"""

USUAL_INPUTS: "Mapping[Task, Size]" = {
    "pose": (256, 192),
    "segmentation": (512, 1024),
    "classification": (224, 224),
    "detection": (800, 1216),
    "features": (224, 224),
}
"""(height, width) that a task is usually given: a person of COCO, a crop of Cityscapes, a picture
of ImageNet and one of COCO."""

FIGURES = ("models", "figures.json")
"""Where the output of `hrnet models --count --json -` is kept in the package; counting takes a
minute."""

_LINE = "{:24} {:14} {:>8} {:>11} {:>8}"
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


class Figures(NamedTuple):
    """The cost of a network: its task's usual input as HxW, parameters and multiply-adds."""

    variant: str
    task: str
    input: str
    parameters: int
    macs: int


def models(
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="PATTERN", help="Part of a name, or a pattern such as '*_w18*'."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="|".join(USUAL_INPUTS), help="Only this task.")
    ] = None,
    count: Annotated[
        bool, typer.Option("--count", help="Count anew with torch: about a second for each row.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", "-j", metavar="FILE", help="Write exact figures; - prints them."),
    ] = None,
) -> None:
    """List the networks with their parameters and multiply-adds.

    Multiply-adds (MACs) are those at the task's usual input. G are 1e9, M 1e6 and k 1e3.
    """
    tasks = [task] if task else list(USUAL_INPUTS)
    if task and task not in USUAL_INPUTS:
        raise InputError(f"expected --task as one of {', '.join(USUAL_INPUTS)}, got {task!r}")
    to_stdout = json_file == Path("-")
    if json_file is not None and not to_stdout:
        check_writable_file(json_file)
    rows = _counted(pattern, tasks) if count else _stored(pattern, tasks)
    if json_file is None:
        typer.echo(_LINE.format("variant", "task", "input", "parameters", "MACs"))
        for row in rows:
            typer.echo(_LINE.format(*row[:3], in_units(row.parameters), in_units(row.macs)))
        return
    text = ",\n".join(json.dumps(row._asdict()) for row in rows)
    if to_stdout:
        typer.echo(f"[\n{text}\n]")
    else:
        write_text(json_file, f"[\n{text}\n]\n")


def in_units(count: int) -> str:
    """Write a count with three digits and its unit: 28.5 M for 28,536,113."""
    size, unit = next(pair for pair in _UNITS if count >= 0.9995 * pair[0] or pair[1] == "")
    value = count / size
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {unit}" if unit else str(count)


def stored_figures() -> list[Figures]:
    """Read the figures that travel with the package, one a variant and task; needs no torch."""
    text = Path(__file__).parents[1].joinpath(*FIGURES).read_text("utf-8")
    return [Figures(**row) for row in json.loads(text)]


def _stored(pattern: str | None, tasks: Collection[str]) -> Iterator[Figures]:
    stored = stored_figures()
    variants = _matching(dict.fromkeys(row.variant for row in stored), pattern)
    return (row for row in stored if row.variant in variants and row.task in tasks)


def _counted(pattern: str | None, tasks: Collection[str]) -> Iterator[Figures]:
    with packages_for("counting"):
        from hrnet.models import VARIANTS

    variants = _matching(VARIANTS, pattern)
    return (_count(v, t) for v in variants for t in USUAL_INPUTS if t in tasks)


def _matching(variants: Mapping[str, object], pattern: str | None) -> list[str]:
    """The variants whose names a pattern fits, or hold it where it is not one."""
    wanted = pattern or "*"
    if not any(sign in wanted for sign in "*?["):
        wanted = f"*{wanted}*"
    found = [variant for variant in variants if fnmatchcase(variant, wanted)]
    if not found:
        near = get_close_matches(str(pattern), variants, n=3) or list(variants)
        raise InputError(f"no variant fits {pattern!r}; there are {', '.join(near)}")
    return found


def _count(variant: str, task: "Task") -> Figures:
    from hrnet.models.cost import measure
    from hrnet.spec import NetworkSpec

    size = USUAL_INPUTS[task]
    statistics = measure(_build(NetworkSpec(variant=variant, task=task)), size)
    return Figures(variant, task, _text(size), statistics.parameters, statistics.macs)


def _build(spec: "NetworkSpec") -> "Network":
    """Build a network without content, which takes no memory and little time."""
    import torch

    from hrnet.models import build_network

    with torch.device("meta"):
        return build_network(spec)


NumKeypoints = Annotated[
    int | None, typer.Option(metavar="N", help="Of a pose network (default: 17).")
]
NumClasses = Annotated[
    int | None,
    typer.Option(metavar="N", help="Of segmentation (default: 19) and classification (1000)."),
]
Head = Annotated[
    str | None,
    typer.Option(
        metavar="v1|v2|ocr|ocr_v3", help="Pose takes v1 or v2; segmentation v2, ocr or ocr_v3."
    ),
]
Upsampling = Annotated[
    str | None,
    typer.Option(metavar="nearest|bilinear", help="How a low stream grows to a higher one's size."),
]
AlignCorners = Annotated[
    bool | None,
    typer.Option("--align-corners/--no-align-corners", help="Of bilinear enlarging."),
]
Position = Annotated[
    str | None,
    typer.Option(metavar="table|none|t5", help="Position biases of HRFormer's attention."),
]
Window = Annotated[
    int | None, typer.Option(metavar="N", help="Side of HRFormer's attention windows.")
]
DropPath = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE", help="How often HRFormer's training skips a block; changes no figure."
    ),
]
Exchange = Annotated[
    str | None,
    typer.Option(
        metavar="official|textbook",
        help="How Lite-HRNet sums streams: as in its code or its paper.",
    ),
]


def info(
    variant: Annotated[
        str, typer.Argument(metavar="VARIANT", help="A name that `hrnet models` lists.")
    ],
    task: Annotated[
        str, typer.Option(metavar="|".join(USUAL_INPUTS), help="What the network is for.")
    ] = "pose",
    input_size: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="HxW", help="Height and width (default: the task's usual)."
        ),
    ] = None,
    num_keypoints: NumKeypoints = None,
    num_classes: NumClasses = None,
    head: Head = None,
    upsampling: Upsampling = None,
    align_corners: AlignCorners = None,
    relative_position: Position = None,
    window: Window = None,
    drop_path: DropPath = None,
    exchange: Exchange = None,
) -> None:
    """Show what a network costs, part by part.

    How published figures relate to these stands below the table.
    """
    values = {
        "variant": variant,
        "task": task,
        "num_keypoints": num_keypoints,
        "num_classes": num_classes,
        "head": head,
        "upsampling": upsampling,
        "align_corners": align_corners,
        "relative_position": relative_position,
        "window": window,
        "drop_path": drop_path,
        "exchange": exchange,
    }
    spec = _read_spec(values)
    size = parse_size(input_size) if input_size else USUAL_INPUTS[spec.task]
    with packages_for("`hrnet info`"):
        from hrnet.models.cost import measure
        from hrnet.models.published import relate

    network = _build(spec)
    statistics = measure(network, size)
    typer.echo(", ".join(_choices(values, size)))
    typer.echo()
    lines = [*_table(statistics), "", *_explain(statistics), relate(network, statistics)]
    typer.echo("\n".join(lines).rstrip())


def _read_spec(values: Mapping[str, object]) -> "NetworkSpec":
    from pydantic import ValidationError

    from hrnet.spec import NetworkSpec, first_problem

    try:
        return NetworkSpec.model_validate(values)
    except ValidationError as error:
        raise InputError(f"no such network: {first_problem(error)}") from None


def _text(size: "Size") -> str:
    return f"{size[0]}x{size[1]}"


def _choices(values: Mapping[str, object], size: "Size") -> Iterator[str]:
    """Yield the request in words: variant and task, input, then the options that were given."""
    yield f"{values['variant']} for {values['task']}"
    yield f"input {_text(size)} (height x width)"
    for name, value in values.items():
        if name not in ("variant", "task") and value is not None:
            yield f"{name} {value}"


def _table(statistics: "NetworkStatistics") -> Iterator[str]:
    line = "{:17} {:>12} {:>12} {:>12} {:>12}"
    unit = "G" if statistics.macs >= 1e9 else "M"
    yield line.format("part", "parameters", f"{unit}MACs", "weights MB", "memory MB")
    rows: list[tuple[str, NetworkStatistics | PartStatistics]]
    rows = [*((part.name, part) for part in statistics.parts), ("total", statistics)]
    for name, row in rows:
        yield line.format(
            name,
            f"{row.parameters:,}",
            f"{row.macs / (1e9 if unit == 'G' else 1e6):,.3f}",
            f"{row.weight_bytes / 1e6:,.2f}",
            f"{row.activation_bytes / 1e6:,.2f}",
        )


_OPERATIONS = {
    "convolution": "convolutions",
    "addmm": "linear layers",
    "mm": "linear layers",
    "bmm": "products of attention",
}


def _explain(statistics: "NetworkStatistics") -> Iterator[str]:
    shares: Counter[str] = Counter()
    for operation, macs in statistics.macs_by_operation.items():
        shares[_OPERATIONS.get(operation, operation)] += macs
    total = max(1, statistics.macs)
    spread = ", ".join(f"{name} {macs / total:.1%}" for name, macs in shares.most_common())
    yield "For one image in float32; MB is 1e6 bytes, GMACs are 1e9 multiply-adds, MMACs 1e6."
    yield f"Multiply-adds: {spread}; biases, normalisation, activations and sums do not count."
    yield (
        "Memory: the most that all tensors take at one moment of the part's work, without weights "
        "and a library's own needs."
    )
