"""ONNX Runtime beside OpenVINO on one exported model: milliseconds a call, and installed size.

Run on a quiet machine, with both engines installed (`pip install '.[openvino]'`):
python benchmarks/engines.py [MODEL] [--rounds N] [--batches 1 16]. MODEL is a model's name or an
.onnx file. A call is what `hrnet predict` makes: `runtime.open_engine`, then numpy in and
numpy out, float32. Both engines live in one process and take turns call by call, each going first
in every second round; between the calls is a pause, because an engine's threads spin for a while
after a call and would take time from the other. The medians are printed, and the median of the
ratios of the two calls of a round.
"""

import argparse
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError, one_line
from hrnet.runtime import Engine, EngineName, open_engine, read_spec
from hrnet.weights.catalog import find_model

ENGINES: tuple[EngineName, ...] = get_args(EngineName)
ALWAYS_THERE = "numpy"
"""Needed by the light core in any case; its size is no part of an engine's."""
WARM_UP_CALLS = 3
PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Calls of one batch size with one number of threads.

    milliseconds: engine -> median of a call. ratio: median over the rounds of the second engine's
    time by the first one's. difference: largest between their answers, relative to the largest.
    """

    milliseconds: Mapping[EngineName, float]
    ratio: float
    difference: float


def milliseconds(engine: Engine, images: NDArray[np.float32]) -> float:
    """Wall time of one call, after the pause."""
    time.sleep(PAUSE_S)
    start = time.perf_counter()
    engine(images)
    return 1000 * (time.perf_counter() - start)


def compare(path: Path, batch: int, threads: int | None, rounds: int) -> Comparison:
    """Let both engines take turns on the same images."""
    shape = (batch, 3, *read_spec(path).input_size)
    images = np.random.default_rng(batch).standard_normal(shape).astype(np.float32)
    engines = {name: open_engine(path, name, threads=threads) for name in ENGINES}
    for engine in engines.values():
        for _ in range(WARM_UP_CALLS):
            engine(images)
    taken: dict[EngineName, list[float]] = {name: [] for name in ENGINES}
    for turn in range(rounds):
        for name in ENGINES if turn % 2 == 0 else reversed(ENGINES):
            taken[name].append(milliseconds(engines[name], images))
    first, second = (taken[name] for name in ENGINES)
    one, other = (engine(images) for engine in engines.values())
    return Comparison(
        milliseconds={name: statistics.median(values) for name, values in taken.items()},
        ratio=statistics.median(b / a for a, b in zip(first, second, strict=True)),
        difference=max(
            float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(one, other, strict=True)
        ),
    )


def needed_by(package: str) -> dict[str, Distribution]:
    """A package and all that it needs on this platform, as installed here, by name."""
    found: dict[str, Distribution] = {}
    todo = [package]
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform or Python
        todo += required_names(found[name])
    return found


def required_names(package: Distribution) -> Iterator[str]:
    """Names of what a package requires, those of its extras left out."""
    for line in package.requires or []:
        name = re.match(r"[\w.-]+", line)
        if name and "extra ==" not in line:
            yield name.group()


def megabytes(package: Distribution) -> float:
    """Size of a package's files as installed, in MB of 10^6 bytes."""
    paths = {Path(str(file.locate())).resolve() for file in package.files or []}
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def print_sizes() -> None:
    """Print the table of the installed sizes."""
    print("| engine | version | its own files | with what only it needs |")
    print("|---|---|---:|---:|")
    core = needed_by(ALWAYS_THERE)
    for name in ENGINES:
        packages = {key: it for key, it in needed_by(name).items() if key not in core}
        total = sum(megabytes(package) for package in packages.values())
        own = packages[name]
        others = ", ".join(sorted(packages.keys() - {name})) or "nothing else"
        print(f"| {name} | {own.version} | {megabytes(own):.1f} MB | {total:.1f} MB ({others}) |")


def print_latencies(path: Path, batches: list[int], rounds: int) -> None:
    """Print the table of the calls, with 1 thread and with all."""
    first, second = ENGINES
    print(
        f"| threads | batch | {first} ms | {second} ms | {second} / {first} | answers differ by |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for threads in (1, None):
        for batch in batches:
            result = compare(path, batch, threads, rounds)
            times = " | ".join(f"{result.milliseconds[name]:.2f}" for name in ENGINES)
            named = threads or f"all ({os.cpu_count()})"
            print(
                f"| {named} | {batch} | {times} | {result.ratio:.2f} | {result.difference:.1e} |",
                flush=True,
            )


def main() -> None:
    """Measure and print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("model", nargs="?", default="default", help="a name or an .onnx file")
    parser.add_argument("--rounds", type=int, default=31, help="calls of each engine (%(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16], help="images in a call")
    asked = parser.parse_args()
    try:
        path = find_model(asked.model)
        spec = read_spec(path)
        height, width = spec.input_size
        print(
            f"{spec.name} ({spec.network.variant}, {width}x{height}), "
            f"{path.stat().st_size / 1e6:.2f} MB; "
            f"{asked.rounds} rounds; Python {platform.python_version()} on "
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs\n"
        )
        print_latencies(path, asked.batches, asked.rounds)
        print()
        print_sizes()
    except InputError as error:
        sys.exit(f"engines.py: error: {one_line(error)}")


if __name__ == "__main__":
    main()
