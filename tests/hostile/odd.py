"""Odd values of real and hostile files in place of those a reader expects, as strategies."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

NAN, INF = float("nan"), float("inf")

_RAW = {'"<400 digits>"': "1" * 400, '"<5000 digits>"': "1" * 5000, '"<1e400>"': "1e400"}
"""Numbers that Python's own writer of JSON refuses, by the text that stands for each."""

TEXTS = (
    "", ".", "..", "x", "1", "1.0", "0", "false", "[/]", "[red]x", ":smile:", "a\nhrnet: error: b",
    "\x1b[31mred", "\x1b]0;title\x07", "\x9b31m", "\u202egnp", "\ud800", "\udcff", "a\\b", "%s{}",
    "n" * 300, "é" * 200, "C:\\x\\a.png", "a\0b", "https://[x/a.png", "-x", "nan", "1e400",
)  # fmt: skip

NUMBERS = (
    NAN, INF, -INF, 0, -1, 0.5, 0.9, 3, -0.0, 1e-320, 1e300, 1e308, 2**31, 2**53 + 1, 2**63,
    -(2**63), 2**64, "<400 digits>", "<5000 digits>", "<1e400>",
)  # fmt: skip

leaves = st.one_of(
    st.sampled_from((None, True, False)),
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)

values = st.one_of(
    leaves,
    st.sampled_from(([], {}, [[]], [None], {"a": 1})),
    st.lists(leaves, max_size=4),
    st.dictionaries(st.sampled_from(("id", "x", "name", "value")), leaves, max_size=2),
)


def dumps(content: object) -> str:
    """Write JSON with numbers of any length."""
    text = json.dumps(content)
    for name, number in _RAW.items():
        text = text.replace(name, number)
    return text


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Each entry of a document at any depth, as its holder and its key there."""
    keys = list(content) if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])


@st.composite
def spoiled_json(draw: st.DrawFn, document: object, most: int = 3) -> Any:
    """A document with up to `most` entries replaced, left out or repeated."""
    content = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(content))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        kind = draw(st.sampled_from(("replace", "replace", "replace", "remove", "repeat")))
        if kind == "replace":
            holder[key] = copy.deepcopy(draw(values))
            note(f"{key} = {holder[key]!r:.200}")
        elif kind == "remove":
            note(f"{key} left out")
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
    return content


_TOKENS = (
    *TEXTS, "1" * 400, "1" * 5000, "inf", "-inf", "-1", "0.9", "1_0", "٣", "null", "~", "[", "{",
    "<", "!!int x", "!!bool x", "!!float x", "!!timestamp x", "!!binary '#'", "*a", "&a [*a]", "<<",
    "2024-13-45", "2024-01-01 99:99:99", "&#0;", '"', "'", ",", ";", "\t", "\r", "\ufeff",
)  # fmt: skip


@st.composite
def spoiled_text(draw: st.DrawFn, text: str) -> bytes:
    """A text with some of its words replaced, perhaps cut off or in another encoding."""
    words = re.split(r"([\s,;:=<>\"\[\]]+)", text)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(words) - 1))
        words[place] = draw(st.one_of(st.sampled_from(_TOKENS), st.text(max_size=4)))
    whole = "".join(words)
    kind = draw(st.sampled_from(("whole",) * 6 + ("cut", "utf-16", "bytes")))
    if kind == "cut":
        whole = whole[: draw(st.integers(0, len(whole)))]
    data = whole.encode("utf-16" if kind == "utf-16" else "utf-8", "surrogatepass")
    return data + draw(st.binary(max_size=4)) if kind == "bytes" else data


def _fits_a_name(name: str) -> bool:
    try:
        size = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # surrogates that stand for no byte
        return False
    return 0 < size <= 250 and not set(name) & {"/", "\0"}


file_names = st.one_of(
    st.sampled_from([name for name in TEXTS if _fits_a_name(name)]),
    st.sampled_from(("n" * 246, "語" * 82, "a'\"`$(x)", " ", "*?[b]", "\udcff\udcfe", "\u2028")),
    st.text(min_size=1, max_size=12),
).filter(_fits_a_name)
"""Names without a suffix that a file of this system may have."""
