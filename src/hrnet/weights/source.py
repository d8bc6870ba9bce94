"""Any file of weights, opened: ours or of any known project, recognised by its content alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from hrnet.errors import InputError
from hrnet.files import is_file
from hrnet.spec import ModelSpec, NetworkOptions, NetworkSpec
from hrnet.weights.checkpoint import FLOATS, FORMAT, as_checkpoint, read_safetensors
from hrnet.weights.files.paddlefile import read_paddle_file
from hrnet.weights.files.torchfile import read_torch_file
from hrnet.weights.files.unwrap import expect_whole, unwrap
from hrnet.weights.published.rows import PublishedWeight, row_of_file
from hrnet.weights.schemes.keymap import Dropped, StateDict, Taken
from hrnet.weights.schemes.recognise import Recognised, recognise

OURS = "hrnet"
"""The naming scheme of our own files."""


_MADE_OF = "name the checkpoint that it was made of"
_BESIDE = "name the .pdparams file beside it"
_UNREAD = {
    ".onnx": f"an exported model; {_MADE_OF}",
    ".xml": f"of an exported model of OpenVINO; {_MADE_OF}",
    ".pdmodel": f"of an exported model of Paddle; {_MADE_OF}, a .pdparams file",
    ".pdiparams": f"of an exported model of Paddle; {_MADE_OF}, a .pdparams file",
    ".nb": f"an exported model of Paddle Lite; {_MADE_OF}, a .pdparams file",
    ".pdopt": f"the state of Paddle's optimizer, no network; {_BESIDE}",
    ".pdema": f"the second set of weights of a training of Paddle; {_BESIDE}, the first set",
}
"""Suffix -> the kind of file that is never read, and advice."""


@dataclass(frozen=True, slots=True)
class Source:
    """The network of a file, with its weights by our names.

    name: of the file. scheme, writers: the naming scheme and the projects that write such files.
    model: the task's description, None where neither file nor catalogue has it. facts: fields of it
    that follow from the file. mapped: how many tensors came from the file. dropped, made: what was
    left out or added, and why.
    """

    name: str
    scheme: str
    writers: str
    network: NetworkSpec
    state: StateDict
    mapped: int
    model: ModelSpec | None = None
    dropped: tuple[Dropped, ...] = ()
    made: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


def open_source(path: Path, options: NetworkOptions | None = None) -> Source:
    """Read a file, recognise its network, and bring its tensors to our names.

    options: in place of what the catalogue or other files of the project have. Of a file that is
    catalogued as a backbone nothing else is taken, since its head is not ours. Raises InputError
    for a file that is not exactly a network that can be built.
    """
    # A file of ours describes itself.
    raw, header = read_raw(path)
    own = as_checkpoint(raw.state, header)
    if own is not None:
        count = len(own.state)
        return Source(str(path), OURS, OURS, own.network, own.state, count, own.model)
    # The catalogue has the options of a published file, which its weights do not show.
    row = row_of_file(path)
    known = row.network.options if row else NetworkOptions()
    merged = options.over(known) if options else known
    # Find the key mapping and the variant.
    backbone = row is not None and row.network.task == "features"
    found = recognise(raw.state, str(path), merged, backbone=backbone)
    if not backbone:
        expect_whole(found.network.task, raw.dropped, str(path))
    return Source(
        str(path),
        found.key_map.scheme,
        found.key_map.writers,
        found.network,
        found.taken.state,
        found.taken.mapped,
        _catalogued(row, found.network, path) if row else None,
        dropped=(*raw.dropped, *found.taken.dropped),
        made=(*found.taken.made, *_casts(found.taken.state)),
        facts=_facts(found, raw),
    )


def read_raw(path: Path) -> tuple[Taken, dict[str, str]]:
    """Read a .safetensors file, one of torch.save or a .pdparams; InputError for any other file.

    Returns its tensors by its own names, and its header, {} where it has none.
    """
    kind = _UNREAD.get(path.suffix)
    if path.suffix == ".bin" and is_file(path.with_suffix(".xml")):
        kind = _UNREAD[".xml"]
    if kind:
        raise InputError(f"{path} is {kind}")
    if path.suffix != ".safetensors":
        read = read_paddle_file if path.suffix == ".pdparams" else read_torch_file
        return unwrap(read(path), str(path)), {}
    state, header = read_safetensors(path)
    if header.get("format") == FORMAT:
        return Taken(state), header
    return unwrap(state, str(path)), header


def _catalogued(row: PublishedWeight, found: NetworkSpec, path: Path) -> ModelSpec | None:
    """Return the catalogue's description; InputError where the file holds another network."""
    for name in ("variant", "task", "num_outputs"):
        expected, held = getattr(row.network, name), getattr(found, name)
        if expected not in (None, held):
            raise InputError(
                f"{path} is catalogued as {row.name} with {name} {expected}, but its weights are "
                f"of {held}; rename the file if it is another one"
            )
    spec = row.spec
    return spec.model_copy(update={"network": found}) if isinstance(spec, ModelSpec) else None


def _facts(found: Recognised, raw: Taken) -> dict[str, object]:
    """Return the fields of a description that follow from the mapping of a file and its notes."""
    facts = dict(found.key_map.facts)
    if facts and len(raw.class_names) == found.network.num_outputs:
        facts["class_names"] = raw.class_names
    return facts


def _casts(state: dict[str, Tensor]) -> tuple[str, ...]:
    """Count the weights of other precisions, which a network holds in float32."""
    kinds = [value.dtype for value in state.values()]
    return tuple(
        f"float32 of {kinds.count(kind)} tensors of {str(kind).removeprefix('torch.')}"
        for kind in FLOATS[1:]
        if kind in kinds
    )
