"""The published weights that this package can run: facts from published.toml, read when asked for.

A name is `<network>-<dataset>[-<height>x<width>][-<flavour>]`, its parts without hyphens:
network: the variant, and the head where it is not the task's usual one: hrnet_w48_ocr.
dataset: what the weights were trained on. height, width: of the input, for pose models.
flavour: what sets weights apart from those with the plain name: dark or udp is their codec,
    official the authors' own file where the plain name is another one that can be downloaded,
    timm_... a tag of timm's, the rest a word of the source. The plain name downloads if any does.

Left out are weights of other architectures and tasks, each kind with its reason: `exclusions`.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from hashlib import file_digest
from pathlib import Path
from typing import Any

from hrnet.codecs.heatmap import CodecKind
from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.spec import NetworkOptions, NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.skeletons import published_skeleton


@dataclass(frozen=True, slots=True)
class PublishedWeight:
    """One published file of weights: what network it is of, where it is and under which terms.

    variant, task, options: arguments of `hrnet.create_model`. num_classes: its num_outputs for
        tasks with classes. A row of the task
        "detection" is of the backbone and the pyramid of a published detector.
    dataset, metric: trained on what, and the score that its source gives ("" where none).
    scheme: a hint whose names the tensors have. source: the repository. licence: of the repository
        or the model card, "" where unknown; data sets have terms of their own.
    url: "" where no program can fetch the file; page: where a person can; mirrors: more such pages.
    file_name: as published, or of our choice where that is unknown or not unique.
    sha256: whole or its first digits, "" if unpublished; size_bytes: 0 if unknown.
    skeleton, input_size (height, width), codec, sigma, blur_kernel: of pose models, as in
        `PoseSpec`.
    note: what is to be known besides.
    """

    name: str
    variant: str
    task: str
    dataset: str
    scheme: str
    page: str
    source: str
    file_name: str = ""
    url: str = ""
    mirrors: tuple[str, ...] = ()
    sha256: str = ""
    size_bytes: int = 0
    licence: str = ""
    metric: str = ""
    note: str = ""
    options: NetworkOptions = field(default_factory=NetworkOptions)
    num_classes: int | None = None
    skeleton: str = ""
    input_size: Size | None = None
    codec: CodecKind = "classic"
    sigma: float = 2.0
    blur_kernel: int | None = None

    @property
    def num_keypoints(self) -> int | None:
        return published_skeleton(self.skeleton).num_keypoints if self.skeleton else None

    @property
    def network(self) -> NetworkSpec:
        """The network, without what surrounds it."""
        return NetworkSpec(
            variant=self.variant,
            task=self.task,
            num_outputs=self.num_keypoints or self.num_classes,
            **self.options.model_dump(),
        )

    @property
    def spec(self) -> PoseSpec | NetworkSpec:
        """The description in a file of ours: a PoseSpec for pose."""
        if self.input_size is None:
            return self.network
        return PoseSpec(
            name=self.name,
            input_size=self.input_size,
            codec=self.codec,
            sigma=self.sigma,
            blur_kernel=self.blur_kernel,
            network=self.network,
            skeleton=published_skeleton(self.skeleton),
        )


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Published files that are left out.

    pattern: a regular expression for "label: address" in the repositories' pages. links: how many
    addresses it leaves out.
    """

    pattern: str
    reason: str
    links: int


@cache
def rows() -> tuple[PublishedWeight, ...]:
    """Return every published weight that this package can run."""
    return tuple(_row(facts) for facts in _tables()["weight"])


@cache
def exclusions() -> tuple[Exclusion, ...]:
    """Return what the repositories' pages offer besides, with the reasons for leaving it out."""
    return tuple(Exclusion(**facts) for facts in _tables()["excluded"])


def find_row(name: str) -> PublishedWeight:
    """Return the published weight of a name; InputError, with near names, where there is none."""
    row = _by_name().get(name)
    if row is None:
        near = near_names(name)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        hint += "`hrnet weights list` has the names"
        raise InputError(f"expected the name of published weights, got {name!r}; {hint}")
    return row


def near_names(name: str, others: Sequence[str] = ()) -> list[str]:
    """Return up to three names of published weights, or of `others`, that may have been meant.

    Of a variant's name they are weights of that variant, those for pose first.
    """
    listed = sorted(rows(), key=lambda row: row.task != "pose")
    of_variant = [row.name for row in listed if row.name.startswith(f"{name}-")]
    return of_variant[:3] or get_close_matches(name, [*others, *_by_name()], n=3)


def row_of_file(path: Path) -> PublishedWeight | None:
    """Return what a downloaded file is, or None where it is none of the published ones.

    A published checksum decides, whatever the file is called; the name does for files without one.
    Reads the whole file.
    """
    named = next((row for row in rows() if row.file_name == path.name), None)
    if named and not named.sha256:
        return named
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return next((row for row in rows() if row.sha256 and digest.startswith(row.sha256)), None)


@cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(Path(__file__).with_name("published.toml").read_text("utf-8"))


@cache
def _by_name() -> dict[str, PublishedWeight]:
    return {row.name: row for row in rows()}


def _row(facts: dict[str, Any]) -> PublishedWeight:
    size = facts.get("input_size")
    changed = {
        "mirrors": tuple(facts.get("mirrors", ())),
        "options": NetworkOptions(**facts.get("options", {})),
        "input_size": (size[0], size[1]) if size else None,
    }
    return PublishedWeight(**{**facts, **changed})
