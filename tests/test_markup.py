"""Pieces of HTML: text is escaped, numbers stand where they belong."""

import re

import pytest

from hrnet.markup import bar, details, gallery, matrix, percent, share, table, tiles

HOSTILE = "<b>'&\""
SAFE = "&lt;b&gt;&#x27;&amp;&quot;"


def test_a_matrix_is_shaded_by_the_share_of_its_row():
    html = matrix("true \\ predicted", ["cat", HOSTILE], [[3, 1], [0, 0]])
    shades = re.findall(r"234/(\d+)%\)\">([\d,]+)<", html)
    assert shades == [("45", "3"), ("15", "1"), ("0", "0"), ("0", "0")]
    assert html.count(SAFE) == 2  # the row and the column
    assert "<b>" not in html
    with pytest.raises(ValueError, match="shorter"):
        matrix("", ["cat", "dog"], [[1, 2]])


def test_texts_are_escaped():
    assert SAFE in table((HOSTILE,), [])
    assert SAFE in details(HOSTILE, "")
    assert tiles([(HOSTILE, HOSTILE)]).count(SAFE) == 2
    assert f'alt="{SAFE}"' in gallery([("data:,", HOSTILE, "<b>caption</b>")])


def test_a_table_whose_rows_have_other_lengths():
    assert table(("a", "b"), [("1", "2")], numbers=(1,)).count('class="number"') == 2
    with pytest.raises(ValueError, match="longer"):
        table(("a", "b"), [("1",)])


@pytest.mark.parametrize(("value", "width"), [(0.25, "25.0%"), (-1.0, "0.0%"), (7.0, "100.0%")])
def test_bars_stay_within_their_frame(value, width):
    assert f"width:{width}" in bar(value)


def test_a_dash_stands_where_nothing_counted():
    assert [share(0.5), share(-1.0), share(float("nan"))] == ["0.500", "–", "–"]
    assert [percent(0.5), percent(-1.0), percent(float("nan"))] == ["50.0%", "–", "–"]
