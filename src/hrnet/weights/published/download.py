"""Download a weights file: continued where it broke off, verified, whole or not there.

With the standard library alone: the light core gains nothing, and the proxies of the environment
(HTTP_PROXY, HTTPS_PROXY, NO_PROXY) hold. What came so far is in `FILE.part`; `FILE.part.json` says
of which version at which address, so that it is only ever continued with that one.
"""

import errno
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from http.client import HTTPResponse
from itertools import chain
from pathlib import Path

from hrnet.errors import InputError, one_line
from hrnet.files import exclusive, is_file, read_json, write_text
from hrnet.numbers import to_int
from hrnet.weights.published.web import (
    ChangedError,
    TryAgainError,
    ask,
    expect_address,
    receive,
    size_in,
    without_secrets,
)

Progress = Callable[[int, int], None]
"""Called with (bytes that are there, bytes of the whole), once the whole is known."""

LARGEST_BYTES = 4_000_000_000
"""The most that is received where no size is known; no published file here has a third of it."""

_LARGEST_NOTE = 10_000
_HEAD = 512


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of a download's waiting and tries.

    timeout_s: seconds without any answer. tries: of one call, the first included.
    pause_s: seconds before the second try; before each further one it doubles.
    """

    timeout_s: float = 30.0
    tries: int = 5
    pause_s: float = 1.0


@dataclass(frozen=True, slots=True)
class _Job:
    url: str
    target: Path
    sha256: str
    size: int
    progress: Progress
    patience: Patience

    @property
    def part(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.json")

    @property
    def address(self) -> str:
        return without_secrets(self.url)

    @property
    def limit(self) -> int:
        """The most bytes that the file may have."""
        return self.size or LARGEST_BYTES

    @property
    def by_hand(self) -> str:
        return f"get it by other means and put it at {self.target}"

    def drop(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    size: int = 0,
    progress: Progress = lambda done, total: None,
    patience: Patience = Patience(),
) -> Path:
    """Download a file to `target` and return `target`; nothing is done where it is there already.

    sha256: in hexadecimal, or its first 8 digits or more; "" where none is published.
    size: in bytes; 0 where it is not known.

    The file appears whole and verified. A broken download is continued, by the next try or by the
    next call. Of two processes one downloads, and the other waits and takes the file.
    Never more than `size` bytes are kept, or `LARGEST_BYTES` where it is 0.
    Raises InputError with one line: for what the server or the network refuses, a full disk, a web
    page in place of the file, and a file of another size or checksum, which is removed.
    """
    job = _Job(url, target, sha256.lower(), size, progress, patience)
    expect_address(url)
    if is_file(target):
        return target
    with _disk_errors(job):
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.with_name(f".{target.name}.lock"), lambda: _report_held(job)):
            if not is_file(target):
                _fill(job)
                _accept(job)
    return target


def _report_held(job: _Job) -> None:
    """Show how far the other process is."""
    if job.size:
        job.progress(_length(job.part), job.size)


def _length(path: Path) -> int:
    return path.stat().st_size if is_file(path) else 0


@contextmanager
def _disk_errors(job: _Job) -> Iterator[None]:
    """Turn what the disk refuses into one line. Errors of the network never get here."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"the disk of {job.target.parent} is full; make room and call again to continue, "
                "or name another folder in HRNET_CACHE"
            ) from None
        raise InputError(
            f"{job.target} cannot be written: {error.strerror or error}; "
            "name another folder in HRNET_CACHE"
        ) from None


def _fill(job: _Job) -> None:
    """Receive until the part is whole, in a bounded number of tries."""
    reason = ""
    for attempt in range(job.patience.tries):
        if attempt:
            time.sleep(job.patience.pause_s * 2 ** (attempt - 1))
        try:
            return _receive(job)
        except TryAgainError as error:
            reason = one_line(error)
    held = _read_note(job)[0]
    again = f"call again to continue after {held} bytes" if held else "call again"
    raise InputError(
        f"{job.address} was not received in {job.patience.tries} tries: {reason}; {again}, or "
        f"{job.by_hand}"
    )


def _accept(job: _Job) -> None:
    """Give the part its final name if it is what was expected; remove it otherwise."""
    with job.part.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    wrong = mismatch(_length(job.part), digest, sha256=job.sha256, size=job.size)
    if wrong:
        job.drop()
        raise InputError(
            f"{job.address} gave another file than was published: {wrong}; it was removed: "
            f"call again, and if this stays so {job.by_hand}"
        )
    job.part.replace(job.target)
    job.drop()


def _receive(job: _Job) -> None:
    held, validator, total = _read_note(job)
    if held and held == total:
        return
    with _open(job, held, validator) as response:
        start, total = _extent(response, held)
        if job.size and total and total != job.size:
            raise InputError(
                f"{job.address} has {total} bytes, expected {job.size}: not the published file; "
                f"{job.by_hand}"
            )
        _expect_room(job, max(total, job.size) - start)
        _store(job, response, start, total or job.size)


def _expect_room(job: _Job, needed: int) -> None:
    """Raise InputError for more bytes than a file may have or the disk has room for."""
    if needed > job.limit:
        raise InputError(
            f"{job.address} has {needed} bytes, more than the {job.limit} that are accepted; "
            f"{job.by_hand}"
        )
    if needed > shutil.disk_usage(job.target.parent).free:
        raise OSError(errno.ENOSPC, "")


def _read_note(job: _Job) -> tuple[int, str, int]:
    """Bytes that can be continued, the validator of their version, and the size of the whole."""
    try:
        note = read_json(job.note, "the note of a download", _LARGEST_NOTE)
    except InputError:
        return 0, "", 0
    match note:
        case {"url": job.url, "validator": str(validator), "total": total} if _is_plain(validator):
            held, whole = _length(job.part), to_int(total)
            contradicts = whole and job.size and whole != job.size
            if whole is not None and not contradicts and held <= (whole or job.limit) <= job.limit:
                return held, validator, whole
    return 0, "", 0


def _is_plain(validator: str) -> bool:
    """Return True for a text that can be a header's value."""
    return bool(validator) and validator.isascii() and validator.isprintable()


def _open(job: _Job, held: int, validator: str) -> HTTPResponse:
    """Ask for the file, or for what is missing of it if the server still has the same version."""
    headers = {"Range": f"bytes={held}-", "If-Range": validator} if held else {}
    try:
        return ask(job.url, headers, job.patience.timeout_s, job.by_hand)
    except ChangedError:
        job.drop()
        raise


def _extent(response: HTTPResponse, held: int) -> tuple[int, int]:
    """The start of a response in the file, and the size of the file; 0 where it is not given."""
    if response.status != 206:
        return 0, size_in(response.headers.get("Content-Length", ""))
    place, _, total = response.headers.get("Content-Range", "").partition("/")
    if not place.startswith(f"bytes {held}-"):
        raise TryAgainError("the server answered with another part of the file")
    return held, size_in(total)


def _store(job: _Job, response: HTTPResponse, start: int, total: int) -> None:
    # One byte beyond the limit is asked for, which tells a file that is too long.
    blocks = receive(response, job.limit + 1 - start, job.patience.timeout_s)
    first = next(blocks, b"")
    if first and not start:
        kind = response.headers.get_content_type()
        check_is_no_text(first, job.address, job.by_hand, kind)
    done = start
    with job.part.open("ab" if start else "wb") as file:
        if not start:  # the old bytes are cut off by now: no note is ever on bytes of another file
            _write_note(job, response, total)
        for block in chain((first,), blocks):
            done += len(block)
            if done > job.limit:
                break
            file.write(block)
            if total:
                job.progress(done, total)
    if done > job.limit:
        job.drop()
        raise InputError(
            f"{job.address} sends more than the {job.limit} bytes "
            f"{'of the published file' if job.size else 'that are accepted'}; {job.by_hand}"
        )
    if done < max(total, 1):
        raise TryAgainError(f"the connection ended after {done} of {total} bytes")


def _write_note(job: _Job, response: HTTPResponse, total: int) -> None:
    """Say what the part is of. A weak ETag names no bytes and cannot be continued with."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    note = {"url": job.url, "validator": validator[:1000], "total": total}
    write_text(job.note, json.dumps(note))


def mismatch(num_bytes: int, digest: str, *, sha256: str, size: int) -> str:
    """Say in what a file differs from what was published; "" where it does not.

    num_bytes, digest: size in bytes and SHA-256 of the file. sha256, size: as published, where ""
    and 0 mean unknown; of the SHA-256 the first 8 digits or more will do.
    """
    if sha256 and not re.fullmatch("[0-9a-f]{8,64}", sha256.lower()):
        raise InputError(f"expected at least 8 hexadecimal digits as sha256, got {sha256!r}")
    if size and num_bytes != size:
        return f"it has {num_bytes} bytes, expected {size}"
    if not digest.startswith(sha256.lower()):
        return f"its sha256 is {digest[: max(len(sha256), 8)]}, expected {sha256.lower()}"
    return ""


def check_is_no_text(start: bytes, where: str, advice: str, content_type: str = "") -> None:
    """Raise InputError where a file begins like a web page or any other text.

    Servers answer with a page to log in, or with the few lines that stand for a file in Git LFS.
    start: the first bytes, 512 of them if there are as many. Those of a weights file are no text.
    """
    if not start:
        raise InputError(f"{where} is empty; {advice}")
    if start.startswith(b"version https://git-lfs"):
        raise InputError(f"{where} is only the Git LFS pointer of the file; {advice}")
    if content_type == "text/html" or _is_text(start[:_HEAD]):
        raise InputError(f"{where} is a page of text, not a weights file (a log-in?); {advice}")


def _is_text(start: bytes) -> bool:
    """No control characters but white space, and UTF-8 up to a character that is cut off."""
    if re.search(rb"[\x00-\x08\x0e-\x1f]", start):
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and len(start) == _HEAD
    return True
