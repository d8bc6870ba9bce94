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
        colors = voc_colors(len(names)) if table.get("palette") == "voc" else colors
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


def voc_colors(count: int) -> tuple[Color, ...]:
    """Return the colours of PASCAL VOC: bits of the index, by turns, from the highest down."""
    colors = []
    for index in range(count):
        parts = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                parts[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
        colors.append((parts[0], parts[1], parts[2]))
    return tuple(colors)


def _color(text: str) -> Color:
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
