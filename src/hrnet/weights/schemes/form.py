"""The way one project writes one kind of network: the table of names, and what else differs.

A row pairs the name of a module of ours with theirs; `{}` stands for a whole number that is the
same on both sides. The tensors of a module (weight, bias, running_mean, ...) have the same last
name everywhere.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from hrnet.errors import InputError
from hrnet.spec import NetworkOptions

Value = TypeVar("Value")
Row = tuple[str, str]
State = dict[str, Tensor]

NEW_HEAD = "the head stays new"
OFFICIAL = "official"
"""The scheme of the repositories that first published a network."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Tensors or entries of a file that were not taken: how many, which, and why."""

    what: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A state dictionary with our names, what was left out, and what was made up for it.

    num_made: how many of its tensors were not in the file.
    """

    state: State
    dropped: tuple[Dropped, ...] = ()
    made: tuple[str, ...] = ()
    num_made: int = 0

    @property
    def mapped(self) -> int:
        return len(self.state) - self.num_made


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of network as one project names it.

    scheme, writers: the name of the naming scheme, and who writes such files.
    family, task, options: the network; options hold what its weights cannot tell.
    rows: the table of names, ours and theirs.
    marks: theirs; a file that has all of them is of this form.
    last: their layer that answers, whose first dimension counts keypoints or classes; or "".
    bias_free: our convolutions before a norm that have a bias, where theirs have none.
    beside: prefixes of tensors that the network does not need, and what they are.
    lower_rows: the file has the exchange paths to all streams though the head reads the first.
    read, write: what is to be done with the tensors before and after renaming.
    """

    scheme: str
    writers: str
    family: str
    task: str
    rows: tuple[Row, ...]
    marks: tuple[str, ...]
    last: str = ""
    options: NetworkOptions = field(default_factory=NetworkOptions)
    bias_free: tuple[str, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    lower_rows: bool = False
    read: Callable[[State], Taken] | None = None
    write: Callable[[State], State] | None = None

    def fits(self, names: Iterable[str]) -> bool:
        """Return True where a file with these tensors is of this form, by its marks."""
        return set(self.marks) <= set(names)

    def take(self, theirs: Mapping[str, Tensor]) -> Taken:
        """Read tensors with their names; InputError names those that have no place."""
        taken, unknown = self._read(theirs)
        if unknown:
            raise InputError(_no_place(unknown, len(theirs)))
        return taken

    def take_known(self, theirs: Mapping[str, Tensor]) -> Taken:
        """Read the tensors that have a place, and leave out the others."""
        taken, unknown = self._read(theirs)
        others = Dropped("tensors beside the backbone", len(unknown), NEW_HEAD)
        return replace(taken, dropped=(*taken.dropped, others)) if unknown else taken

    def _read(self, theirs: Mapping[str, Tensor]) -> tuple[Taken, State]:
        own, beside = _set_aside(theirs, self.beside)
        first = self.read(own) if self.read else Taken(own)
        state, unknown = split_known(first.state, [(their, our) for our, their in self.rows])
        state, lower = drop_lower_rows(state) if self.lower_rows else (state, ())
        biases, counters = _missing_biases(state, self.bias_free), _missing_counters(state)
        made = (
            (biases, "zero biases of convolutions that have none there"),
            (counters, "batch counters, which files of torch 0.4 lack"),
        )
        taken = Taken(
            {**state, **biases, **counters},
            dropped=(*beside, *first.dropped, *lower),
            made=tuple(f"{len(added)} {what}" for added, what in made if added),
            num_made=len(biases) + len(counters),
        )
        return taken, unknown

    def give(self, ours: Mapping[str, Tensor]) -> State:
        """Write tensors with our names as theirs; InputError names those that have no place."""
        state = rename(_without_biases(ours, self.bias_free), self.rows)
        return self.write(state) if self.write else state


def rename(state: Mapping[str, Value], rows: Sequence[Row]) -> dict[str, Value]:
    """Rename from the first to the second name of each row; InputError for a name without one."""
    renamed, unknown = split_known(state, rows)
    if unknown:
        raise InputError(_no_place(unknown, len(state)))
    return renamed


def _no_place(unknown: Mapping[str, object], count: int) -> str:
    return (
        f"{len(unknown)} of {count} tensors have no place in this kind of network, "
        f"such as {next(iter(unknown))!r}"
    )


def split_known(
    state: Mapping[str, Value], rows: Sequence[Row]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Rename what has a row, from its first to its second name, and return what has none too."""
    patterns = [
        (re.compile(re.escape(old).replace(r"\{\}", r"(\d+)") + r"\.(\w+)"), new + ".{}")
        for old, new in rows
    ]
    renamed: dict[str, Value] = {}
    unknown: dict[str, Value] = {}
    for name, value in state.items():
        found = ((pattern.fullmatch(name), new) for pattern, new in patterns)
        new_name = next((new.format(*match.groups()) for match, new in found if match), None)
        if new_name is None:
            unknown[name] = value
        else:
            renamed[new_name] = value
    return renamed, unknown


def conv_norm(ours: str, conv: str, norm: str) -> list[Row]:
    """Rows of one of our `ConvNorm`s."""
    return [(f"{ours}.conv", conv), (f"{ours}.norm", norm)]


def prefixed(rows: Iterable[Row], prefix: str) -> tuple[Row, ...]:
    """Put a prefix before their names."""
    return tuple((ours, prefix + theirs) for ours, theirs in rows)


def drop_lower_rows(state: State) -> tuple[State, tuple[Dropped, ...]]:
    """Leave out the last exchange's paths to all but the highest stream, by our names."""
    path = re.compile(r"backbone\.stages\.stage4\.module(\d+)\.exchange\.paths\.(\d+)\..+")
    found = {name: path.fullmatch(name) for name in state}
    last = max((int(match[1]) for match in found.values() if match), default=0)
    lower = {
        name for name, match in found.items() if match and int(match[1]) == last and match[2] != "0"
    }
    kept = {name: value for name, value in state.items() if name not in lower}
    if not lower:
        return kept, ()
    reason = "the head reads the highest stream alone"
    return kept, (Dropped("paths of the last exchange to the lower streams", len(lower), reason),)


def _set_aside(
    state: Mapping[str, Tensor], groups: Sequence[tuple[str, str]]
) -> tuple[State, list[Dropped]]:
    kept, dropped = dict(state), []
    for prefix, reason in groups:
        names = [name for name in kept if name.startswith(prefix)]
        for name in names:
            del kept[name]
        if names:
            dropped.append(Dropped(f"{prefix}*", len(names), reason))
    return kept, dropped


def _missing_counters(state: State) -> State:
    counters = (
        f"{name.removesuffix('running_var')}num_batches_tracked"
        for name in state
        if name.endswith("running_var")
    )
    return {name: torch.tensor(0) for name in counters if name not in state}


def _places(state: Mapping[str, Tensor], convs: Sequence[str]) -> list[str]:
    """Modules with a convolution and a norm in `state` that one of the patterns names."""
    patterns = [re.compile(re.escape(conv).replace(r"\{\}", r"\d+")) for conv in convs]
    parents = (name.removesuffix(".norm.running_mean") for name in state)
    return [name for name in parents if any(pattern.fullmatch(name) for pattern in patterns)]


def _missing_biases(state: State, convs: Sequence[str]) -> State:
    return {
        f"{place}.conv.bias": torch.zeros_like(state[f"{place}.norm.running_mean"])
        for place in _places(state, convs)
        if f"{place}.conv.bias" not in state
    }


def _without_biases(state: Mapping[str, Tensor], convs: Sequence[str]) -> State:
    """Move biases before a norm into its running mean, which computes the same.

    norm(conv(x) + b) = norm'(conv(x)) where the running mean of norm' is lower by b.
    """
    result = dict(state)
    for place in _places(state, convs):
        bias = result.pop(f"{place}.conv.bias", None)
        if bias is not None:
            mean = f"{place}.norm.running_mean"
            result[mean] = result[mean] - bias
    return result
