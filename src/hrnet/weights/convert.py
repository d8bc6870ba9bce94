"""Foreign names of weights to ours and back: one table a naming scheme, read in both directions.

A row pairs the name of a module of ours with theirs; `{}` stands for a whole number that is the
same on both sides. The tensors of a module (weight, bias, running_mean, ...) have the same last
name everywhere.

Source of the upstream names: state dictionaries of the official HRNet pose code (Sun et al. 2019).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from hrnet.errors import InputError

Value = TypeVar("Value")
Row = tuple[str, str]

_CONV_NORM = (("conv", "conv"), ("norm", "bn"))


def _block(ours: str, theirs: str, num_convs: int) -> list[Row]:
    """A residual block: convN and bnN are neighbours there, conv and norm are inside convN here."""
    return [
        (f"{ours}.conv{n}.{mine}", f"{theirs}.{other}{n}")
        for n in range(1, num_convs + 1)
        for mine, other in _CONV_NORM
    ]


def _conv_norm(ours: str, theirs: str) -> list[Row]:
    """A convolution and its norm, which are numbers 0 and 1 of a Sequential there."""
    return [(f"{ours}.conv", f"{theirs}.0"), (f"{ours}.norm", f"{theirs}.1")]


def _stage(number: int) -> list[Row]:
    """Stage 2, 3 or 4. The transition to stage 2 is their transition1, and so on."""
    ours, move, new = f"backbone.stages.stage{number}", f"transition{number - 1}", number - 1
    paths, fuse = (
        f"{ours}.module{{}}.exchange.paths.{{}}.{{}}",
        f"stage{number}.{{}}.fuse_layers.{{}}.{{}}",
    )
    return [
        *_block(
            f"{ours}.module{{}}.streams.{{}}.{{}}", f"stage{number}.{{}}.branches.{{}}.{{}}", 2
        ),
        *_conv_norm(f"{paths}.project", fuse),  # up: one convolution
        *_conv_norm(f"{paths}.{{}}", f"{fuse}.{{}}"),  # down: a chain of convolutions
        *_conv_norm(
            f"{ours}.transition.{new}", f"{move}.{new}.0"
        ),  # the new stream: a chain of one
        *(_conv_norm(f"{ours}.transition.0", f"{move}.0") if number == 2 else ()),
    ]


OFFICIAL_POSE: tuple[Row, ...] = (
    *(
        (f"backbone.stem.{n - 1}.{mine}", f"{other}{n}")
        for n in (1, 2)
        for mine, other in _CONV_NORM
    ),
    *_block("backbone.stem.2.{}", "layer1.{}", 3),
    *_conv_norm("backbone.stem.2.{}.shortcut", "layer1.{}.downsample"),
    *(row for number in (2, 3, 4) for row in _stage(number)),
    ("head.conv", "final_layer"),
)
"""Names of leoxiaobin's pose repository and of the backbones in everything derived from it."""


def to_ours(state: Mapping[str, Value], table: Sequence[Row]) -> dict[str, Value]:
    """Rename an upstream state dictionary; raises InputError for a name the table lacks."""
    return _rename(state, ((theirs, ours) for ours, theirs in table))


def to_upstream(state: Mapping[str, Value], table: Sequence[Row]) -> dict[str, Value]:
    """Rename one of our state dictionaries; raises InputError for a name the table lacks."""
    return _rename(state, table)


def _rename(state: Mapping[str, Value], rows: Iterable[Row]) -> dict[str, Value]:
    patterns = [
        (re.compile(re.escape(old).replace(r"\{\}", r"(\d+)") + r"\.(\w+)"), new + ".{}")
        for old, new in rows
    ]
    renamed: dict[str, Value] = {}
    for name, value in state.items():
        found = ((pattern.fullmatch(name), new) for pattern, new in patterns)
        new_name = next((new.format(*match.groups()) for match, new in found if match), None)
        if new_name is None:
            raise InputError(f"no place for tensor {name!r} in an HRNet pose network")
        renamed[new_name] = value
    return renamed
