"""The record of one architecture: all that shared code needs of a family of networks."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from hrnet.models.heads import Head, HeadKey
from hrnet.models.highres import HighResBackbone, StageConfig
from hrnet.spec import NetworkOptions

POSE_OPTIONS = ("presence", "heatmap_stride", "background")
"""Fields of `NetworkOptions` that change the pose networks of every family, and no others."""


class Config(Protocol):
    """The hyper-parameters of one network, a dataclass in its family's file.

    stages: stages 2, 3 and 4. defaults: task -> the options that its published networks have, used
    where an option is None.
    """

    @property
    def stages(self) -> tuple[StageConfig, ...]: ...

    @property
    def defaults(self) -> Mapping[str, NetworkOptions]: ...


C = TypeVar("C", bound=Config)
C_contra = TypeVar("C_contra", bound=Config, contravariant=True)


class MakeBackbone(Protocol[C_contra]):
    """Builds a backbone; num_outputs as in `HighResBackbone`."""

    def __call__(
        self, config: C_contra, options: NetworkOptions, *, num_outputs: int | None = None
    ) -> HighResBackbone: ...


@dataclass(frozen=True, slots=True)
class Family(Generic[C]):
    """One architecture.

    config: the class of its configs. variants: name -> config of its published networks.
    make_backbone: builds a backbone; an option that is None takes the family's usual choice.
    options: names of the fields of `NetworkOptions` that change its networks, beside
        `POSE_OPTIONS`.
    heads: forms of heads that only this family has, before those of `HEADS`.
    """

    config: type[C]
    variants: Mapping[str, C]
    make_backbone: MakeBackbone[C]
    options: Collection[str]
    heads: Mapping[HeadKey, Head] = field(default_factory=dict)
