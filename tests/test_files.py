"""Result files are whole or not there, and bad places are known before any work is done."""

import os
from pathlib import Path

import pytest

from hrnet.errors import InputError
from hrnet.files import atomic_path, check_writable_file, make_writable_folder


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
