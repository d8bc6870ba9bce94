"""Whatever a server, an address or a note says: the right file, or one line."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrnet.errors import InputError
from hrnet.weights.published.download import LARGEST_BYTES, Patience, download
from hrnet.weights.published.web import expect_address, size_in, without_secrets

BODY = b"PK\x03\x04" + bytes(range(256)) * 8
ONCE = Patience(timeout_s=2, tries=1, pause_s=0)

numbers = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["9" * 5000, str(len(BODY)), "", "0", "-0", "+7", "1_000", "7, 7", "\xb2"]),
)
words = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=20)
headers = st.dictionaries(
    st.sampled_from(
        "Content-Length Content-Range Content-Type ETag Last-Modified Location Transfer-Encoding "
        "Content-Encoding X".split()
    ),
    st.one_of(
        numbers, words, st.sampled_from(["chunked", "http://[", "/w.pth", "text/html", '"e"'])
    ),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(status=st.sampled_from([200, 200, 200, 206, 302, 404, 416, 299]), headers=headers)
def test_any_answer_gives_the_file_or_one_line(server, tmp_path: Path, status, headers) -> None:
    def send(handler) -> None:
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items())]
        handler.close_connection = True
        handler.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1") + BODY)

    server.odd["/w.pth"] = send
    target = tmp_path / "w.pth"
    digest = sha256(BODY).hexdigest()
    try:
        download(f"{server.url}/w.pth", target, sha256=digest, size=len(BODY), patience=ONCE)
    except InputError as error:
        assert len(str(error).splitlines()) == 1
        assert not target.exists()
    else:
        assert target.read_bytes() == BODY
    for path in tmp_path.iterdir():
        assert path.suffix != ".part" or path.stat().st_size <= len(BODY)
        path.unlink()


values = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=9), st.just([1]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    validator=st.one_of(values, st.just('"e"')), total=values, held=st.integers(0, len(BODY) + 5)
)
def test_any_note_leads_to_the_file(server, tmp_path: Path, validator, total, held) -> None:
    server.files["/w.pth"] = BODY
    target, url = tmp_path / "w.pth", f"{server.url}/w.pth"
    note = {"url": url, "validator": validator, "total": total}
    target.with_name("w.pth.part.json").write_text(json.dumps(note))
    target.with_name("w.pth.part").write_bytes((BODY + b"and more")[:held])
    patience = Patience(timeout_s=2, tries=2, pause_s=0)
    download(url, target, sha256=sha256(BODY).hexdigest(), size=len(BODY), patience=patience)
    assert target.read_bytes() == BODY
    target.unlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_in_place_of_the_note_is_replaced(server, tmp_path: Path) -> None:
    server.files["/w.pth"] = BODY
    target = tmp_path / "w.pth"
    os.mkfifo(target.with_name("w.pth.part.json"))
    download(f"{server.url}/w.pth", target, sha256=sha256(BODY).hexdigest(), size=len(BODY))
    assert target.read_bytes() == BODY


@given(
    st.one_of(st.text(), st.text().map("http://{}".format), st.text().map("https://h/{}".format))
)
def test_any_text_is_an_address_or_one_line(text) -> None:
    assert len(without_secrets(text).splitlines()) <= 1
    try:
        expect_address(text)
    except InputError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert text.isascii() and text.lower().startswith(("http://", "https://"))


@given(st.one_of(numbers, st.text()))
def test_any_header_is_a_size_or_none(text) -> None:
    assert size_in(text) >= 0
    assert size_in(str(LARGEST_BYTES)) == LARGEST_BYTES
