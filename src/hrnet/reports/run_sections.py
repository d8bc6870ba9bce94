"""The sections of a report about the run: curves, settings, environment, log, how to repeat it."""

import math
import shlex
from collections.abc import Iterable, Sequence

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from hrnet.charts import MAX_SERIES, Chart, Point, Series, draw_chart
from hrnet.config import Experiment
from hrnet.markup import Section, details, section, table, text, tiles
from hrnet.metrics.names import is_better, shown
from hrnet.reports.evaluated import Evaluated
from hrnet.reports.read import Row, RunFolder, flatten, number
from hrnet.run_folder import EXPERIMENT
from hrnet.tasks import get_task

_COLUMNS = ("loss", "lr", "images_per_s", "data_wait", "seconds", "memory_mb", "skipped")
_PLACE = ("kind", "step", "epoch")
"""Fixed names of a row; all other numbers in it are metrics."""

MAX_EPOCH_ROWS = 400
MAX_METRICS = 20
"""Only the first metrics of a log are shown: there may be one for each of a thousand classes."""


def progress(run: RunFolder) -> str:
    """Return the progress of the run and its best main metric, as tiles."""
    total = run.experiment.train.epochs
    # Every log has these, if only as zeros.
    rows = [*run.steps, *run.epochs]
    steps = max((number(row, "step") or 0 for row in rows), default=0)
    done = [
        ("epochs done", f"{len(run.epochs)} of {total}"),
        ("updates", f"{steps:,.0f}"),
        ("time of all epochs", duration(_sum(run.epochs, "seconds"))),
    ]
    # Only some logs have these.
    if run.epochs and (loss := number(run.epochs[-1], "loss")) is not None:
        done.append(("loss of the last epoch", f"{loss:.4g}"))
    best = best_epoch(run.measured)
    if best is not None:
        name, value, epoch = best
        done.append((f"best {name} in the log", f"{shown(name, value)} (epoch {epoch:g})"))
    if skipped := _sum(run.epochs, "skipped"):
        done.append(("broken pictures skipped", f"{skipped:,.0f}"))
    return tiles(done)


def duration(seconds: float) -> str:
    """Format a time in its two largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _sum(rows: Sequence[Row], name: str) -> float:
    return sum(number(row, name) or 0.0 for row in rows)


def metric_names(rows: Iterable[Row]) -> list[str]:
    """List the metrics of a log in the order of its rows; the first is the main one."""
    fixed = {*_PLACE, *_COLUMNS}
    names = (
        name for row in rows for name in row if name not in fixed and number(row, name) is not None
    )
    return list(dict.fromkeys(names))[:MAX_METRICS]


def best_epoch(rows: Sequence[Row]) -> tuple[str, float, float] | None:
    """Return name and best value of the main metric, and its epoch; None for a log without any."""
    name = next(iter(metric_names(rows)), "")
    best: tuple[float, float] | None = None
    for epoch, value in _points(rows, "epoch", name):
        # Of equal ones the later, as the checkpoint is.
        if value >= 0 and (best is None or is_better(name, value, best[0])):
            best = value, epoch
    return None if best is None else (name, *best)


def curves(run: RunFolder) -> Section:
    """Return charts of loss, metrics, learning rate, speed, waiting and memory over the run."""
    # A run with few updates has no rows of steps.
    steps = run.steps or run.epochs
    losses = (
        Series("one update", _points(run.steps, "step", "loss")),
        Series("mean of an epoch", _points(run.epochs, "step", "loss")),
    )
    rate, speed, waiting, memory = (
        (Series(name, _points(steps, "step", name)),)
        for name in ("lr", "images_per_s", "data_wait", "memory_mb")
    )
    # A rate that falls tenfold at once is seen on a logarithmic axis alone.
    step_wise = run.experiment.train.schedule == "step"
    charts = [
        Chart("Loss", "updates", "loss", losses, may_log=True),
        *_metric_charts(run.measured),
        Chart("Learning rate", "updates", "learning rate", rate, may_log=step_wise),
        Chart("Speed", "updates", "images/s", speed, from_zero=True),
        Chart("Waiting for data", "updates", "of the time", waiting, fixed=(0, 1), percent=True),
        Chart("Memory, the most so far", "updates", "MB", memory, from_zero=True),
    ]
    return section(
        "curves",
        "Curves",
        "<p>From the log of the run. Its metrics are those of the validation data, without the "
        "flip test.</p>",
        f'<div class="charts">{"".join(map(draw_chart, charts))}</div>',
    )


def _metric_charts(rows: Sequence[Row]) -> list[Chart]:
    """Return the metrics as charts of a few curves each; an empty one for a log without any."""
    names = metric_names(rows)
    groups = [names[at : at + MAX_SERIES] for at in range(0, len(names), MAX_SERIES)] or [[]]
    return [
        Chart(
            "Metrics on the validation data" if not at else "Further metrics",
            "epoch",
            "metric",
            tuple(Series(name, _points(rows, "epoch", name, least=0.0)) for name in group),
            from_zero=True,
        )
        for at, group in enumerate(groups)
    ]


def _points(
    rows: Sequence[Row], across: str, name: str, *, least: float = -math.inf
) -> tuple[Point, ...]:
    """Return the points of a curve: of the rows that have the name and where they are in the run.

    NaN, a gap, stands for what is no finite number or below `least`: metrics below 0 mean that
    nothing could count.
    """
    pairs = ((number(row, across), number(row, name)) for row in rows if name in row)
    return tuple(
        (x, math.nan if y is None or y < least else y) for x, y in pairs if x is not None and x >= 0
    )


def settings(experiment: Experiment) -> Section:
    """Return the settings that differ from the defaults, then all."""
    rows = [
        (f"<code>{text(name)}</code>", text(value), text(default))
        for name, (value, default) in changed_settings(experiment).items()
    ]
    return section(
        "settings",
        "Settings",
        "<p>The data, settings without a default, and those that differ from theirs:</p>",
        table(("setting", "value", "default"), rows),
        details("The whole experiment.json", f"<pre>{text(experiment.to_json())}</pre>"),
    )


def changed_settings(experiment: Experiment) -> dict[str, tuple[str, str]]:
    """Return the settings that a reader wants to see: name -> (value, default).

    These are all of the data, those without a default (it is "" then) and those that differ from
    theirs.
    """
    ours = flatten(experiment.model_dump(mode="json"))
    usual = flatten(_defaults(experiment))
    return {
        name: (value, usual.get(name, ""))
        for name, value in ours.items()
        if name.startswith("data.") or value != usual.get(name)
    }


def _defaults(part: BaseModel) -> dict[str, object]:
    """Collect the defaults of a part's fields, and of the parts that have none as a whole."""
    defaults: dict[str, object] = {}
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if not field.is_required():
            default = field.get_default(call_default_factory=True, validated_data={})
            defaults[name] = to_jsonable_python(default)
        elif isinstance(value, BaseModel):
            defaults[name] = _defaults(value)
    return defaults


def environment(run: RunFolder) -> Section:
    """Return the software and machine of the run."""
    rows = [(f"<code>{text(name)}</code>", text(it)) for name, it in run.environment.items()]
    known = table(("name", "value"), rows)
    unknown = "<p>The run folder has no environment.json, so this is not known.</p>"
    return section("environment", "Environment", known if run.environment else unknown)


def log(run: RunFolder) -> Section:
    """Return the epochs as a table, and the last lines of the log as they are."""
    # A run without validation data, or of an earlier version, lacks some columns.
    columns = [name for name in _COLUMNS if any(name in row for row in run.epochs)]
    names = [*columns, *metric_names(run.epochs)]
    rows = [
        tuple(_cell(number(row, name)) for name in ("epoch", *names))
        for row in run.epochs[-MAX_EPOCH_ROWS:]
    ]
    epochs = table(("epoch", *names), rows, numbers=range(1, len(names) + 1))
    tail = "\n".join(run.tail) or "The log is empty so far."
    return section(
        "log",
        "Log",
        details(f"{len(rows)} epochs as a table", epochs) if rows else "",
        f"<p>The last lines of log.jsonl:</p><pre>{text(tail)}</pre>",
    )


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def repeat(run: RunFolder, found: Evaluated | None) -> Section:
    """Return the commands that train again, evaluate, predict, export and write this page."""
    folder = str(run.path)
    # The options that repeat the evaluation; a task that looks into boxes is shown how.
    options = []
    boxes = ["--boxes", "x,y,width,height"] if get_task(run.experiment.task).without_boxes else []
    if found is not None:
        data, images = found.source.path, found.source.images
        options = [f"--data={data}", *([f"--images={images}"] if images else [])]
        options += ["--flip-test"] if found.flip_test else []
    predict = ["predict", "photo.jpg", "--out", "drawn", "--model", folder, *boxes]
    commands: list[tuple[str, Sequence[str]]] = [
        (
            "Train again with the same settings",
            ["train", "--config", str(run.path / EXPERIMENT), "--out", f"{folder}_again"],
        ),
        *([("Evaluate again", ["evaluate", folder, *options])] if found is not None else []),
        ("Predict on a picture", predict),
        ("Export for use without torch", ["export", folder, "--out", f"{folder}.onnx", "--half"]),
        ("Write this page again", ["report", folder, *options]),
    ]
    blocks = "".join(
        f"<h3>{text(what)}</h3><pre>{text(shlex.join(['hrnet', *words]))}</pre>"
        for what, words in commands
    )
    return section("repeat", "Repeat and use", blocks)
