"""Downloads of weights files: continued where they broke off, verified, whole or not there.

The standard library alone is used: the light core gains no dependency, and the proxies of the
environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) hold. Received bytes are in `FILE.part`; the note
`FILE.part.json` holds their address and version, so that only the same version continues them.
"""

import errno
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from itertools import chain
from pathlib import Path

from hrnet.errors import InputError, one_line
from hrnet.files import exclusive, is_file, read_json, sha256_of, write_text
from hrnet.numbers import to_int
from hrnet.weights.published.web import (
    ChangedError,
    TryAgainError,
    expect_address,
    open_url,
    receive,
    size_in,
    without_secrets,
)

Progress = Callable[[int, int], None]
"""Called with (bytes that are there, bytes of the whole), once the whole is known."""

LARGEST_BYTES = 4_000_000_000
"""Limit where no size is known; no published file here has a third of it."""

_LARGEST_NOTE = 10_000
_HEAD = 512


@dataclass(frozen=True, slots=True)
class Patience:
    """Limits of a download's waiting and tries.

    timeout_s: seconds without any data. tries: of one call, the first included.
    pause_s: seconds before the second try; before each further one it doubles.
    """

    timeout_s: float = 30.0
    tries: int = 5
    pause_s: float = 1.0


@dataclass(frozen=True, slots=True)
class _Order:
    """A file to download: its address, its place, and its limits."""

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
    """Download a file to `target`, unless it is there already, and return `target`.

    sha256: in hexadecimal, or its first 8 digits or more; "" where none is published.
    size: in bytes; 0 where it is not known.

    The file appears whole and verified. A broken download is continued, by the next try or by the
    next call. Of two processes one downloads, and the other waits and takes the file.
    Never more than `size` bytes are kept, or `LARGEST_BYTES` where it is 0.
    Raises InputError with one line for errors of server, network and disk, for a web page in place
    of the file, and for a file of another size or checksum, which is removed.
    """
    order = _Order(url, target, sha256.lower(), size, progress, patience)
    expect_address(url)
    if is_file(target):
        return target
    # One process downloads; the others wait for the lock, and then find the file.
    with _disk_errors(order):
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.with_name(f".{target.name}.lock"), lambda: _report_held(order)):
            if not is_file(target):
                _fill(order)
                _accept(order)
    return target


def _report_held(order: _Order) -> None:
    """Show the progress of the process that holds the lock."""
    if order.size:
        order.progress(_length(order.part), order.size)


def _length(path: Path) -> int:
    return path.stat().st_size if is_file(path) else 0


@contextmanager
def _disk_errors(order: _Order) -> Iterator[None]:
    """Turn errors of the disk into one line. Errors of the network never get here."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError(
                f"the disk of {order.target.parent} is full; make room and call again to continue, "
                "or name another folder in HRNET_CACHE"
            ) from None
        raise InputError(
            f"{order.target} cannot be written: {error.strerror or error}; "
            "name another folder in HRNET_CACHE"
        ) from None


def _fill(order: _Order) -> None:
    """Receive until the part is whole, in a bounded number of tries."""
    reason = ""
    for attempt in range(order.patience.tries):
        if attempt:
            time.sleep(order.patience.pause_s * 2 ** (attempt - 1))
        try:
            return _receive(order)
        except TryAgainError as error:
            reason = one_line(error)
    held = _read_note(order)[0]
    again = f"call again to continue after {held} bytes" if held else "call again"
    raise InputError(
        f"{order.address} was not received in {order.patience.tries} tries: {reason}; {again}, or "
        f"{order.by_hand}"
    )


def _accept(order: _Order) -> None:
    """Give the part its final name if size and checksum are right; remove it otherwise."""
    digest = sha256_of(order.part)
    wrong = mismatch(_length(order.part), digest, sha256=order.sha256, size=order.size)
    if wrong:
        order.drop()
        raise InputError(
            f"{order.address} gave another file than was published: {wrong}; it was removed: "
            f"call again, and if this stays so {order.by_hand}"
        )
    order.part.replace(order.target)
    order.drop()


def _receive(order: _Order) -> None:
    """Receive the missing bytes in one try; TryAgainError where that may work later."""
    held, validator, total = _read_note(order)
    if held and held == total:
        return
    with _open(order, held, validator) as response:
        start, total = _extent(response, held)
        if order.size and total and total != order.size:
            raise InputError(
                f"{order.address} has {total} bytes, expected {order.size}: not the published "
                f"file; {order.by_hand}"
            )
        _expect_room(order, max(total, order.size) - start)
        _store(order, response, start, total or order.size)


def _expect_room(order: _Order, needed: int) -> None:
    """Raise InputError for more bytes than a file may have or the disk has room for."""
    if needed > order.limit:
        raise InputError(
            f"{order.address} has {needed} bytes, more than the {order.limit} that are accepted; "
            f"{order.by_hand}"
        )
    if needed > shutil.disk_usage(order.target.parent).free:
        raise OSError(errno.ENOSPC, "")


def _read_note(order: _Order) -> tuple[int, str, int]:
    """Return the bytes that can be continued, their version's validator, and the whole size."""
    try:
        note = read_json(order.note, "the note of a download", _LARGEST_NOTE)
    except InputError:
        return 0, "", 0
    match note:
        case {"url": order.url, "validator": str(validator), "total": total} if _is_plain(
            validator
        ):
            # Continue only where sizes agree: held <= whole <= limit, and whole as published.
            held, whole = _length(order.part), to_int(total)
            contradicts = whole and order.size and whole != order.size
            if (
                whole is not None
                and not contradicts
                and held <= (whole or order.limit) <= order.limit
            ):
                return held, validator, whole
    return 0, "", 0


def _is_plain(validator: str) -> bool:
    """Return True for a text that can be a header's value."""
    return bool(validator) and validator.isascii() and validator.isprintable()


def _open(order: _Order, held: int, validator: str) -> HTTPResponse:
    """Request the file, or its missing bytes where the server still has the same version."""
    headers = {"Range": f"bytes={held}-", "If-Range": validator} if held else {}
    try:
        return open_url(order.url, headers, order.patience.timeout_s, order.by_hand)
    except ChangedError:
        order.drop()
        raise


def _extent(response: HTTPResponse, held: int) -> tuple[int, int]:
    """Return the offset of a response in the file, and the file's size, 0 where not given."""
    if response.status != 206:
        return 0, size_in(response.headers.get("Content-Length", ""))
    place, _, total = response.headers.get("Content-Range", "").partition("/")
    if not place.startswith(f"bytes {held}-"):
        raise TryAgainError("the server sent another part of the file")
    return held, size_in(total)


def _store(order: _Order, response: HTTPResponse, start: int, total: int) -> None:
    """Append a response to the part, within the limit; `total` is the file's size or 0."""
    # Receive one byte beyond the limit, to detect a file that is too long.
    blocks = receive(response, order.limit + 1 - start, order.patience.timeout_s)
    first = next(blocks, b"")
    # The first bytes of a file must not be those of a web page.
    if first and not start:
        kind = response.headers.get_content_type()
        check_is_no_text(first, order.address, order.by_hand, kind)
    # Write block by block. The note comes after the old bytes are cut off, never before.
    done = start
    with order.part.open("ab" if start else "wb") as file:
        if not start:
            _write_note(order, response, total)
        for block in chain((first,), blocks):
            done += len(block)
            if done > order.limit:
                break
            file.write(block)
            if total:
                order.progress(done, total)
    # Too long is another file; too short is a broken connection.
    if done > order.limit:
        order.drop()
        raise InputError(
            f"{order.address} sends more than the {order.limit} bytes "
            f"{'of the published file' if order.size else 'that are accepted'}; {order.by_hand}"
        )
    if done < max(total, 1):
        raise TryAgainError(f"the connection ended after {done} of {total} bytes")


def _write_note(order: _Order, response: HTTPResponse, total: int) -> None:
    """Note address and version of the part. A weak ETag identifies no bytes, so it is not used."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    note = {"url": order.url, "validator": validator[:1000], "total": total}
    order.note.unlink(missing_ok=True)  # whatever had its name
    write_text(order.note, json.dumps(note))


def mismatch(num_bytes: int, digest: str, *, sha256: str, size: int) -> str:
    """Describe the difference of a file from the published one; "" where there is none.

    num_bytes, digest: size in bytes and SHA-256 of the file. sha256, size: as published, where ""
    and 0 mean unknown; the first 8 digits of the SHA-256 are enough.
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

    Servers send a log-in page, or the few lines that stand for a file in Git LFS.
    start: the first 512 bytes, or all if there are fewer. Those of a weights file are no text.
    """
    if not start:
        raise InputError(f"{where} is empty; {advice}")
    if start.startswith(b"version https://git-lfs"):
        raise InputError(f"{where} is only the Git LFS pointer of the file; {advice}")
    if content_type == "text/html" or _is_text(start[:_HEAD]):
        raise InputError(f"{where} is a page of text, not a weights file (a log-in?); {advice}")


def _is_text(start: bytes) -> bool:
    """Return True for UTF-8, up to a character that is cut off, without control characters."""
    if re.search(rb"[\x00-\x08\x0e-\x1f]", start):
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and len(start) == _HEAD
    return True
