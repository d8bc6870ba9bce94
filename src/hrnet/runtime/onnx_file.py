"""Read the metadata of an ONNX file without the `onnx` package and without loading the weights.

An ONNX file is one protobuf message, ModelProto: a sequence of fields, each with a key (number and
wire type) and a value. Only field 14, metadata_props, is decoded; all others, such as the graph,
are skipped by their length. Sources: onnx.proto3 of ONNX, the protobuf encoding guide.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hrnet.errors import InputError
from hrnet.files import is_file

_GRAPH, _METADATA_PROPS = 7, 14  # fields of ModelProto
_KEY, _VALUE = 1, 2  # fields of StringStringEntryProto
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_LARGEST_METADATA = 1 << 24
_MOST_FIELDS = 10_000
"""Limit for the top level: versions, names, one graph, a few operator sets and functions."""


class _NotProtobufError(Exception):
    """The bytes are no valid protobuf message."""


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata_props of an ONNX file as a dict.

    Raises InputError if the file is missing or no ONNX model.
    """
    if not is_file(path):
        raise InputError(f"expected a model file, but {path} does not exist")
    try:
        with path.open("rb") as stream:
            fields = _top_level(stream, path.stat().st_size)
    except (_NotProtobufError, UnicodeDecodeError):
        fields = None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    if fields is None:
        raise InputError(
            "expected an ONNX model (.onnx), a .safetensors checkpoint or a run folder, but "
            f"{path} is none of these; name a model file that hrnet wrote"
        )
    return fields


def _top_level(stream: BinaryIO, size: int) -> dict[str, str] | None:
    """Collect the metadata entries; None if the message has no graph."""
    entries: dict[str, str] = {}
    has_graph = False
    total = 0
    for number, wire, length in _fields(stream, size):
        if number == _METADATA_PROPS and wire == _BYTES:
            total += length
            if total > _LARGEST_METADATA:
                raise _NotProtobufError
            entry = _read_entry(stream, stream.tell() + length)
            entries[entry.get(_KEY, "")] = entry.get(_VALUE, "")
        else:
            has_graph = has_graph or (number == _GRAPH and wire == _BYTES)
            stream.seek(length, os.SEEK_CUR)
    return entries if has_graph else None


def _read_entry(stream: BinaryIO, end: int) -> dict[int, str]:
    """Read a StringStringEntryProto up to `end`: field number -> text."""
    entry: dict[int, str] = {}
    for number, wire, length in _fields(stream, end):
        if wire != _BYTES:
            raise _NotProtobufError
        entry[number] = stream.read(length).decode("utf-8")
    return entry


def _fields(stream: BinaryIO, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (number, wire type, length of the value in bytes); the caller moves past the value."""
    for _ in range(_MOST_FIELDS):
        if stream.tell() >= end:
            return
        # key = number * 8 + wire type
        key = _varint(stream)
        number, wire = key >> 3, key & 7
        # The length of the value follows from its wire type.
        if wire == _VARINT:
            start = stream.tell()
            _varint(stream)
            length = stream.tell() - start
            stream.seek(start)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        elif wire == _BYTES:
            length = _varint(stream)
        else:
            raise _NotProtobufError
        # A value must end within the message.
        if number == 0 or stream.tell() + length > end:
            raise _NotProtobufError
        yield number, wire, length
    raise _NotProtobufError


def _varint(stream: BinaryIO) -> int:
    """Read an integer of 7 bits a byte, lowest first; the high bit is set except in the last."""
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise _NotProtobufError
