"""Predict over many image files: one result each, pictures and JSON written on the way."""

import itertools
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from numpy.typing import ArrayLike

from hrnet.data.boxes import BoxFile, image_number
from hrnet.drawing import JPEG_SIDE_PX, save_drawing
from hrnet.errors import InputError, one_line
from hrnet.files import (
    atomic_path,
    check_writable_file,
    exists,
    make_writable_folder,
    remove_leftovers,
    resolve,
)
from hrnet.growing import CsvTable, JsonList, growing
from hrnet.predict import BATCH_SIZE, Model
from hrnet.rasters import read_view
from hrnet.spec import ModelSpec
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

    folder: for one drawn picture each, and what else a result has. json_file: for the entries of
    all. csv_file: for the tables of all.
    """

    folder: Path | None = None
    json_file: Path | None = None
    csv_file: Path | None = None

    def check(self, inputs: Iterable[Path] = ()) -> None:
        """Raise InputError, before any work is done, where the results could not be written.

        inputs: files that are read and must not be replaced. What a killed run left half written
        in these places is removed.
        """
        if self.folder is not None:
            make_writable_folder(self.folder)
            remove_leftovers(self.folder)
        inputs = tuple(inputs)
        for file in (self.json_file, self.csv_file):
            if file is not None:
                check_writable_file(file, inputs)
                remove_leftovers(resolve(file).parent)
        if self.json_file and self.csv_file and resolve(self.json_file) == resolve(self.csv_file):
            raise InputError(
                f"expected two files for JSON and CSV, got {self.csv_file} for both; name another"
            )


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
    The JSON and the CSV file are in place once the last result has been taken; they are not written
    where no picture could be read. Where Ctrl-C or an error ends the run before, they hold the
    results so far. Raises InputError where they cannot be written.
    """
    kind = model.spec.task
    if boxes is not None and not get_task(kind).without_boxes:
        raise InputError(
            f"expected no boxes: {model.spec.name:.60} takes whole pictures; leave them out"
        )
    listed = boxes.inputs if isinstance(boxes, BoxFile) else ()
    outputs.check([*paths, *listed])
    ids = image_ids(paths, boxes if isinstance(boxes, BoxFile) else None)
    inputs = [*paths, *listed]
    drawings = Drawings(outputs.folder, inputs, model.spec) if outputs.folder else None
    jobs, early = _jobs(paths, boxes)
    stream = model.stream(
        jobs.values(), flip_test=flip_test, batch_size=batch_size, min_score=min_score
    )
    with (
        growing(outputs.json_file, JsonList) as entries,
        growing(outputs.csv_file, CsvTable) as table,
    ):
        for path in paths:
            outcome = early[path] if path in early else next(stream)
            if isinstance(outcome, InputError):
                yield FileResult(path, ids[path], outcome)
                continue
            if entries is not None:
                entries.append(json_entries(path, ids[path], outcome))
            if table is not None:
                table.append(path.as_posix(), outcome.to_csv())
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


@final
class Drawings:
    """The drawings of a run in one folder: none takes the name of another or of an input.

    Further files of a result, such as masks, replace none that lies beside a picture: a label may
    have that name. spec: of the model; its task stands behind the name of the picture, "pose" in
    NAME_pose.jpg.
    """

    def __init__(self, folder: Path, inputs: Iterable[Path], spec: ModelSpec) -> None:
        self._folder = folder
        self._spec = spec
        self._taken = {resolve(path) for path in inputs}
        self._beside = resolve(folder) in {path.parent for path in self._taken}

    def add(self, source: Path, result: Result) -> tuple[Path | None, InputError | None]:
        """Draw a result on its file's picture; return the drawing's file, or the reason for none.

        The picture is read again rather than kept. Further files of the result come first.
        """
        try:
            for end, content in result.files().items():
                kind, suffix = Path(end).stem, Path(end).suffix
                target = self._name(source, kind, suffix, keep=self._beside)
                with atomic_path(target) as temporary:
                    temporary.write_bytes(content)
            pixels = read_view(source, self._spec)  # it may have been changed in the meantime
            suffix = ".jpg" if max(pixels.shape) <= JPEG_SIDE_PX else ".png"
            target = self._name(source, self._spec.task, suffix)
            save_drawing(result.draw(pixels), target)
        except (InputError, OSError, ValueError, MemoryError) as error:
            reason = str(error) if isinstance(error, InputError) else f"{source}: {error}"
            return None, InputError(f"{source} was not drawn: {one_line(reason)}")
        return target, None

    def _name(self, source: Path, kind: str, suffix: str, *, keep: bool = False) -> Path:
        """Return a free name: NAME_pose.jpg, NAME_pose_2.jpg, ..., the stem cut where too long.

        keep: also pass over the names of files that exist.
        """
        for count in itertools.count(1):
            end = f"_{kind}{suffix}" if count == 1 else f"_{kind}_{count}{suffix}"
            stem = source.stem
            while len(os.fsencode(stem + end)) > _LONGEST_NAME:
                stem = stem[:-1]
            target = self._folder / f"{stem}{end}"
            if resolve(target) not in self._taken and not (keep and exists(target)):
                break
        self._taken.add(resolve(target))
        return target
