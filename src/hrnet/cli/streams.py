"""Keep a command going where its terminal cannot take what it prints."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, final


@final
class GuardedStream:
    """A text stream whose failures to write are noted instead of raised.

    After the first failure, such as a full disk, the rest goes nowhere: results in files matter
    more than lines on a terminal. error: that failure; a reader that went away is none.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write as the stream does; never raises OSError."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Flush as the stream does; never raises OSError."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        if error.errno != errno.EPIPE:
            self.error = self.error or error
        # What is still buffered must go somewhere, or Python complains when it exits.
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):  # no real file is behind the stream
            return


@contextmanager
def guarded_streams() -> Iterator[GuardedStream]:
    """Guard stdout and stderr while a command runs; yields the guard of stdout.

    Letters that their encodings lack are printed as escapes. A closed stream takes everything.
    """
    before = sys.stdout, sys.stderr
    guards = [_guard(stream) for stream in before]
    sys.stdout, sys.stderr = guards
    try:
        yield guards[0]
    finally:
        for guard in guards:
            guard.flush()
        sys.stdout, sys.stderr = before


def _guard(stream: TextIO | None) -> GuardedStream:
    if stream is None:  # the command was started with this stream closed
        return GuardedStream(io.StringIO())
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return GuardedStream(stream)
