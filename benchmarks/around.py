"""Which share of predicting goes into the way around the network, step by step.

Run on a quiet machine: python benchmarks/around.py IMAGES BOXES [--model M] [--flip-test]
[--limit N] [--rounds N] [--threads N]. BOXES is a file as `hrnet predict --boxes` takes it;
pictures of the folder without a box in it are left out. The steps are those of `Model.stream`,
which runs as it is, in one process and one thread; each step's function is timed from outside.
Times are summed over all pictures, the median of the rounds is printed, and a first round is not
counted. Around the network is all but "network"; its goal is a share of 0.20 or less.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from predict_many import listed_pictures

from hrnet import predict
from hrnet.data.boxes import read_boxes
from hrnet.errors import InputError, one_line
from hrnet.tasks.pose import task

STEPS = {
    "read_image": "read a picture",
    "warp_affine": "cut a crop",
    "normalise": "normalise",
    "network": "network",
    "postprocess": "decode heatmaps",
}
"""Function of a step, see `watched_model` -> what it does."""
OTHER, ALL = "other", "all"

P = ParamSpec("P")
R = TypeVar("R")


class Watch:
    """Adds up the seconds of each step of a round."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STEPS, 0.0)

    def timed(self, name: str, step: Callable[P, R]) -> Callable[P, R]:
        """The same function, with its time counted."""

        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            start = time.perf_counter()
            try:
                return step(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - start

        return counted

    def round(self, model: predict.Model, jobs: Sequence[predict.Job], flip: bool) -> None:
        """Predict over all pictures once, from zero."""
        self.seconds = dict.fromkeys(STEPS, 0.0)
        start = time.perf_counter()
        for result in model.stream(jobs, flip_test=flip):
            if isinstance(result, InputError):
                raise result
        self.seconds[ALL] = time.perf_counter() - start
        self.seconds[OTHER] = 2 * self.seconds[ALL] - sum(self.seconds.values())


def watched_model(name: str, threads: int, watch: Watch) -> predict.Model:
    """Load a model whose steps are timed."""
    model = predict.load(name, threads=threads)
    for module, step in ((predict, "read_image"), (predict, "normalise"), (task, "warp_affine")):
        setattr(module, step, watch.timed(step, getattr(module, step)))
    watched = predict.Model(watch.timed("network", model._engine), model.spec)
    watched.task.postprocess = watch.timed("postprocess", watched.task.postprocess)
    return watched


def measure(asked: argparse.Namespace) -> tuple[int, int, list[dict[str, float]]]:
    """Return the numbers of pictures and subjects, and the seconds of each step in each round."""
    boxes = read_boxes(Path(asked.boxes))
    paths = listed_pictures(asked.images, boxes, asked.limit)
    jobs = [predict.Job(path, boxes.find(path).boxes) for path in paths]
    watch, rounds = Watch(), []
    model = watched_model(asked.model, asked.threads, watch)
    for _ in range(asked.rounds + 1):
        watch.round(model, jobs, asked.flip_test)
        rounds.append(watch.seconds)
    return len(jobs), sum(len(boxes.find(path).boxes) for path in paths), rounds[1:]


def show(subjects: int, rounds: Sequence[dict[str, float]]) -> None:
    """Print the milliseconds of each step a subject and its share of all."""
    median = {step: statistics.median(one[step] for one in rounds) for step in rounds[0]}
    print("| step | ms a subject | share |\n|---|---:|---:|")
    for step, does in {**STEPS, OTHER: OTHER}.items():
        print(
            f"| {does} | {1e3 * median[step] / subjects:.2f} | {median[step] / median[ALL]:.3f} |"
        )
    around = [1 - one["network"] / one[ALL] for one in rounds]
    print(
        f"\naround the network: {statistics.median(around):.3f} of the time "
        f"({min(around):.3f} to {max(around):.3f})"
    )


def main() -> None:
    """Measure, and print the table in Markdown."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("images", help="a folder of pictures")
    parser.add_argument("boxes", help="their boxes, as `hrnet predict --boxes` takes them")
    parser.add_argument("--model", default="default", help="name or file (%(default)s)")
    parser.add_argument("--flip-test", action="store_true")
    parser.add_argument("--limit", type=int, default=45, help="pictures (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the engine (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="that are counted (%(default)s)")
    asked = parser.parse_args()
    try:
        pictures, subjects, rounds = measure(asked)
    except InputError as error:
        sys.exit(f"around.py: error: {one_line(error)}")
    print(
        f"model {asked.model}, flip test {'on' if asked.flip_test else 'off'}, {pictures} pictures,"
        f" {subjects} subjects, {asked.rounds} rounds, {asked.threads} threads of "
        f"{os.cpu_count()}; Python {platform.python_version()} on {platform.machine()}\n"
    )
    show(subjects, rounds)


if __name__ == "__main__":
    main()
