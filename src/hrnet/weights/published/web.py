"""Requests over http and https, and nothing else, with the standard library alone.

Every address, redirect and header ends in a response, in `TryAgainError` or in an InputError of one
line.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPMessage,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from socket import SHUT_RDWR
from threading import Timer
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
from hrnet.numbers import to_int

_BLOCK = 1 << 16
_SLOWEST = 1000
"""Bytes that must come in the time of one wait, or the connection counts as broken."""

_LONGEST_LABEL = 63
"""Letters between two dots of a host's name (RFC 1035)."""

_BUSY = {408, 425, 429}
_TRANSIENT = (ConnectionResetError, ConnectionAbortedError, BadStatusLine, IncompleteRead)
_ODD = (HTTPException, ValueError, OverflowError)
"""Errors of urllib for addresses and headers that are none: the host [x], the port 99999."""


class TryAgainError(Exception):
    """A failure that may be over in a moment: a busy server, a broken connection."""


class ChangedError(TryAgainError):
    """A file on the server that changed: it is not longer than the bytes that are there."""


def without_secrets(url: str) -> str:
    """Write an address for messages: without a password and without a signature."""
    scheme, mark, rest = url.partition("://")
    host, slash, path = re.split("[?#]", rest)[0].partition("/")
    return one_line(f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}")


def expect_address(url: str) -> None:
    """Raise InputError unless this is an address of the web; urllib refuses others in many ways."""
    try:
        parts = urlsplit(url)
        labels = (parts.hostname or "").removesuffix(".").split(".")
        host = all(0 < len(label) <= _LONGEST_LABEL for label in labels)
        known = parts.scheme in ("http", "https") and host and parts.port != 0
    except ValueError:
        known = False
    if not (known and re.fullmatch("[!-~]+", url)):
        raise InputError(
            "expected an address that begins with https://, has a host and is ASCII, got "
            f"{without_secrets(url)}"
        )


def open_url(url: str, headers: Mapping[str, str], timeout_s: float, advice: str) -> HTTPResponse:
    """Open an address. advice: an alternative for the user, for the end of messages.

    Raises TryAgainError, ChangedError for status 416, or InputError where no further try helps.
    """
    request = Request(url, headers={"User-Agent": "hrnet", **headers})
    try:
        response: HTTPResponse = _opener().open(request, timeout=timeout_s)
    except HTTPError as error:
        error.close()
        raise _http_error(without_secrets(url), error, advice) from None
    except (OSError, *_ODD) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise _network_error(without_secrets(url), reason, timeout_s, advice) from None
    return response


def size_in(header: str) -> int:
    """Read the size in a header; 0 where it has none."""
    return max(to_int(header.strip()) or 0, 0)


def receive(response: HTTPResponse, most: int, timeout_s: float) -> Iterator[bytes]:
    """Yield a response in blocks, up to `most` bytes in all.

    Raises TryAgainError, after the last block, where the connection breaks or is too slow.
    """
    # Fill blocks of one size, and check the speed once a timeout.
    since, came, block, broken = time.monotonic(), 0, bytearray(), ""
    try:
        while most and (piece := response.read1(min(_BLOCK - len(block), most))):
            block += piece
            most, came = most - len(piece), came + len(piece)
            if len(block) == _BLOCK:
                yield bytes(block)
                block.clear()
            if time.monotonic() - since > timeout_s:
                if came < _SLOWEST:
                    broken = f"only {came} bytes came in {timeout_s:g} seconds"
                    break
                since, came = time.monotonic(), 0
    except TimeoutError:
        broken = f"nothing came for {timeout_s:g} seconds"
    except (OSError, *_ODD) as error:
        broken = f"the connection broke: {one_line(error)}"
    # The last bytes count, also those before an error.
    if block:
        yield bytes(block)
    if broken:
        raise TryAgainError(broken)


class SafeRedirects(HTTPRedirectHandler):
    """Follow redirects from one web address to another, and never from https to http."""

    def http_error_302(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage
    ) -> HTTPResponse | None:
        """Follow a redirect without reading its page, which may have no end."""
        fp.close()
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Return the request that follows, or raise HTTPError where none may."""
        scheme = urlsplit(newurl).scheme
        if scheme not in ("https", urlsplit(req.full_url).scheme):
            raise HTTPError(req.full_url, code, f"to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _in_time(connection: HTTPConnection) -> Iterator[None]:
    """Close a connection whose headers take longer than two timeouts: they may never end."""

    def hang_up() -> None:
        with suppress(OSError):
            connection.sock.shutdown(SHUT_RDWR)

    timer = Timer(2 * (connection.timeout or 0), hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:
        with _in_time(self):
            return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:
        with _in_time(self):
            return super().getresponse()


class _Plain(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Connection, req)


class _Secure(HTTPSHandler):
    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, req)


def _opener() -> OpenerDirector:
    """Return an opener of http and https alone; urllib's own also takes file, ftp and data."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        _Plain(),
        _Secure(),
        SafeRedirects(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _http_error(address: str, error: HTTPError, advice: str) -> Exception:
    status = f"{error.code} {one_line(error.reason)[:200]}"
    if error.code == 416:
        return ChangedError("the file on the server has changed")
    if error.code >= 500 or error.code in _BUSY:
        return TryAgainError(f"the server answered {status}")
    if error.code in (401, 403):
        return InputError(f"{address} is not given to everybody ({status}); {advice}")
    if error.code in (404, 410):
        return InputError(f"there is no file at {address} any more; {advice}")
    what = "redirects in a way that is not followed" if error.code < 400 else "answered"
    return InputError(f"{address} {what}: {status}; {advice}")


def _network_error(address: str, reason: object, timeout_s: float, advice: str) -> Exception:
    problem = one_line(reason)[:200]
    if isinstance(reason, TimeoutError):
        return TryAgainError(f"no answer in {timeout_s:g} seconds")
    if isinstance(reason, _TRANSIENT):
        return TryAgainError(f"the connection broke: {problem}")
    if isinstance(reason, _ODD) and not isinstance(reason, OSError):  # a certificate is both
        return InputError(f"{address} leads to nothing that can be read: {problem}; {advice}")
    return InputError(
        f"{address} cannot be reached: {problem}; check the connection and, behind a "
        f"proxy, HTTPS_PROXY, or {advice}"
    )
