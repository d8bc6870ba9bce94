"""Any kind of data is checked by one entry of CHECKS: shared code knows none of them."""

import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from hrnet.check import run
from hrnet.check.result import Check
from hrnet.data.findings import Finding
from hrnet.data.source import DataSource
from hrnet.errors import InputError


@dataclass
class Words:
    """The check of a made-up kind of data: files of words."""

    path: Path
    count: int
    errors: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = (Finding("warning", "words", 1, ("bad",), "mend them"),)

    def facts(self):
        return {"words": self.count}

    def print_facts(self, console):
        console.print(f"{self.count} words")

    def draw(self, folder, seed):
        (folder / "mirrored.jpg").write_text(f"{seed}")
        return [folder / "mirrored.jpg"]


@pytest.fixture
def words(tmp_path, monkeypatch):
    """Register the check; returns a file of three words."""

    def check(source, val, progress):
        return Words(source.path, len(source.path.read_text().split()))

    toy = Check(accepts=lambda source: source.path.suffix == ".words", run=check)
    monkeypatch.setattr(run, "CHECKS", {"words": toy, **run.CHECKS})
    file = tmp_path / "pets.words"
    file.write_text("cat dog cow")
    return file


def test_a_kind_of_data_is_one_entry(words, tmp_path):
    result = run.check_data(DataSource(words))
    console = Console(file=StringIO(), record=True)
    run.print_result(console, result)
    assert console.export_text() == "3 words\nerrors: none, warnings: 1 kind\n"
    files = run.write_report(result, tmp_path / "report", seed=7)
    assert [file.name for file in files] == ["check.json", "mirrored.jpg"]
    assert json.loads(files[0].read_text()) == {
        "words": 3,
        "errors": [],
        "warnings": [
            {
                "level": "warning",
                "what": "words",
                "count": 1,
                "examples": ["bad"],
                "hint": "mend them",
                "detail": "",
            }
        ],
    }
    assert files[1].read_text() == "7"


def test_a_report_that_would_replace_the_data_is_refused(words):
    taken = words.rename(words.with_name("check.json"))
    with pytest.raises(InputError, match="is read by this command"):
        run.expect_writable(taken.parent, DataSource(taken))
