"""Decode every picture of a data set and compare it with what is annotated."""

import unicodedata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from os import cpu_count
from pathlib import Path
from typing import Literal

from hrnet.check.copies import Thumbnail, thumbnail
from hrnet.check.result import Progress
from hrnet.data.findings import Findings
from hrnet.errors import InputError, one_line
from hrnet.files import is_file
from hrnet.geometry import Size
from hrnet.images import read_header, read_image

FileState = Literal["good", "missing", "broken", "size", "unturned", "turned"]

MAX_THREADS = 8
"""Decoders work outside the interpreter's lock; each thread holds one picture."""

_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture as data list it.

    name: as it is written there. size: (height, width) as annotated, None where it is not.
    needed: True where training takes it; only these are errors.
    """

    name: str
    path: Path
    size: Size | None = None
    needed: bool = True


def check_pictures(
    folder: Path,
    pictures: Sequence[PictureFile],
    findings: Findings,
    progress: Progress | None = None,
) -> Mapping[Path, Thumbnail]:
    """Decode every picture once and note those that are missing, broken or of another size.

    folder: the place that messages name for missing pictures. Returns thumbnails of those that can
    be decoded.
    """
    _files_by_folded_name.cache_clear()  # folders change from one check to the next
    listed = list({one.path: one for one in pictures}.values())
    states: dict[FileState, dict[str, bool]] = {}
    thumbnails: dict[Path, Thumbnail] = {}
    workers = min(MAX_THREADS, cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        # The pool holds all that it is given at once, so a million pictures come in parts.
        for start in range(0, len(listed), _CHUNK):
            chunk = listed[start : start + _CHUNK]
            for done, (one, (state, detail, small)) in enumerate(
                zip(chunk, pool.map(_look, chunk), strict=True), start + 1
            ):
                if state != "good":
                    states.setdefault(state, {})[detail] = one.needed
                if small is not None:
                    thumbnails[one.path] = small
                if progress is not None:
                    progress(done, len(listed))
    _judge(states, folder, findings)
    return thumbnails


def _look(listed: PictureFile) -> tuple[FileState, str, Thumbnail | None]:
    """Return the state of a picture, its name with what is wrong with it, and its thumbnail."""
    state: FileState
    path, name = listed.path, listed.name
    if not is_file(path):
        return "missing", name + _near_name(path), None
    try:
        pixels = read_image(path)
        header = read_header(path)
    except InputError as error:
        return "broken", one_line(error), None
    small = thumbnail(pixels)
    actual: Size = (pixels.shape[0], pixels.shape[1])
    if listed.size is None:  # nothing in the annotations depends on it
        return "good", name, small
    if listed.size != actual:
        state = "unturned" if listed.size == header.stored_size else "size"
        return state, f"{name} is {_as_text(actual)}, not {_as_text(listed.size)}", small
    state = "turned" if header.turned and header.size == header.stored_size else "good"
    return state, name, small


def _near_name(path: Path) -> str:
    """Name the file beside a missing one that differs in case or Unicode form alone."""
    alike = _files_by_folded_name(path.parent).get(_folded(path.name))
    return f", but {alike} of another case or Unicode form" if alike else ""


@lru_cache(maxsize=64)
def _files_by_folded_name(folder: Path) -> Mapping[str, str]:
    try:
        return {_folded(entry.name): entry.name for entry in folder.iterdir()}
    except (OSError, ValueError):
        return {}


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _as_text(size: Size) -> str:
    return f"{size[1]}x{size[0]}"


def _judge(
    states: Mapping[FileState, Mapping[str, bool]], folder: Path, findings: Findings
) -> None:
    # Pictures that no sample needs stop no training.
    kinds: tuple[tuple[FileState, str, str], ...] = (
        ("missing", f"images that are not in {folder}", "add them, or give another --images"),
        ("broken", "images that cannot be decoded", "get the files again"),
    )
    for state, what, hint in kinds:
        found = states.get(state, {})
        needed = [name for name, needs in found.items() if needs]
        findings.error(what, needed, f"training would stop; {hint}")
        others = [name for name, needs in found.items() if not needs]
        findings.warning(f"{what}, without subjects", others, hint)
    # The rest compares the upright picture with the annotated size.
    findings.error(
        "images that EXIF turns, annotated as they lie in the file",
        states.get("unturned", {}),
        "their points would be wrong; give size and points of the upright picture",
    )
    findings.error(
        "images of another size (width x height) than annotated",
        states.get("size", {}),
        "points and boxes may be of another version of the pictures; correct sizes or pictures",
    )
    findings.warning(
        "images that EXIF turns or mirrors without changing their size",
        states.get("turned", {}),
        "see by --report whether their points are those of the upright picture",
    )
