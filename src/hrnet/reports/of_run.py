"""The parts of a report about the run: curves, settings, environment, log, how to repeat it."""

import math
import shlex
from collections.abc import Sequence
from pathlib import Path

from hrnet.config import Experiment
from hrnet.reports.charts import Chart, Point, Series, draw_chart
from hrnet.reports.markup import (
    Section,
    duration,
    names_and_values,
    section,
    table,
    text,
    tiles,
)
from hrnet.reports.read import Row, RunFolder, flatten, number
from hrnet.run_folder import EXPERIMENT

_FIGURES = ("PCKh@0.5", "AP", "AP50", "AP75", "AR")
_COLUMNS = ("loss", "lr", "images_per_s", "data_wait", "seconds", "memory_mb", "skipped")
MAX_EPOCH_ROWS = 400


def progress(run: RunFolder) -> str:
    """The progress of the run, and its best figure by its own log."""
    total = run.experiment.train.epochs
    rows = [*run.steps, *run.epochs]
    steps = max((number(row, "step") or 0 for row in rows), default=0)
    done = [
        ("epochs done", f"{len(run.epochs)} of {total}"),
        ("updates", f"{steps:,.0f}"),
        ("time of all epochs", duration(_sum(run.epochs, "seconds"))),
    ]
    if run.epochs and (loss := number(run.epochs[-1], "loss")) is not None:
        done.append(("loss of the last epoch", f"{loss:.4g}"))
    best = best_epoch(run.measured)
    if best is not None:
        name, value, epoch = best
        done.append((f"best {name} in the log", f"{value:.3f} (epoch {epoch:g})"))
    if skipped := _sum(run.epochs, "skipped"):
        done.append(("broken pictures skipped", f"{skipped:,.0f}"))
    return tiles(done)


def _sum(rows: Sequence[Row], name: str) -> float:
    return sum(number(row, name) or 0.0 for row in rows)


def best_epoch(rows: Sequence[Row]) -> tuple[str, float, float] | None:
    """Name and value of the best main figure in the log and its epoch; PCKh@0.5 if any, else AP."""
    for name in ("PCKh@0.5", "AP"):
        points = [point for point in _points(rows, "epoch", name) if math.isfinite(point[1])]
        if points:
            epoch, value = max(points, key=lambda point: point[1])
            return name, value, epoch
    return None


def curves(run: RunFolder) -> Section:
    """Loss, learning rate, figures, speed and waiting over the run."""
    steps = run.steps or run.epochs
    charts = [
        Chart(
            "Loss",
            "updates",
            "loss",
            (
                Series("one update", _points(run.steps, "step", "loss")),
                Series("mean of an epoch", _points(run.epochs, "step", "loss")),
            ),
            may_log=True,
        ),
        Chart(
            "Figures on the validation data",
            "epoch",
            "0..1",
            tuple(Series(name, _points(run.measured, "epoch", name)) for name in _FIGURES),
            from_zero=True,
        ),
        Chart(
            "Learning rate",
            "updates",
            "learning rate",
            (Series("learning rate", _points(steps, "step", "lr")),),
            may_log=run.experiment.train.schedule == "step",
        ),
        Chart(
            "Speed",
            "updates",
            "images/s",
            (Series("images/s", _points(steps, "step", "images_per_s")),),
            from_zero=True,
        ),
        Chart(
            "Share of the time spent waiting for data",
            "updates",
            "waiting",
            (Series("waiting", _points(steps, "step", "data_wait")),),
            fixed=(0.0, 1.0),
            percent=True,
        ),
        Chart(
            "Memory, the most so far",
            "updates",
            "MB",
            (Series("memory", _points(steps, "step", "memory_mb")),),
            from_zero=True,
        ),
    ]
    return section(
        "curves",
        "Curves",
        "<p>As the run wrote them to its log. Its figures are those of the validation data, with "
        "the annotated boxes and without the flip test.</p>",
        f'<div class="charts">{"".join(map(draw_chart, charts))}</div>',
    )


def _points(rows: Sequence[Row], across: str, name: str) -> tuple[Point, ...]:
    """The points of a curve; NaN, a gap, where a row has the figure but it is no finite number."""
    pairs = ((number(row, across), number(row, name), name in row) for row in rows)
    return tuple(
        (x, math.nan if y is None else y)
        for x, y, named in pairs
        if x is not None and x >= 0 and (y is not None or named)
    )


def settings(experiment: Experiment) -> Section:
    """The settings that differ from the defaults, then all."""
    changed = changed_settings(experiment)
    return section(
        "settings",
        "Settings",
        "<p>Settings that have no default, and those that differ from theirs:</p>",
        table(
            ("setting", "value", "default"),
            [
                (f"<code>{text(name)}</code>", text(value), text(default))
                for name, (value, default) in changed.items()
            ],
        ),
        "<details><summary>The whole experiment.json</summary>"
        f"<pre>{text(experiment.to_json())}</pre></details>",
    )


def changed_settings(experiment: Experiment) -> dict[str, tuple[str, str]]:
    """Settings by their names with value and default; an empty default where there is none."""
    needed = {"name": experiment.name, "model": {"variant": experiment.model.variant}}
    default = type(experiment).model_validate(needed | {"data": experiment.data})
    ours, usual = (flatten(one.model_dump(mode="json")) for one in (experiment, default))
    given = {name for name in ours if name in {"name", "model.variant"} or name.startswith("data.")}
    return {
        name: (value, "" if name in given else usual.get(name, ""))
        for name, value in ours.items()
        if name in given or value != usual.get(name)
    }


def environment(run: RunFolder) -> Section:
    """The software and machine of the run."""
    if not run.environment:
        note = "<p>The run folder has no environment.json, so this is not known.</p>"
        return section("environment", "Environment", note)
    return section(
        "environment", "Environment", names_and_values(("what", "value"), run.environment)
    )


def log(run: RunFolder) -> Section:
    """The epochs as a table, and the last lines of the log as they are."""
    names = [name for name in (*_COLUMNS, *_FIGURES) if any(name in row for row in run.epochs)]
    rows = [
        (_cell(number(row, "epoch")), *(_cell(number(row, name)) for name in names))
        for row in run.epochs[-MAX_EPOCH_ROWS:]
    ]
    epochs = table(("epoch", *names), rows, numbers=range(1, len(names) + 1))
    tail = "\n".join(run.tail) or "The log is empty so far."
    return section(
        "log",
        "Log",
        f"<details><summary>{len(rows)} epochs as a table</summary>{epochs}</details>"
        if rows
        else "",
        f"<p>The last lines of log.jsonl:</p><pre>{text(tail)}</pre>",
    )


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def repeat(run: RunFolder, data: tuple[Path, Path] | None, *, flip_test: bool) -> Section:
    """The commands that train again, measure, predict and export."""
    folder = str(run.path)
    measured = [f"--data={data[0]}", f"--images={data[1]}"] if data else []
    flip = ["--flip-test"] if flip_test else []
    box = ["--boxes", "x,y,width,height", "--model", folder]
    commands: list[tuple[str, Sequence[str]]] = [
        (
            "Train again with the same settings",
            ["train", "--config", str(run.path / EXPERIMENT), "--out", f"{folder}_again"],
        ),
        ("Find keypoints in a picture", [*"predict photo.jpg --out drawn".split(), *box, *flip]),
        ("Export for use without torch", ["export", folder, "--out", f"{folder}.onnx", "--half"]),
        ("Write this page again", ["report", folder, *measured, *flip]),
    ]
    if data:
        commands.insert(1, ("Measure again", ["evaluate", folder, *measured, *flip]))
    blocks = "".join(
        f"<h3>{text(what)}</h3><pre>{text(shlex.join(['hrnet', *words]))}</pre>"
        for what, words in commands
    )
    return section("repeat", "Repeat and use", blocks)
