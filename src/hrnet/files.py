"""Files of bounded size to read, results written whole or not at all, a lock between processes.

Paths come from users and from their files, so every question to the system may fail: names that are
too long, links in a circle, folders that may not be read. Where the answer is yes or no, such a
path is not there; where a file is needed, one line names the reason.
"""

import errno
import hashlib
import itertools
import json
import os
import re
import stat
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hrnet.errors import InputError, one_line

LARGEST_BYTES = 1 << 31
"""No annotation file or list is longer; COCO's longest has half a gigabyte."""

_RESULTS = frozenset(".json .csv .html".split())
"""Results that commands write beside their input, such as a report in the folder of its run."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)")  # a drive of Windows has one letter
_counter = itertools.count()
_NAME_PART = 40
"""Letters of a file's name that its temporary file keeps, since names have a longest length too."""

_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
"""Errors of a lock that another process or thread holds."""

_POLL_S = 0.1


def is_file(path: Path) -> bool:
    """Return True for a regular file, also through links."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def is_folder(path: Path) -> bool:
    """Return True for a folder, also through links."""
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def exists(path: Path) -> bool:
    """Return True where anything is at a path, also a device or a pipe."""
    return _mode(path) is not None


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return None


def resolve(path: Path) -> Path:
    """Return the absolute path without links; InputError where the system cannot follow it."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise InputError(f"{path} cannot be used as a path: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or one_line(error)[:200]


def address_in(source: str | os.PathLike[str]) -> str | None:
    """Return an address such as https://a/b, with the slash that a Path drops; None for a path."""
    found = _ADDRESS.fullmatch(os.fspath(source).replace("\\", "/"))
    return f"{found[1]}://{found[2]}" if found else None


def not_fetched(address: str) -> InputError:
    """The error of a source that is an address."""
    return InputError(
        f"expected a file, but {address} is an address, and addresses are not fetched; "
        "download it and name the file"
    )


def read_bytes(path: Path, what: str, limit: int = LARGEST_BYTES) -> bytes:
    """Read a whole regular file; `what` names it in messages, such as "annotations".

    Raises InputError where it cannot be read, is a folder, a pipe or a device, or has more bytes
    than `limit`.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"expected {what} in a file, but {path} is a folder; name a file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(
                f"expected {what} in a file, but {path} is a pipe or a device; name a regular file"
            )
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        if address := address_in(path):
            raise not_fetched(address) from None
        raise InputError(f"cannot read {what} {path}: {_reason(error)}; check the path") from None
    if len(content) > limit:
        raise InputError(f"{path}: expected {what} of at most {limit:,} bytes, got more")
    return content


def read_text(path: Path, what: str, limit: int = LARGEST_BYTES) -> str:
    """Read a UTF-8 text file, with or without a byte order mark; errors as `read_bytes`."""
    try:
        return read_bytes(path, what, limit).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"expected text (UTF-8) in {what} {path}, got something else") from None


def read_json(path: Path, what: str, limit: int = LARGEST_BYTES, *, once: bool = False) -> object:
    """Read a JSON file; errors as `read_bytes`, and InputError where it is not JSON.

    once: also where an object has a key twice, of which a parser keeps the last alone.
    """
    content = read_bytes(path, what, limit)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"expected JSON in {what} {path}, got something else (not text)") from None
    return parse_json(text, f"{what} {path}", once=once)


def parse_json(text: str, where: str, *, once: bool = False) -> object:
    """Parse JSON; InputError, which names `where`, for anything else; `once` as in `read_json`.

    Integers of thousands of digits and lists thousands deep are refused by Python's parser.
    """
    try:
        content: object = json.loads(text, object_pairs_hook=_each_once if once else None)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}"
    except RecursionError:
        reason = "lists or objects nested too deeply"
    except ValueError:  # of int(), for a number of more than 4300 digits
        reason = "a number of thousands of digits"
    except MemoryError:
        reason = "more than fits into memory"
    else:
        return content
    raise InputError(f"expected JSON in {where}, got something else ({reason})")


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        key = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise InputError(f"{key} is listed more than once; join these entries")
    return content


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, which takes its place if the block ends well.

    Nobody ever sees half a file; a block that writes nothing leaves `path` as it was. A link
    stays a link and its target is replaced. Raises InputError where the disk refuses.
    """
    path = resolve(path)
    name = f".{path.name[:_NAME_PART]}.{os.getpid()}.{next(_counter)}.tmp"
    temporary = path.with_name(name)
    try:
        yield temporary
        if temporary.exists():
            temporary.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {_reason(error)}") from error
    finally:
        _remove(temporary)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of `atomic_path` whose process was killed before it could."""
    with suppress(OSError):
        for path in folder.glob(".*.tmp"):
            number = re.fullmatch(r"\..*\.([0-9]+)\.[0-9]+\.tmp", path.name)
            if number and not _runs(int(number[1])):
                _remove(path)


def _runs(process: int) -> bool:
    """Return True for the number of a running process, and where that cannot be found out."""
    if os.name != "posix":  # elsewhere os.kill would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _remove(path: Path) -> None:
    """Remove a file if it is there; what cannot be removed must not hide the error before it."""
    try:
        path.unlink(missing_ok=True)
    except (OSError, ValueError):
        return


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all; lone surrogates become escapes."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def make_writable_folder(folder: Path) -> None:
    """Make a folder where it does not exist and prove by a trial file that it can be written."""
    trial = folder / f".trial.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"-")  # a full disk takes an empty file, but no byte
    except (FileExistsError, NotADirectoryError):
        raise InputError(
            f"expected an output folder, but {folder} is a file or lies below one; "
            "name another folder"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"the output folder {folder} cannot be written: {_reason(error)}; name another one"
        ) from None
    finally:
        _remove(trial)


def check_writable_file(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise InputError, before any work is done, where a result file could not be written.

    A device is never replaced, nor is anything that the same command reads: `inputs` are its files,
    and folders in which no file is replaced but those of `_RESULTS`.
    """
    try:
        mode: int | None = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written: {_reason(error)}; name another file") from None
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"expected an output file, but {path} is a folder; name a file in it")
    if path.name == "-" or (mode is not None and not stat.S_ISREG(mode)):
        raise InputError(f"expected an output file, but {path} is none; name a regular file")
    if mode is not None and any(_is_input(path, one) for one in inputs):
        raise InputError(f"{path} is read by this command and would be lost; name another output")
    make_writable_folder(path.parent)


def check_new_file(path: Path, inputs: Iterable[Path], *, force: bool) -> None:
    """Raise InputError as `check_writable_file`, and where the file exists, unless `force`."""
    check_writable_file(path, inputs)
    if exists(path) and not force:
        raise InputError(f"{path} exists and is not replaced; name another --out or add --force")


def _is_input(path: Path, one: Path) -> bool:
    if is_folder(one):
        return path.suffix.lower() not in _RESULTS and resolve(one) in resolve(path).parents
    return exists(one) and path.samefile(one)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def exclusive(path: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock on a file for the block, once no other process or thread holds it.

    `waiting` is called every 0.1 seconds until then. The lock is the operating system's, on the
    open file, so it ends with the process that holds it. The file stays behind, empty: to remove it
    could take it from under another process. Where the file system has no locks there is none.
    Raises OSError where the file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _locked(descriptor):
            waiting()
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)  # unlocks it


def _locked(descriptor: int) -> bool:
    """Try to lock an open file without waiting."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
