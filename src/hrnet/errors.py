"""The error for bad input, which the command line prints as one line, with exit code 2."""

_LONGEST_LINE = 2000
_JOINERS = "\u200c\u200d"
"""Zero-width joiners, printed unchanged since scripts and composed characters need them."""


class InputError(ValueError):
    """Error for anything a user gave that cannot be used.

    The message is one printable line: what was expected, what was given, what to do.
    """

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


def printable(text: object) -> str:
    r"""Escape every character that no terminal should receive, such as \x1b.

    These are control characters, marks that change the direction of writing, and surrogates, which
    stand for the bytes of a file name that is not UTF-8.
    """
    return "".join(
        letter
        if letter.isprintable() or letter in _JOINERS
        else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )


def one_line(message: object) -> str:
    """Join a message into one printable line of at most about 2,000 characters."""
    line = printable(" ".join(str(message).split()))
    half = _LONGEST_LINE // 2  # of a longer line the middle is left out
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} ... {line[-half:]}"
