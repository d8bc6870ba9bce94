"""Predict over many image files: one result each, pictures and JSON written on the way."""

import itertools
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, final

from numpy.typing import ArrayLike

from hrnet.data.boxes import BoxFile, image_number
from hrnet.drawing import JPEG_SIDE_PX, save_drawing
from hrnet.errors import InputError, one_line
from hrnet.files import (
    atomic_path,
    check_writable_file,
    make_writable_folder,
    remove_leftovers,
    resolve,
)
from hrnet.images import read_image
from hrnet.predict import BATCH_SIZE, Model
from hrnet.tasks import Job, Result, get_task

_LONGEST_NAME = 255
"""Bytes in a file's name, on every usual file system."""


@dataclass(frozen=True, slots=True, eq=False)
class FileResult:
    """The result of one image file.

    image_id: its COCO image id, see `image_ids`. outcome: its result, or the error in place of
    one. drawing: the file that it was drawn to. undrawn: the reason why a wanted drawing is
    missing although there is a result.
    """

    path: Path
    image_id: int
    outcome: Result | InputError
    drawing: Path | None = None
    undrawn: InputError | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where results go; None for what is not wanted.

    folder: for one drawn picture each. json_file: for the entries of all.
    """

    folder: Path | None = None
    json_file: Path | None = None

    def check(self, inputs: Iterable[Path] = ()) -> None:
        """Raise InputError, before any work is done, where the results could not be written.

        inputs: files that are read and must not be replaced. What a killed run left half written
        in these places is removed.
        """
        if self.folder is not None:
            make_writable_folder(self.folder)
            remove_leftovers(self.folder)
        if self.json_file is not None:
            check_writable_file(self.json_file, inputs)
            remove_leftovers(resolve(self.json_file).parent)


_Append = Callable[[Sequence[Mapping[str, object]]], None]


def predict_files(
    model: Model,
    paths: Sequence[Path],
    *,
    boxes: BoxFile | ArrayLike | None = None,
    outputs: Destination = Destination(),
    flip_test: bool = False,
    batch_size: int = BATCH_SIZE,
    min_score: float | None = None,
) -> Generator[FileResult, None, None]:
    """Yield one result for each image file, in order; a bad file stops no other.

    batch_size: crops that go through the network together. min_score: see `Model.predict`.
    boxes: a file of boxes, or boxes (N, 4) as left, top, width, height for every picture, or None
    for what the model's detector finds, or whole pictures without one.
    The JSON file is in place once the last result has been taken; it is not written where no
    picture could be read. Where Ctrl-C or an error ends the run before, it holds the results so
    far. Raises InputError where it cannot be written.
    """
    kind = model.spec.task
    if boxes is not None and not get_task(kind).without_boxes:
        raise InputError(
            f"expected no boxes: {model.spec.name:.60} takes whole pictures; leave them out"
        )
    listed = boxes.inputs if isinstance(boxes, BoxFile) else ()
    outputs.check([*paths, *listed])
    ids = image_ids(paths, boxes if isinstance(boxes, BoxFile) else None)
    drawings = Drawings(outputs.folder, [*paths, *listed], kind) if outputs.folder else None
    jobs, early = _jobs(paths, boxes)
    stream = model.stream(
        jobs.values(), flip_test=flip_test, batch_size=batch_size, min_score=min_score
    )
    with _json_list(outputs.json_file) as append:
        for path in paths:
            outcome = early[path] if path in early else next(stream)
            if isinstance(outcome, InputError):
                yield FileResult(path, ids[path], outcome)
                continue
            append(json_entries(path, ids[path], outcome))
            drawing, undrawn = drawings.add(path, outcome) if drawings else (None, None)
            yield FileResult(path, ids[path], outcome, drawing, undrawn)


def _jobs(
    paths: Sequence[Path], boxes: BoxFile | ArrayLike | None
) -> tuple[dict[Path, Job], dict[Path, InputError]]:
    """The job of each picture, or the error of a picture that the box file does not have."""
    if not isinstance(boxes, BoxFile):
        return {path: Job(path, boxes) for path in paths}, {}
    found = boxes.find_all(paths)
    errors = {path: one for path, one in found.items() if isinstance(one, InputError)}
    given = {path: one for path, one in found.items() if not isinstance(one, InputError)}
    return {path: Job(path, one.boxes) for path, one in given.items()}, errors


def image_ids(paths: Sequence[Path], boxes: BoxFile | None = None) -> dict[Path, int]:
    """One COCO image id for each picture, all different.

    They are those of the box file, else those in the names that COCO gave (785 for
    000000000785.jpg) where each picture has one, else 1, 2, 3...
    """
    listed = [_listed_id(path, boxes) for path in paths]
    known = {number for number in listed if number is not None}
    if known and len(known) == len(paths) - listed.count(None):
        rest = itertools.count(max(known) + 1)  # of pictures without boxes, which give no entry
        ids = [next(rest) if number is None else number for number in listed]
        return dict(zip(paths, ids, strict=True))
    named = [number for path in paths if (number := image_number(path)) is not None]
    ids = named if len(set(named)) == len(paths) else list(range(1, len(paths) + 1))
    return dict(zip(paths, ids, strict=True))


def _listed_id(path: Path, boxes: BoxFile | None) -> int | None:
    try:
        return boxes.find(path).image_id if boxes else None
    except InputError:
        return None


def json_entries(path: Path, image_id: int, result: Result) -> list[dict[str, object]]:
    """List a picture's JSON entries, see `Result.entries`, with the file's name added."""
    return [{**entry, "file_name": path.as_posix()} for entry in result.entries(image_id)]


class _JsonList:
    """A JSON list that grows entry by entry; nothing is there before the first append.

    What is written is a list again whenever it is closed: a part of an entry that a full disk left
    is cut off.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None
        self._whole = 0  # bytes up to the end of the last whole entry
        self._separator = "\n"

    def append(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Write entries; InputError where the disk refuses."""
        try:
            if self._stream is None:
                self._stream = self._path.open("wb", buffering=0)
                self._write("[")
            for entry in entries:
                text = json.dumps(entry, allow_nan=False, ensure_ascii=False)
                self._write(self._separator + text)
                self._separator = ",\n"
        except OSError as error:
            raise InputError(
                f"the results cannot be written on ({error.strerror}); the file holds those of "
                "the pictures before"
            ) from None

    def close(self) -> None:
        if self._stream is not None:
            with self._stream:
                self._stream.truncate(self._whole)
                self._stream.seek(self._whole)
                self._write("\n]\n")

    def _write(self, text: str) -> None:
        assert self._stream is not None
        # Lone surrogates, bytes of a name that is not UTF-8, become escapes that JSON has too.
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:  # a raw stream may take a part alone
            data = data[self._stream.write(data) :]
        self._whole = self._stream.tell()


@contextmanager
def _json_list(target: Path | None) -> Iterator[_Append]:
    """Write a JSON list as its entries come, so that no run is too long for the memory.

    An error, Ctrl-C and SIGTERM pass through, but what was appended before them is kept. Only a
    caller that stops taking results leaves an old file as it was.
    """
    if target is None:
        yield lambda entries: None
        return
    ended: BaseException | None = None
    with atomic_path(target) as temporary:
        results = _JsonList(temporary)
        try:
            yield results.append
        except GeneratorExit:
            raise
        except BaseException as error:
            ended = error
        finally:
            results.close()
    if ended is not None:
        raise ended


@final
class Drawings:
    """The drawings of a run in one folder: none takes the name of another or of an input.

    kind: what stands behind the name of the picture, "pose" in NAME_pose.jpg.
    """

    def __init__(self, folder: Path, inputs: Iterable[Path], kind: str) -> None:
        self._folder = folder
        self._kind = kind
        self._taken = {resolve(path) for path in inputs}

    def add(self, source: Path, result: Result) -> tuple[Path | None, InputError | None]:
        """Draw a result on its file's picture; return the drawing's file, or the reason for none.

        The picture is read again rather than kept.
        """
        try:
            pixels = read_image(source)  # it may have been changed in the meantime
            target = self._name(source, ".jpg" if max(pixels.shape) <= JPEG_SIDE_PX else ".png")
            save_drawing(result.draw(pixels), target)
        except (InputError, OSError, ValueError, MemoryError) as error:
            reason = str(error) if isinstance(error, InputError) else f"{source}: {error}"
            return None, InputError(f"{source} was not drawn: {one_line(reason)}")
        return target, None

    def _name(self, source: Path, suffix: str) -> Path:
        """Return a free name: NAME_pose.jpg, NAME_pose_2.jpg, ..., the stem cut where too long."""
        for count in itertools.count(1):
            end = f"_{self._kind}{suffix}" if count == 1 else f"_{self._kind}_{count}{suffix}"
            stem = source.stem
            while len(os.fsencode(stem + end)) > _LONGEST_NAME:
                stem = stem[:-1]
            target = self._folder / f"{stem}{end}"
            if resolve(target) not in self._taken:
                break
        self._taken.add(resolve(target))
        return target
