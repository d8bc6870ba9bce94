"""The decoding of every picture of a data set, and the comparison with its annotations."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from os import cpu_count
from pathlib import Path
from typing import Literal

from hrnet.data.coco_file import CocoImage
from hrnet.data.findings import Findings
from hrnet.errors import InputError, one_line
from hrnet.files import is_file
from hrnet.geometry import Size
from hrnet.images import read_header, read_image

State = Literal["good", "missing", "broken", "size", "unturned", "turned"]

MAX_THREADS = 8
"""Decoders work outside the interpreter's lock; each thread holds one picture."""


def check_pictures(
    folder: Path,
    images: Sequence[CocoImage],
    paths: Mapping[int, Path],
    in_samples: Set[int],
    findings: Findings,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Decode every listed picture and note those that are missing, broken or of another size.

    paths: where the pictures are, by their ids. in_samples: the ids of those with subjects that
    training takes; only these are errors.
    """
    _files_by_folded_name.cache_clear()  # folders change from one check to the next
    listed = {one.file_name: one for one in images if one.id in paths}
    states: dict[State, dict[str, bool]] = {}
    workers = min(MAX_THREADS, cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        looked = pool.map(lambda one: _look(paths[one.id], one), listed.values())
        for done, (image, (state, detail)) in enumerate(zip(listed.values(), looked, strict=True)):
            states.setdefault(state, {})[detail] = image.id in in_samples
            if progress is not None:
                progress(done + 1, len(listed))
    _judge(states, folder, findings)


def _look(path: Path, image: CocoImage) -> tuple[State, str]:
    """The state of one picture, and its name or what is wrong with it."""
    name = str(image.file_name)
    if not is_file(path):
        return "missing", name + _near_name(path)
    try:
        pixels = read_image(path)
        header = read_header(path)
    except InputError as error:
        return "broken", one_line(error)
    actual: Size = (pixels.shape[0], pixels.shape[1])
    if image.size is not None and image.size != actual:
        state: State = "unturned" if image.size == header.stored_size else "size"
        return state, f"{name} is {_as_text(actual)}, not {_as_text(image.size)}"
    return ("turned" if header.turned and header.size == header.stored_size else "good"), name


def _near_name(path: Path) -> str:
    """Name the file beside a missing one that differs in case or in how accents are written."""
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


def _judge(states: Mapping[State, Mapping[str, bool]], folder: Path, findings: Findings) -> None:
    kinds: tuple[tuple[State, str, str], ...] = (
        ("missing", f"images that are not in {folder}", "add them, or give another --images"),
        ("broken", "images that cannot be decoded", "get the files again"),
    )
    for state, what, hint in kinds:
        found = states.get(state, {})
        needed = [name for name, needs in found.items() if needs]
        findings.error(what, needed, f"training would stop; {hint}")
        others = [name for name, needs in found.items() if not needs]
        findings.warning(f"{what}, without subjects", others, hint)
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
