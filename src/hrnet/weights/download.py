"""Download a weights file: continued where it broke off, verified, whole or not there.

With the standard library alone: the light core gains nothing, and the proxies of the environment
(HTTP_PROXY, HTTPS_PROXY, NO_PROXY) hold. What came so far is in `FILE.part`; `FILE.part.json` says
of which version at which address, so that it is only ever continued with that one.
"""

import errno
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from http.client import HTTPException, HTTPMessage, HTTPResponse
from itertools import chain
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from hrnet.errors import InputError, one_line
from hrnet.weights.integrity import check_is_no_text, mismatch
from hrnet.weights.lock import exclusive

Progress = Callable[[int, int], None]
"""Called with (bytes that are there, bytes of the whole), once the whole is known."""

_BLOCK = 1 << 16
_BUSY = {408, 425, 429}
_TRANSIENT = (TimeoutError, ConnectionResetError, ConnectionAbortedError, HTTPException)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a download waits and how often it tries.

    timeout_s: seconds without any answer. tries: of one call, the first included.
    pause_s: seconds before the second try; before each further one it doubles.
    """

    timeout_s: float = 30.0
    tries: int = 5
    pause_s: float = 1.0


class _TryAgainError(Exception):
    """What may be over in a moment: a busy server, a broken connection."""


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
        """The address for messages: without a password and without a signature."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

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
    Raises InputError with one line: for what the server or the network refuses, a full disk, a web
    page in place of the file, and a file of another size or checksum, which is removed.
    """
    job = _Job(url, target, sha256.lower(), size, progress, patience)
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"expected an address that begins with https://, got {job.address}")
    if target.is_file():
        return target
    with _disk_errors(job):
        target.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(target.with_name(f".{target.name}.lock"), lambda: _report_held(job)):
            if not target.is_file():
                _fill(job)
                _accept(job)
    return target


def _report_held(job: _Job) -> None:
    """Show how far the other process is."""
    if job.size:
        job.progress(_length(job.part), job.size)


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


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
        except _TryAgainError as error:
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
        _store(job, response, start, total or job.size)


def _read_note(job: _Job) -> tuple[int, str, int]:
    """Bytes that can be continued, the validator of their version, and the size of the whole."""
    try:
        note = json.loads(job.note.read_text("utf-8"))
        url, validator, total = str(note["url"]), str(note["validator"]), int(note["total"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, "", 0
    return (_length(job.part), validator, total) if url == job.url and validator else (0, "", 0)


def _open(job: _Job, held: int, validator: str) -> HTTPResponse:
    """Ask for the file, or for what is missing of it if the server still has the same version."""
    request = Request(job.url, headers={"User-Agent": "hrnet"})
    if held:
        request.add_header("Range", f"bytes={held}-")
        request.add_header("If-Range", validator)
    try:
        response: HTTPResponse = _opener().open(request, timeout=job.patience.timeout_s)
    except HTTPError as error:
        with error:
            raise _http_error(job, error) from None
    except (OSError, HTTPException) as error:
        raise _network_error(job, error) from None
    return response


class _SafeRedirects(HTTPRedirectHandler):
    """Follow redirects from one web address to another, and never from https to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("https", urlsplit(req.full_url).scheme):
            raise HTTPError(req.full_url, code, f"to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    """Open http and https and nothing else: urllib's own opener also knows file, ftp and data."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        _SafeRedirects(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _http_error(job: _Job, error: HTTPError) -> Exception:
    said = f"{error.code} {one_line(error.reason)}"
    if error.code == 416:  # the part is not a beginning of what the server has now
        job.drop()
        return _TryAgainError("the file on the server has changed")
    if error.code >= 500 or error.code in _BUSY:
        return _TryAgainError(f"the server answered {said}")
    if error.code in (401, 403):
        return InputError(f"{job.address} is not given to everybody ({said}); {job.by_hand}")
    if error.code in (404, 410):
        return InputError(f"there is no file at {job.address} any more; {job.by_hand}")
    what = "redirects in a way that is not followed" if error.code < 400 else "answered"
    return InputError(f"{job.address} {what}: {said}; {job.by_hand}")


def _network_error(job: _Job, error: Exception) -> Exception:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return _TryAgainError(f"no answer in {job.patience.timeout_s:g} seconds")
    if isinstance(reason, _TRANSIENT):
        return _TryAgainError(f"the connection broke: {reason}")
    return InputError(
        f"{job.address} cannot be reached: {one_line(reason)}; check the connection and, behind a "
        f"proxy, HTTPS_PROXY, or {job.by_hand}"
    )


def _extent(response: HTTPResponse, held: int) -> tuple[int, int]:
    """Where an answer starts in the file, and the size of the file; 0 where it is not said."""
    if response.status != 206:
        return 0, int(response.headers.get("Content-Length") or 0)
    place, _, total = response.headers.get("Content-Range", "").partition("/")
    if not place.startswith(f"bytes {held}-"):
        raise _TryAgainError("the server answered with another part of the file")
    return held, int(total) if total.isdigit() else 0


def _store(job: _Job, response: HTTPResponse, start: int, total: int) -> None:
    blocks = _blocks(job, response)
    first = next(blocks, b"")
    if first and not start:
        kind = response.headers.get_content_type()
        check_is_no_text(first, job.address, job.by_hand, kind)
    done = start
    with job.part.open("ab" if start else "wb") as file:
        if not start:  # the old bytes are cut off by now: no note is ever on bytes of another file
            _write_note(job, response, total)
        for block in chain((first,), blocks):
            file.write(block)
            done += len(block)
            if total:
                job.progress(done, total)
    if done < max(total, 1):
        raise _TryAgainError(f"the connection ended after {done} of {total} bytes")


def _write_note(job: _Job, response: HTTPResponse, total: int) -> None:
    """Say what the part is of. A weak ETag names no bytes and cannot be continued with."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    note = {"url": job.url, "validator": validator, "total": total}
    job.note.write_text(json.dumps(note), encoding="utf-8")


def _blocks(job: _Job, response: HTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read(_BLOCK):
            yield block
    except TimeoutError:
        raise _TryAgainError(f"nothing came for {job.patience.timeout_s:g} seconds") from None
    except (OSError, HTTPException) as error:
        raise _TryAgainError(f"the connection broke: {one_line(error)}") from None
