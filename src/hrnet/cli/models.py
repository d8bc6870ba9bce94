"""`hrnet models` and `hrnet info`: the networks and their costs."""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hrnet.cli.ready import print_ready
from hrnet.cli.sizes import parse_size
from hrnet.errors import InputError
from hrnet.extras import packages_for
from hrnet.files import check_writable_file, write_text

if TYPE_CHECKING:
    from hrnet.geometry import Size
    from hrnet.models import Network
    from hrnet.models.cost import NetworkStatistics, PartStatistics
    from hrnet.spec import NetworkSpec

MODELS_EXAMPLES = """\b
Examples:
  hrnet models hrformer
  hrnet models '*_w18*' --task segmentation
  hrnet models --json models.json
  hrnet models --ready
"""

INFO_EXAMPLES = """\b
Examples:
  hrnet info litehrnet_18
  hrnet info hrnet_w48 --task segmentation --set head=ocr --input 512x1024
"""

USUAL_INPUTS: "Mapping[str, Size]" = {
    "pose": (256, 192),
    "segmentation": (512, 1024),
    "classification": (224, 224),
    "detection": (800, 1216),
    "features": (224, 224),
}
"""Usual (height, width) of each task's input: a person of COCO, a crop of Cityscapes, an image of
ImageNet, one of COCO, and for the backbone alone that of ImageNet."""

COSTS = ("models", "costs.json")
"""The output of `hrnet models --count --json -`, stored since counting takes a minute."""

_LINE = "{:24} {:14} {:>8} {:>11} {:>8}"
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


class Cost(NamedTuple):
    """The cost of a network at its task's usual input, HxW; macs are multiply-adds."""

    variant: str
    task: str
    input: str
    parameters: int
    macs: int


def models(
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="PATTERN", help="Part of a name, or a pattern: '*_w18*'."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="|".join(USUAL_INPUTS), help="Only this task.")
    ] = None,
    count: Annotated[
        bool, typer.Option("--count", help="Count again with torch, a second a row.")
    ] = False,
    ready: Annotated[
        bool,
        typer.Option("--ready", help="List the trained models that have a short name instead."),
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", "-j", metavar="FILE", help="Write exact numbers as JSON; - prints them."
        ),
    ] = None,
) -> None:
    """List the networks with their parameters and multiply-adds.

    Multiply-adds (MACs) are counted at the task's usual input size. G is 1e9, M 1e6, k 1e3.
    """
    if ready:
        if pattern or task or count or json_file:
            raise InputError("--ready lists all models with a short name; leave the rest out")
        print_ready()
        return
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
    """Format a count with three digits and a unit: 28.5 M for 28,536,113."""
    size, unit = next(pair for pair in _UNITS if count >= 0.9995 * pair[0] or pair[1] == "")
    value = count / size
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {unit}" if unit else str(count)


def stored_costs() -> list[Cost]:
    """Read the costs stored in the package, one a variant and task; needs no torch."""
    text = Path(__file__).parents[1].joinpath(*COSTS).read_text("utf-8")
    return [Cost(**row) for row in json.loads(text)]


def _stored(pattern: str | None, tasks: Collection[str]) -> Iterator[Cost]:
    stored = stored_costs()
    variants = _matching(dict.fromkeys(row.variant for row in stored), pattern)
    return (row for row in stored if row.variant in variants and row.task in tasks)


def _counted(pattern: str | None, tasks: Collection[str]) -> Iterator[Cost]:
    with packages_for("counting"):
        from hrnet.models import VARIANTS

    variants = _matching(VARIANTS, pattern)
    return (_count(v, t) for v in variants for t in USUAL_INPUTS if t in tasks)


def _matching(variants: Mapping[str, object], pattern: str | None) -> list[str]:
    """Return the variants that match a pattern, or contain the text where it has no wildcard."""
    wanted = pattern or "*"
    if not any(sign in wanted for sign in "*?["):
        wanted = f"*{wanted}*"
    found = [variant for variant in variants if fnmatchcase(variant, wanted)]
    if not found:
        near = get_close_matches(str(pattern), variants, n=3) or list(variants)
        raise InputError(f"no variant fits {pattern!r}; there are {', '.join(near)}")
    return found


def _count(variant: str, task: str) -> Cost:
    from hrnet.models.cost import measure
    from hrnet.spec import NetworkSpec

    size = USUAL_INPUTS[task]
    statistics = measure(_build(NetworkSpec(variant=variant, task=task)), size)
    return Cost(variant, task, _text(size), statistics.parameters, statistics.macs)


def _build(spec: "NetworkSpec") -> "Network":
    """Build a network on the meta device: without memory for weights, and fast."""
    import torch

    from hrnet.models import build_network

    with torch.device("meta"):
        return build_network(spec)


def info(
    variant: Annotated[
        str, typer.Argument(metavar="VARIANT", help="A name that `hrnet models` lists.")
    ],
    task: Annotated[
        str, typer.Option(metavar="|".join(USUAL_INPUTS), help="Task of the network.")
    ] = "pose",
    input_size: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="HxW", help="Height and width (default: the task's usual size)."
        ),
    ] = None,
    num_outputs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Keypoints (default 17) or classes (19, for classification 1000).",
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="NAME=VALUE",
            help="Set an option of the network; may be repeated. They are listed below the table.",
        ),
    ] = None,
) -> None:
    """Show parameters, multiply-adds and memory of a network, by part."""
    spec = _read_spec(variant, task, num_outputs, options or [])
    with packages_for("`hrnet info`"):
        from hrnet.models import FAMILIES, family_of
        from hrnet.models.cost import measure
        from hrnet.models.family import POSE_OPTIONS

    # An unknown task is an error of building, so the network comes before its usual size.
    network = _build(spec)
    size = parse_size(input_size) if input_size else USUAL_INPUTS[task]
    statistics = measure(network, size)
    lines = [
        ", ".join(_choices(spec, size)),
        "",
        *_table(statistics),
        "",
        *_explain(statistics),
        "",
        *_describe([*FAMILIES[family_of(variant)].options, *(POSE_OPTIONS * (task == "pose"))]),
    ]
    typer.echo("\n".join(lines))


def _read_spec(
    variant: str, task: str, num_outputs: int | None, options: Sequence[str]
) -> "NetworkSpec":
    from pydantic import ValidationError

    from hrnet.spec import NetworkOptions, NetworkSpec, first_problem

    values: dict[str, object] = {"variant": variant, "task": task, "num_outputs": num_outputs}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or name not in NetworkOptions.model_fields:
            known = ", ".join(NetworkOptions.model_fields)
            raise InputError(
                f"expected --set NAME=VALUE with a NAME of {known}, got {option!r:.200}"
            )
        values[name] = value
    try:
        return NetworkSpec.model_validate(values)
    except ValidationError as error:
        raise InputError(f"no such network: {first_problem(error)}") from None


def _text(size: "Size") -> str:
    return f"{size[0]}x{size[1]}"


def _choices(spec: "NetworkSpec", size: "Size") -> Iterator[str]:
    """Yield the network in words: variant and task, input, then the options that were set."""
    yield f"{spec.variant} for {spec.task}"
    yield f"input {_text(size)} (height x width)"
    if spec.num_outputs is not None:
        yield f"num_outputs {spec.num_outputs}"
    for name, value in spec.options.model_dump(exclude_none=True).items():
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
    yield "For one image in float32. MB is 1e6 bytes, GMACs are 1e9 multiply-adds, MMACs 1e6."
    yield f"Multiply-adds: {spread}. Biases, normalisation, activations and sums do not count."
    yield "Memory: the peak of all tensors alive while the part runs, without weights."


def _describe(options: Collection[str]) -> Iterator[str]:
    """Yield a family's options with their descriptions."""
    from hrnet.spec import NetworkOptions

    yield "Options of this network, for --set NAME=VALUE:"
    for name, field in NetworkOptions.model_fields.items():
        if name in options:
            yield f"  {name:18} {' '.join((field.description or '').split())}"
