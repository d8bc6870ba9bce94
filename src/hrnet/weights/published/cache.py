"""A cache folder of published weights: each is downloaded, verified and converted once.

`HRNET_CACHE` names the folder, `HRNET_OFFLINE=1` forbids the network. Beside each file lies a small
hidden note with its SHA-256, which holds while the file's size and time of change are the same.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from hashlib import file_digest
from pathlib import Path

from hrnet.console import show_progress
from hrnet.errors import InputError, one_line
from hrnet.files import atomic_path, exclusive, is_file, make_writable_folder, read_json
from hrnet.weights.published.download import check_is_no_text, download, mismatch
from hrnet.weights.published.rows import PublishedWeight

_SHA256 = re.compile("[0-9a-f]{64}")
_LARGEST_NOTE = 10_000


def cache_folder() -> Path:
    """Return the folder of downloaded and converted weights; it need not exist yet.

    `HRNET_CACHE`, or `hrnet` where the platform keeps such files: $XDG_CACHE_HOME or ~/.cache,
    ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows. Raises InputError where there is no such
    place: no home folder, or a relative folder below a working folder that was deleted.
    """
    own = os.environ.get("HRNET_CACHE")
    try:
        return Path(own).expanduser().absolute() if own else _usual_folder()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or one_line(error).rstrip(".")
        got = f", got {one_line(own)}" if own else ""
        raise InputError(
            f"there is no folder for weights: {reason}; name one in HRNET_CACHE{got}"
        ) from None


def _usual_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "hrnet"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hrnet"
    common = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (common if common.is_absolute() else Path.home() / ".cache") / "hrnet"


def offline() -> bool:
    """Return True where HRNET_OFFLINE is set, and neither empty nor 0, false, no or off."""
    return os.environ.get("HRNET_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def raw_path(row: PublishedWeight) -> Path:
    """Return the path of a row's published file, which need not be there yet."""
    return cache_folder() / row.file_name


def fetch(row: PublishedWeight, *, progress: bool = True) -> Path:
    """Return the published file of a row, verified; download it if it is not in the cache.

    A file of that name that a user put into the cache folder is taken, if it is the right one.
    progress: show a bar where stderr is a terminal. Raises InputError with advice.
    """
    path = raw_path(row)
    if not is_file(path):
        _expect_fetchable(row, path)
        bar = show_progress(f"downloading {row.file_name}") if progress else nullcontext(_silent)
        with bar as report:
            download(row.url, path, sha256=row.sha256, size=row.size_bytes, progress=report)
    with _one_line(path):
        _check(row, path, _remembered_sha256(path))
    return path


def verify(row: PublishedWeight) -> str:
    """Read the file of a row again and return its SHA-256; InputError if it is not as published."""
    path = raw_path(row)
    if not is_file(path):
        raise InputError(f"{row.name} is not in the cache; `hrnet weights fetch {row.name}`")
    with _one_line(path):
        digest = _read_sha256(path)
        _check(row, path, digest)
    return digest


def converted(
    row: PublishedWeight, convert: Callable[[Path, Path], object], *, version: int
) -> Path:
    """Return our safetensors file of a row, made by `convert(published file, new file)` once.

    version: of the converter's output. It and the checksum of the published file are in the name,
    so another version or file gives another result; older results stay until somebody removes them.
    The file appears whole. Of two processes one converts and the other waits.
    """
    # A result of the same file and converter may be there already.
    raw = fetch(row)
    digest = _remembered_sha256(raw)
    target = raw.with_name(f"{row.name}.{digest[:12]}.v{version}.safetensors")
    if is_file(target):
        return target
    # Convert under a lock, to a name that nobody takes for the finished file.
    make_writable_folder(raw.parent)
    with _one_line(target), exclusive(target.with_name(f".{target.name}.lock")):
        if not is_file(target):
            unfinished = target.with_name(f".unfinished.{target.name}")
            try:
                convert(raw, unfinished)
                unfinished.replace(target)
            finally:
                unfinished.unlink(missing_ok=True)
    return target


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn errors of the disk into one line."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be used: {error.strerror or one_line(error)}; check it, or name "
            "another folder in HRNET_CACHE"
        ) from None


def _silent(done: int, total: int) -> None:
    """Report nothing."""


def _expect_fetchable(row: PublishedWeight, path: Path) -> None:
    if not row.url:
        raise InputError(
            f"{row.name} cannot be downloaded by a program: get {row.file_name} from {row.page} "
            f"and put it into {path.parent}, or convert it with `hrnet convert {row.file_name} "
            f"{row.name}.safetensors`"
        )
    if offline():
        raise InputError(
            f"HRNET_OFFLINE is set and {row.file_name} is not in {path.parent}; put it there, or "
            "unset HRNET_OFFLINE to download it"
        )


def _check(row: PublishedWeight, path: Path, digest: str) -> None:
    wrong = mismatch(path.stat().st_size, digest, sha256=row.sha256, size=row.size_bytes)
    if wrong:
        again = f"`hrnet weights fetch {row.name}`" if row.url else f"get it from {row.page}"
        raise InputError(
            f"{path} is not the published {row.name}: {wrong}; delete it, then {again}"
        )


def _remembered_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, from its note while that holds; hash and note it otherwise."""
    # The note holds while size and time of change are those of the file.
    note, state = path.with_name(f".{path.name}.json"), path.stat()
    key = [state.st_size, state.st_mtime_ns]
    with suppress(InputError):
        match read_json(note, "the note of a checksum", _LARGEST_NOTE):
            case {"file": file, "sha256": str(known)} if file == key and _SHA256.fullmatch(known):
                return known
    digest = _read_sha256(path)
    with suppress(InputError), atomic_path(note) as temporary:  # a shared cache may be read-only
        temporary.write_text(json.dumps({"file": key, "sha256": digest}), encoding="utf-8")
    return digest


def _read_sha256(path: Path) -> str:
    """Hash a file; InputError for a page of text that was saved under its name."""
    with path.open("rb") as file:
        start = file.read(512)
        check_is_no_text(start, str(path), "delete it and download the file itself")
        file.seek(0)
        return file_digest(file, "sha256").hexdigest()
