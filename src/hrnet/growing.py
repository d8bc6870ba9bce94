"""Files that grow result by result, and are whole whenever they are closed."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from hrnet.errors import InputError
from hrnet.files import atomic_path


class Growing:
    """A file that grows piece by piece; nothing is there before the first piece.

    start, end: of the file. What a full disk left of a piece is cut off when it is closed.
    """

    start, end = "", ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None
        self._whole = 0  # bytes up to the end of the last whole piece

    def _append(self, pieces: Sequence[str]) -> None:
        """Write pieces of text; InputError where the disk refuses."""
        try:
            if self._stream is None:
                self._stream = self._path.open("wb", buffering=0)
                self._write(self.start)
            for piece in pieces:
                self._write(piece)
        except OSError as error:
            raise InputError(
                f"the results cannot be written on ({error.strerror}); the file holds those of "
                "the pictures before"
            ) from None

    def close(self) -> None:
        """Cut off an unfinished piece, and write the end."""
        if self._stream is not None:
            with self._stream:
                self._stream.truncate(self._whole)
                self._stream.seek(self._whole)
                self._write(self.end)

    def _write(self, text: str) -> None:
        assert self._stream is not None
        # Lone surrogates, bytes of a name that is not UTF-8, become escapes that JSON has too.
        data = memoryview(text.encode("utf-8", "backslashreplace"))
        while data:  # a raw stream may take a part alone
            data = data[self._stream.write(data) :]
        self._whole = self._stream.tell()


class JsonList(Growing):
    """A JSON list that grows entry by entry."""

    start, end = "[", "\n]\n"
    _separator = "\n"

    def append(self, entries: Sequence[Mapping[str, object]]) -> None:
        """Write entries; InputError where the disk refuses."""
        for entry in entries:
            text = json.dumps(entry, allow_nan=False, ensure_ascii=False)
            self._append([self._separator + text])
            self._separator = ",\n"
        self._append([])  # a list without entries is one, too


class CsvTable(Growing):
    """A CSV table that grows picture by picture, the name of the picture in its first column."""

    _has_names = False

    def append(self, name: str, text: str) -> None:
        """Write the rows of a picture's own table, whose first row holds the columns' names."""
        names, *rows = csv.reader(io.StringIO(text))
        lines = [] if self._has_names else [["file_name", *names]]
        self._has_names = True
        written = io.StringIO()
        table = csv.writer(written, lineterminator="\n")
        table.writerows([*lines, *([name, *row] for row in rows)])
        self._append([written.getvalue()])


F = TypeVar("F", bound=Growing)


@contextmanager
def growing(target: Path | None, kind: type[F]) -> Iterator[F | None]:
    """Write a file as its results come, so that no run is too long for the memory.

    An error, Ctrl-C and SIGTERM pass through, but what was appended before them is kept. Only a
    caller that stops taking results leaves an old file as it was. None for no target.
    """
    if target is None:
        yield None
        return
    ended: BaseException | None = None
    with atomic_path(target) as temporary:
        results = kind(temporary)
        try:
            yield results
        except GeneratorExit:
            raise
        except BaseException as error:
            ended = error
        finally:
            results.close()
    if ended is not None:
        raise ended
