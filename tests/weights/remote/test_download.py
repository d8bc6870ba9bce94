"""A download arrives whole and verified, and goes on where it broke off."""

import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from hrnet.errors import InputError
from hrnet.weights.published.download import Patience, download

QUICK = Patience(timeout_s=5, tries=3, pause_s=0.01)
ONCE = Patience(timeout_s=5, tries=1, pause_s=0.01)


def _break_off(server, target: Path, weights: bytes) -> None:
    """Leave half a download behind, of the version with the ETag that the server gives."""
    etag = f'"{len(weights)}-{sum(weights[:999])}"'
    half = len(weights) // 2

    def send_half(handler) -> None:
        handler.send(200, weights[:half], {"ETag": etag}, length=len(weights))

    server.odd["/w.pth"] = send_half
    with pytest.raises(InputError, match=f"call again to continue after {half} bytes"):
        download(f"{server.url}/w.pth", target, patience=ONCE)
    del server.odd["/w.pth"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "w.pth"


def _left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if path.suffix != ".lock")


def test_the_whole_file_arrives(server, target: Path, weights: bytes) -> None:
    server.files["/w.pth"] = weights
    seen: list[tuple[int, int]] = []
    digest = sha256(weights).hexdigest()
    path = download(
        f"{server.url}/w.pth",
        target,
        sha256=digest.upper(),
        size=len(weights),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert path == target
    assert path.read_bytes() == weights
    assert _left(target) == ["w.pth"]
    assert seen[-1] == (len(weights), len(weights))
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_a_file_that_is_there_is_not_asked_for(server, target: Path, weights: bytes) -> None:
    target.parent.mkdir()
    target.write_bytes(weights)
    assert download(f"{server.url}/w.pth", target) == target
    assert not server.seen


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_a_published_beginning_of_the_checksum_will_do(
    server, target: Path, weights: bytes, digits: int
) -> None:
    server.files["/w.pth"] = weights
    digest = sha256(weights).hexdigest()[:digits]
    assert download(f"{server.url}/w.pth", target, sha256=digest).is_file()


def test_the_next_call_continues(server, target: Path, weights: bytes) -> None:
    server.files["/w.pth"] = weights
    _break_off(server, target, weights)
    assert not target.exists()
    before = server.sent
    download(f"{server.url}/w.pth", target, sha256=sha256(weights).hexdigest(), patience=ONCE)
    assert target.read_bytes() == weights
    assert server.sent - before == len(weights) - len(weights) // 2
    assert server.seen[-1][1]["Range"] == f"bytes={len(weights) // 2}-"


def test_the_next_try_continues(server, target: Path, weights: bytes) -> None:
    """Each answer breaks off after a third of the file: three tries make it whole."""
    third = len(weights) // 3 + 1

    def send_a_third(handler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        place = {"Content-Range": f"bytes {start}-{len(weights) - 1}/{len(weights)}"}
        body = weights[start : start + third]
        left = len(weights) - start
        handler.send(206 if start else 200, body, {"ETag": '"1"', **place}, length=left)

    server.odd["/w.pth"] = send_a_third
    download(f"{server.url}/w.pth", target, sha256=sha256(weights).hexdigest(), patience=QUICK)
    assert len(server.seen) == 3
    assert server.sent == len(weights)


def test_last_modified_stands_in_for_a_weak_etag(server, target: Path, weights: bytes) -> None:
    date = "Mon, 06 Jul 2020 00:00:00 GMT"

    def send(handler) -> None:
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        place = {"Content-Range": f"bytes {start}-{len(weights) - 1}/{len(weights)}"}
        # A 206 need not repeat the Last-Modified that it was asked with.
        given = place if start else {"ETag": 'W/"1"', "Last-Modified": date}
        body = weights[start : start + 100_000 + start]
        handler.send(206 if start else 200, body, given, length=len(weights) - start)

    server.odd["/w.pth"] = send
    download(f"{server.url}/w.pth", target, sha256=sha256(weights).hexdigest(), patience=QUICK)
    assert [headers["If-Range"] for _, headers in server.seen] == [None, date, date]


def test_another_version_starts_again(server, target: Path, weights: bytes) -> None:
    """If-Range: the server has a new file now, and gives all of it."""
    _break_off(server, target, weights)
    server.files["/w.pth"] = b"\x80\x02" + weights[::-1]
    download(f"{server.url}/w.pth", target, patience=ONCE)
    assert target.read_bytes() == b"\x80\x02" + weights[::-1]


def test_a_part_of_another_address_is_not_continued(server, target: Path, weights: bytes) -> None:
    _break_off(server, target, weights)
    server.files["/other.pth"] = weights
    download(f"{server.url}/other.pth", target, patience=ONCE)
    assert server.seen[-1][1]["Range"] is None
    assert target.read_bytes() == weights


def test_a_server_without_range_starts_again(server, target: Path, weights: bytes) -> None:
    _break_off(server, target, weights)
    server.odd["/w.pth"] = lambda handler: handler.send(200, weights, {"ETag": '"1"'})
    download(f"{server.url}/w.pth", target, patience=ONCE)
    assert server.seen[-1][1]["Range"]
    assert target.read_bytes() == weights


def _note(total: str, validator: str = '"e"', url: str = "URL") -> str:
    return f'{{"url": {url}, "validator": {validator}, "total": {total}}}'


@pytest.mark.parametrize(
    "note",
    [
        *("no json", "[]", "{}", "\ud800", "[" * 100_000, "9" * 5000, "null"),
        *map(_note, ("Infinity", "NaN", "-1", "1e99", "2", '"x"', "[3]", "null", "9" * 400)),
        *(_note("0", validator) for validator in ('"a\\nb"', '"\\u8a9e"', "3", '""')),
        _note("0", url='"http://other/w.pth"'),
    ],
)
def test_a_part_with_an_odd_note_starts_again(
    server, target: Path, weights: bytes, note: str
) -> None:
    server.files["/w.pth"] = weights
    target.parent.mkdir()
    target.with_name("w.pth.part").write_bytes(b"old")
    text = note.replace("URL", f'"{server.url}/w.pth"')
    target.with_name("w.pth.part.json").write_text(text, errors="surrogatepass")
    download(f"{server.url}/w.pth", target, patience=ONCE)
    assert target.read_bytes() == weights
    assert "Range" not in server.seen[0][1]


def test_a_part_that_is_too_long_starts_again(server, target: Path, weights: bytes) -> None:
    """416: the server has nothing behind the part."""
    server.files["/w.pth"] = weights
    _break_off(server, target, weights)
    with target.with_name("w.pth.part").open("ab") as file:
        file.write(weights)
    download(f"{server.url}/w.pth", target, sha256=sha256(weights).hexdigest(), patience=QUICK)
    assert target.read_bytes() == weights


def test_another_range_than_asked_is_not_appended(server, target: Path, weights: bytes) -> None:
    _break_off(server, target, weights)
    server.odd["/w.pth"] = lambda handler: handler.send(
        206, weights[5:], {"Content-Range": f"bytes 5-{len(weights) - 1}/{len(weights)}"}
    )
    with pytest.raises(InputError, match="another part of the file"):
        download(f"{server.url}/w.pth", target, patience=QUICK)
    assert target.with_name("w.pth.part").stat().st_size == len(weights) // 2


def test_a_whole_part_needs_only_its_name(server, target: Path, weights: bytes) -> None:
    """The process ended between the last byte and the new name."""
    target.parent.mkdir()
    target.with_name("w.pth.part").write_bytes(weights)
    note = {"url": f"{server.url}/w.pth", "validator": '"1"', "total": len(weights)}
    target.with_name("w.pth.part.json").write_text(json.dumps(note))
    download(f"{server.url}/w.pth", target, sha256=sha256(weights).hexdigest())
    assert not server.seen
    assert _left(target) == ["w.pth"]


def test_redirects_are_followed(server, target: Path, weights: bytes) -> None:
    server.files["/w.pth"] = weights
    server.odd["/old"] = lambda handler: handler.send(302, b"", {"Location": "/w.pth"})
    assert download(f"{server.url}/old", target).read_bytes() == weights


def test_an_answer_without_length_is_taken(server, target: Path, weights: bytes) -> None:
    def send(handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(weights)

    server.odd["/w.pth"] = send
    digest = sha256(weights).hexdigest()
    assert download(f"{server.url}/w.pth", target, sha256=digest).read_bytes() == weights


def test_the_proxy_of_the_environment_is_used(
    server, target: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "http://weights.invalid/w.pth"  # .invalid is never resolved
    server.files[address] = weights  # a proxy is asked for whole addresses
    monkeypatch.setenv("http_proxy", server.url)
    assert download(address, target).read_bytes() == weights
    assert server.seen[0][1]["Host"] == "weights.invalid"


def test_no_proxy_is_honoured(
    server, target: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/w.pth"] = weights
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert download(f"{server.url}/w.pth", target).read_bytes() == weights


def test_of_two_processes_one_downloads(server, target: Path, weights: bytes) -> None:
    def send_slowly(handler) -> None:
        time.sleep(0.5)
        handler.send(200, weights, {})

    server.odd["/w.pth"] = send_slowly
    code = (
        "import sys; from pathlib import Path;"
        "from hrnet.weights.published.download import download;"
        "print(download(sys.argv[1], Path(sys.argv[2])).stat().st_size)"
    )
    command = [sys.executable, "-c", code, f"{server.url}/w.pth", str(target)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) for _ in range(2)]
    answers = [process.communicate()[0] for process in both]
    assert [int(answer) for answer in answers] == [len(weights)] * 2
    assert len(server.seen) == 1
    assert target.read_bytes() == weights
