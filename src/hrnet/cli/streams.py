"""Streams for stdout and stderr that keep a command running when printing fails."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, final


@final
class GuardedStream:
    """A text stream that records write errors instead of raising them.

    After the first error, such as a full disk, all further output is dropped, so that the command
    can still finish its result files. error: the first error; a closed pipe is not recorded.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write to the stream, without raising OSError."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop_output(error)
            return len(text)

    def flush(self) -> None:
        """Flush the stream, without raising OSError."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop_output(error)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def _drop_output(self, error: OSError) -> None:
        """Record an error, and send all further output to the null device."""
        if error.errno != errno.EPIPE:
            self.error = self.error or error
        # Also redirect the file descriptor: Python flushes its buffer at exit.
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):  # not a stream of a file
            return


@contextmanager
def guarded_streams() -> Iterator[GuardedStream]:
    """Replace stdout and stderr by guarded streams; yield that of stdout.

    Characters that the encoding lacks are printed as escapes. Output to a closed stream is dropped.
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
    """Return a guarded stream for stdout or stderr, which is None if it was closed."""
    if stream is None:
        return GuardedStream(io.StringIO())
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return GuardedStream(stream)
