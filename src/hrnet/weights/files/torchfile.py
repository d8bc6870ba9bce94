"""Files of `torch.save`, read without running anything that is in them.

Both formats: the zip of torch 1.6 and later, and the row of pickles before it. `unpickle` replaces
foreign classes, `tensors` builds the tensors.
"""

import struct
import zipfile
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Final

from hrnet.weights.files.foreign import UnusableError, other_kind, read_dictionary
from hrnet.weights.files.tensors import TensorMaker
from hrnet.weights.files.unpickle import CappedFile, Placeholder, unpickler

__all__ = ["Placeholder", "read_torch_file"]

_ZIP: Final = b"PK\x03\x04"
_MAGIC: Final = 0x1950A86A20F9469CFC6C  # what the older format begins with, as a pickle
_MAX_CONTENTS: Final = 1 << 23  # bytes of a zip's list of contents, some 100 000 entries
_CHUNK: Final = 1 << 20


def read_torch_file(path: Path) -> dict[str, object]:
    """Read the dictionary in a .pth, .pt, .tar or .bin file that `torch.save` wrote.

    No code of the file is run and no name in it is imported. Tensors are on the CPU with the
    values, types and strides that torch.load would give; those that shared memory share it, and
    parameters are plain tensors. Dictionaries, lists, tuples, text and numbers come as they are,
    without attributes; anything else is a `Placeholder`. Memory stays within a small multiple of
    the file. Raises InputError, one line, for every other file.
    """
    return read_dictionary(path, "a file of torch.save", _content)


def _content(file: BufferedReader, size: int) -> object:
    head = file.read(1 << 10)
    file.seek(0)
    if head.startswith(_ZIP):
        return _read_zip(file, size)
    if head.startswith(b"\x80") and _MAGIC.to_bytes(10, "little") in head[:32]:
        return _read_legacy(file, size)
    raise UnusableError(*other_kind(head))


def _read_zip(file: BufferedReader, size: int) -> object:
    with zipfile.ZipFile(CappedFile(file, _MAX_CONTENTS)) as archive:
        members = _checked_members(archive, size)
        root = _root(members)

        # Tensors take their bytes from the entry of their storage.
        def fetch(key: str, count: int) -> bytearray:
            member = members.get(f"{root}/data/{key}")
            if member is None or member.file_size < count:
                raise UnusableError("has less data than its tensors need")
            return _read_member(archive, member)

        # Then check the byte order and run the pickle.
        order = members.get(f"{root}/byteorder")
        if order is not None and _read_member(archive, order) != b"little":
            raise UnusableError(
                "has its bytes in another order", "save it on a little-endian machine"
            )
        tensors = TensorMaker(fetch, size)
        pickled = _read_member(archive, members[f"{root}/data.pkl"])
        return unpickler(tensors.builders, tensors.load)(CappedFile(BytesIO(pickled)))


def _checked_members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the entries by name, in all no larger than the file."""
    entries = archive.infolist()
    members = {entry.filename: entry for entry in entries}
    if len(members) != len(entries):
        raise UnusableError("has two entries of one name")
    if sum(entry.file_size for entry in entries) > size:
        raise UnusableError("claims more data than it has, or is compressed")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise UnusableError("is a compressed zip, as torch never writes it", "unpack it first")
    return members


def _root(members: dict[str, zipfile.ZipInfo]) -> str:
    """Return the folder in the zip that holds everything."""
    roots = [name[: -len("/data.pkl")] for name in members if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise UnusableError(
            "is a zip without the one pickle of torch", "name the file with the weights"
        )
    code = (f"{roots[0]}/code/", f"{roots[0]}/constants.pkl")
    if any(name.startswith(code) for name in members):
        raise UnusableError(
            "is a TorchScript program", "load it in torch and save its state_dict()"
        )
    return roots[0]


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytearray:
    data = bytearray(member.file_size)
    view, position = memoryview(data), 0
    with archive.open(member) as stream:
        while chunk := stream.read(_CHUNK):
            view[position : position + len(chunk)] = chunk
            position += len(chunk)
    if position != len(data):
        raise EOFError
    return data


def _read_legacy(file: BufferedReader, size: int) -> object:
    """Read magic number, version, machine, content, keys of the storages; then each storage."""
    buffers: dict[str, bytearray] = {}
    left = size

    def fetch(key: str, count: int) -> bytearray:
        nonlocal left
        left -= count
        if left < 0:
            raise UnusableError("has less data than its tensors need")
        buffers[key] = bytearray(count)  # filled below: the data stand behind the pickles
        return buffers[key]

    # Read the five pickles; the tensors get storages that are still empty.
    tensors = TensorMaker(fetch, size)
    read, source = unpickler(tensors.builders, tensors.load), CappedFile(file)
    _magic, _version, machine, content, keys = (read(source) for _ in range(5))
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise UnusableError("has its bytes in another order", "save it on a little-endian machine")
    # Fill the storages: for each a count of 8 bytes, then its bytes.
    names = [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
    if sorted(names) != sorted(buffers):
        raise UnusableError("has other data than its tensors need")
    for key in names:
        (count,) = struct.unpack("<q", file.read(8).ljust(8, b"\xff"))
        if count != len(tensors.storages[key]) or file.readinto(buffers[key]) != len(buffers[key]):
            raise UnusableError("has less data than its tensors need")
    return content
