"""Reading of a run folder: whole, half written and broken."""

import json

import pytest

from hrnet.errors import InputError
from hrnet.reports.read import TAIL_LINES, flatten, number, read_run


def test_a_whole_run(made):
    pictures = made.folder / "pictures"
    pictures.mkdir()
    for name in ("b.JPG", "a.png", "notes.txt"):
        (pictures / name).write_text("")
    run = read_run(made.folder)
    assert run.experiment.train.epochs == 4
    assert (len(run.steps), len(run.epochs)) == (6, 3)
    assert number(run.epochs[1], "AP") == 0.25
    assert number(run.epochs[0], "AP") is None
    assert run.environment["packages.torch"] == "2.x"
    assert run.environment["command"].startswith("hrnet '<script>")
    assert len(run.tail) == 9
    assert json.loads(run.tail[-1])["epoch"] == 3
    assert [path.name for path in run.pictures] == ["a.png", "b.JPG"]


def test_a_run_that_has_just_begun(made):
    (made.folder / "environment.json").unlink()
    made.log([])
    run = read_run(made.folder)
    assert (run.steps, run.epochs, run.tail, run.environment, run.pictures) == ((), (), (), {}, ())


@pytest.mark.parametrize("more", ['{"kind": "ep', '{"kind": "epoch"}\n[1, 2', "\n\n", "7\n"])
def test_the_end_of_a_crash_is_ignored(made, more):
    made.log([{"kind": "epoch", "epoch": 1}], more)
    run = read_run(made.folder)
    assert 1 <= len(run.epochs) <= 2
    assert len(run.tail) == len(run.epochs)


def test_rows_of_other_kinds_and_values_that_are_no_numbers(made):
    made.log([{"kind": "note", "loss": 1}, {"loss": 1}, {"kind": "step", "loss": "high"}])
    run = read_run(made.folder)
    assert (len(run.steps), len(run.epochs), len(run.tail)) == (1, 0, 3)
    assert number(run.steps[0], "loss") is None
    assert number({"loss": True}, "loss") is None


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "1" + "0" * 400, '"x"', "[]", "-5"])
def test_figures_that_are_no_numbers_leave_gaps(made, run, value):
    row = f'{{"kind": "epoch", "step": 5, "epoch": 1, "seconds": 3, "loss": {value}}}\n'
    odd = row.replace("5,", f"{value},").replace("1,", f"{value},").replace("3,", f"{value},")
    made.log([], row + odd + row)
    assert number(read_run(made.folder).epochs[2], "step") == 5
    code, _, err = run("report", made.folder, "--no-figures")
    assert (code, err) == (0, "")
    assert "nan" not in (made.folder / "report.html").read_text().lower().partition("<h2>log")[0]


def test_the_tail_is_short(made):
    made.log([{"kind": "step", "step": step} for step in range(50)])
    assert len(read_run(made.folder).tail) == TAIL_LINES


def no_folder(made):
    made.folder.rename(made.folder.with_name("gone"))
    return ["expected a run folder", "it is no folder"]


def empty_folder(made):
    (made.folder / "log.jsonl").unlink()
    (made.folder / "experiment.json").unlink()
    return ["expected a run folder", "it lacks experiment.json", "hrnet train --out"]


def log_that_is_a_folder(made):
    (made.folder / "log.jsonl").unlink()
    (made.folder / "log.jsonl").mkdir()
    return ["expected the log in a file", "is a folder"]


def environment_nested_deep(made):
    (made.folder / "environment.json").write_text('{"a":' * 99_999 + "1" + "}" * 99_999)
    return ["environment.json"]


def environment_of_many_digits(made):
    (made.folder / "environment.json").write_text('{"threads": 1' + "0" * 5000 + "}")
    return ["environment.json", "digits"]


def broken_log(made):
    (made.folder / "log.jsonl").write_text('{"kind": "step"}\n\n{"kind"\n{"kind": "epoch"}\n')
    return ["log.jsonl, line 3", "expected a JSON object", "delete that line"]


def broken_experiment(made):
    (made.folder / "experiment.json").write_text("{")
    return ["experiment.json"]


def unknown_setting(made):
    content = json.loads((made.folder / "experiment.json").read_text())
    content["train"]["speed"] = 1
    (made.folder / "experiment.json").write_text(json.dumps(content))
    return ["unknown setting train.speed"]


def broken_environment(made):
    (made.folder / "environment.json").write_text("{")
    return ["expected JSON in the environment", "environment.json"]


def environment_of_another_form(made):
    made.environment([1])
    return ["expected a JSON object in", "environment.json"]


def environment_that_is_a_folder(made):
    (made.folder / "environment.json").unlink()
    (made.folder / "environment.json").mkdir()
    return ["expected the environment in a file", "environment.json", "is a folder"]


BROKEN = [
    no_folder,
    empty_folder,
    log_that_is_a_folder,
    environment_nested_deep,
    environment_of_many_digits,
    broken_log,
    broken_experiment,
    unknown_setting,
    broken_environment,
    environment_of_another_form,
    environment_that_is_a_folder,
]


@pytest.mark.parametrize("spoil", BROKEN)
def test_a_broken_run_is_one_line_and_exit_code_2(made, run, spoil):
    page = made.folder / "report.html"
    page.write_text("of before")
    words = spoil(made)
    code, _, err = run("report", made.folder, "--no-figures")
    assert code == 2
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err
    if made.folder.exists():
        assert page.read_text() == "of before"


def test_an_unreadable_log_is_said(made, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match=r"cannot read the log .*Permission denied"):
        read_run(made.folder)


def test_flatten():
    tree = {"a": {"b": 1, "c": {"d": None}}, "e": [["x", "y"], ["z"]], "f": True, "g": [], "h": {}}
    assert flatten(tree) == (
        {"a.b": "1", "a.c.d": "none", "e": "x/y, z", "f": "yes", "g": "none", "h": "none"}
    )
