"""Decode every picture of a data set and compare it with what is annotated."""

import unicodedata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from os import cpu_count
from pathlib import Path
from typing import Literal

from hrnet.check.copies import Thumbnail, thumbnail
from hrnet.check.result import Progress
from hrnet.data.findings import Findings
from hrnet.data.pixels import odd_pictures
from hrnet.errors import InputError, one_line
from hrnet.files import is_file
from hrnet.geometry import Image8, Size
from hrnet.image_files import ARRAYS
from hrnet.images import ImageHeader, read_header, read_image
from hrnet.rasters import RasterHeader, read_raster_header, read_view

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
    *,
    any_channels: bool = False,
) -> Mapping[Path, Thumbnail]:
    """Decode every picture once and note those that are missing, broken or of another size.

    folder: the place that messages name for missing pictures. Returns thumbnails of those that can
    be decoded. any_channels: pictures may have any channels, but all the same.
    """
    _files_by_folded_name.cache_clear()  # folders change from one check to the next
    listed = list({one.path: one for one in pictures}.values())
    states: dict[FileState, dict[str, bool]] = {}
    thumbnails: dict[Path, Thumbnail] = {}
    headers: dict[str, RasterHeader] = {}
    look = partial(_look, any_channels=any_channels)
    workers = min(MAX_THREADS, cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        # The pool holds all that it is given at once, so a million pictures come in parts.
        for start in range(0, len(listed), _CHUNK):
            chunk = listed[start : start + _CHUNK]
            for done, (one, seen) in enumerate(
                zip(chunk, pool.map(look, chunk), strict=True), start + 1
            ):
                if seen.state != "good":
                    states.setdefault(seen.state, {})[seen.detail] = one.needed
                if seen.small is not None:
                    thumbnails[one.path] = seen.small
                if seen.header is not None and one.needed:
                    headers[one.name] = seen.header
                if progress is not None:
                    progress(done, len(listed))
    _judge(states, folder, findings)
    _judge_channels(headers, findings)
    return thumbnails


@dataclass(frozen=True, slots=True)
class _Seen:
    """The state of a picture, its name with what is wrong with it, and what else was seen.

    header: None where channels are not looked at.
    """

    state: FileState
    detail: str
    small: Thumbnail | None = None
    header: RasterHeader | None = None


def _look(listed: PictureFile, *, any_channels: bool) -> _Seen:
    path, name = listed.path, listed.name
    if not is_file(path):
        return _Seen("missing", name + _near_name(path))
    try:
        pixels = read_view(path) if any_channels else read_image(path)
        raster = read_raster_header(path) if any_channels else None
        header = _header(path, pixels)
    except InputError as error:
        return _Seen("broken", one_line(error))
    seen = _Seen("good", name, thumbnail(pixels), raster)
    actual: Size = (pixels.shape[0], pixels.shape[1])
    if listed.size is None:  # nothing in the annotations depends on it
        return seen
    if listed.size != actual:
        detail = f"{name} is {_as_text(actual)}, not {_as_text(listed.size)}"
        state: FileState = "unturned" if listed.size == header.stored_size else "size"
        return replace(seen, state=state, detail=detail)
    mirrored = header.turned and header.size == header.stored_size
    return replace(seen, state="turned") if mirrored else seen


def _header(path: Path, pixels: Image8) -> ImageHeader:
    """Read the header of an image; an array lies as it is stored."""
    if path.suffix.lower() in ARRAYS:
        size = (pixels.shape[0], pixels.shape[1])
        return ImageHeader(size, size, turned=False)
    return read_header(path)


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


def _judge_channels(headers: Mapping[str, RasterHeader], findings: Findings) -> None:
    usual, odd = odd_pictures(headers)
    findings.error(
        f"images of other channels or numbers than most ({usual})",
        [f"{name} has {header}" for name, header in odd.items()],
        "training would stop; convert them, or leave them out",
    )


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
