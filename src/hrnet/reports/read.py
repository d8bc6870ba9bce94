"""Read a run folder, weights aside: settings, environment, log and pictures."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hrnet.config import Experiment
from hrnet.errors import InputError
from hrnet.files import exists, is_file, is_folder, parse_json, read_bytes, read_json
from hrnet.numbers import to_float
from hrnet.run_folder import ENVIRONMENT, EXPERIMENT, LOG, PICTURES
from hrnet.tasks import read_experiment

TAIL_LINES = 12
_MAX_LINE = 1000
_MAX_ENVIRONMENT = 10_000_000
_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png"}

Row = Mapping[str, object]
"""One line of log.jsonl; `number` reads a value."""


@dataclass(frozen=True, slots=True, eq=False)
class RunFolder:
    """The files written by a training that has ended, was stopped or still goes on.

    environment: names such as "packages.torch" -> values, in the file's order. steps, epochs: the
    rows of these kinds, in the log's order. measured: the epochs, after the row of the pretrained
    weights if these were evaluated. tail: the log's last lines. pictures: drawn in the training.
    """

    path: Path
    experiment: Experiment
    environment: Mapping[str, str]
    steps: tuple[Row, ...]
    epochs: tuple[Row, ...]
    measured: tuple[Row, ...]
    tail: tuple[str, ...]
    pictures: tuple[Path, ...]


def read_run(path: Path) -> RunFolder:
    """Read a run folder; log, environment and pictures may be missing, as in a run that begins.

    Raises InputError with one line for another folder and for a file of another form. The last line
    of a log may be half written: its process may have been killed.
    """
    if not is_file(path / EXPERIMENT):
        what = f"it lacks {EXPERIMENT}" if is_folder(path) else "it is no folder"
        raise InputError(
            f"expected a run folder with {EXPERIMENT}, got {path}: {what}; "
            "name the folder that `hrnet train --out` wrote"
        )
    lines, rows = _read_log(path / LOG) if exists(path / LOG) else ([], [])
    return RunFolder(
        path=path,
        experiment=read_experiment(path / EXPERIMENT),
        environment=_read_environment(path / ENVIRONMENT),
        steps=tuple(row for row in rows if row.get("kind") == "step"),
        epochs=tuple(row for row in rows if row.get("kind") == "epoch"),
        measured=tuple(row for row in rows if row.get("kind") in ("start", "epoch")),
        tail=tuple(f"{line:.{_MAX_LINE}}" for line in lines[-TAIL_LINES:]),
        pictures=tuple(_pictures(path / PICTURES)),
    )


def _pictures(folder: Path) -> list[Path]:
    try:
        files = sorted(folder.iterdir()) if is_folder(folder) else []
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}; check the path") from None
    return [file for file in files if file.suffix.lower() in _PICTURE_SUFFIXES and is_file(file)]


def number(row: Row, name: str) -> float | None:
    """Return a finite number of a row; None where it has none of that name."""
    return to_float(row.get(name))


def _read_log(path: Path) -> tuple[list[str], list[Row]]:
    """Return the whole lines of a log and their rows."""
    text = read_bytes(path, "the log").decode("utf-8", errors="replace")
    lines = [(at, line) for at, line in enumerate(text.splitlines(), 1) if line.strip()]
    rows: list[Row] = []
    for at, line in lines:
        row = _row(line)
        # Only the last line may be broken.
        if row is None and at == lines[-1][0]:
            return [line for _, line in lines[:-1]], rows
        if row is None:
            raise InputError(
                f"{path}, line {at}: expected a JSON object, got {line!r:.60}; "
                "mend or delete that line"
            )
        rows.append(row)
    return [line for _, line in lines], rows


def _row(line: str) -> Row | None:
    try:
        row = parse_json(line, "a line")
    except InputError:
        return None
    return row if isinstance(row, dict) else None


def _read_environment(path: Path) -> dict[str, str]:
    if not exists(path):
        return {}
    content = read_json(path, "the environment", _MAX_ENVIRONMENT)
    if not isinstance(content, dict):
        raise InputError(
            f"expected a JSON object in {path}, got something else; mend or delete the file"
        )
    command = content.get("command")
    try:
        # The command is shown as it can be typed.
        if isinstance(command, list):
            content["command"] = shlex.join(map(str, command))
        return flatten(content)
    except RecursionError:
        raise InputError(f"{path} is nested too deeply; mend or delete the file") from None


def flatten(tree: Mapping[str, object], above: str = "") -> dict[str, str]:
    """Turn nested objects into dotted names and texts; lists are joined by commas."""
    flat: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{above}{name}.")
        else:
            flat[f"{above}{name}"] = _text(value)
    return flat


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        pairs = ("/".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
        return ", ".join(pairs) if value else "none"
    return "none" if value == {} else str(value)
