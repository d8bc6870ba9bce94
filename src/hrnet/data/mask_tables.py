"""The classes of known data sets, by name, from mask_tables.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hrnet.drawing import Color
from hrnet.errors import InputError


@dataclass(frozen=True, slots=True)
class ClassTable:
    """The classes of a data set. mirror_pairs: as in `MaskDataset`. colors: None for none."""

    names: tuple[str, ...]
    colors: tuple[Color, ...] | None = None
    mirror_pairs: tuple[tuple[int, int], ...] = ()


@cache
def class_tables() -> dict[str, ClassTable]:
    """Return the tables by the names of the data sets: cityscapes, ade20k, ..."""
    text = Path(__file__).with_name("mask_tables.toml").read_text("utf-8")
    found = {}
    for name, table in tomllib.loads(text).items():
        names = tuple(" ".join(one.split()) for one in table["names"].split(","))
        colors = tuple(_color(one) for one in table.get("colors", "").split()) or None
        pairs = tuple((left, right) for left, right in table.get("mirror", []))
        found[name] = ClassTable(names, colors, pairs)
    # The 60 classes are the 59 with the background before them.
    found["pascal_context60"] = ClassTable(("background", *found["pascal_context59"].names))
    return found


def class_table(name: str) -> ClassTable:
    """Return the classes of a data set; InputError for an unknown one."""
    tables = class_tables()
    if name not in tables:
        raise InputError(f"expected the classes of {', '.join(sorted(tables))}, got {name:.60}")
    return tables[name]


def _color(text: str) -> Color:
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
