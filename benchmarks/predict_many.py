"""Persons a second and peak memory of `hrnet predict` over a folder of images with boxes.

Run on a quiet machine: python benchmarks/predict_many.py IMAGES BOXES [--model M] [--flip-test]
[--limit N] [--rounds N]. BOXES is a file as `hrnet predict --boxes` takes it; pictures of the
folder without a box in it are left out. Two ways are measured: keypoints as JSON alone, and with a
drawn picture for each image. Each measurement is a fresh process, since the peak memory of a
process never falls; the ways take turns, and a first round that is not counted fills the disk
cache. The time is that of the whole pipeline (reading, cropping, network, decoding, writing)
without the start of Python and the loading of the model, which has its own column.
"""

import argparse
import itertools
import multiprocessing
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.boxes import BoxFile, read_boxes
from hrnet.errors import InputError, one_line
from hrnet.image_files import find_images
from hrnet.predict import load
from hrnet.predict_files import Destination, predict_files
from hrnet.tasks.pose.result import Poses

WAYS = {"keypoints only": False, "keypoints and pictures": True}
"""Name -> whether pictures are drawn and written."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one process does; it must travel to it, so it holds plain values."""

    images: str
    boxes: str
    model: str
    flip_test: bool
    limit: int | None
    threads: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What one process did and took. Memory is in MB of 10^6 bytes, loaded model included."""

    pictures: int
    persons: int
    failed: int
    load_s: float
    predict_s: float
    loaded_mb: float
    peak_mb: float


def peak_mb() -> float:
    """The most memory this process has held so far (its resident set)."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def listed_pictures(folder: str, boxes: BoxFile, limit: int | None) -> list[Path]:
    """The folder's pictures that have a box in the file, the first `limit` of them by name."""
    paths, errors, _ = find_images([folder])
    if errors:
        raise errors[0]
    listed = list(itertools.islice((path for path in paths if has_boxes(path, boxes)), limit))
    if not listed:
        raise InputError(f"expected pictures in {folder} with boxes in {boxes.path}, found none")
    return listed


def has_boxes(path: Path, boxes: BoxFile) -> bool:
    """Whether the file lists a box for this picture."""
    try:
        return len(boxes.find(path).boxes) > 0
    except InputError:
        return False


def measure(task: Task, draw: bool) -> Measured:
    """Predict over all pictures once, as the command does, and note time and memory."""
    boxes = read_boxes(Path(task.boxes))
    paths = listed_pictures(task.images, boxes, task.limit)
    start = time.perf_counter()
    model = load(task.model) if task.threads is None else load(task.model, threads=task.threads)
    load_s, loaded_mb = time.perf_counter() - start, peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        outputs = Destination(Path(folder) if draw else None, Path(folder) / "keypoints.json")
        start = time.perf_counter()
        results = predict_files(
            model, paths, boxes=boxes, outputs=outputs, flip_test=task.flip_test
        )
        counts = [count_persons(result.outcome) for result in results]
        predict_s = time.perf_counter() - start
    found = [count for count in counts if count is not None]
    return Measured(
        pictures=len(found),
        persons=sum(found),
        failed=len(counts) - len(found),
        load_s=load_s,
        predict_s=predict_s,
        loaded_mb=loaded_mb,
        peak_mb=peak_mb(),
    )


def count_persons(outcome: Poses | InputError) -> int | None:
    """The number of persons of a picture, None for one that could not be used."""
    return len(outcome) if isinstance(outcome, Poses) else None


def in_fresh_process(task: Task, draw: bool) -> Measured:
    """Run `measure` in a process of its own."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        return pool.submit(measure, task, draw).result()


def print_row(way: str, rounds: Sequence[Measured]) -> None:
    """Print the medians of one way as a row of the table."""
    seconds = statistics.median(one.predict_s for one in rounds)
    first = rounds[0]
    print(
        f"| {way} | {first.pictures} | {first.persons} | {first.failed} | {seconds:.2f} "
        f"| {first.pictures / seconds:.1f} | {first.persons / seconds:.1f} "
        f"| {statistics.median(one.load_s for one in rounds):.2f} "
        f"| {statistics.median(one.loaded_mb for one in rounds):.0f} "
        f"| {max(one.peak_mb for one in rounds):.0f} |"
    )


def parse() -> tuple[Task, int]:
    """Read the command line: what each process does, and how many rounds."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("images", help="a folder of pictures")
    parser.add_argument("boxes", help="their boxes, as `hrnet predict --boxes` takes them")
    parser.add_argument("--model", default="default", help="name or file (%(default)s)")
    parser.add_argument("--flip-test", action="store_true")
    parser.add_argument("--limit", type=int, help="use the first LIMIT pictures only")
    parser.add_argument("--threads", type=int, help="threads of the engine (all)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each way (%(default)s)")
    asked = parser.parse_args()
    task = Task(asked.images, asked.boxes, asked.model, asked.flip_test, asked.limit, asked.threads)
    return task, asked.rounds


def main() -> None:
    """Measure both ways in turn and print a table in Markdown."""
    task, rounds = parse()
    taken: dict[str, list[Measured]] = {way: [] for way in WAYS}
    try:
        for turn in range(rounds + 1):
            for way, draw in WAYS.items():
                measured = in_fresh_process(task, draw)
                if turn > 0:
                    taken[way].append(measured)
    except InputError as error:
        sys.exit(f"predict_many.py: error: {one_line(error)}")
    print(
        f"model {task.model}, flip test {'on' if task.flip_test else 'off'}, {rounds} rounds; "
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPUs\n"
    )
    print(
        "| way | pictures | persons | failed | seconds | pictures/s | persons/s | load s "
        "| MB when loaded | peak MB |"
    )
    print("|---|" + "---:|" * 9)
    for way, results in taken.items():
        print_row(way, results)


if __name__ == "__main__":
    main()
