"""The file classes.json beside masks: the names of their values, and what is ignored.

    {"classes": ["road", "sky"], "ignore": [255]}                    values 0, 1, ... in this order
    {"classes": [{"name": "road", "value": 7, "color": "#804080"}]}  values, and colours to draw in
    {"classes": [{"name": "road", "color": "#804080"}]}              masks of colours
    {"dataset": "ade20k"}                                            those of a known data set
    {"0": null, "1": "person", "3": "vehicle", "6": "vehicle"}       names by value

Values of one name are one class; null is ignored, and so is 255 unless it is listed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hrnet.data.class_dataset import LONGEST_NAME
from hrnet.data.mask_file import IGNORED, MOST_CLASSES, MaskCodes
from hrnet.drawing import Color
from hrnet.errors import InputError
from hrnet.files import read_json
from hrnet.numbers import to_int

CLASSES_FILE = "classes.json"

USUAL_IGNORED = 255

_VOID = frozenset(("unlabeled", "unlabelled", "ignore", "ignored", "void"))
"""Names of values that are no class."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskClasses:
    """The classes of masks. mirror_pairs: see `MaskDataset`."""

    names: tuple[str, ...]
    codes: MaskCodes
    colors: tuple[Color, ...] | None = None
    mirror_pairs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value with its name, None where it is ignored."""

    name: str | None
    value: int
    color: Color | None


def read_mask_classes(path: Path) -> MaskClasses:
    """Read a classes.json; InputError with one line where it is none."""
    content = read_json(path, "the classes of masks")
    try:
        return _parse(content)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


def known_name(path: Path) -> str | None:
    """Return the known data set that a classes.json names, None for others."""
    content = read_json(path, "the classes of masks")
    name = content.get("dataset") if isinstance(content, Mapping) else None
    return None if name is None else str(name)


def _parse(content: object) -> MaskClasses:
    if not isinstance(content, Mapping) or not content:
        raise ValueError('expected {"classes": [...]} or names by value, as {"1": "person"}')
    if "classes" not in content:
        return _make([_named(value, name) for value, name in content.items()], rgb=False)
    # Names in order, or an object a class.
    listed, ignored = content["classes"], content.get("ignore", [])
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise ValueError(f"expected classes as a list of names or objects, got {listed!r:.60}")
    if not isinstance(ignored, Sequence) or isinstance(ignored, str):
        raise ValueError(f"expected ignore as a list of values, got {ignored!r:.60}")
    rgb = all(isinstance(one, Mapping) and "value" not in one for one in listed)
    entries = [_listed(index, one, rgb=rgb) for index, one in enumerate(listed)]
    entries += [_Entry(None, _value(one, rgb=rgb), None) for one in ignored]
    return _make(entries, rgb=rgb, mirror=content.get("mirror", []))


def _named(value: object, name: object) -> _Entry:
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,3}", value) else None
    if number is None:
        raise ValueError(f"expected values 0 to 255 as keys, got {value!r:.60}")
    is_void = name is None or (isinstance(name, str) and name.casefold() in _VOID)
    return _Entry(None if is_void else _name(name), _value(number, rgb=False), None)


def _listed(index: int, one: object, *, rgb: bool) -> _Entry:
    if not isinstance(one, Mapping):
        return _Entry(_name(one), _value(index, rgb=False), None)
    color = None if one.get("color") is None else _color(one["color"])
    if rgb:
        if color is None:
            raise ValueError(f'expected "value" or "color" of each class, got {one!r:.60}')
        return _Entry(_name(one.get("name")), _packed(color), color)
    return _Entry(_name(one.get("name")), _value(one.get("value"), rgb=False), color)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(f"expected names of 1 to {LONGEST_NAME} letters, got {name!r:.60}")
    return name


def _value(value: object, *, rgb: bool) -> int:
    if rgb:
        return _packed(_color(value))
    number = to_int(value)
    if number is None or not 0 <= number <= 255:
        raise ValueError(f"expected values 0 to 255, got {value!r:.60}")
    return number


def _color(value: object) -> Color:
    if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        red, green, blue = bytes.fromhex(value[1:])
        return red, green, blue
    raise ValueError(f'expected colours as "#rrggbb", got {value!r:.60}')


def _packed(color: Color) -> int:
    red, green, blue = color
    return (red << 16) + (green << 8) + blue


def _make(entries: Sequence[_Entry], *, rgb: bool, mirror: object = ()) -> MaskClasses:
    """Number the names in their order, and give each value its class."""
    names = tuple(dict.fromkeys(one.name for one in entries if one.name is not None))
    if len(names) < 2:
        raise ValueError(f"expected at least two classes, got {len(names)}")
    if len(names) > MOST_CLASSES:
        raise ValueError(f"expected at most {MOST_CLASSES:,} classes, got {len(names):,}")
    index = {name: place for place, name in enumerate(names)}
    classes: dict[int, int] = {} if rgb else {USUAL_IGNORED: IGNORED}
    seen: set[int] = set()
    for one in entries:
        if one.value in seen:
            shown = f"#{one.value:06x}" if rgb else one.value
            raise ValueError(f"expected each value once, got {shown} twice")
        seen.add(one.value)
        classes[one.value] = IGNORED if one.name is None else index[one.name]
    # The first colour of each name, where all have one.
    first: dict[str, Color] = {}
    for one in entries:
        if one.name is not None and one.color is not None:
            first.setdefault(one.name, one.color)
    colors = tuple(first[name] for name in names) if len(first) == len(names) else None
    return MaskClasses(names, MaskCodes(classes, rgb), colors, _pairs(mirror, index))


def _pairs(mirror: object, index: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of names that swap in a mirrored picture, as indices."""
    pairs: list[tuple[int, int]] = []
    for pair in mirror if isinstance(mirror, Sequence) else [mirror]:
        names = pair if isinstance(pair, Sequence) and not isinstance(pair, str) else ()
        known = [index[one] for one in names if isinstance(one, str) and one in index]
        if len(known) != 2 or len(names) != 2:
            raise ValueError(f"expected mirror as pairs of class names, got {pair!r:.60}")
        pairs.append((known[0], known[1]))
    if len({one for pair in pairs for one in pair}) < 2 * len(pairs):
        raise ValueError("expected each class in one pair of mirror at most")
    return tuple(pairs)
