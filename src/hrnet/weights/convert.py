"""Conversion of a foreign file of weights to a checkpoint of ours, with a report."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from hrnet.data.findings import first_of
from hrnet.errors import InputError
from hrnet.files import check_writable_file, exists, is_file
from hrnet.models import Network, build_network
from hrnet.spec import MAX_WINDOW, ModelSpec, NetworkOptions, NetworkSpec, first_problem
from hrnet.tasks import TASKS, get_task
from hrnet.weights.checkpoint import check_values, fill, save_checkpoint
from hrnet.weights.files.unwrap import OTHER
from hrnet.weights.published.cache import fetch
from hrnet.weights.published.rows import describe, find_row
from hrnet.weights.schemes.hrformer import resize_bias_table
from hrnet.weights.schemes.keymap import Dropped
from hrnet.weights.schemes.recognise import in_words
from hrnet.weights.source import Source, open_source

CONVERTER_VERSION = 2
"""Bump when `convert_file` writes another file for the same input."""

_TABLE = "relative_position_bias_table"
_PROBE_SIDE = 64
_SAMPLES = 16


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """The record of a conversion: its source, its result, and the proof of equal outputs.

    scheme, writers: the naming scheme of the file and the projects that use it. network: the one
    recognised. tensors: how many were taken by name. dropped, made: what was left out or added, and
    why. parameters: of the network. fingerprint: see `fingerprint`. can_predict: True where the new
    file holds all that prediction needs. assumed: a note about fields of the description that
    neither file nor caller gave, "" where there are none.
    """

    source: str
    scheme: str
    writers: str
    network: NetworkSpec
    tensors: int
    dropped: tuple[Dropped, ...]
    made: tuple[str, ...]
    parameters: int
    fingerprint: tuple[float, ...]
    can_predict: bool
    assumed: str

    def lines(self) -> list[str]:
        """Write the report for people, one fact a line."""
        return [
            f"network      {in_words(self.network)}",
            f"names        {self.scheme} ({self.writers})",
            f"tensors      {self.tensors} taken, {self.parameters:,} parameters",
            *(f"left out     {d.count} x {d.what}: {d.reason}" for d in self.dropped),
            *(f"made         {what}" for what in self.made),
            f"fingerprint  {' '.join(f'{value:.5g}' for value in self.fingerprint)}",
        ]

    def summary(self) -> str:
        """Return one line: the network, its names, and the one of several sets of weights."""
        left = sum(part.count for part in self.dropped)
        others = f", {left} entries left out" if left else ""
        second = (p for p in self.dropped if p.reason.startswith(OTHER))
        sets = "".join(f"; {part.what}: {part.reason}" for part in second)
        named = f"{self.tensors} tensors named as in {self.scheme}"
        return f"{in_words(self.network)}; {named}{others}{sets}"

    def to_json(self) -> str:
        """Write the report for the header of a file, whose description is there already."""
        facts = asdict(self) | {"fingerprint": [float(f"{v:.5g}") for v in self.fingerprint]}
        del facts["network"], facts["assumed"]
        return json.dumps(facts)


def fingerprint(network: Network) -> tuple[float, ...]:
    """Sample 16 numbers of a network's output for an image of noise, to compare by others.

    The image is numpy's Generator(PCG64(0)).standard_normal((1, 3, 64, 64)) as float32. All outputs
    of the network, in eval mode, are laid flat and joined in order; of n numbers those at
    i * (n - 1) // 15 are taken for i from 0 to 15.
    """
    shape = (1, network.spec.num_channels, _PROBE_SIDE, _PROBE_SIDE)
    noise = np.random.Generator(np.random.PCG64(0)).standard_normal(shape).astype(np.float32)
    device = next(network.parameters()).device
    with torch.inference_mode():
        outputs = network.eval()(torch.from_numpy(noise).to(device))
    parts = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    flat = torch.cat([part.flatten() for part in parts])
    places = [i * (flat.numel() - 1) // (_SAMPLES - 1) for i in range(_SAMPLES)]
    return tuple(flat[places].tolist())


def convert_file(
    src: str | PathLike[str],
    dst: str | PathLike[str],
    *,
    facts: Mapping[str, object] | None = None,
    options: NetworkOptions | Mapping[str, object] | None = None,
) -> ConversionReport:
    """Convert a file of weights of any known project, or published weights by name, to one of ours.

    facts: fields of the task's description that prediction needs, where catalogue and file lack
        them or others are wanted: {"input_size": (256, 192), "skeleton": "coco"} for pose, with
        "codec", "sigma" and "blur_kernel" if need be, see `PoseSpec`; {"input_size": (224, 224)}
        for classification, see its `usual_facts` for what is assumed then.
    options: choices that weights do not show, such as {"align_corners": True}, in place of those
        usual for files of the scheme. "window" brings HRFormer's tables of position biases to
        windows of that side, by interpolation; that is another network, whose score is unknown.

    Writes `dst`, a .safetensors file, whole or not at all. Raises InputError for a file that is not
    exactly a network that can be built, and for facts and options that do not fit it.
    """
    path, target = _local(src), Path(dst)
    if target.suffix != ".safetensors":
        raise InputError(f"expected a .safetensors file to write, got {target}; name one")
    check_writable_file(target, [path])
    # Read the file; the given options go before those of catalogue and scheme.
    given = _checked(options or {})
    window = given.pop("window", None)
    source = open_source(path, NetworkOptions(**given))
    source = replace(source, network=source.network.model_copy(update=given))
    if window is not None:
        source = _with_window(source, window)
    # Describe the model as far as it is known, and build the network to see that all weights fit.
    spec, assumed = _described(source, facts or {})
    network = build_network(source.network)
    fill(network, source.state, source.name)
    report = _report(source, network, spec, assumed)
    save_checkpoint(target, network.state_dict(), spec, conversion=report.to_json())
    return report


def _checked(options: NetworkOptions | Mapping[str, object]) -> dict[str, Any]:
    """Return the options that are set; InputError for one that does not exist or a wrong value."""
    try:
        return NetworkOptions.model_validate(options).model_dump(exclude_none=True)
    except ValidationError as error:
        raise InputError(f"cannot convert: {first_problem(error)}") from None


def _described(source: Source, facts: Mapping[str, object]) -> tuple[ModelSpec | NetworkSpec, str]:
    """Describe a source by its own facts and the given ones, which go first.

    Returns the description and a note about facts that are assumed, "" where there are none.
    Raises InputError for fields that its task does not have, or that are incomplete.
    """
    task = source.network.task
    parts = get_task(task) if task in TASKS else None
    fields = {*parts.spec.model_fields, *parts.spec.shorthands} if parts else set()
    unknown = next((name for name in facts if name not in fields), None)
    if unknown is not None:
        raise InputError(f"{source.name} is of {task}, which has no {unknown}; leave it out")
    known: dict[str, object] = {
        "name": source.network.variant,
        **source.facts,
        **dict(source.model or {}),
        **facts,
    }
    # What nobody gave is as usual, if the task has an idea of it.
    usual = parts.usual_facts(source.network, known) if parts and parts.usual_facts else {}
    try:
        spec = describe(source.network, usual | known)
    except InputError as error:
        raise InputError(f"cannot describe {source.name}: {error}") from None
    assumed = " and ".join(name for name in usual if name not in known)
    if not assumed or not isinstance(spec, ModelSpec):
        return spec, ""
    words = ", ".join([*spec.words(), first_of(spec.labels)])
    return spec, f"not in the file and not given: {assumed}; the usual is taken: {words}"


def _local(src: str | PathLike[str]) -> Path:
    """Return the file itself, or the published file of that name, downloaded if need be."""
    path = Path(src)
    if is_file(path):
        return path
    if exists(path) or path.suffix or len(path.parts) > 1:
        raise InputError(f"expected a file of weights, but there is none at {path}; check the path")
    return fetch(find_row(str(src)))


def _with_window(source: Source, window: int) -> Source:
    """Interpolate HRFormer's tables of position biases to windows of another side."""
    tables = {name: value for name, value in source.state.items() if name.endswith(_TABLE)}
    if not tables:
        raise InputError(f"{source.name} has no tables of position biases; leave window out")
    if not 1 <= window <= MAX_WINDOW:
        raise InputError(f"expected a window of 1 or more, got {window}; at most {MAX_WINDOW}")
    check_values(tables, source.name)
    resized = {name: resize_bias_table(value, window) for name, value in tables.items()}
    made = f"{len(tables)} tables of position biases for windows of {window}, interpolated"
    return replace(
        source,
        network=source.network.model_copy(update={"window": window}),
        state=source.state | resized,
        made=(*source.made, made),
    )


def _report(
    source: Source, network: Network, spec: ModelSpec | NetworkSpec, assumed: str
) -> ConversionReport:
    sampled = fingerprint(network)
    if not all(map(math.isfinite, sampled)):
        raise InputError(
            f"{source.name} gives NaN or infinity for an image of noise; its weights are broken"
        )
    return ConversionReport(
        source=Path(source.name).name,
        scheme=source.scheme,
        writers=source.writers,
        network=source.network,
        tensors=source.mapped,
        dropped=source.dropped,
        made=source.made,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        fingerprint=sampled,
        can_predict=isinstance(spec, ModelSpec),
        assumed=assumed,
    )
