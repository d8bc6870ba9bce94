"""DeepLabCut projects: labeled-data/VIDEO/CollectedData_SCORER.csv beside the frames.

The header has the rows scorer, individuals (multi-animal projects only), bodyparts and coords;
each further row is a frame, named in one column or, in newer projects, in three. An empty or NaN
coordinate is not labelled. Labels of several scorers are kept as those of several annotators.
Tables that a network wrote have a third column, the likelihood of each point.
Source of the layout: DeepLabCut's documentation and projects, and its config.yaml.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.imports.common import (
    NO_VISIBILITY,
    Imported,
    ImportedPicture,
    ImportedSubject,
    Source,
    name_of,
    shown,
)
from hrnet.data.imports.pictures import FolderSearch, PictureFinder
from hrnet.data.imports.tables import table_rows
from hrnet.data.imports.yaml_file import read_yaml
from hrnet.errors import InputError
from hrnet.files import is_file, is_folder, read_text
from hrnet.numbers import text_to_float

OPTIONS = frozenset({"names", "category", "likelihood"})
_HEADER = ("scorer", "individuals", "bodyparts", "coords")
_SHARED = "single"
"""The individual that DeepLabCut gives the body parts which the animals do not have."""

_LIKELIHOOD = 0.6
"""DeepLabCut's own limit (pcutoff) where the user gives none."""

_OWN_SUFFIXES = (".csv", ".h5")

Columns = Mapping[tuple[str, str], Mapping[str, int]]
"""(individual, body part) -> the columns of x, y and perhaps likelihood."""


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """One CSV file. rows: the name of each frame, and its fields."""

    file: Path
    scorer: str
    columns: Columns
    rows: Sequence[tuple[str, list[str]]]

    @property
    def individuals(self) -> list[str]:
        return list(dict.fromkeys(individual for individual, _ in self.columns))

    def parts(self, *, shared: bool | None = None) -> list[str]:
        """Body parts of the animals (shared: False), of the individual `single`, or all."""
        unique = self.individuals != [_SHARED]
        return list(
            dict.fromkeys(
                part
                for individual, part in self.columns
                if shared is None or shared == (unique and individual == _SHARED)
            )
        )


def fits(source: Path) -> bool:
    """Return True for a project's folder, its config.yaml, or one of its CSV files."""
    if is_folder(source):
        return is_folder(source / "labeled-data")
    if source.suffix.lower() == ".csv" and is_file(source):
        return read_text(source, "labels").startswith(f"{_HEADER[0]},")
    return source.name == "config.yaml" and is_folder(source.parent / "labeled-data")


def read(source: Source) -> Imported:
    """Read all labelled frames of a project, or those of one CSV file."""
    # The tables, which must have the same body parts.
    path, is_table = source.path, source.path.suffix.lower() == ".csv"
    project = path if is_folder(path) else path.parent
    files = [path] if is_table else sorted(project.glob("labeled-data/*/CollectedData_*.csv"))
    if not files:
        raise InputError(f"{source}: expected labeled-data/*/CollectedData_*.csv, found none")
    tables = [_read_table(source, file) for file in files]
    first = tables[0]
    for table in tables[1:]:
        if set(table.parts()) != set(first.parts()):
            raise InputError(
                f"{table.file}: expected the body parts of {first.file}, "
                f"{', '.join(first.parts())}, got {', '.join(table.parts())}"
            )
    # The subjects that the user wants, in their frames.
    source.notes.append(NO_VISIBILITY)
    individuals, names = _taken(source, tables)
    config = project / "config.yaml"
    settings = read_yaml(config) if is_file(config) else {}
    pictures = _pictures(source, tables, individuals, names)
    if not is_table and source.options.images is None:
        _count_unread(source, project, {*pictures, *files})
    return Imported(
        names=names,
        category=source.options.category or "animal",
        pictures=tuple(
            ImportedPicture(path, tuple(subjects), extra={"video": path.parent.name})
            for path, subjects in pictures.items()
        ),
        edges=_edges(source, settings.get("skeleton"), names),
        inputs=(*files, *([config] if settings else [])),
    )


def _read_table(source: Source, file: Path) -> _Table:
    # Header rows come first, and give the number of columns.
    lines = table_rows(file)
    header: dict[str, list[str]] = {}
    while lines and lines[0][0] in _HEADER:
        row = lines.pop(0)
        header[row[0]] = row
    width = len(header.get("coords", ()))
    if not {"scorer", "bodyparts", "coords"} <= set(header) or width < 3:
        raise InputError(f"{file}: expected the header rows scorer, bodyparts and coords")
    if any(len(line) != width for line in header.values()):
        raise InputError(f"{file}: expected {width} columns in each row, as in its header")
    # The first columns, without a coordinate, hold the frame's path.
    start = next((c for c in range(1, width) if header["coords"][c]), width)
    columns = _columns(source, file, header, start)
    rows = []
    for line in lines:
        name = "/".join(line[:start]).replace("\\", "/")
        if len(line) == width:
            rows.append((name, line))
        else:
            expected = f"expected {width} columns in each row, as in its header, got {len(line)}"
            source.wrong("rows", f"{file}: {name:.80}: {expected}")
    return _Table(file, header["scorer"][start], columns, rows)


def _columns(
    source: Source, file: Path, header: Mapping[str, Sequence[str]], start: int
) -> Columns:
    # Only data sets of several animals have a row of individuals.
    width = len(header["coords"])
    individuals = header.get("individuals", [""] * width)
    places: dict[tuple[str, str], dict[str, int]] = {}
    for column in range(start, width):
        part, coordinate = header["bodyparts"][column], header["coords"][column]
        found = places.setdefault((individuals[column], part), {})
        if coordinate in ("x", "y", "likelihood") and coordinate not in found:
            found[coordinate] = column
        else:
            source.leave_out("columns of another kind, or named twice,", f"{part} {coordinate}")
    columns = {key: found for key, found in places.items() if {"x", "y"} <= set(found)}
    for individual, part in places.keys() - columns.keys():
        source.leave_out("body parts without columns x and y", f"{individual} {part}".strip())
    if not columns:
        raise InputError(f"{file}: expected columns x and y for each body part, found none")
    return columns


def _taken(
    source: Source, tables: Sequence[_Table]
) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The individuals that are taken (None: all), and the body parts in their order."""
    # The individuals and body parts that the user names, or else those of the animals.
    options = source.options
    own, shared = tables[0].parts(shared=False), tables[0].parts(shared=True)
    everybody = list(dict.fromkeys(one for table in tables for one in table.individuals))
    chosen = (options.category,) if options.category in everybody else None
    parts = shared if shared and options.category == _SHARED else own
    if options.names and set(options.names) in (set(shared), {*own, *shared}):
        parts = list(options.names)
    names = options.names or tuple(parts)
    if set(names) != set(parts) or len(set(names)) != len(names):
        listed = ", ".join(parts) + (f", or from {', '.join(shared)}" if shared else "")
        raise InputError(f"{source}: expected --names from {listed}, got {names}")
    # Body parts of no animal, and a name that is no individual.
    left = [part for part in shared if part not in parts]
    if left:
        rows = sum(
            any(_has_point(table, line, (_SHARED, part)) for part in left)
            for table in tables
            for _, line in table.rows
        )
        source.leave_out(
            f"body parts of the individual {_SHARED}",
            f"{', '.join(left)}, labelled in {rows} frames; --category {_SHARED} or --names "
            f"{','.join(left)} takes them",
            len(left),
        )
    if options.category not in (None, *everybody) and any(everybody):
        source.notes.append(
            f"{options.category} is no individual; it names the category, and all of them are taken"
        )
    return chosen, names


def _has_point(table: _Table, line: Sequence[str], key: tuple[str, str]) -> bool:
    return key in table.columns and text_to_float(line[table.columns[key]["x"]]) is not None


def _pictures(
    source: Source, tables: Sequence[_Table], chosen: tuple[str, ...] | None, names: Sequence[str]
) -> dict[Path, list[ImportedSubject]]:
    """The frames of all tables; a frame that several scorers labelled is one picture."""
    found: dict[Path, list[ImportedSubject]] = {}
    finders: dict[Path, PictureFinder] = {}
    several = len({table.scorer for table in tables}) > 1
    for table in tables:
        root = source.options.images or table.file.parent
        finder = finders.setdefault(root, PictureFinder(root))
        seen = set()
        for name, line in table.rows:
            path = _frame(source, finder, table, name)
            if path is None:
                continue
            if path in seen:
                source.wrong("rows", f"{table.file}: {name:.80}: expected each frame once")
                continue
            seen.add(path)
            own = found.setdefault(path, [])
            for individual in chosen or table.individuals:
                columns = [table.columns.get((individual, part)) for part in names]
                triples = _triples(source, f"{table.file}: {name:.80}", line, columns, names)
                extra = {"individual": individual, "annotator": table.scorer if several else ""}
                if triples.any():
                    known = {key: value for key, value in extra.items() if value}
                    own.append(ImportedSubject(triples, extra=known))
    for finder in finders.values():
        finder.expect_all(source)
    return found


def _frame(source: Source, finder: PictureFinder, table: _Table, name: str) -> Path | None:
    """The picture of a row: beside its table if the row names the table's own folder."""
    video, frame = [table.file.parent.name, *name.split("/")][-2:]
    images = source.options.images
    if images is not None or video == table.file.parent.name:
        return finder.find(f"{video}/{frame}", *([] if images else [frame]))
    path = table.file.parent.parent / video / frame
    if is_file(path):
        return path
    finder.missing.append(f"{video}/{frame}")
    return None


def _triples(
    source: Source,
    where: str,
    line: Sequence[str],
    columns_of: Sequence[Mapping[str, int] | None],
    names: Sequence[str],
) -> NDArray[np.float64]:
    """The keypoints (K, 3) of one individual in one frame."""
    limit = source.options.likelihood
    limit = _LIKELIHOOD if limit is None else limit
    triples = np.zeros((len(names), 3))
    for index, (part, columns) in enumerate(zip(names, columns_of, strict=True)):
        if columns is None:
            continue
        fields = [line[columns[key]].strip() for key in ("x", "y")]
        if all(field.lower() in ("", "nan") for field in fields):
            continue
        # An empty pair is not labelled; a machine's point may be too unsure.
        x, y = map(text_to_float, fields)
        place, scored = f"{where}: {part}", columns.get("likelihood")
        score = limit if scored is None else text_to_float(line[scored]) or 0
        if x is None or y is None:
            got = f"{', '.join(fields):.60}"
            source.wrong("keypoints", f"{place}: expected coordinates or nothing, got {got}")
        elif score < limit:
            source.leave_out(f"keypoints of a likelihood below {limit:g}", place)
        else:
            triples[index] = (x, y, 2)
    return triples


def _edges(source: Source, bones: object, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Bones of config.yaml, pairs of body parts; those of unknown parts are left out."""
    index = {name: place for place, name in enumerate(names)}
    edges = []
    for bone in bones if isinstance(bones, list) else []:
        ends = [index.get(name_of(end)) for end in bone] if isinstance(bone, list) else []
        match ends:
            case [int(a), int(b)] if a != b:
                edges.append((a, b))
            case _:
                source.leave_out("bones that are not two of these keypoints", shown(bone))
    return tuple(edges)


def _count_unread(source: Source, project: Path, taken: Collection[Path]) -> None:
    """Count the files in labeled-data beside the tables and their frames."""
    search = FolderSearch()
    for path in search.pictures_below(project / "labeled-data"):
        if path not in taken:
            source.leave_out("pictures that no table names", f"{path.parent.name}/{path.name}")
    search.count_others(source, _OWN_SUFFIXES)
    for path in sorted(project.glob("labeled-data/*/*.csv")):
        if path not in taken:
            source.leave_out("tables of other names", f"{path.parent.name}/{path.name}")
