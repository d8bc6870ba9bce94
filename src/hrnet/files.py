"""Read files of bounded size, write result files atomically, and lock between processes.

Paths come from users and their files, so every system call may fail: names that are too long, links
in a cycle, folders without permission. Tests such as `is_file` return False for such a path; where
a file is needed, an InputError names the reason in one line.
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
"""Limit for annotation files and lists; COCO's longest has half a gigabyte."""

_RESULTS = frozenset(".json .csv .html".split())
"""Suffixes of results that may replace a file in an input folder, such as a report in its run."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)")  # a drive of Windows has one letter
_counter = itertools.count()
_NAME_PART = 40
"""Characters of a file's name that its temporary file keeps, since names are limited in length."""

_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
"""Errors of a lock that another process or thread holds."""

_POLL_S = 0.1


def is_file(path: Path) -> bool:
    """Return True for a regular file or a link to one."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Return True for a folder or a link to one."""
    return stat.S_ISDIR(_mode(path))


def exists(path: Path) -> bool:
    """Return True if anything is at a path, also a device or a pipe."""
    return _mode(path) != 0


def is_taken(path: Path) -> bool:
    """Return True if a name is taken by anything, also by a link to nothing."""
    return os.path.lexists(path)


def _mode(path: Path) -> int:
    """Return the kind and permissions of a file, never 0; 0 where there is nothing."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return 0


def resolve(path: Path) -> Path:
    """Return the absolute path without links; InputError if the system cannot follow it."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a cycle
        raise InputError(f"{path} cannot be used as a path: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or one_line(error)[:200]


def address_in(source: str | os.PathLike[str]) -> str | None:
    """Return a URL such as https://a/b, with the slash that a Path drops; None for a path."""
    found = _ADDRESS.fullmatch(os.fspath(source).replace("\\", "/"))
    return f"{found[1]}://{found[2]}" if found else None


def not_fetched(address: str) -> InputError:
    """Return the error for a source that is a URL."""
    return InputError(
        f"expected a file, but {address} is an address, and addresses are not fetched; "
        "download it and name the file"
    )


def read_bytes(path: Path, what: str, limit: int = LARGEST_BYTES) -> bytes:
    """Read a whole regular file. what: its content in messages, such as "annotations".

    Raises InputError if it cannot be read, is a folder, a pipe or a device, or has more than
    `limit` bytes.
    """
    try:
        # Only a regular file has an end.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"expected {what} in a file, but {path} is a folder; name a file")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(
                f"expected {what} in a file, but {path} is a pipe or a device; name a regular file"
            )
        with path.open("rb") as file:
            content = file.read(limit + 1)  # one more shows that it is too long
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
    """Read a UTF-8 text file, with or without a byte order mark; errors as in `read_bytes`."""
    try:
        return read_bytes(path, what, limit).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"expected text (UTF-8) in {what} {path}, got something else") from None


def read_json(path: Path, what: str, limit: int = LARGEST_BYTES, *, once: bool = False) -> object:
    """Read a JSON file; errors as in `read_bytes`, and InputError if it is not JSON.

    once: also raise for repeated keys in an object, of which the parser would keep the last.
    """
    content = read_bytes(path, what, limit)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"expected JSON in {what} {path}, got something else (not text)") from None
    return parse_json(text, f"{what} {path}", once=once)


def parse_json(text: str, where: str, *, once: bool = False) -> object:
    """Parse JSON. where: its place in messages. once: as in `read_json`.

    Raises InputError for anything else, also for integers of thousands of digits and for lists
    nested thousands deep, which Python's parser refuses.
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
    """Return the dict of a JSON object's pairs; InputError for a repeated key."""
    content = dict(pairs)
    if len(content) < len(pairs):
        key = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise InputError(f"{key} is listed more than once; join these entries")
    return content


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to `path` when the block ends without error.

    So `path` never holds half a file; if the block writes nothing, `path` is unchanged. A link
    stays a link, and its target is replaced. Raises InputError for OS errors, and where `path` is a
    device or a pipe, also by a link.
    """
    path = resolve(path)
    mode = _mode(path)
    if mode and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(f"expected an output file, but {path} is none; name a regular file")
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
    """Remove temporary files of `atomic_path` whose process was killed."""
    with suppress(OSError):
        for path in folder.glob(".*.tmp"):
            number = re.fullmatch(r"\..*\.([0-9]+)\.[0-9]+\.tmp", path.name)
            if number and not _runs(int(number[1])):
                _remove(path)


def _runs(process: int) -> bool:
    """Return True if a process runs, or if that cannot be determined."""
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
    """Remove a file if it exists; errors are ignored, so that they hide no earlier one."""
    with suppress(OSError, ValueError):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; lone surrogates become escapes."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def make_writable_folder(folder: Path) -> None:
    """Create a folder if needed, and check by a trial file that it can be written.

    Raises InputError if it cannot.
    """
    trial = folder / f".trial.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.write_bytes(b"-")  # on a full disk an empty file would succeed
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
    """Check, before any work is done, that a result file can be written.

    inputs: files and folders that the same command reads. A file among them is never replaced; in
    these folders only files with a suffix of `_RESULTS` are.
    Raises InputError if it cannot be written, is an input, or is a folder, a pipe or a device.
    """
    # The kind of an existing file; 0 if there is none.
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = 0
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be written: {_reason(error)}; name another file") from None
    # Only a regular file that is no input may be replaced.
    if stat.S_ISDIR(mode):
        raise InputError(f"expected an output file, but {path} is a folder; name a file in it")
    if path.name == "-" or (mode and not stat.S_ISREG(mode)):
        raise InputError(f"expected an output file, but {path} is none; name a regular file")
    if mode and any(_is_input(path, one) for one in inputs):
        raise InputError(f"{path} is read by this command and would be lost; name another output")
    make_writable_folder(path.parent)


def check_new_file(path: Path, inputs: Iterable[Path], *, force: bool) -> None:
    """Check as `check_writable_file`; raise InputError for an existing file too, unless `force`."""
    check_writable_file(path, inputs)
    if exists(path) and not force:
        raise InputError(f"{path} exists and is not replaced; name another --out or add --force")


def _is_input(path: Path, one: Path) -> bool:
    """Return True if writing `path` would replace the input `one`, or a file in it."""
    if is_folder(one):
        return path.suffix.lower() not in _RESULTS and resolve(one) in resolve(path).parents
    return exists(one) and path.samefile(one)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
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
