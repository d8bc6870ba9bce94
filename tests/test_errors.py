"""Messages hold whatever users call their files; a terminal gets letters alone."""

import pickle

import pytest

from hrnet.errors import InputError, one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u65e5\u672c [/x] é", "plain \u65e5\u672c [/x] é"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\udcff.png", r"\udcff.png"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_no_control_character_reaches_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_message_is_one_line() -> None:
    assert one_line("a\n  b\x1b[1m\r\nc") == r"a b\x1b[1m c"


def test_errors_are_one_printable_line_in_python_too() -> None:
    error = InputError("no a\0\x1b[1m.png\n  here " + "x" * 10_000)
    assert str(error).startswith(r"no a\x00\x1b[1m.png here x")
    assert len(str(error)) < 2100
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_endless_line_loses_its_middle() -> None:
    line = one_line("begin " + "x" * 10_000 + " end")
    assert len(line) < 2100
    assert line.startswith("begin x")
    assert line.endswith("x end")
