"""From a foreign file of weights to a checkpoint of ours, with a report of what was done."""

import json
import math
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hrnet.codecs.heatmap import CodecKind
from hrnet.errors import InputError
from hrnet.files import check_writable_file, exists, is_file
from hrnet.geometry import Size
from hrnet.models import Network, build_network
from hrnet.spec import MAX_WINDOW, NetworkOptions, NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.cache import fetch
from hrnet.weights.checkpoint import save_checkpoint
from hrnet.weights.described import describe_pose, in_words
from hrnet.weights.fit import check_values, fill
from hrnet.weights.published import find_row
from hrnet.weights.schemes.form import Dropped
from hrnet.weights.schemes.hrformer import resize_bias_table
from hrnet.weights.source import Source, open_source
from hrnet.weights.unwrap import OTHER

CONVERTER_VERSION = 2
"""Raised when `convert_file` writes another file for the same input."""

_TABLE = "relative_position_bias_table"
_PROBE = (1, 3, 64, 64)
_SAMPLES = 16


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """The record of a conversion: its source, its result, and the proof of equal outputs.

    scheme, writers: whose names the tensors had. network: what they are. tensors: how many were
    taken by name. dropped, made: what was left out or made up, and why. parameters: of the network.
    fingerprint: see `fingerprint`. can_predict: whether the file says all that a pose model needs.
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
        """Say in one line what was converted, and which of several sets of weights was taken."""
        left = sum(part.count for part in self.dropped)
        others = f", {left} entries left out" if left else ""
        second = (p for p in self.dropped if p.reason.startswith(OTHER))
        sets = "".join(f"; {part.what}: {part.reason}" for part in second)
        named = f"{self.tensors} tensors named as in {self.scheme}"
        return f"{in_words(self.network)}; {named}{others}{sets}"

    def to_json(self) -> str:
        """Write the report for the header of a file; `network` is there already."""
        facts = asdict(self) | {"fingerprint": [float(f"{v:.5g}") for v in self.fingerprint]}
        del facts["network"]
        return json.dumps(facts)


def fingerprint(network: Network) -> tuple[float, ...]:
    """Sample 16 numbers of a network's output for an image of noise, to compare by others.

    The image is numpy's Generator(PCG64(0)).standard_normal((1, 3, 64, 64)) as float32. All answers
    of the network, in eval mode, are laid flat and joined in order; of n numbers those at
    i * (n - 1) // 15 are taken for i from 0 to 15.
    """
    noise = np.random.Generator(np.random.PCG64(0)).standard_normal(_PROBE).astype(np.float32)
    device = next(network.parameters()).device
    with torch.inference_mode():
        answer = network.eval()(torch.from_numpy(noise).to(device))
    parts = [answer] if isinstance(answer, Tensor) else list(answer)
    flat = torch.cat([part.flatten() for part in parts])
    places = [i * (flat.numel() - 1) // (_SAMPLES - 1) for i in range(_SAMPLES)]
    return tuple(flat[places].tolist())


def convert_file(
    src: str | PathLike[str],
    dst: str | PathLike[str],
    *,
    input_size: Size | None = None,
    skeleton: str | None = None,
    codec: CodecKind | None = None,
    sigma: float | None = None,
    blur_kernel: int | None = None,
    align_corners: bool | None = None,
    relative_position: Literal["table", "none"] | None = None,
    window: int | None = None,
) -> ConversionReport:
    """Convert a file of weights of any known project, or published weights by name, to one of ours.

    input_size (height, width), skeleton (a name, see `hrnet.weights.skeletons`), codec, sigma,
        blur_kernel: of pose models, where the catalogue does not know the file; prediction needs
        the first two. See `PoseSpec`.
    align_corners, relative_position: what no weights tell, in place of what is usual for files of
        the scheme.
    window: bring HRFormer's tables of position biases to windows of another side, by interpolation.
        That is another network, whose score is not known.

    Writes `dst`, a .safetensors file, whole or not at all. Raises InputError for a file that is not
    exactly a network that can be built.
    """
    path, target = _local(src), Path(dst)
    if target.suffix != ".safetensors":
        raise InputError(f"expected a .safetensors file to write, got {target}; name one")
    check_writable_file(target, [path])
    asked = NetworkOptions(align_corners=align_corners, relative_position=relative_position)
    source = _with_options(open_source(path, asked), asked)
    if window is not None:
        source = _with_window(source, window)
    spec = describe_pose(source, input_size, skeleton, codec, sigma, blur_kernel)
    network = build_network(source.spec)
    fill(network, source.state, source.name)
    report = _report(source, network, spec)
    save_checkpoint(target, network.state_dict(), spec, conversion=report.to_json())
    return report


def _local(src: str | PathLike[str]) -> Path:
    """The file itself, or the published file of that name, downloaded if need be."""
    path = Path(src)
    if is_file(path):
        return path
    if exists(path) or path.suffix or len(path.parts) > 1:
        raise InputError(f"expected a file of weights, but there is none at {path}; check the path")
    return fetch(find_row(str(src)))


def _with_options(source: Source, asked: NetworkOptions) -> Source:
    """Put the options that were asked for into the description, of a file of ours too."""
    changes = asked.model_dump(exclude_none=True)
    return replace(source, spec=source.spec.model_copy(update=changes))


def _with_window(source: Source, window: int) -> Source:
    """Interpolate HRFormer's tables of position biases."""
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
        spec=source.spec.model_copy(update={"window": window}),
        state=source.state | resized,
        made=(*source.made, made),
    )


def _report(source: Source, network: Network, spec: PoseSpec | NetworkSpec) -> ConversionReport:
    answers = fingerprint(network)
    if not all(map(math.isfinite, answers)):
        raise InputError(
            f"{source.name} answers noise with NaN or infinity; its weights are broken"
        )
    return ConversionReport(
        source=Path(source.name).name,
        scheme=source.scheme,
        writers=source.writers,
        network=source.spec,
        tensors=source.mapped,
        dropped=source.dropped,
        made=source.made,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        fingerprint=answers,
        can_predict=isinstance(spec, PoseSpec),
    )
