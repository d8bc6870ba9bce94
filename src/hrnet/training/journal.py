"""The output of a running training: log.jsonl, files for TensorBoard, a bar on the terminal.

A row is a dict of plain numbers and names with a `kind`: "step" rows come every so many updates,
"epoch" rows at the end of each epoch, and a "start" row for weights that a training starts from.
After an evaluation a row ends with the metrics, the main one first.
"""

import json
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from hrnet.errors import InputError, printable
from hrnet.files import exists, read_bytes, write_text
from hrnet.geometry import Image8
from hrnet.run_folder import LOG

T = TypeVar("T")

Row = dict[str, float | str]
"""One line of log.jsonl."""


class Sink(Protocol):
    """A place for rows and pictures besides log.jsonl."""

    def add(self, row: Mapping[str, float | str]) -> None: ...

    def picture(self, name: str, picture: Image8, step: int) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """Event files in RUN/tensorboard: step rows are under train/, the others under epoch/."""

    def __init__(self, folder: Path, *, step: int) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of tensorboard's own imports
                from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError(
                "run.tensorboard=true needs tensorboard; pip install it, or set this to false"
            ) from None
        self._folder = folder / "tensorboard"
        with writing(self._folder):
            self._writer = SummaryWriter(self._folder, purge_step=step + 1 if step else None)

    def add(self, row: Mapping[str, float | str]) -> None:
        """Write a row's numbers as points of curves over the steps."""
        group = "train" if row["kind"] == "step" else "epoch"
        with writing(self._folder):
            for name, value in row.items():
                if isinstance(value, int | float) and name not in ("step", "epoch"):
                    self._writer.add_scalar(f"{group}/{name}", value, int(row["step"]))

    def picture(self, name: str, picture: Image8, step: int) -> None:
        """Write a picture (H, W, 3)."""
        with writing(self._folder):
            # File names may hold surrogates, which the event files cannot.
            self._writer.add_image(printable(name), picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left and end the file."""
        with writing(self._folder):
            self._writer.close()


class Journal:
    """The log of a run in its folder and all sinks, and the bar on the terminal.

    is_main: False for ranks other than 0, which write and print nothing.
    """

    def __init__(
        self,
        folder: Path,
        sinks: Iterable[Sink],
        *,
        total_steps: int,
        step: int,
        is_main: bool = True,
    ) -> None:
        self.folder = folder
        self._path = folder / LOG
        self._sinks = list(sinks)
        self._is_main = is_main
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            disable=not is_main,
        )
        self._task = self._bar.add_task("", total=total_steps, completed=step, note="")

    def __enter__(self) -> "Journal":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._bar.stop()
        for sink in self._sinks:
            try:
                sink.close()
            except InputError:
                if kind is None:  # the error that ends the run comes first
                    raise

    def add(self, row: Row) -> None:
        """Append a row to log.jsonl, and hand it to the sinks."""
        if not self._is_main:
            return
        with writing(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        for sink in self._sinks:
            sink.add(row)

    def picture(self, name: str, picture: Image8, step: int) -> None:
        """Hand a picture to the sinks."""
        for sink in self._sinks:
            sink.picture(name, picture, step)

    def show(self, step: int, description: str, note: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=step, description=description, note=note)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._is_main:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError in the block into an InputError that names the path."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def keep_rows(folder: Path, count: int) -> int:
    """Truncate log.jsonl to its first `count` rows, those of the saved state.

    Returns how many there are then. Raises InputError where it cannot be read or written.
    """
    # Rows after the state belong to updates that are done again.
    path = folder / LOG
    if not exists(path):
        return 0
    lines = read_bytes(path, "the log").decode("utf-8", errors="replace").splitlines()
    kept = lines[:count]
    if len(lines) != count or (lines and not lines[-1].endswith("}")):
        write_text(path, "".join(f"{line}\n" for line in kept))
    return len(kept)


@dataclass(slots=True)
class Clock:
    """A stopwatch: time, samples, and the share of the time spent waiting for data."""

    started: float = field(default_factory=time.perf_counter)
    waited: float = 0.0
    samples: int = 0
    _lap: tuple[float, float, int] = (0.0, 0.0, 0)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def waiting(self, items: Iterable[T]) -> Iterator[T]:
        """Yield the items; the time until each is there counts as waiting."""
        iterator = iter(items)
        while True:
            before = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.waited += time.perf_counter() - before
            yield item

    def rates(self) -> dict[str, float]:
        """Return images_per_s, data_wait (0..1 of the time), memory_mb (peak) and seconds."""
        return _rates(self.seconds, self.waited, self.samples)

    def lap(self) -> dict[str, float]:
        """Return the rates since the last lap."""
        now = (self.seconds, self.waited, self.samples)
        seconds, waited, samples = (a - b for a, b in zip(now, self._lap, strict=True))
        self._lap = now
        return _rates(seconds, waited, int(samples))


def _rates(seconds: float, waited: float, samples: int) -> dict[str, float]:
    seconds = max(seconds, 1e-9)
    return {
        "images_per_s": samples / seconds,
        "data_wait": waited / seconds,
        "memory_mb": memory_mb(),
        "seconds": seconds,
    }


def memory_mb() -> float:
    """Return the peak memory of this process in MB: of the GPU where one is used.

    0 on Windows, where it is not known.
    """
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
