"""The section of a report about the model's metrics, for any task."""

from itertools import islice

from hrnet.markup import Section, bar, long_table, section, text, tiles
from hrnet.metrics.names import has_unit, shown
from hrnet.reports.evaluated import Evaluated

MAX_TILES = 3
MAX_ROWS = 20
"""Metrics beyond these, such as those of a thousand classes, are behind a click."""


def metrics(found: Evaluated) -> Section:
    """Return the metrics, the main one first, with everything that they depend on."""
    named = found.result.metrics
    lines = [*found.result.lines, str(found.result.protocol["decoder"])]
    # One row a metric; the meaning is "" where the task does not explain it.
    rows = [
        (
            f"<b>{text(name)}</b>",
            shown(name, value),
            "" if has_unit(name) else bar(value),
            text(found.meanings.get(name, "")),
        )
        for name, value in named.items()
    ]
    return section(
        "metrics",
        "Metrics",
        tiles((name, shown(name, value)) for name, value in islice(named.items(), MAX_TILES)),
        f'<ul class="protocol">{"".join(f"<li>{text(line)}</li>" for line in lines)}</ul>',
        long_table(("metric", "value", "", "meaning"), rows, most=MAX_ROWS, numbers=(1,)),
        "<p>Compare metrics only with those of the same pictures, boxes and flip test. "
        "A dash stands where nothing could count.</p>",
    )


def no_metrics(reason: str) -> Section:
    """Return the section in place of the metrics where nothing was evaluated."""
    note = f'<p class="note">There are no figures: {text(reason)}.</p>'
    return section("metrics", "Metrics", note)
