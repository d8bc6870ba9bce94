"""The family's own file takes this place."""

from dataclasses import dataclass

from hrnet.models.highres import HighResBackbone
from hrnet.spec import NetworkOptions, Task


@dataclass(frozen=True, slots=True)
class HRFormerConfig:
    """The figures of one network."""


VARIANTS: dict[str, HRFormerConfig] = {}


def make_backbone(config: HRFormerConfig, task: Task, options: NetworkOptions) -> HighResBackbone:
    """Build the backbone."""
    raise NotImplementedError
