"""`hrnet report` on the command line, and what it refuses."""

import pytest


def test_the_command(made, run):
    code, out, err = run("report", made.folder, "--flip-test")
    assert (code, err) == (0, "")
    assert out == f"report written to {made.folder / 'report.html'}\n"
    assert "flip test on" in (made.folder / "report.html").read_text()


def test_the_command_says_why_there_are_no_figures(made, run, experiment_of):
    made.experiment(experiment_of(made.data, validation=False))
    code, out, _ = run("report", made.folder, "--out", made.folder / "x.html")
    assert code == 0
    assert "no figures: the run has no validation data; name some by --data FILE" in out
    assert (made.folder / "x.html").is_file()


def test_a_run_before_its_first_log_line(made, run):
    """It has settings alone: the page says so, and nothing is wrong."""
    (made.folder / "log.jsonl").unlink()
    (made.folder / "best.safetensors").unlink()
    code, out, err = run("report", made.folder)
    assert (code, err) == (0, "")
    assert "no figures: the first epoch is not done yet" in out
    assert "The log is empty so far" in (made.folder / "report.html").read_text()


def no_checkpoint(made):
    (made.folder / "best.safetensors").unlink()
    return [], ["best.safetensors or last.safetensors"]


def other_file_as_checkpoint(made):
    (made.folder / "best.safetensors").write_text("no")
    return [], ["not a readable safetensors file"]


def one_of_two(made):
    return ["--data", made.data], ["both --data FILE and --images DIR"]


def the_other_of_two(made):
    return ["--images", made.data.parent], ["both --data FILE and --images DIR"]


def missing_data(made):
    return ["--data", "gone.json", "--images", "."], ["gone.json", "No such file"]


def missing_validation_data(made):
    made.data.unlink()
    return [], ["val.json", "No such file"]


def missing_pictures(made):
    return ["--data", made.data, "--images", made.folder], ["2 of 2 annotated images are missing"]


def out_is_the_log(made):
    return ["--out", made.folder / "log.jsonl"], ["expected an .html file"]


def out_is_the_data(made):
    return ["--out", made.data], ["expected an .html file"]


def out_is_a_folder(made):
    return ["--out", made.folder], ["is a folder"]


@pytest.mark.parametrize(
    "spoil",
    [
        no_checkpoint,
        other_file_as_checkpoint,
        one_of_two,
        the_other_of_two,
        missing_data,
        missing_validation_data,
        missing_pictures,
        out_is_the_log,
        out_is_the_data,
        out_is_a_folder,
    ],
)
def test_bad_input_is_one_line_and_keeps_the_page_of_before(made, run, spoil):
    page = made.folder / "report.html"
    page.write_text("of before")
    options, words = spoil(made)
    log = (made.folder / "log.jsonl").read_text()
    code, out, err = run("report", made.folder, *options)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err
    assert page.read_text() == "of before"
    assert (made.folder / "log.jsonl").read_text() == log
