"""DeepLabCut projects: labeled-data/VIDEO/CollectedData_SCORER.csv beside the frames.

The header has the rows scorer, individuals (multi-animal projects only), bodyparts and coords;
each further row is a frame, named in one column or, in newer projects, in three. An empty or NaN
coordinate is not labelled. Labels of several scorers are kept as those of several annotators.
Source of the layout: DeepLabCut's documentation and projects, and its config.yaml.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.imports.common import (
    Imported,
    ImportOptions,
    Picture,
    PictureFinder,
    Subject,
    read_text,
    read_yaml,
)
from hrnet.errors import InputError

_HEADER = ("scorer", "individuals", "bodyparts", "coords")
_SHARED = "single"
"""The individual that DeepLabCut gives the body parts which the animals do not have."""


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """One CSV file. columns: (individual, body part) -> the columns of x and y."""

    file: Path
    scorer: str
    columns: Mapping[tuple[str, str], tuple[int, int]]
    rows: Sequence[tuple[str, list[str]]]

    @property
    def parts(self) -> list[str]:
        return list(dict.fromkeys(part for _, part in self.columns))

    @property
    def individuals(self) -> list[str]:
        return list(dict.fromkeys(individual for individual, _ in self.columns))


def fits(source: Path) -> bool:
    """Whether a source is a project's folder, its config.yaml, or one of its CSV files."""
    if source.is_dir():
        return (source / "labeled-data").is_dir()
    return source.suffix == ".csv" or (
        source.name == "config.yaml" and (source.parent / "labeled-data").is_dir()
    )


def read(source: Path, options: ImportOptions) -> Imported:
    """Read all labelled frames of a project, or those of one CSV file."""
    project = source if source.is_dir() else source.parent
    files = (
        [source]
        if source.suffix == ".csv"
        else sorted(project.glob("labeled-data/*/CollectedData_*.csv"))
    )
    if not files:
        raise InputError(f"{source}: expected labeled-data/*/CollectedData_*.csv, found none")
    tables = [_read_table(file) for file in files]
    first = tables[0]
    for table in tables[1:]:
        if set(table.parts) != set(first.parts):
            raise InputError(
                f"{table.file}: expected the body parts of {first.file}, "
                f"{', '.join(first.parts)}, got {', '.join(table.parts)}"
            )
    names = options.names or tuple(first.parts)
    if set(names) != set(first.parts):
        raise InputError(f"{source}: expected --names from {', '.join(first.parts)}, got {names}")
    config = project / "config.yaml"
    settings = read_yaml(config) if config.is_file() else {}
    return Imported(
        names=names,
        category=options.category or "animal",
        pictures=_pictures(source, tables, names, options),
        edges=_edges(settings.get("skeleton"), names),
        notes=("the format has no visibility: all labelled keypoints count as visible",),
    )


def _read_table(file: Path) -> _Table:
    lines = [line for line in csv.reader(read_text(file).splitlines()) if any(line)]
    header: dict[str, list[str]] = {}
    while lines and lines[0][0] in _HEADER:
        row = lines.pop(0)
        header[row[0]] = row
    width = len(header.get("coords", ()))
    if not {"scorer", "bodyparts", "coords"} <= set(header) or width < 3:
        raise InputError(f"{file}: expected the header rows scorer, bodyparts and coords")
    if any(len(line) != width for line in [*header.values(), *lines]):
        raise InputError(f"{file}: expected {width} columns in each row, as in its header")
    start = next((c for c in range(1, width) if header["coords"][c]), width)
    individuals = header.get("individuals", [""] * width)
    places: dict[tuple[str, str], dict[str, int]] = {}
    for column in range(start, width):
        key = (individuals[column], header["bodyparts"][column])
        places.setdefault(key, {})[header["coords"][column]] = column
    whose = {individual for individual, _ in places}
    columns = {
        key: (found["x"], found["y"])
        for key, found in places.items()
        if {"x", "y"} <= set(found) and (key[0] != _SHARED or whose == {_SHARED})
    }
    if not columns:
        raise InputError(f"{file}: expected columns x and y for each body part, found none")
    rows = [("/".join(line[:start]).replace("\\", "/"), line) for line in lines]
    return _Table(file, header["scorer"][start], columns, rows)


def _pictures(
    source: Path, tables: Sequence[_Table], names: Sequence[str], options: ImportOptions
) -> tuple[Picture, ...]:
    """The frames of all tables; a frame that several scorers labelled is one picture."""
    found: dict[Path, list[Subject]] = {}
    missing: list[str] = []
    finder: PictureFinder | None = None
    several = len({table.scorer for table in tables}) > 1
    for table in tables:
        finder = PictureFinder(options.images or table.file.parent)
        for name, line in table.rows:
            video, frame = [table.file.parent.name, *name.split("/")][-2:]
            path = finder.find(f"{video}/{frame}", frame)
            if path is not None:
                found.setdefault(path, []).extend(_subjects(table, line, names, several))
        missing += finder.missing
    assert finder is not None
    finder.missing = missing
    finder.expect_all(source)
    return tuple(
        Picture(path, tuple(subjects), extra={"video": path.parent.name})
        for path, subjects in found.items()
    )


def _subjects(
    table: _Table, line: Sequence[str], names: Sequence[str], several: bool
) -> Iterator[Subject]:
    for individual in table.individuals:
        triples = np.zeros((len(names), 3))
        for index, name in enumerate(names):
            if (individual, name) in table.columns:
                triples[index] = _triple(table, line, table.columns[individual, name])
        if triples.any():
            extra = {"individual": individual} if individual else {}
            yield Subject(triples, extra=extra | ({"annotator": table.scorer} if several else {}))


def _triple(table: _Table, line: Sequence[str], columns: tuple[int, int]) -> NDArray[np.float64]:
    try:
        x, y = (float(line[column] or "nan") for column in columns)
    except ValueError:
        shown = ", ".join(line[column] for column in columns)
        raise InputError(f"{table.file}: expected coordinates or nothing, got {shown}") from None
    return np.array([x, y, 2.0]) if np.isfinite([x, y]).all() else np.zeros(3)


def _edges(bones: object, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Bones of config.yaml, pairs of body parts; those of unknown parts are left out."""
    index = {name: place for place, name in enumerate(names)}
    pairs = (
        [b for b in bones if isinstance(b, list) and len(b) == 2] if isinstance(bones, list) else []
    )
    return tuple((index[a], index[b]) for a, b in pairs if a in index and b in index)
