"""Published files come into the cache once, verified; then nothing needs the network."""

import os
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from hrnet.errors import InputError
from hrnet.weights.published.cache import cache_folder, converted, fetch, offline, verify


@dataclass(frozen=True, slots=True)
class Row:
    name: str = "hrnet_w99-coco"
    url: str = ""
    page: str = "https://weights.invalid/page"
    file_name: str = "w.pth"
    sha256: str = ""
    size_bytes: int = 0


@pytest.fixture
def row(server, cache: Path, weights: bytes) -> Row:
    """A row that can be downloaded, with the beginning of its checksum."""
    server.files["/w.pth"] = weights
    return Row(url=f"{server.url}/w.pth", sha256=sha256(weights).hexdigest()[:8])


def _place(cache: Path, content: bytes) -> Path:
    cache.mkdir(parents=True)
    path = cache / "w.pth"
    path.write_bytes(content)
    return path


def test_the_folder_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("HRNET_CACHE", "~/weights")
    assert cache_folder() == Path("/home/me/weights")


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/me/.cache/hrnet"),
        ("linux", {"XDG_CACHE_HOME": "/tmp/xdg"}, "/tmp/xdg/hrnet"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/hrnet"),
        ("darwin", {"XDG_CACHE_HOME": "/tmp/xdg"}, "/home/me/Library/Caches/hrnet"),
        ("win32", {"LOCALAPPDATA": "/c/local"}, "/c/local/hrnet"),
        ("win32", {}, "/home/me/AppData/Local/hrnet"),
    ],
)
def test_the_folder_is_the_platforms(
    platform: str, environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HRNET_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(expected)


NO_PLACE = {
    "a user that is none": {"HRNET_CACHE": "~nosuchuser/x"},
    "no home": {},
    "a home that is none": {"HRNET_CACHE": "~/x"},
}


@pytest.mark.parametrize("case", NO_PLACE)
def test_without_a_place_the_way_out_is_told(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "HRNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NO_PLACE[case].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # no entry of this user either
    for use in (cache_folder, lambda: fetch(Row()), lambda: verify(Row())):
        with pytest.raises(InputError, match=r"no folder for weights: .*; name one in HRNET"):
            use()


def test_a_folder_below_one_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRNET_CACHE", "relative")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InputError, match=r"No such file.*; name one in HRNET_CACHE, got rel"):
        cache_folder()


@pytest.mark.parametrize("place", ["x" * 300, "x/" * 3000, "/dev/null", "file/below", "file"])
def test_a_folder_that_cannot_be_is_one_line(
    row: Row, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path / place))
    with pytest.raises(InputError, match="name another folder in HRNET_CACHE"):
        fetch(row, progress=False)
    with pytest.raises(InputError, match="is not in the cache"):
        verify(row)


@pytest.mark.parametrize(
    "note", ["", "[]", "Infinity", "[" * 100_000, "9" * 5000, '{"file": [KEY], "sha256": "0123"}']
)
def test_an_odd_note_of_a_checksum_is_not_believed(row: Row, cache: Path, note: str) -> None:
    path = fetch(row)
    state = path.stat()
    text = note.replace("KEY", f"{state.st_size}, {state.st_mtime_ns}")
    (cache / ".w.pth.json").write_text(text)
    path.write_bytes(b"PK\x03\x04 another")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(InputError, match="is not the published"):
        fetch(row)


@pytest.mark.parametrize("value", ["", "0", "false", "No", "off"])
def test_online_unless_told(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HRNET_OFFLINE", value)
    assert not offline()
    monkeypatch.delenv("HRNET_OFFLINE")
    assert not offline()


def test_a_file_is_fetched_once_and_then_offline(
    server, row: Row, cache: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch(row)
    assert path == cache / "w.pth"
    assert path.read_bytes() == weights
    monkeypatch.setenv("HRNET_OFFLINE", "1")
    assert fetch(row, progress=False) == path
    assert len(server.seen) == 1


def test_offline_never_touches_the_network(
    server, row: Row, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HRNET_OFFLINE", "1")
    with pytest.raises(InputError, match=rf"HRNET_OFFLINE is set and w.pth is not in {cache}"):
        fetch(row)
    assert not server.seen


def test_a_file_is_hashed_once(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(row)
    monkeypatch.setattr("hrnet.weights.published.cache.file_digest", None)  # calling it would fail
    assert fetch(row).is_file()


def test_a_file_put_there_by_hand_is_taken(server, row: Row, cache: Path, weights: bytes) -> None:
    path = _place(cache, weights)
    assert fetch(row) == path
    assert not server.seen


def test_a_wrong_file_put_there_is_told_and_kept(row: Row, cache: Path) -> None:
    path = _place(cache, b"\x80\x02 something else")
    with pytest.raises(InputError, match="is not the published hrnet_w99-coco: its sha256 is"):
        fetch(row)
    assert path.is_file()


def test_a_file_that_changed_is_checked_again(row: Row) -> None:
    path = fetch(row)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(InputError, match=r"its sha256 is .* delete it, then `hrnet weights fetch"):
        fetch(row)


def test_a_page_saved_under_the_name_is_told(cache: Path) -> None:
    _place(cache, b"<!doctype html><title>Sign in</title>")
    with pytest.raises(InputError, match="is a page of text"):
        fetch(Row())


def test_an_empty_file_is_told(cache: Path) -> None:
    _place(cache, b"")
    with pytest.raises(InputError, match="is empty; delete it"):
        fetch(Row())


def test_a_file_of_another_size_is_told(cache: Path, weights: bytes) -> None:
    _place(cache, weights)
    with pytest.raises(InputError, match="bytes, expected 5; delete it, then get it from https"):
        fetch(Row(size_bytes=5))


def test_without_an_address_the_page_is_named(cache: Path) -> None:
    with pytest.raises(InputError) as caught:
        fetch(Row())
    for part in ("w.pth", "https://weights.invalid/page", str(cache), "hrnet convert w.pth"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cache_that_cannot_be_written_is_read(
    row: Row, cache: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder shared by many: the note is not kept, the file is verified each time."""
    path = _place(cache, weights)

    def refuse(note: Path):
        raise InputError(f"{note} cannot be written")

    monkeypatch.setattr("hrnet.weights.published.cache.atomic_path", refuse)
    assert fetch(row) == path
    assert not (cache / ".w.pth.json").exists()


def test_verify_reads_the_file_again(row: Row, weights: bytes) -> None:
    with pytest.raises(InputError, match="not in the cache; `hrnet weights fetch hrnet_w99-coco`"):
        verify(row)
    path = fetch(row)
    assert verify(row) == sha256(weights).hexdigest()
    state = path.stat()
    path.write_bytes(weights[:-1] + b"?")  # one byte, and the time is set back: only reading tells
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert fetch(row) == path
    with pytest.raises(InputError, match="is not the published"):
        verify(row)


def _copy(counter: list[Path]):
    def convert(raw: Path, new: Path) -> None:
        counter.append(new)
        new.write_bytes(b"ours" + raw.read_bytes())

    return convert


def test_a_file_is_converted_once(row: Row, cache: Path, weights: bytes) -> None:
    made: list[Path] = []
    path = converted(row, _copy(made), version=1)
    assert path == converted(row, _copy(made), version=1)
    assert len(made) == 1
    assert made[0].suffix == ".safetensors"
    assert path.parent == cache
    assert path.read_bytes() == b"ours" + weights


def test_another_version_converts_again(row: Row) -> None:
    made: list[Path] = []
    assert converted(row, _copy(made), version=1) != converted(row, _copy(made), version=2)
    assert len(made) == 2


def test_another_file_converts_again(cache: Path, weights: bytes) -> None:
    made: list[Path] = []
    raw = _place(cache, weights)
    converted(Row(), _copy(made), version=1)
    raw.write_bytes(weights + b"changed")
    assert converted(Row(), _copy(made), version=1).read_bytes().endswith(b"changed")
    assert len(made) == 2


def test_a_conversion_that_fails_leaves_nothing(row: Row, cache: Path) -> None:
    def fail(raw: Path, new: Path) -> None:
        new.write_bytes(b"half")
        raise InputError("not a network")

    with pytest.raises(InputError, match="not a network"):
        converted(row, fail, version=1)
    assert not list(cache.glob("*.safetensors"))
    assert not list(cache.glob(".unfinished*"))


CONVERT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from row import Row
from hrnet.weights.published.cache import converted
def convert(raw, new):
    with open(sys.argv[2], "a") as log:
        log.write("converted\\n")
    time.sleep(0.3)
    new.write_bytes(raw.read_bytes())
print(converted(Row(), convert, version=1))
"""


def test_of_two_processes_one_converts(cache: Path, tmp_path: Path, weights: bytes) -> None:
    _place(cache, weights)
    fields = "name file_name url page sha256".split()
    lines = [f"    {field} = {getattr(Row(), field)!r}" for field in fields]
    (tmp_path / "row.py").write_text("\n".join(["class Row:", *lines, "    size_bytes = 0"]))
    command = [sys.executable, "-c", CONVERT, str(tmp_path), str(tmp_path / "log")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = {process.communicate()[0] for process in both}
    assert len(answers) == 1
    assert Path(answers.pop().strip()).read_bytes() == weights
    assert (tmp_path / "log").read_text() == "converted\n"
