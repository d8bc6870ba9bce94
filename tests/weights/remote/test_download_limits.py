"""However much a server sends, no more is kept than the file may have; every wait has an end."""

import shutil
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from hrnet.errors import InputError
from hrnet.weights.published.download import Patience, download

QUICK = Patience(timeout_s=5, tries=3, pause_s=0.01)
HASTY = Patience(timeout_s=0.1, tries=3, pause_s=0.01)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "w.pth"


def _fails(
    match: str, url: str, target: Path, *, size: int = 0, patience: Patience = QUICK
) -> None:
    """Download in vain, with one line and no file."""
    with pytest.raises(InputError, match=match) as caught:
        download(url, target, size=size, patience=patience)
    assert len(str(caught.value).splitlines()) == 1
    assert not target.exists()


def _left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


def _endless(handler) -> None:
    """Send for ever, or until the other side has had enough."""
    handler.send_response(200)
    handler.end_headers()
    _pour(handler)


def _pour(handler) -> None:
    block = b"PK\x03\x04" * 4096
    while True:
        try:
            handler.wfile.write(block)
        except OSError:
            return


@pytest.mark.parametrize("size", [5, 100_000, 0])
def test_an_endless_answer_ends_at_the_limit(
    server, target: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one byte beyond the known size is kept, nor beyond the limit where none is known."""
    monkeypatch.setattr("hrnet.weights.published.download.LARGEST_BYTES", 200_000)
    server.odd["/w.pth"] = _endless
    said = f"the {size} bytes of the published file" if size else "the 200000 bytes that are acc"
    _fails(f"sends more than {said}", f"{server.url}/w.pth", target, size=size)
    assert not _left(target)


def test_the_part_is_never_longer_than_the_file(
    server, target: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = 0

    def look(done: int, total: int) -> None:
        nonlocal longest
        longest = max(longest, done, target.with_name("w.pth.part").stat().st_size)

    server.odd["/w.pth"] = _endless
    with pytest.raises(InputError, match="sends more than the 70000 bytes"):
        download(f"{server.url}/w.pth", target, size=70_000, progress=look, patience=QUICK)
    assert 0 < longest <= 70_000


def test_more_than_is_accepted_is_refused_before_it_is_received(server, target: Path) -> None:
    server.odd["/w.pth"] = lambda handler: handler.send(200, b"PK\x03\x04", {}, length=10**13)
    _fails("has 10000000000000 bytes, more than the 4000000000", f"{server.url}/w.pth", target)
    assert not _left(target)


def test_more_than_the_disk_has_room_for_is_refused_before_it_is_received(
    server, target: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/w.pth"] = weights
    usage = shutil.disk_usage(target.parent)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    _fails("is full; make room", f"{server.url}/w.pth", target)
    assert not _left(target)


@pytest.mark.parametrize(
    "length", ["9" * 5000, "12abc", "-5", "1e400", "NaN", "5, 5", "\xb2", "", "0x10"]
)
def test_a_length_that_is_none_is_not_believed(
    server, target: Path, weights: bytes, length: str
) -> None:
    def send(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(weights)

    server.odd["/w.pth"] = send
    digest = sha256(weights).hexdigest()
    assert download(f"{server.url}/w.pth", target, sha256=digest).read_bytes() == weights


def test_a_connection_that_hardly_sends_is_a_broken_one(server, target: Path) -> None:
    asked = threading.Event()

    def drip(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not asked.wait(0.02):
            try:
                handler.wfile.write(b"\x00")
            except OSError:
                return

    server.odd["/w.pth"] = drip
    _fails(
        "in 3 tries: only .* bytes came in 0.1 seconds",
        f"{server.url}/w.pth",
        target,
        patience=HASTY,
    )
    asked.set()


@pytest.mark.parametrize("line", [b"HTTP/1.1 100 Continue\r\n\r\n", b"H"])
def test_headers_without_end_are_given_up(server, target: Path, line: bytes) -> None:
    asked = threading.Event()

    def send(handler) -> None:
        handler.close_connection = True
        while not asked.wait(0.02):
            try:
                handler.wfile.write(line)
            except OSError:
                return

    server.odd["/w.pth"] = send
    _fails("in 3 tries: the connection broke", f"{server.url}/w.pth", target, patience=HASTY)
    asked.set()


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_page_without_end_is_not_read(server, target: Path, status: int) -> None:
    def send(handler) -> None:
        handler.send_response(status)
        handler.send_header("Location", "/other.pth")
        handler.end_headers()
        _pour(handler)

    server.odd["/w.pth"] = send
    _fails("no file at|answered 500", f"{server.url}/w.pth", target)
