"""The rank of this process, from the environment that torchrun sets; without torch.

Source of the names: https://docs.pytorch.org/docs/stable/elastic/run.html
"""

import os
from dataclasses import dataclass

from hrnet.errors import InputError
from hrnet.numbers import to_int

_NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Launch:
    """The rank among all processes (0 writes and prints) and among those of this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        return self.rank == 0


def launched() -> Launch:
    """Read the environment; without WORLD_SIZE, or with 1, the other variables are ignored.

    Raises InputError where it names several processes, but not as torchrun does.
    """
    size = _number("WORLD_SIZE", 1, _MOST) if "WORLD_SIZE" in os.environ else 1
    if size == 1:
        return Launch()
    # torchrun sets all of them.
    missing = [name for name in _NEEDED if not os.environ.get(name)]
    if missing:
        raise InputError(
            f"WORLD_SIZE={size} is set, but not {', '.join(missing)}; unset it to train in one "
            "process, or start several by torchrun"
        )
    _number("MASTER_PORT", 1, 65535)
    return Launch(_number("RANK", 0, size - 1), size, local_rank=_number("LOCAL_RANK", 0, size - 1))


def _number(name: str, least: int, most: int) -> int:
    text = os.environ[name]
    value = to_int(text)
    if value is None or not least <= value <= most:
        raise InputError(
            f"expected {name} from {least} to {most} in the environment, got {text!r:.60}; unset "
            "WORLD_SIZE to train in one process, or start several by torchrun"
        )
    return value
