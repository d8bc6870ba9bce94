"""A terminal that cannot take what is printed never costs a result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("a.png", "b_\u65e5\u672c.png", "c.png")


@pytest.fixture
def predict(spots, spot_model: Path, tmp_path: Path):
    """Run `hrnet predict` on three pictures in a process of its own; returns it and its JSON."""

    def command(shell: str = "", **environment: str) -> tuple[subprocess.CompletedProcess, list]:
        for name in NAMES:
            spots().save(tmp_path / name)
        arguments = [*NAMES, "--model", str(spot_model), "--json", "k.json"]
        done = subprocess.run(
            ["sh", "-c", f'"$0" -m hrnet predict "$@" {shell}', sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
        )
        return done, json.loads((tmp_path / "k.json").read_text("utf-8"))

    return command


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_letters_that_a_terminal_lacks(predict, encoding: str) -> None:
    done, entries = predict(PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [entry["file_name"] for entry in entries] == list(NAMES)
    assert b"c.png 240x160" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_stdout(predict) -> None:
    done, entries = predict("> /dev/full")
    assert done.returncode == 2
    assert done.stderr.decode().splitlines() == [
        "hrnet: error: the printed output is incomplete: No space left on device"
    ]
    assert len(entries) == len(NAMES)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "| head -c 1"])
def test_closed_streams(predict, redirection: str) -> None:
    done, entries = predict(redirection)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(entries) == len(NAMES)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", ["--help", "--version", "recipes", "weights list", "models"])
def test_any_command_notes_a_full_disk(arguments: str) -> None:
    command = ["sh", "-c", f'"$0" -m hrnet {arguments} > /dev/full', sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == "hrnet: error: the printed output is incomplete: No space left on device"
