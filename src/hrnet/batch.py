"""Predict over many image files: one result each, pictures and JSON written on the way."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol, TextIO

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from hrnet.data.boxes import BoxFile, image_number
from hrnet.errors import InputError
from hrnet.files import atomic_path, check_writable_file, make_writable_folder
from hrnet.images import read_image
from hrnet.predict import Job, PoseModel
from hrnet.types import Poses
from hrnet.visualize import draw_poses

JSON_NAME = "keypoints.json"
_JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True, eq=False)
class FileResult:
    """What became of one image file: its poses or the error, and the picture drawn of it."""

    path: Path
    outcome: Poses | InputError
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where results go; None for what is not wanted.

    folder: for one drawn picture each. json_file: for the keypoints of all.
    """

    folder: Path | None = None
    json_file: Path | None = None

    def check(self, inputs: Iterable[Path] = ()) -> None:
        """Raise InputError, before any work is done, where the results could not be written.

        inputs: files that are read and must not be replaced.
        """
        if self.folder is not None:
            make_writable_folder(self.folder)
        if self.json_file is not None:
            check_writable_file(self.json_file, inputs)


class _Append(Protocol):
    def __call__(self, entries: Sequence[Mapping[str, object]]) -> None: ...


def predict_files(
    model: PoseModel,
    paths: Sequence[Path],
    *,
    boxes: BoxFile | ArrayLike | None = None,
    outputs: Outputs = Outputs(),
    flip_test: bool = False,
) -> Iterator[FileResult]:
    """Yield one result for each image file, in order; a bad file stops no other.

    boxes: a file of boxes, or boxes (N, 4) as left, top, width, height for every picture, or None
    for whole pictures. The JSON file is in place once
    the last result has been taken; it is not written where no picture could be read.
    Raises InputError where an output cannot be written.
    """
    listed = boxes.inputs if isinstance(boxes, BoxFile) else ()
    outputs.check([*paths, *listed])
    ids = image_ids(paths, boxes if isinstance(boxes, BoxFile) else None)
    pictures = _picture_names(paths, outputs.folder) if outputs.folder else {}
    jobs, early = _jobs(paths, boxes)
    stream = model.stream(jobs.values(), flip_test=flip_test)
    with _json_list(outputs.json_file) as append:
        for path in paths:
            outcome = early[path] if path in early else next(stream)
            picture = None
            if isinstance(outcome, Poses):
                if path in pictures:
                    outcome, picture = _save_picture(path, outcome, pictures[path])
                if isinstance(outcome, Poses):
                    append(json_entries(path, ids[path], outcome))
            yield FileResult(path, outcome, picture)


def _jobs(
    paths: Sequence[Path], boxes: BoxFile | ArrayLike | None
) -> tuple[dict[Path, Job], dict[Path, InputError]]:
    """The job of each picture, or the error of a picture that the box file does not know."""
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
        rest = count(max(known) + 1)  # of pictures without boxes, which give no entry
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


def json_entries(path: Path, image_id: int, poses: Poses) -> list[dict[str, object]]:
    """A picture's subjects in the COCO keypoint-results form, with the file's name added.

    See `Poses.to_coco`; `boxes_given` is false where the whole picture was taken as one person.
    """
    extra = {"file_name": path.as_posix(), "boxes_given": poses.boxes_given}
    return [{**entry, **extra} for entry in poses.to_coco(image_id)]


class _JsonList:
    """A JSON list on disk that grows entry by entry; nothing is there before the first append."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: TextIO | None = None
        self._separator = "\n"

    def append(self, entries: Sequence[Mapping[str, object]]) -> None:
        if self._stream is None:
            self._stream = self._path.open("w", encoding="utf-8")
            self._stream.write("[")
        for entry in entries:
            text = json.dumps(entry, allow_nan=False, ensure_ascii=False)
            self._stream.write(self._separator + text)
            self._separator = ",\n"

    def close(self) -> None:
        if self._stream is not None:
            with self._stream:
                self._stream.write("\n]\n")


@contextmanager
def _json_list(target: Path | None) -> Iterator[_Append]:
    """Write a JSON list as its entries come, so that no run is too long for the memory."""
    if target is None:
        yield lambda entries: None
        return
    with atomic_path(target) as temporary:
        results = _JsonList(temporary)
        try:
            yield results.append
        finally:
            results.close()


def _picture_names(paths: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """A name in the folder for the drawing of each picture; none twice, none that of a source."""
    taken = {path.resolve() for path in paths}
    names: dict[Path, Path] = {}
    for path in paths:
        count, target = 1, folder / f"{path.stem}_pose.jpg"
        while target.resolve() in taken:
            count += 1
            target = folder / f"{path.stem}_pose_{count}.jpg"
        taken.add(target.resolve())
        names[path] = target
    return names


def _save_picture(
    source: Path, poses: Poses, target: Path
) -> tuple[Poses | InputError, Path | None]:
    """Draw the poses on a file's picture; the picture is read again rather than kept."""
    try:
        image = read_image(source)
    except InputError as error:  # the file was changed in the meantime
        return error, None
    drawn = Image.fromarray(np.ascontiguousarray(draw_poses(image, poses)))
    with atomic_path(target) as temporary:
        drawn.save(temporary, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return poses, target
