"""Whether weights fit a network, tensor by tensor: there is no partial loading."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from hrnet.errors import InputError


@dataclass(frozen=True, slots=True)
class Misfit:
    """What keeps weights from fitting a network, by the network's names."""

    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.missing, *self.unknown, *self.reshaped)

    def __str__(self) -> str:
        return (
            f"{len(self.missing)} tensors missing, {len(self.unknown)} unknown, "
            f"{len(self.reshaped)} of another shape, such as {self.names[0]}"
        )


def compare(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Misfit:
    """Compare the tensors that a network has with those that there are, by name and shape."""
    both = own.keys() & state.keys()
    return Misfit(
        missing=tuple(sorted(own.keys() - state.keys())),
        unknown=tuple(sorted(state.keys() - own.keys())),
        reshaped=tuple(sorted(key for key in both if own[key].shape != state[key].shape)),
    )


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Put weights into a network; InputError names what does not fit. Nothing is left out."""
    misfit = compare(network.state_dict(), state)
    if misfit.names:
        raise InputError(
            f"{source} does not fit the network: {misfit}; check variant and keypoints"
        )
    network.load_state_dict(state)
