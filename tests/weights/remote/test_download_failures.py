"""Failures on the way: one line with advice, and never half a file."""

import errno
import threading
from email.message import Message
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from hrnet.errors import InputError
from hrnet.weights.published.download import Patience, download
from hrnet.weights.published.web import SafeRedirects

QUICK = Patience(timeout_s=5, tries=3, pause_s=0.01)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "w.pth"


def _fails(
    match: str, url: str, target: Path, *, digest: str = "", size: int = 0, wait: float = 5
) -> str:
    patience = Patience(timeout_s=wait, tries=3, pause_s=0.01)
    with pytest.raises(InputError, match=match) as caught:
        download(url, target, sha256=digest, size=size, patience=patience)
    assert not target.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


def test_a_wrong_checksum_removes_the_file(server, target: Path, weights: bytes) -> None:
    server.files["/w.pth"] = weights
    found = sha256(weights).hexdigest()[:8]
    message = _fails("it was removed", f"{server.url}/w.pth", target, digest="0123abcd")
    assert f"its sha256 is {found}, expected 0123abcd" in message
    assert not _left(target)


def test_a_checksum_that_is_none_is_refused(server, target: Path, weights: bytes) -> None:
    server.files["/w.pth"] = weights
    _fails("at least 8 hexadecimal digits", f"{server.url}/w.pth", target, digest="12")


def test_another_size_is_refused_before_it_is_received(
    server, target: Path, weights: bytes
) -> None:
    server.files["/w.pth"] = weights
    _fails(f"has {len(weights)} bytes, expected 7", f"{server.url}/w.pth", target, size=7)
    assert not _left(target)


def test_another_size_is_told_at_the_end(server, target: Path, weights: bytes) -> None:
    def send(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(weights)

    server.odd["/w.pth"] = send
    _fails("sends more than the 7 bytes of the pub", f"{server.url}/w.pth", target, size=7)
    assert not _left(target)


def test_truncated_answers_keep_the_part(server, target: Path, weights: bytes) -> None:
    headers = {"Last-Modified": "Mon, 06 Jul 2020 00:00:00 GMT"}
    server.odd["/w.pth"] = lambda handler: handler.send(
        200, weights[:1000], headers, length=len(weights)
    )
    message = _fails("call again to continue after 1000 bytes", f"{server.url}/w.pth", target)
    assert f"in 3 tries: the connection ended after 1000 of {len(weights)} bytes" in message
    assert "w.pth.part" in _left(target)
    assert len(server.seen) == 3


def test_a_part_of_no_known_version_is_not_promised(server, target: Path, weights: bytes) -> None:
    server.odd["/w.pth"] = lambda handler: handler.send(
        200, weights[:1000], {}, length=len(weights)
    )
    _fails("bytes; call again, or get it by other means", f"{server.url}/w.pth", target)


def test_a_broken_chunk_is_a_truncated_answer(server, target: Path, weights: bytes) -> None:
    def send(handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"ffff\r\n" + weights[:1000])

    server.odd["/w.pth"] = send
    _fails("the connection broke: IncompleteRead", f"{server.url}/w.pth", target)


def test_an_empty_file_is_refused(server, target: Path) -> None:
    server.files["/w.pth"] = b""
    server.odd["/w.pth"] = lambda handler: handler.send(200, b"", {})
    _fails("ended after 0 of 0 bytes", f"{server.url}/w.pth", target)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "application/octet-stream"),
        (b"\n  <html>" + b"x" * 9000, "application/octet-stream"),
        ("é".encode("latin-1") + b"<p>", "text/html; charset=latin-1"),
        (b'{"error": "quota"}', "application/json"),
        (b"x" * 511 + "é".encode(), "text/plain"),
    ],
)
def test_a_page_in_place_of_the_file(server, target: Path, body: bytes, kind: str) -> None:
    server.odd["/w.pth"] = lambda handler: handler.send(200, body, {"Content-Type": kind})
    _fails("is a page of text, not a weights file", f"{server.url}/w.pth", target)
    assert not _left(target)
    assert len(server.seen) == 1


def test_a_git_lfs_pointer(server, target: Path) -> None:
    server.files["/w.pth"] = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
    _fails("only the Git LFS pointer", f"{server.url}/w.pth", target)


@pytest.mark.parametrize(
    ("status", "match"),
    [
        (404, "there is no file at .* any more"),
        (410, "there is no file at .* any more"),
        (401, "not given to everybody .401"),
        (403, "not given to everybody .403"),
        (451, "answered: 451"),
    ],
)
def test_refusals_are_told_at_once(server, target: Path, status: int, match: str) -> None:
    server.odd["/w.pth?signature=secret"] = lambda handler: handler.send_error(status)
    message = _fails(match, f"{server.url}/w.pth?signature=secret", target)
    assert str(target) in message
    assert "secret" not in message


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, target: Path, weights: bytes, status: int) -> None:
    server.files["/w.pth"] = weights

    def busy_once(handler) -> None:
        del server.odd["/w.pth"]
        handler.send_error(status)

    server.odd["/w.pth"] = busy_once
    assert download(f"{server.url}/w.pth", target, patience=QUICK).read_bytes() == weights
    assert len(server.seen) == 2


def test_a_server_that_stays_busy_is_left_alone(server, target: Path) -> None:
    server.odd["/w.pth"] = lambda handler: handler.send_error(503)
    _fails("in 3 tries: the server answered 503", f"{server.url}/w.pth", target)
    assert len(server.seen) == 3


@pytest.mark.parametrize("starts", [True, False], ids=["in the middle", "before the answer"])
def test_a_silent_server(server, target: Path, weights: bytes, starts: bool) -> None:
    asked = threading.Event()

    def fall_silent(handler) -> None:
        if starts:
            handler.send(200, weights[:70_000], {"ETag": '"1"'}, length=len(weights))
        asked.wait(2)

    server.odd["/w.pth"] = fall_silent
    said = "nothing came for 0.1 seconds" if starts else "no answer in 0.1 seconds"
    _fails(f"in 3 tries: {said}", f"{server.url}/w.pth", target, wait=0.1)
    asked.set()


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://127.0.0.1/w.pth", "data:,x", "w.pth", "", "//host/w.pth"),
        *("http://[x]/w.pth", "http://[::1/w.pth", "https:///w.pth", "http://user@/w.pth"),
        *("http://host:port/w.pth", "http://host:99999/w.pth", "http://host:-1/w.pth"),
        *("http://host/\u8a9e.pth", "http://\u8a9e/w.pth", "http://host/a\nb", "http://host/\x00"),
        *("http://host/a b", "http://host/\udc80"),
        *(f"http://{'a' * 70}.invalid/w.pth", "http://..invalid/w.pth"),
    ],
)
def test_what_is_no_address_is_refused(target: Path, url: str) -> None:
    _fails("expected an address that begins with https://", url, target)


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/w.pth", "data:,x"])
def test_redirects_to_other_schemes_are_refused(server, target: Path, place: str) -> None:
    server.odd["/w.pth"] = lambda handler: handler.send(302, b"", {"Location": place})
    _fails("redirects in a way that is not followed: 302", f"{server.url}/w.pth", target)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "place",
    [
        *("http://[x]/", "http://[::1/", "http://", "http:///w.pth", "http://127.0.0.1:99999/"),
        *("http://127.0.0.1:port/", "javascript:alert(1)", "//[", f"http://{'a' * 70}.invalid/"),
        *("http://\xe9\xff.invalid/\xe9", "", "\x01", "http://127.0.0.1:-1/"),
    ],
)
def test_redirects_to_nowhere_are_one_line(server, target: Path, place: str) -> None:
    server.odd["/w.pth"] = lambda handler: handler.send(302, b"", {"Location": place})
    _fails("nothing that can be read|cannot be reached|not followed", f"{server.url}/w.pth", target)


def test_a_circle_of_redirects_ends(server, target: Path) -> None:
    server.odd["/w.pth"] = lambda handler: handler.send(302, b"", {"Location": "/w.pth"})
    _fails("redirects in a way that is not followed", f"{server.url}/w.pth", target)


def test_https_is_never_left_for_http() -> None:
    handler, request = SafeRedirects(), Request("https://a.invalid/w.pth")
    with pytest.raises(HTTPError) as caught:
        handler.redirect_request(request, BytesIO(), 302, "", Message(), "http://b.invalid/w.pth")
    caught.value.close()
    followed = handler.redirect_request(
        request, BytesIO(), 302, "", Message(), "https://b.invalid/w.pth"
    )
    assert followed
    assert followed.full_url == "https://b.invalid/w.pth"


def test_without_a_network_the_place_is_told(server, target: Path) -> None:
    message = _fails("cannot be reached", "https://weights.invalid/w.pth", target)
    assert f"put it at {target}" in message
    closed = "http://user:password@127.0.0.1:1/w.pth"
    assert "password" not in _fails("cannot be reached", closed, target)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk(server, target: Path, weights: bytes) -> None:
    server.files["/w.pth"] = weights
    part = target.with_name("w.pth.part")
    part.symlink_to("/dev/full")
    _fails("is full; make room and call again", f"{server.url}/w.pth", target)
    part.unlink()
    assert download(f"{server.url}/w.pth", target).read_bytes() == weights


def test_a_disk_that_fills_keeps_what_came(
    server, target: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills after 100 kB; with more room the next call asks for the rest only."""
    server.files["/w.pth"] = weights
    real_open = Path.open

    class Filling:
        def __init__(self, file) -> None:
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            self.file.close()

        def write(self, block: bytes) -> None:
            if self.file.tell() + len(block) > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(block)

    def fill(path: Path, mode: str = "r", *rest: object, **more: object):
        file = real_open(path, mode, *rest, **more)
        return Filling(file) if path.suffix == ".part" and "b" in mode else file

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fill)
        _fails("is full; make room", f"{server.url}/w.pth", target)
    assert target.with_name("w.pth.part").stat().st_size == 65536
    download(f"{server.url}/w.pth", target, sha256=sha256(weights).hexdigest())
    assert server.seen[-1][1]["Range"] == "bytes=65536-"


def test_a_folder_that_cannot_be_made(server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _fails("cannot be written", f"{server.url}/w.pth", tmp_path / "file" / "w.pth")
    assert not server.seen
