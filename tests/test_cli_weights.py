"""`hrnet weights` lists, downloads and verifies; it needs neither torch nor a terminal."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hrnet.cli.weights import FAMILIES as OPTIONS
from hrnet.cli.weights import app
from hrnet.errors import InputError
from hrnet.models import FAMILIES
from hrnet.weights.published import rows as published

WEIGHTS = b"PK\x03\x04" + bytes(range(256)) * 100

Weights = Callable  # of arguments; gives a result of CliRunner


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Run `hrnet weights` with an empty cache; an InputError is the result's `exception`."""
    monkeypatch.setenv("HRNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HRNET_OFFLINE", raising=False)
    return lambda *arguments: CliRunner().invoke(app, [str(part) for part in arguments])


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a server offers, and in place of the catalogue rows of files in it."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "one.pth").write_bytes(WEIGHTS)
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{http.server_port}"
    digest, row = sha256(WEIGHTS).hexdigest()[:8], published.rows()[0]
    rows = {
        "one": replace(row, name="one", url=f"{url}/one.pth", file_name="one.pth", sha256=digest),
        "gone": replace(row, name="gone", url=f"{url}/gone.pth", file_name="gone.pth"),
        "hand": replace(row, name="hand", url="", file_name="hand.pth", sha256="", metric=""),
    }
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(published, "rows", lambda: tuple(rows.values()))
    monkeypatch.setattr(published, "find_row", rows.__getitem__)
    yield folder
    http.shutdown()
    thread.join()
    http.server_close()


def test_every_published_weight_is_listed(weights: Weights, tmp_path: Path) -> None:
    result = weights("list")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [row.name for row in published.rows()]
    assert {len(line) for line in lines} == {5}
    assert all(cell for line in lines for cell in line)
    assert {line[4] for line in lines} == {"download", "by hand"}
    assert str(tmp_path / "cache") in result.stderr


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (["W32-COCO-2"], lambda row: "w32-coco-2" in row.name),
        (["hrnet_w48*-official"], lambda row: row.name.endswith("-official")),
        (["--task", "segmentation"], lambda row: row.network.task == "segmentation"),
        (["--dataset", "mpii"], lambda row: row.dataset == "mpii"),
        (["--family", "litehrnet"], lambda row: "litehrnet" in row.network.variant),
        (["--family", "hrformer"], lambda row: row.network.variant.startswith("hrformer")),
        (["--family", "hrnet", "--dataset", "lip"], lambda row: row.dataset == "lip"),
    ],
)
def test_the_list_can_be_narrowed(weights: Weights, arguments: list[str], holds) -> None:
    names = [line.split("\t")[0] for line in weights("list", *arguments).stdout.splitlines()]
    rows = {row.name: row for row in published.rows()}
    assert 0 < len(names) < len(rows)
    assert all(holds(rows[name]) for name in names)


def test_the_families_are_all_there_is(weights: Weights) -> None:
    counts = [
        len(weights("list", "--family", family).stdout.splitlines())
        for family in ("hrnet", "litehrnet", "hrformer")
    ]
    assert sum(counts) == len(published.rows())
    assert tuple(FAMILIES) == OPTIONS


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["list", "resnet"], "no published weights are of that kind"),
        (["list", "--family", "vit"], "expected --family as one of hrnet, litehrnet, hrformer"),
        (["fetch", "hrnet_w32-coco-256x129"], "did you mean hrnet_w32-coco-256x192"),
        (["verify"], "expected either names of weights or --all"),
        (["verify", "--all", "hrnet_w32-coco-256x192"], "expected either names of weights or"),
    ],
)
def test_bad_input_is_told(weights: Weights, arguments: list[str], match: str) -> None:
    error = weights(*arguments).exception
    assert isinstance(error, InputError)
    assert match in str(error)


def test_fetch_prints_where_the_file_is(weights: Weights, site: Path, tmp_path: Path) -> None:
    result = weights("fetch", "one")
    assert result.exit_code == 0
    assert result.stdout == f"{tmp_path / 'cache' / 'one.pth'}\n"
    assert (tmp_path / "cache" / "one.pth").read_bytes() == WEIGHTS
    assert "\tin the cache\n" in weights("list", "one").stdout
    assert weights("list", "hand").stdout == "hand\t-\t-\tApache-2.0\tby hand\n"


def test_one_that_fails_stops_no_other(weights: Weights, site: Path) -> None:
    result = weights("fetch", "gone", "hand", "one")
    assert result.exit_code == 2
    assert result.stdout.endswith("one.pth\n")
    assert "hrnet: error: there is no file at http://127.0.0.1" in result.stderr
    assert "hrnet: error: hand cannot be downloaded by a program" in result.stderr


def test_verify_says_what_is_right_and_wrong(weights: Weights, site: Path, tmp_path: Path) -> None:
    assert "no published weights in the cache" in weights("verify", "--all").stderr
    weights("fetch", "one")
    digest = sha256(WEIGHTS).hexdigest()
    assert weights("verify", "one").stdout == f"one\tok\t{digest}\n"
    (tmp_path / "cache" / "hand.pth").write_bytes(WEIGHTS)
    result = weights("verify", "--all")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == f"hand\tno published checksum\t{digest}"
    (tmp_path / "cache" / "one.pth").write_bytes(b"\x80\x02 other")
    result = weights("verify", "--all")
    assert result.exit_code == 2
    assert "is not the published one: its sha256 is" in result.stderr
    assert "delete it, then `hrnet weights fetch one`" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_what_is_not_in_the_cache_cannot_be_verified(weights: Weights, site: Path) -> None:
    assert "one is not in the cache" in str(weights("verify", "one").exception)


def test_the_folder_is_printed_bare(weights: Weights, tmp_path: Path) -> None:
    assert weights("folder").stdout == f"{tmp_path / 'cache'}\n"


LIST = """
import sys
from hrnet.cli.weights import app
app(["list", "hrnet_w32-coco-256*"], standalone_mode=False)
assert not {"torch", "onnxruntime"} & set(sys.modules)
"""


def test_a_terminal_gets_a_table_without_torch(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm", "HRNET_CACHE": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-c", LIST], stdout=theirs, stderr=subprocess.PIPE, env=environment
    )
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert b" weights; cache folder" in process.communicate()[1]
    assert process.returncode == 0
    assert "│ hrnet_w32-coco-256x192 " in shown.decode()
    assert "licence" in shown.decode()
