"""Search for the network in the content of a file, in any wrapper.

A network is found by the required keys of a `KeyMap`. The text before them, keys of dictionaries
and prefixes of names alike, is its place in the file, so wrappers need no list of names.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from torch import Tensor

from hrnet.errors import InputError, one_line
from hrnet.weights.schemes import BACKBONES, KEY_MAPS
from hrnet.weights.schemes.keymap import Dropped, StateDict, Taken

_WRAPPERS = frozenset(("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
"""Parts of names that DataParallel, torch.compile and the like put between others."""

_SECOND = frozenset("ema teacher shadow average averaged avg swa momentum target best key".split())
"""Words of places whose weights are taken only where there are no others."""

_LOSSES = frozenset("loss losses criterion criterions metric metrics".split())
_TRAINING = dict.fromkeys(
    "optimizer optimizers optimizer_state_dict optimizer_states scheduler schedulers lr_scheduler "
    "lr_schedulers param_schedulers scaler loops".split(),
    "for the training to go on",
)
_REASONS = _TRAINING | {
    "message_hub": "records of the training",
    "callbacks": "records of the training",
    "StructuredToParameterName@@": "Paddle's own names of the variables",
    "meta": "notes about the training",
    "epoch": "notes about the training",
}
"""Entries that never hold the network, with the reason to leave them out."""

OTHER = "weights of another moment or average"
_BESIDE = "beside the network, no part of it"
_LOSS = "the loss, which is no part of the network"
_NUMBER = re.compile(r".*\bnum_batches_tracked|.*\bscales\.\d+\.scale")
"""The only tensors of a layer that are a single number: a counter, and a factor of FCOS."""

_MAX_DEPTH = 12
_MAX_ENTRIES = 100_000
_MAX_NETWORKS = 16


def unwrap(content: Mapping[str, object], source: str) -> Taken:
    """Return the tensors of a file by their names in the network, and the entries left out.

    Of several networks it is the first with a head that is no average. Where none is found, all
    tensors of the file are returned, for `recognise` to refuse.
    Raises InputError where nothing holds weights.
    """
    # Collect all tensors by their full names.
    tensors = _tensors(content, source)
    if not tensors:
        found = one_line(", ".join(list(content)[:5]))[:200] or "nothing"
        raise InputError(f"{source} holds no weights: expected tensors, got {found}")
    # Find the networks, and choose one.
    places = _places(tensors)
    if not places:
        return Taken(tensors)
    if len(places) > _MAX_NETWORKS:
        raise InputError(f"{source} holds {len(places)} networks; save one of them by itself")
    chosen, *others = sorted(places, key=_rank)
    # Take its tensors by their names within it.
    file = _File(tensors, chosen.before, tuple(place.before for place in others))
    state = {
        name.removeprefix(chosen.before): value
        for name, value in tensors.items()
        if file.takes(name)
    }
    dropped = tuple(_grouped(file.left_out(content)))
    return Taken(state, dropped=dropped, class_names=_class_names(content.get("meta")))


def _class_names(notes: object) -> tuple[str, ...]:
    """Return the names of classes in the notes of a file, as OpenMMLab writes them; () for none."""
    if not isinstance(notes, Mapping):
        return ()
    # Beside other notes, or, from mmengine on, in those about the data set.
    inner = notes.get("dataset_meta")
    places = (notes, inner if isinstance(inner, Mapping) else {})
    found = (place.get(key) for place in places for key in ("CLASSES", "classes"))
    names = next((value for value in found if isinstance(value, list | tuple | str)), ())
    listed = (names,) if isinstance(names, str) else tuple(names)
    return listed if all(isinstance(name, str) for name in listed) else ()


def expect_whole(task: str, dropped: Collection[Dropped], source: str) -> None:
    """Raise InputError where a backbone was found and, beside it, tensors that may be its head."""
    beside = [part for part in dropped if part.reason == _BESIDE]
    if task == "features" and beside:
        raise InputError(
            f"{source} holds a backbone, and beside it {one_line(beside[0].what)}, which may be "
            "its head and is none that is known; take the backbone alone, with new_head"
        )


@dataclass(frozen=True, slots=True)
class _Place:
    """A network in a file: the prefix of its names; has_head: a known head is with it."""

    before: str
    has_head: bool


def _rank(place: _Place) -> tuple[bool, bool]:
    return not place.has_head, bool(_SECOND & set(re.split(r"[\W_]", place.before.lower())))


def _clean(name: str) -> str:
    """Remove from a name the parts that wrappers add."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _tensors(content: Mapping[str, object], source: str) -> StateDict:
    """Return all tensors of a file, the keys of nested dictionaries joined by dots."""
    tensors: StateDict = {}
    for count, (name, value) in enumerate(_leaves(content)):
        if count > _MAX_ENTRIES:
            raise InputError(f"{source} has more than {_MAX_ENTRIES:,} entries, as no network has")
        if isinstance(value, Tensor):
            clean = _clean(name)
            unique = name if clean in tensors else clean
            if unique in tensors:
                raise InputError(f"{source} has two tensors of the name {unique!r}; save it again")
            tensors[unique] = value
    return tensors


def _is_entered(value: object, key: str, depth: int) -> TypeGuard[Mapping[str, object]]:
    """Return True where an entry may hold the network: a dictionary, but no training's state."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return False
    return key not in _REASONS and depth < _MAX_DEPTH


def _leaves(
    content: Mapping[str, object], before: str = "", depth: int = 0
) -> Iterator[tuple[str, object]]:
    """Yield the content of nested dictionaries, each by the keys that lead to it."""
    for key, value in content.items():
        if _is_entered(value, key, depth):
            yield before + key, None
            yield from _leaves(value, f"{before}{key}.", depth + 1)
        else:
            yield before + key, value


def _places(names: Collection[str]) -> list[_Place]:
    """List the networks in the order of the file, each with its outermost place."""
    found: dict[str, _Place] = {}
    for key_map in (*KEY_MAPS, *BACKBONES):
        for name in names:
            # The first required key ends a name; all others must have the same prefix.
            before = name.removesuffix(key_map.required_keys[0])
            if before == name or (before and not before.endswith(".")):
                continue
            place, known = _Place(before, key_map.task != "features"), found.get(name)
            if known and (known.has_head > place.has_head or len(known.before) <= len(before)):
                continue
            if all(before + key in names for key in key_map.required_keys):
                found[name] = place
    places = {found[name].before: found[name] for name in names if name in found}
    return list(places.values())


@dataclass(frozen=True, slots=True)
class _File:
    """A file: its tensors, the prefix of the chosen network, and those of others."""

    tensors: StateDict
    chosen: str
    others: tuple[str, ...]

    def takes(self, name: str) -> bool:
        """Return True for a tensor of the network's: within its place, and of a layer."""
        first, dot, _ = _clean(name.removeprefix(self.chosen)).partition(".")
        within = name.startswith(self.chosen) and not self._is_other(name)
        counted = self.tensors[name].dim() > 0 or bool(_NUMBER.fullmatch(name))
        return within and bool(dot) and counted and not _is_loss(first)

    def left_out(
        self, content: Mapping[str, object], before: str = "", depth: int = 0
    ) -> Iterator[Dropped]:
        """Yield all that was not taken, entry by entry."""
        for key, value in content.items():
            name = before + key
            inner = _clean(f"{name}.x")[:-1]
            related = self.chosen.startswith(inner) or inner.startswith(self.chosen)
            if isinstance(value, Tensor):
                clean = _clean(name)
                clean = clean if self.tensors.get(clean) is value else name
                if not self.takes(clean):
                    yield self._left_tensor(clean, value)
            elif related and _is_entered(value, key, depth) and value:
                yield from self.left_out(value, f"{name}.", depth + 1)
            else:
                yield Dropped(name, 1, self._reason(key, value, inner))

    def _is_other(self, name: str) -> bool:
        """Return True for a name within another network, which may lie in this one's place."""
        return any(
            name.startswith(other) for other in self.others if not self.chosen.startswith(other)
        )

    def _reason(self, key: str, value: object, inner: str) -> str:
        if any(other.startswith(inner) for other in self.others):
            return self._other()
        inside = _leaves(value) if _is_entered(value, key, 0) else ()
        held = any(isinstance(leaf, Tensor) for _, leaf in inside)
        return _REASONS.get(key, _BESIDE if held else "no weights")

    def _other(self) -> str:
        return f"{OTHER}; {self.chosen.strip('.') or 'what has no prefix'} was taken"

    def _left_tensor(self, name: str, value: Tensor) -> Dropped:
        """Describe one tensor by the name that it shares with its neighbours."""
        # Tensors of another network count together.
        other = next((other for other in self.others if name.startswith(other)), None)
        if other is not None and self._is_other(name):
            return Dropped(f"{other}*", 1, self._other())
        # Others go by the part of the name that first differs from the network's place.
        parts, own = name.split("."), self.chosen.split(".")
        differs = (i for i, part in enumerate(parts) if own[i : i + 1] != [part])
        common = next(differs, len(parts) - 1)
        label, rest = ".".join(parts[: common + 1]), parts[common + 1 :]
        if _is_loss(parts[common]):
            return Dropped(f"{label}.*" if rest else label, 1, _LOSS)
        if value.numel() == 1 or not value.is_floating_point():
            return Dropped(
                f"{label}.*" if rest else label, 1, "a counter or figure of the training"
            )
        if not rest:  # averages are kept under names without dots, in one dictionary with the rest
            label = label.partition("_")[0]
        return Dropped(f"{label}.*" if rest else f"{label}_*", 1, _BESIDE)


def _is_loss(part: str) -> bool:
    return bool(_LOSSES & set(part.lower().split("_")))


def _grouped(parts: Iterator[Dropped]) -> Iterator[Dropped]:
    """Count entries of one name and one reason together."""
    counts: dict[tuple[str, str], int] = {}
    for part in parts:
        key = part.what, part.reason
        counts[key] = counts.get(key, 0) + part.count
    return (Dropped(what, count, reason) for (what, reason), count in counts.items())
