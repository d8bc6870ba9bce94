"""The one error type that the command line turns into a single line and exit code 2."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one line: what was expected, what came, what to do about it.
    """


def one_line(message: object) -> str:
    """Fold any message into one line, for places that print a foreign error."""
    return " ".join(str(message).split())
