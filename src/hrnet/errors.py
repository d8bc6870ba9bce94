"""The one error type that the command line turns into a single line and exit code 2."""

_LONGEST_LINE = 2000
_JOINERS = "\u200c\u200d"
"""Zero-width joiners, which spelling and composed characters need; they are printed as they are."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one printable line, whatever names are in it: what was expected, what came, what
    to do about it.
    """

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


def printable(text: object) -> str:
    r"""Replace every character that no terminal should receive by its escape, such as \x1b.

    These are control characters, marks that turn the direction of writing, and the surrogates that
    stand for bytes of a file name that is not UTF-8.
    """
    return "".join(
        letter
        if letter.isprintable() or letter in _JOINERS
        else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def one_line(message: object) -> str:
    """Fold any message into one printable line; the middle of an endless one is left out."""
    line = printable(" ".join(str(message).split()))
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} ... {line[-half:]}"
