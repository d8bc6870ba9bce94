"""The report of a task that it does not know: metrics of any names, settings of any experiment."""

from dataclasses import replace

import pytest

from hrnet.config import Part
from hrnet.reports import report
from hrnet.reports.read import read_run
from hrnet.reports.run_sections import (
    MAX_METRICS,
    best_epoch,
    changed_settings,
    curves,
    log,
    metric_names,
)
from hrnet.tasks.pose import task as pose


@pytest.fixture
def without_sections(monkeypatch):
    """Take away the module of a task's sections."""
    monkeypatch.setattr(pose, "TASK", replace(pose.TASK, sections=None))


def row_of(epoch, **metrics):
    return {"kind": "epoch", "step": 10 * epoch, "epoch": epoch, "loss": 1.0, **metrics}


def test_a_task_without_sections_has_its_metrics_alone(made, without_sections):
    page = report(made.folder).path.read_text(encoding="utf-8")
    table = page.split('id="metrics"')[1].split("</section>")[0]
    assert "<b>AP</b>" in table
    assert "mean precision" not in table
    assert 'id="keypoints"' not in page
    assert 'id="examples"' not in page


def test_many_metrics_are_behind_a_click(made, monkeypatch):
    classes = {f"class/{name}": 0.25 for name in range(40)}
    monkeypatch.setattr(pose.PoseTask, "evaluate", lambda *_: {"top-1": 0.75, **classes})
    page = report(made.folder).path.read_text(encoding="utf-8")
    metrics = page.split('id="metrics"')[1].split("</section>")[0]
    shown, hidden = metrics.split("<details>")
    assert "<summary>21 more</summary>" in hidden
    assert (shown.count("<b>class/"), hidden.count("<b>class/")) == (19, 21)
    assert "<dt>top-1</dt><dd>0.750</dd>" in shown


def test_metrics_of_a_log_are_the_numbers_that_have_no_fixed_name(made):
    start = {"kind": "start", "step": 0, "epoch": 0, "top-1": 0.0, "top-5": 0.5}
    rows = [start, row_of(1), row_of(2, **{"main": "top-1", "top-1": 0.5, "<i>": 1, "odd": [3]})]
    made.log(rows)
    run = read_run(made.folder)
    assert metric_names(run.measured) == ["top-1", "top-5", "<i>"]
    assert best_epoch(run.measured) == ("top-1", 0.5, 2)
    assert "top-1 from 0 to 0.5" in curves(run).content
    assert ">top-1</th>" in log(run).content
    assert ">main</th>" not in log(run).content
    assert "<i>" not in curves(run).content + log(run).content


def test_the_first_metric_is_the_main_one(made):
    made.log([row_of(1, mIoU=0.5, accuracy=0.9), row_of(2, mIoU=0.4, accuracy=0.95)])
    assert best_epoch(read_run(made.folder).measured) == ("mIoU", 0.5, 1)


def test_metrics_where_nothing_counted_leave_a_gap(made):
    made.log([row_of(1, mIoU=-1.0), row_of(2, mIoU=0.25)])
    run = read_run(made.folder)
    assert best_epoch(run.measured) == ("mIoU", 0.25, 2)
    assert "mIoU from 0.25 to 0.25" in curves(run).content
    made.log([row_of(1, mIoU=-1.0)])
    assert best_epoch(read_run(made.folder).measured) is None


def test_a_chart_has_few_curves_and_a_log_of_many_metrics_is_cut(made):
    made.log([row_of(1, **{f"class {name}": 0.5 for name in range(300)})])
    run = read_run(made.folder)
    assert len(metric_names(run.measured)) == MAX_METRICS
    content = curves(run).content
    assert content.count("Metrics on the validation data</figcaption>") == 1
    assert content.count("Further metrics</figcaption>") == 3
    assert content.count("<li>") == MAX_METRICS


def test_settings_of_an_experiment_with_parts_of_its_own(experiment_of, tmp_path):
    class Colours(Part):
        grey: float = 0.1
        names: tuple[str, ...]

    base = experiment_of(tmp_path / "x.json")

    class Other(type(base)):
        shade: str = "dark"
        colours: Colours
        more: Colours = Colours(grey=0.5, names=("a",))

    given = {name: getattr(base, name) for name in type(base).model_fields}
    own = Other(**given, colours=Colours(names=("red", "blue")))
    changed = changed_settings(own)
    assert changed["colours.names"] == ("red, blue", "")
    assert changed["train.lr"] == ("0.002", "0.001")
    assert not {"shade", "colours.grey", "more.grey", "more.names"} & set(changed)
    own = own.model_copy(update={"more": Colours(names=("b",)), "shade": "x"})
    changed = changed_settings(own)
    assert changed["more.grey"] == ("0.1", "0.5")
    assert changed["more.names"] == ("b", "a")
    assert changed["shade"] == ("x", "dark")
