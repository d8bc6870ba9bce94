"""Axes and charts: places rise with values, ticks are round, odd series draw no nonsense."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hrnet.axes import Scale, fit_scale, nice_step, tick_label
from hrnet.charts import MAX_DOTS, WIDTH, Chart, Series, draw_chart, thin

NAN = float("nan")


def chart(*points, **settings):
    return Chart("Loss <1>", "updates", "loss", (Series("a & b", points),), **settings)


def places(svg):
    """The points of all lines in a chart."""
    pairs = [pair for line in re.findall(r'points="([^"]+)"', svg) for pair in line.split()]
    return [tuple(map(float, pair.split(","))) for pair in pairs]


@given(
    st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=20),
    st.booleans(),
)
def test_places_rise_with_values(values, may_log):
    scale = fit_scale(values, 200, 10, may_log=may_log)
    found = [scale(value) for value in sorted(values)]
    assert all(a >= b for a, b in pairwise(found))
    assert all(10 - 1e-6 <= place <= 200 + 1e-6 for place in found)


@example(85900.0, 1e-5, 2)
@given(st.floats(-1e5, 1e5), st.floats(1e-5, 1e5), st.integers(2, 8))
def test_ticks_rise_within_the_scale(low, width, about):
    scale = Scale(low, low + width, 0, 1)
    if scale.high <= scale.low:
        return
    ticks = scale.ticks(about)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= about + 1
    assert all(-1e-6 <= scale(tick) <= 1 + 1e-6 for tick in ticks)


@pytest.mark.parametrize(("low", "high"), [(1e-5, 1e-2), (0.003, 0.2), (1e-9, 1e9), (2, 60)])
def test_logarithmic_ticks(low, high):
    scale = fit_scale([low, high], 0, 100, may_log=True)
    ticks = scale.ticks(5)
    assert scale.log
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(ticks)
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in ticks)


def test_a_scale_is_logarithmic_only_where_it_can_and_helps():
    assert not fit_scale([1, 5], 0, 1, may_log=True).log
    assert not fit_scale([0, 500], 0, 1, may_log=True).log
    assert not fit_scale([1, 500], 0, 1).log


def test_scales_without_a_range():
    assert fit_scale([], 0, 1)(0.5) == 0.5
    assert fit_scale([NAN, math.inf], 0, 1)(1.0) == 1.0
    assert fit_scale([4.0, 4.0], 0, 1)(4.0) == pytest.approx(0.5)
    assert fit_scale([0.0], 0, 1)(0.0) == pytest.approx(0.5)
    assert fit_scale([0.0], 0, 1, from_zero=True)(0.0) == 0.0
    assert fit_scale([3.0], 0, 1, from_zero=True)(0.0) == 0.0
    assert fit_scale([], 0, 1, fixed=(0.0, 0.0), from_zero=True)(0.0) == 0.0


def test_steps_and_labels():
    assert [nice_step(x) for x in (0.011, 0.2, 3, 7)] == pytest.approx([0.02, 0.2, 5, 10])
    values = (0, 0.25, 12000, 0.0002, 0.0015, 3e9, -4, 0.1 + 0.2)
    assert [tick_label(value) for value in values] == (
        ["0", "0.25", "12,000", "2e-4", "1.5e-3", "3e9", "-4", "0.3"]
    )


def test_a_chart_has_axes_names_and_words():
    svg = draw_chart(chart((10, 2.0), (20, 1.0), (30, 0.5)))
    assert "Loss &lt;1&gt;" in svg
    assert 'aria-label="Loss &lt;1&gt; over updates: a &amp; b from 2 to 0.5"' in svg
    assert "a &amp; b: 1 at updates 20" in svg
    assert ">updates</text>" in svg
    xs, ys = zip(*places(svg), strict=True)
    assert list(xs) == sorted(xs)
    assert list(ys) == sorted(ys)  # down the page, as the loss falls
    assert svg.count("<circle") == 3


@pytest.mark.parametrize("points", [(), ((1, NAN),), ((NAN, 1),)])
def test_a_chart_of_nothing(points):
    svg = draw_chart(chart(*points))
    assert "No rows yet." in svg
    assert "<svg" not in svg


@pytest.mark.parametrize("x", [0, 7])
def test_a_chart_of_one_point(x):
    svg = draw_chart(chart((x, 3.0)))
    assert svg.count("<circle") == 1
    assert "nan" not in svg


def test_numbers_that_are_none_break_the_line():
    svg = draw_chart(chart((1, 1.0), (2, 2.0), (3, NAN), (4, math.inf), (5, 1.0), (6, 2.0)))
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == 4
    assert "nan" not in svg
    assert "inf" not in svg.replace("-infinity", "")


def test_the_axis_says_whether_it_is_logarithmic():
    svg = draw_chart(chart((1, 100.0), (2, 1.0), may_log=True))
    assert "(logarithmic)" in svg
    assert "(logarithmic)" not in draw_chart(chart((1, 100.0), (2, 0.0), may_log=True))


def test_percent_and_fixed_range():
    svg = draw_chart(chart((1, 0.5), (2, 0.25), fixed=(0.0, 1.0), percent=True))
    assert ">100%</text>" in svg
    assert "from 50.0% to 25.0%" in svg


def test_several_series_have_a_legend_and_empty_ones_no_entry():
    series = (Series("one", ((1, 1.0),)), Series("none", ()), Series("two", ((1, 2.0),)))
    svg = draw_chart(Chart("t", "x", "y", series))
    assert svg.count("<li>") == 2
    assert "none" not in svg.replace('fill="none"', "")


def test_long_series_are_thinned_but_peaks_stay():
    points = [(float(x), 1.0) for x in range(10_000)]
    points[4321] = (4321.0, 99.0)
    points[5000:5200] = [(float(x), NAN) for x in range(5000, 5200)]
    kept = thin(points, 600)
    assert len(kept) <= 600
    assert (4321.0, 99.0) in kept
    assert any(math.isnan(y) for _, y in kept)
    assert [x for x, _ in kept] == sorted(x for x, _ in kept)
    assert thin(points[:600], 600) == points[:600]
    assert "<circle" not in draw_chart(chart(*points[: MAX_DOTS + 1]))


@pytest.mark.parametrize("top", [9.9, 99_000, 120_000, 999_999, 5e7, 0.012])
@pytest.mark.parametrize("across", [9, 12_345, 99_999, 640_000])
def test_labels_do_not_overlap(top, across):
    """A digit is at most 7 of the drawing's units wide at the size of its text."""
    points = tuple((across * part / 7, top * part / 7) for part in range(8))
    drawn = draw_chart(Chart("Speed", "updates", "images/s", (Series("s", points),)))
    left = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="end">([^<]+)', drawn)
    below = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([^<]+)', drawn)
    assert len(left) > 2
    assert len(below) > 2
    axis_name = 13 + 6  # its middle and half its height, for it is turned
    assert all(float(x) - 7 * len(label) > axis_name for x, label in left)
    ends = [(float(x) - 3.5 * len(label), float(x) + 3.5 * len(label)) for x, label in below]
    assert all(one[1] < other[0] for one, other in pairwise(ends))
    assert ends[-1][1] <= WIDTH
