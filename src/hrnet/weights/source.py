"""Any file of weights, opened: ours or of any known project, recognised by its content alone."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hrnet.errors import InputError
from hrnet.spec import ModelSpec, NetworkOptions, NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.weights.checkpoint import FORMAT, as_checkpoint, read_safetensors
from hrnet.weights.fit import FLOATS
from hrnet.weights.published import PublishedWeight, row_of_file
from hrnet.weights.recognise import recognise
from hrnet.weights.schemes.form import Dropped, State
from hrnet.weights.torchfile import read_torch_file
from hrnet.weights.unwrap import expect_whole, unwrap

OURS = "hrnet"
"""The scheme of our own files."""


@dataclass(frozen=True, slots=True)
class Source:
    """A network's weights by our names, and how they were found.

    name: of the file. scheme, writers: whose names it has. spec: the network. mapped: how many
    tensors came from the file. pose: all that prediction needs, or None where neither file nor
    catalogue says it. dropped, made: what was left out or made up, and why.
    """

    name: str
    scheme: str
    writers: str
    spec: NetworkSpec
    state: State
    mapped: int
    pose: ModelSpec | None = None
    dropped: tuple[Dropped, ...] = ()
    made: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawFile:
    """The tensors of a file by the names that it gives them, and its header if it has one."""

    state: State
    header: dict[str, str]
    dropped: tuple[Dropped, ...] = ()


def read_raw(path: Path) -> RawFile:
    """Read a .safetensors file or one of torch.save; InputError for any other file."""
    if path.suffix == ".onnx":
        raise InputError(f"{path} is an exported model; name the checkpoint that it was made of")
    if path.suffix != ".safetensors":
        taken = unwrap(read_torch_file(path), str(path))
        return RawFile(taken.state, {}, taken.dropped)
    state, header = read_safetensors(path)
    if header.get("format") == FORMAT:
        return RawFile(state, header)
    taken = unwrap(state, str(path))
    return RawFile(taken.state, header, taken.dropped)


def open_source(path: Path, options: NetworkOptions | None = None) -> Source:
    """Read a file, recognise its network, and bring its tensors to our names.

    options: what neither weights nor catalogue tell, or tell wrongly. Of a file that is catalogued
    as a backbone nothing else is taken, since its head is not ours. Raises InputError for a file
    that is not exactly a network that can be built.
    """
    raw = read_raw(path)
    own = as_checkpoint(raw.state, raw.header)
    if own is not None:
        count = len(own.state)
        return Source(str(path), OURS, OURS, own.network, own.state, count, own.model)
    row = row_of_file(path)
    known = row.options if row else NetworkOptions()
    backbone = row is not None and row.task == "features"
    asked = _merge(known, options or NetworkOptions())
    found = recognise(raw.state, str(path), asked, backbone=backbone)
    if not backbone:
        expect_whole(found.spec.task, raw.dropped, str(path))
    pose = _described(row, found.spec, path) if row else None
    return Source(
        str(path),
        found.form.scheme,
        found.form.writers,
        found.spec,
        found.taken.state,
        found.taken.mapped,
        pose,
        dropped=(*raw.dropped, *found.taken.dropped),
        made=(*found.taken.made, *_casts(found.taken.state)),
    )


def _merge(first: NetworkOptions, second: NetworkOptions) -> NetworkOptions:
    return first.model_copy(update=second.model_dump(exclude_none=True))


def _described(row: PublishedWeight, found: NetworkSpec, path: Path) -> PoseSpec | None:
    """Return the catalogue's description; InputError where the file holds something else."""
    names = ("variant", "task", "num_outputs")
    for name in names:
        said, held = getattr(row.network, name), getattr(found, name)
        if said is not None and said != held:
            raise InputError(
                f"{path} is catalogued as {row.name} with {name} {said}, but its weights are of "
                f"{held}; rename the file if it is another one"
            )
    if not isinstance(row.spec, PoseSpec):
        return None
    return row.spec.model_copy(update={"network": found})


def _casts(state: dict[str, Tensor]) -> tuple[str, ...]:
    """Say how many weights are of another precision; a network holds them in float32."""
    kinds = [value.dtype for value in state.values()]
    return tuple(
        f"float32 of {kinds.count(kind)} tensors of {str(kind).removeprefix('torch.')}"
        for kind in FLOATS[1:]
        if kind in kinds
    )
