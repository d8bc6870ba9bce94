"""Result files are whole or not there, and bad places are known before any work is done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hrnet.errors import InputError
from hrnet.files import (
    address_in,
    atomic_path,
    check_writable_file,
    exists,
    is_file,
    is_folder,
    make_writable_folder,
    parse_json,
    read_json,
    read_text,
    remove_leftovers,
    resolve,
    write_text,
)


def test_a_failed_block_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert target.read_text() == "old"


def test_a_block_that_writes_nothing_leaves_the_old_file(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())


def test_the_new_file_takes_the_place(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"


def test_disk_errors_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):  # noqa: SIM117
        with atomic_path(tmp_path / "missing" / "a.txt") as temporary:
            temporary.write_text("new")


def test_folders_are_made_and_left_empty(tmp_path: Path) -> None:
    make_writable_folder(tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())


def test_a_file_in_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(InputError, match="is a file or lies below one"):
            make_writable_folder(folder)


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        check_writable_file(tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="cannot be written"):
            make_writable_folder(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


UNREADABLE = {
    "missing": (lambda path: None, "No such file"),
    "folder": (Path.mkdir, "is a folder"),
    "pipe": (make_pipe, "is a pipe or a device"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "is a pipe or a device"),
    "circle": (lambda path: path.symlink_to(path), "cannot read notes"),
    "not text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "not text"),
    "too long": (lambda path: path.write_bytes(b"1" * 101), "at most 100 bytes"),
    "empty": (lambda path: path.write_bytes(b""), "line 1"),
    "deep": (lambda path: path.write_bytes(b"[" * 99), "line 1"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_json_file_gives_one_line(tmp_path: Path, kind: str) -> None:
    make, words = UNREADABLE[kind]
    make(tmp_path / "a.json")
    with pytest.raises(InputError, match=words) as caught:
        read_json(tmp_path / "a.json", "notes", limit=100)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1"),
        ("[" * 100_000, "nested too deeply"),
        ("9" * 5000, "thousands of digits"),
    ],
)
def test_what_python_refuses_to_parse(text: str, words: str) -> None:
    with pytest.raises(InputError, match=f"expected JSON in here, got .*{words}"):
        parse_json(text, "here")


def test_a_key_that_stands_twice() -> None:
    text = '{"a": 1, "b": {"c": 2}, "a": 3}'
    assert parse_json(text, "here") == {"a": 3, "b": {"c": 2}}
    with pytest.raises(InputError, match="here: a is listed more than once; join"):
        parse_json(text, "here", once=True)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "x" * 10_000])
def test_names_that_the_system_refuses(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert not exists(path)
    assert not is_file(path)
    assert not is_folder(path)
    with pytest.raises(InputError, match="cannot read"):
        read_text(path, "notes")
    with pytest.raises(InputError, match="cannot be written"):
        check_writable_file(path)
    with pytest.raises(InputError):
        write_text(path, "a")
    assert not list(tmp_path.iterdir())


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "k").symlink_to(tmp_path / "k")
    for use in (resolve, check_writable_file):
        with pytest.raises(InputError):
            use(tmp_path / "k")


def test_names_as_long_as_they_may_be_are_written(tmp_path: Path) -> None:
    for name in ("n" * 250 + ".json", "\u65e5" * 80 + ".json"):
        check_writable_file(tmp_path / name)
        write_text(tmp_path / name, "\udcff")
        assert (tmp_path / name).read_text() == "\\udcff"


@pytest.mark.parametrize("linked", [False, True])
def test_no_pipe_is_replaced(tmp_path: Path, linked: bool) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    with pytest.raises(InputError, match="name a regular file"):
        write_text(link if linked else pipe, "x")
    assert pipe.is_fifo()


def test_nothing_that_is_read_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.json", "images/1.png", "images/deep/2.png", "images/metrics.json"):
        (tmp_path / name).touch()
    for name in ("a.json", "images/1.png", "images/deep/2.png"):
        with pytest.raises(InputError, match="is read by this command"):
            check_writable_file(tmp_path / name, [tmp_path / "a.json", folder])
    for name in ("b.json", "images/metrics.json", "images/new.png"):
        check_writable_file(tmp_path / name, [tmp_path / "a.json", folder])


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("https://a.org/x.json", "https://a.org/x.json"),
        (Path("https://a.org/x.json"), "https://a.org/x.json"),
        ("s3://bucket/x", "s3://bucket/x"),
        ("C:/x.json", None),
        ("C:\\x.json", None),
        ("a/b:c/d", None),
        ("x.json", None),
    ],
)
def test_addresses_are_told_from_paths(source, address) -> None:
    assert address_in(source) == address
    if address:
        with pytest.raises(InputError, match=f"{address} is an address, and addresses are not"):
            read_json(Path(source), "boxes")


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone = [f".k.json.{ended.pid}.0.tmp", f".a.b_pose.jpg.{ended.pid}.12.tmp"]
    kept = [f".k.json.{os.getpid()}.0.tmp", ".k.json.tmp", "k.json.1.0.tmp", ".k.json.x.0.tmp"]
    for name in (*gone, *kept):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    remove_leftovers(tmp_path / "missing")
