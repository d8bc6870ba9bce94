"""The published weights that this package can run: facts from published.toml, read on first use.

A name is `<network>-<dataset>[-<height>x<width>][-<flavour>]`, its parts without hyphens:
network: the variant, and the head where it is not the task's usual one: hrnet_w48_ocr.
dataset: the training data. height, width: of the input, for pose models.
flavour: the difference from the weights with the plain name: dark or udp is their codec,
    official the authors' own file where the plain name is another one that can be downloaded,
    timm_... a tag of timm's, the rest a word of the source. The plain name downloads if any does.

Weights of other architectures and tasks are left out; published.toml lists each kind as `excluded`,
with the reason.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from hrnet.errors import InputError
from hrnet.files import sha256_of
from hrnet.spec import ModelSpec, NetworkSpec
from hrnet.tasks import TASKS, get_task

BY_INTENTION = {
    "small": "wider_naive_litehrnet_18-coco_aic-256x192-dark",
    "accurate": "hrnet_w48-coco-384x288-udp",
}
"""Short name of a pose model -> its name. small: PP-TinyPose. accurate: the best score of those
that a program can download and whose network is known for certain."""


@dataclass(frozen=True, slots=True)
class PublishedWeight:
    """One published file of weights: its network, its address and its terms.

    network: arguments of `hrnet.create_model`. For "detection" without a head it is the backbone
        and the pyramid of a published detector.
    facts: fields of the task's `ModelSpec` beside name and network, as its `from_facts` reads them.
    dataset, metric: training data, and the score that the source gives ("" where none).
    scheme: a hint at the names of the tensors. source: the repository. licence: of the repository
        or the model card, "" where unknown; data sets have terms of their own.
    url: "" where no program can fetch the file; page: the web page for people; mirrors: more pages.
    file_name: as published, or of our choice where that is unknown or not unique.
    sha256: whole or its first digits, "" if unpublished; size_bytes: 0 if unknown.
    note: anything else to know.
    """

    name: str
    network: NetworkSpec
    dataset: str
    scheme: str
    page: str
    source: str
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    file_name: str = ""
    url: str = ""
    mirrors: tuple[str, ...] = ()
    sha256: str = ""
    size_bytes: int = 0
    licence: str = ""
    metric: str = ""
    note: str = ""

    @property
    def spec(self) -> ModelSpec | NetworkSpec:
        """The description for a checkpoint, see `describe`."""
        return describe(self.network, {"name": self.name, **self.facts})


def describe(network: NetworkSpec, facts: Mapping[str, object]) -> ModelSpec | NetworkSpec:
    """Return the description of a model where the facts suffice, else that of its network.

    facts: for `from_facts` of the task's spec; a task that cannot predict yet has none.
    Raises InputError for facts that are incomplete or do not fit the network.
    """
    if network.task not in TASKS:
        return network
    return get_task(network.task).spec.from_facts({**facts, "network": network}) or network


@cache
def rows() -> tuple[PublishedWeight, ...]:
    """Return every published weight that this package can run."""
    return tuple(_row(facts) for facts in _tables())


def row_of_name(name: str) -> PublishedWeight | None:
    """Return the published weight of a name, also of one by intention; None where there is none."""
    name = BY_INTENTION.get(name, name)
    return next((row for row in rows() if row.name == name), None)


def find_row(name: str) -> PublishedWeight:
    """Return the published weight of a name; InputError, with near names, where there is none."""
    row = row_of_name(name)
    if row is None:
        near = near_names(name)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        hint += "`hrnet weights list` has the names"
        raise InputError(f"expected the name of published weights, got {name!r}; {hint}")
    return row


def near_names(name: str, others: Sequence[str] = ()) -> list[str]:
    """Return up to three names of published weights, or of `others`, that may have been meant.

    For the name of a variant they are the first weights of that variant.
    """
    names = [row.name for row in rows()]
    of_variant = [known for known in names if known.startswith(f"{name}-")]
    return of_variant[:3] or get_close_matches(name, [*others, *names], n=3)


def row_of_file(path: Path) -> PublishedWeight | None:
    """Identify a downloaded file; None where it is none of the published ones.

    A published checksum decides, however the file is called; the name does for files without one.
    Reads the whole file.
    """
    named = next((row for row in rows() if row.file_name == path.name), None)
    if named and not named.sha256:
        return named
    digest = sha256_of(path)
    return next((row for row in rows() if row.sha256 and digest.startswith(row.sha256)), None)


@cache
def _tables() -> list[dict[str, Any]]:
    text = Path(__file__).with_name("published.toml").read_text("utf-8")
    tables: list[dict[str, Any]] = tomllib.loads(text)["weight"]
    return tables


def _row(facts: dict[str, Any]) -> PublishedWeight:
    network, mirrors = NetworkSpec(**facts["network"]), tuple(facts.get("mirrors", ()))
    return PublishedWeight(**{**facts, "network": network, "mirrors": mirrors})
