"""A small file server on 127.0.0.1 that can be told to misbehave, and a cache in a new folder."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@dataclass
class FileServer:
    """Serves `files` by path with ETag and Range; `odd[path]` answers in its place.

    seen: path and headers of every request, in order. sent: bytes of bodies sent.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    odd: dict[str, Callable[["Handler"], None]] = field(default_factory=dict)
    seen: list[tuple[str, Message]] = field(default_factory=list)
    sent: int = 0


class Handler(BaseHTTPRequestHandler):
    """Answers one request of a FileServer."""

    files: FileServer

    def do_GET(self) -> None:
        self.files.seen.append((self.path, self.headers))
        self.files.odd.get(self.path, Handler.send_file)(self)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def send_file(self) -> None:
        body = self.files.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        etag = f'"{len(body)}-{sum(body[:999])}"'
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and self.headers.get("If-Range", etag) == etag else 0
        if start >= len(body):
            self.send_error(416)
            return
        place = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        self.send(206 if start else 200, body[start:], {"ETag": etag, **place})

    def send(
        self, status: int, body: bytes, headers: dict[str, str], *, length: int | None = None
    ) -> None:
        self.send_response(status)
        given = {"Content-Type": "application/octet-stream", **headers}
        for name, value in {"Content-Length": str(length or len(body)), **given}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.files.sent += len(body)  # first: the client may look as soon as it has the bytes
            self.wfile.write(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    files = FileServer()
    handler = type("OwnHandler", (Handler,), {"files": files})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    files.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield files
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache folder is; it does not exist yet."""
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HRNET_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def weights() -> bytes:
    """300 kB that look like no text."""
    return b"PK\x03\x04" + bytes(range(256)) * 1200
