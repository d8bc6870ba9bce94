"""Line charts as inline SVG, without scripts or other files: pure functions.

Colours and fonts come from the page's style sheet, for light and for dark screens. Series differ by
their dashes too, for prints without colour.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from hrnet.axes import Scale, fit_scale, tick_label

WIDTH, HEIGHT = 440, 250
LEFT, RIGHT, TOP, BOTTOM = 76, 28, 14, 42
"""The margins around the plot: room for numbers of seven characters beside the name of the axis.

The page scales the whole, so text keeps readable on a phone."""

MAX_POINTS = 600
"""Longer series are thinned; nothing finer could be seen."""

MAX_SERIES = 5
"""Curves of one chart that the style sheet has colours for."""

MAX_DOTS = 40
"""Series of up to so many points show each of them, with its numbers when pointed at."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """A named curve: points (x, y), x rising and at least 0. A gap is where y is not finite."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """The content of a chart: one or a few series over the same x.

    x, y: names of the axes, with units. fixed: the range of y, from_zero: y starts at 0,
    may_log: y may be logarithmic; see `fit_scale`. percent: y of 0..1 is labelled 0%..100%.
    """

    title: str
    x: str
    y: str
    series: tuple[Series, ...]
    fixed: tuple[float, float] | None = None
    from_zero: bool = False
    may_log: bool = False
    percent: bool = False


def draw_chart(chart: Chart) -> str:
    """Return a figure with the chart as SVG, a title and the names of its curves."""
    # Series without a number are left out, but the others keep their colours.
    drawn = list(enumerate(one for one in chart.series if _finite(one.points)))
    if not drawn:
        return f"<figure><figcaption>{escape(chart.title)}</figcaption><p>No rows yet.</p></figure>"
    points = [point for _, one in drawn for point in _finite(one.points)]
    # The two axes; y grows upwards on the page.
    last = max(x for x, _ in points)
    across = fit_scale((), LEFT, WIDTH - RIGHT, fixed=(0.0, last))
    up = fit_scale(
        [y for _, y in points],
        HEIGHT - BOTTOM,
        TOP,
        fixed=chart.fixed,
        from_zero=chart.from_zero,
        may_log=chart.may_log,
    )
    curves = "".join(_curve(chart, one, index, across, up) for index, one in drawn)
    return (
        f"<figure><figcaption>{escape(chart.title)}{' (logarithmic)' if up.log else ''}"
        f"</figcaption>{_legend([(index, one.name) for index, one in drawn])}"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(describe_chart(chart))}">{_axes(chart, across, up)}{curves}'
        "</svg></figure>"
    )


def describe_chart(chart: Chart) -> str:
    """Describe the chart in words: its curves with their first and last values."""
    curves = []
    for one in chart.series:
        points = _finite(one.points)
        if points:
            first, last = (_value(chart, y) for y in (points[0][1], points[-1][1]))
            curves.append(f"{one.name} from {first} to {last}")
    return f"{chart.title} over {chart.x}: {'; '.join(curves)}"


def _finite(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if all(map(math.isfinite, point))]


def _value(chart: Chart, value: float) -> str:
    return f"{value:.1%}" if chart.percent else f"{value:.4g}"


def _label(chart: Chart, value: float) -> str:
    return f"{value:.0%}" if chart.percent else tick_label(value)


def _axes(chart: Chart, across: Scale, up: Scale) -> str:
    """Draw grid lines with their numbers, and the names of the axes."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    # Values: a line across the plot and a number left of it.
    for tick in up.ticks(5):
        y = up(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        label = _label(chart, tick)
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    # Updates or epochs: a mark below the plot and a number.
    for tick in across.ticks(5):
        x = across(tick)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom}" y2="{bottom + 4}"/>'
            f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{tick_label(tick)}</text>'
        )
    # The two lines of the axes and their names, one turned.
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
    middle = (TOP + bottom) / 2
    parts.append(
        f'<text class="name" x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(chart.x)}</text>"
        f'<text class="name" transform="translate(13 {middle:.0f}) rotate(-90)" '
        f'text-anchor="middle">{escape(chart.y)}</text>'
    )
    return "".join(parts)


def _curve(chart: Chart, series: Series, index: int, across: Scale, up: Scale) -> str:
    """Draw the line of one series, and its points where they are few."""
    paths = []
    for piece in _pieces(thin(series.points, MAX_POINTS), positive=up.log):
        places = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in piece)
        paths.append(f'<polyline class="curve c{index}" points="{places}"/>')
    finite = _finite(series.points)
    few = len(finite) <= MAX_DOTS
    dots = [
        f'<circle class="dot c{index}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="2.5"><title>'
        f"{escape(series.name)}: {_value(chart, y)} at {escape(chart.x)} {x:g}</title></circle>"
        for x, y in (finite if few else ())
        if y > 0 or not up.log
    ]
    return "".join(paths + dots)


def _pieces(points: Sequence[Point], *, positive: bool) -> list[list[Point]]:
    """Split points where one cannot be drawn."""
    pieces: list[list[Point]] = [[]]
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y) and (y > 0 or not positive):
            pieces[-1].append((x, y))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """Keep about `most` of the points: of each run of neighbours the lowest and the highest.

    Peaks stay. Points that are not finite stay too, where their run has no others.
    """
    if len(points) <= most:
        return list(points)
    size = math.ceil(2 * len(points) / most)
    kept: list[Point] = []
    for start in range(0, len(points), size):
        run = points[start : start + size]
        finite = _finite(run)
        if not finite:
            kept.append(run[0])
            continue
        ends = {min(finite, key=_height), max(finite, key=_height)}
        kept += sorted(ends)
    return kept


def _height(point: Point) -> float:
    return point[1]


def _legend(names: Sequence[tuple[int, str]]) -> str:
    """Return the names of the curves beside a piece of each; one alone is named by the title."""
    if len(names) < 2:
        return ""
    entries = "".join(
        '<li><svg viewBox="0 0 26 8" width="26" height="8" aria-hidden="true">'
        f'<polyline class="curve c{index}" points="0,4 26,4"/></svg> {escape(name)}</li>'
        for index, name in names
    )
    return f'<ul class="legend">{entries}</ul>'
