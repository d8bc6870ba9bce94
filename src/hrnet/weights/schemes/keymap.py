"""A key mapping: the names of one project's state dict for one kind of network, ours and theirs.

A row pairs the name of a module of ours with theirs. `{}` stands for a whole number that is the
same on both sides, in order. A number that stands twice in a name, or that one side counts from 1,
is named: `{block}` of ours is `{block+1}` of theirs. The tensors of a module (weight, bias,
running_mean, ...) have the same last name on both sides.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hrnet.errors import InputError
from hrnet.spec import NetworkOptions

NameRule = tuple[str, str]
StateDict = dict[str, Tensor]

NEW_HEAD = "the head stays new"
OFFICIAL = "official"
"""The scheme of the repositories that first published a network."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Tensors or entries of a file that were left out: how many, their name, and the reason."""

    what: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A state dict with our names, the entries left out, and the tensors added to it.

    num_made: how many of its tensors were not in the file. class_names: of its classes, where the
    file lists them.
    """

    state: StateDict
    dropped: tuple[Dropped, ...] = ()
    made: tuple[str, ...] = ()
    num_made: int = 0
    class_names: tuple[str, ...] = ()

    @property
    def mapped(self) -> int:
        return len(self.state) - self.num_made


@dataclass(frozen=True, slots=True)
class OtherNetwork:
    """A network of the same project that is not built here, by a part of its tensors' names.

    what: the network, for messages. in_backbone: False where its backbone alone can be taken.
    """

    part: str
    what: str
    in_backbone: bool = False


class OtherNetworkError(InputError):
    """Raised for the files of an `OtherNetwork`."""


@dataclass(frozen=True, slots=True)
class KeyMap:
    """The key mapping of one kind of network in the files of one project.

    scheme, writers: the name of the naming scheme, and the projects that write such files.
    family, task, options: the network; options hold what its weights do not show.
    rows: the names, ours and theirs.
    required_keys: names of theirs; a state dict with all of them is of this mapping.
    output_layer: their last layer, whose first dimension is the number of outputs; "" for none.
    other_outputs: how many of these do not count, such as the background of a detector.
    bias_free: our convolutions before a norm that have a bias, where theirs have none.
    ignored_prefixes: of tensors that the network does not need, each with the reason.
    others: networks of the project with the same required keys, which are refused.
    lower_rows: the file has the exchange paths to all streams though the head reads the first.
    facts: fields of the task's description that all files of the mapping have.
    prepare: applied to their state dict before renaming. finish: applied after renaming to theirs.
    """

    scheme: str
    writers: str
    family: str
    task: str
    rows: tuple[NameRule, ...]
    required_keys: tuple[str, ...]
    output_layer: str = ""
    other_outputs: int = 0
    options: NetworkOptions = field(default_factory=NetworkOptions)
    facts: Mapping[str, object] = field(default_factory=dict)
    bias_free: tuple[str, ...] = ()
    ignored_prefixes: tuple[tuple[str, str], ...] = ()
    others: tuple[OtherNetwork, ...] = ()
    lower_rows: bool = False
    prepare: Callable[[StateDict], Taken] | None = None
    finish: Callable[[StateDict], StateDict] | None = None

    def fits(self, names: Iterable[str]) -> bool:
        """Return True where all required keys are among the names of a file."""
        return set(self.required_keys) <= set(names)

    def from_foreign(self, theirs: Mapping[str, Tensor], *, partial: bool = False) -> Taken:
        """Bring a foreign state dict to our names.

        partial: leave out tensors that have no row. Otherwise they raise InputError.
        """
        # Leave out the tensors that no network needs, then undo other differences than names.
        own, dropped = _without_prefixes(theirs, self.ignored_prefixes)
        prepared = self.prepare(own) if self.prepare else Taken(own)
        dropped += prepared.dropped
        # Rename. Tensors without a row are another network's, or those of a foreign head.
        state, unknown = _rename(prepared.state, [(their, our) for our, their in self.rows])
        for other in self.others:
            refused = not partial or other.in_backbone
            if refused and any(other.part in name for name in unknown):
                raise OtherNetworkError(f"{other.what}, which is not built here")
        if unknown and not partial:
            raise _no_place(unknown, len(theirs))
        if self.lower_rows:
            state, lower = drop_lower_rows(state)
            dropped += lower
        if unknown:
            dropped.append(Dropped("tensors beside the backbone", len(unknown), NEW_HEAD))
        # Add the tensors that we have and they lack.
        biases, counters = _missing_biases(state, self.bias_free), _missing_counters(state)
        made = (
            (biases, "zero biases of convolutions that have none there"),
            (counters, "batch counters, which files of torch 0.4 and of Paddle lack"),
        )
        return Taken(
            {**state, **biases, **counters},
            dropped=tuple(dropped),
            made=tuple(f"{len(added)} {what}" for added, what in made if added),
            num_made=len(biases) + len(counters),
        )

    def to_foreign(self, ours: Mapping[str, Tensor]) -> StateDict:
        """Bring a state dict of ours to their names; InputError for a tensor without a row."""
        state, unknown = _rename(_without_biases(ours, self.bias_free), self.rows)
        if unknown:
            raise _no_place(unknown, len(ours))
        return self.finish(state) if self.finish else state


def _no_place(unknown: StateDict, count: int) -> InputError:
    return InputError(
        f"{len(unknown)} of {count} tensors have no place in this kind of network, "
        f"such as {next(iter(unknown))!r}"
    )


_NUMBER = re.compile(r"\{(\w*)(\+1)?\}")
"""A number in a name of a row: its own name, or "" for one known by place; +1 if it starts at 1."""


class _Template:
    """A name of a row, which reads the numbers of a name and is filled with numbers."""

    def __init__(self, name: str) -> None:
        # Texts and numbers take turns; numbers without a name are called by their place.
        self._first, *self._texts = _NUMBER.sub("{}", name).split("{}")
        found = _NUMBER.findall(name)
        self._keys = [f"n{key or place}" for place, (key, _) in enumerate(found)]
        self._starts = {
            key: 1 if start else 0 for key, (_, start) in zip(self._keys, found, strict=True)
        }
        # A number that comes again must be the same.
        pattern = re.escape(self._first)
        for place, (key, text) in enumerate(zip(self._keys, self._texts, strict=True)):
            again = key in self._keys[:place]
            pattern += f"(?P={key})" if again else f"(?P<{key}>0|[1-9][0-9]{{0,5}})"
            pattern += re.escape(text)
        self._pattern = re.compile(pattern)

    def read(self, name: str) -> dict[str, int] | None:
        """Return the numbers of a name, counted from 0; None where it is another name."""
        match = self._pattern.fullmatch(name)
        numbers = match.groupdict() if match else {}
        counted = {key: int(number) - self._starts[key] for key, number in numbers.items()}
        return counted if match and min(counted.values(), default=0) >= 0 else None

    def fill(self, numbers: Mapping[str, int]) -> str:
        """Return the name with these numbers, counted from 0."""
        pairs = zip(self._keys, self._texts, strict=True)
        return self._first + "".join(
            f"{numbers[key] + self._starts[key]}{text}" for key, text in pairs
        )


def _rename(state: Mapping[str, Tensor], rows: Sequence[NameRule]) -> tuple[StateDict, StateDict]:
    """Rename from the first to the second name of a row; return tensors with and without a row."""
    templates = [(_Template(old), _Template(new)) for old, new in rows]
    renamed: StateDict = {}
    unknown: StateDict = {}
    for name, value in state.items():
        module, _, tensor = name.rpartition(".")
        found = ((new, old.read(module)) for old, new in templates)
        new_name = next((new.fill(numbers) for new, numbers in found if numbers is not None), None)
        if new_name is None or not tensor.isidentifier():
            unknown[name] = value
        else:
            renamed[f"{new_name}.{tensor}"] = value
    return renamed, unknown


def conv_norm(ours: str, conv: str, norm: str) -> list[NameRule]:
    """Pair the two modules of one of our `ConvNorm`s with theirs."""
    return [(f"{ours}.conv", conv), (f"{ours}.norm", norm)]


def conv_module(ours: str, theirs: str) -> list[NameRule]:
    """Pair the two modules of one of our `ConvNorm`s with those of a ConvModule of mmcv."""
    return conv_norm(ours, f"{theirs}.conv", f"{theirs}.bn")


def prefixed(rows: Iterable[NameRule], prefix: str) -> tuple[NameRule, ...]:
    """Put a prefix before their names."""
    return tuple((ours, prefix + theirs) for ours, theirs in rows)


def drop_lower_rows(state: StateDict) -> tuple[StateDict, list[Dropped]]:
    """Leave out the last exchange's paths to all but the highest stream, by our names."""
    path = re.compile(r"backbone\.stages\.stage4\.module(\d+)\.exchange\.paths\.(\d+)\..+")
    found = {name: path.fullmatch(name) for name in state}
    last = max((int(match[1]) for match in found.values() if match), default=0)
    lower = {
        name for name, match in found.items() if match and int(match[1]) == last and match[2] != "0"
    }
    kept = {name: value for name, value in state.items() if name not in lower}
    what = "paths of the last exchange to the lower streams"
    reason = "the head reads the highest stream alone"
    return kept, [Dropped(what, len(lower), reason)] if lower else []


def _without_prefixes(
    state: Mapping[str, Tensor], prefixes: Sequence[tuple[str, str]]
) -> tuple[StateDict, list[Dropped]]:
    kept, dropped = dict(state), []
    for prefix, reason in prefixes:
        names = [name for name in kept if name.startswith(prefix)]
        for name in names:
            del kept[name]
        if names:
            dropped.append(Dropped(f"{prefix}*", len(names), reason))
    return kept, dropped


def _missing_counters(state: StateDict) -> StateDict:
    counters = (
        f"{name.removesuffix('running_var')}num_batches_tracked"
        for name in state
        if name.endswith("running_var")
    )
    return {name: torch.tensor(0) for name in counters if name not in state}


def _places(state: Mapping[str, Tensor], convs: Sequence[str]) -> list[str]:
    """List the modules with a convolution and a norm in `state` that one of the patterns names."""
    patterns = [re.compile(re.escape(conv).replace(r"\{\}", r"\d+")) for conv in convs]
    parents = (name.removesuffix(".norm.running_mean") for name in state)
    return [name for name in parents if any(pattern.fullmatch(name) for pattern in patterns)]


def _missing_biases(state: StateDict, convs: Sequence[str]) -> StateDict:
    return {
        f"{place}.conv.bias": torch.zeros_like(state[f"{place}.norm.running_mean"])
        for place in _places(state, convs)
        if f"{place}.conv.bias" not in state
    }


def _without_biases(state: Mapping[str, Tensor], convs: Sequence[str]) -> StateDict:
    """Move biases before a norm into its running mean, which computes the same."""
    result = dict(state)
    for place in _places(state, convs):
        bias = result.pop(f"{place}.conv.bias", None)
        if bias is not None:
            # norm(conv(x) + b) = norm'(conv(x)) where the running mean of norm' is lower by b.
            mean = f"{place}.norm.running_mean"
            result[mean] = result[mean] - bias
    return result
