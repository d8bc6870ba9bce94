"""From the content of a file to the state dictionary in it: what projects wrap around weights."""

from collections.abc import Mapping
from typing import TypeGuard

from torch import Tensor

from hrnet.errors import InputError
from hrnet.weights.schemes.form import Dropped, State, Taken

_WEIGHTS = (
    "state_dict",
    "model",
    "best_state_dict",
    "model_state_dict",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
    "ema",
)
"""Entries that hold weights. Of several the first of this list is taken."""

_REASONS = {
    "optimizer": "for the training to go on",
    "optimizer_state_dict": "for the training to go on",
    "scheduler": "for the training to go on",
    "lr_scheduler": "for the training to go on",
    "param_schedulers": "for the training to go on",
    "message_hub": "records of the training",
    "meta": "notes about the training",
    "epoch": "notes about the training",
}

_PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DistributedDataParallel, torch.compile and the segmentation code put before all names."""


def unwrap(content: Mapping[str, object], source: str) -> Taken:
    """Return the tensors of a file by their names in the network, and what else was in it.

    Raises InputError where no entry holds weights.
    """
    dropped: list[Dropped] = []
    while not any(isinstance(value, Tensor) for value in content.values()):
        entry = next((name for name in _WEIGHTS if _holds_weights(content.get(name))), None)
        inner = content.get(entry) if entry else None
        if not _is_named(inner):
            found = ", ".join(list(content)[:5]) or "nothing"
            raise InputError(f"{source} holds no weights: expected tensors, got {found}")
        dropped += [_left_out(name, value) for name, value in content.items() if name != entry]
        content = inner
    state, others = _tensors(content)
    state, losses = _without_prefixes(state)
    return Taken(state, dropped=(*dropped, *others, *losses))


def _is_named(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)


def _holds_weights(value: object) -> bool:
    """Whether there are tensors in an entry, or in an entry of it."""
    if not _is_named(value):
        return False
    inside = [value, *(value[name] for name in _WEIGHTS if name in value)]
    return any(isinstance(v, Tensor) for part in inside if _is_named(part) for v in part.values())


def _left_out(name: str, value: object) -> Dropped:
    other = "weights of another moment or average" if _holds_weights(value) else "no weights"
    return Dropped(name, 1, _REASONS.get(name, other))


def _tensors(content: Mapping[str, object]) -> tuple[State, list[Dropped]]:
    state = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    others = ((name, value) for name, value in content.items() if name not in state)
    return state, [_left_out(name, value) for name, value in others]


def _without_prefixes(state: State) -> tuple[State, list[Dropped]]:
    """Take off what stands before every name; a loss that was saved along is left out."""
    losses = [name for name in state if name.removeprefix("module.").startswith("loss.")]
    kept = {name: value for name, value in state.items() if name not in losses}
    while kept:
        prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in kept)), None)
        if prefix is None:
            break
        kept = {name.removeprefix(prefix): value for name, value in kept.items()}
    reason = "the loss, which is no part of the network"
    return kept, [Dropped("loss.*", len(losses), reason)] if losses else []
