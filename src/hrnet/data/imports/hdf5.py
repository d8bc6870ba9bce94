"""HDF5 files of other tools: what lies in the file itself, and the pictures in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from hrnet.data.imports.common import EXTRA_HINT
from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path, exists, is_file, is_folder, make_writable_folder

if TYPE_CHECKING:
    import h5py

MOST_BYTES = 1 << 28
"""No table of labels is longer; a file of a few kilobytes can claim terabytes."""

MOST_PIXELS = 40_000_000
"""More than the largest frames of videos have, 8192x4320."""


@contextmanager
def opened(path: Path, odd: Callable[[Path, str], InputError]) -> Iterator[h5py.File]:
    """Open an HDF5 file. odd: makes the error of a path and a reason, for another form.

    Raises InputError where h5py or the file is missing, and for any error of a damaged file.
    """
    try:
        import h5py
    except ImportError:
        raise InputError(f"reading {path} needs the package h5py; {EXTRA_HINT}") from None
    if not is_file(path):
        kind = "it is a pipe or a device" if exists(path) else "no such file"
        kind = "it is a folder" if is_folder(path) else kind
        raise InputError(f"{path} cannot be read: {kind}; check the path")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    # h5py raises many types for damaged files.
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise odd(path, f"{type(error).__name__}: {one_line(error):.100}") from None


def part_of(file: h5py.File, name: str) -> h5py.HLObject | None:
    """Return a group or data set in the file itself; None where there is none, or a link leads on.

    Soft and external links could lead anywhere on the disk.
    """
    import h5py

    found = file
    for step in name.split("/"):
        link = found.get(step, getlink=True) if isinstance(found, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            return None
        found = found[step]
    return found


def data_of(found: h5py.HLObject | None) -> h5py.Dataset | None:
    """Return a data set whose values lie in the file itself, None for anything else."""
    import h5py

    inside = isinstance(found, h5py.Dataset) and not found.is_virtual and not found.external
    return found if inside else None


def write_png(picture: Image.Image, path: Path, *, replace: bool) -> Path:
    """Write a picture as PNG, which keeps its pixels, unless it is there already; return its path.

    Raises InputError where another picture is in the way that must not be replaced.
    """
    content = io.BytesIO()
    picture.save(content, format="PNG")
    make_writable_folder(path.parent)
    if is_file(path) and path.read_bytes() == content.getvalue():
        return path
    if is_file(path) and not replace:
        raise InputError(f"{path} exists and is another picture; name another --out or add --force")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return path
