"""Files of Paddle's `paddle.save`, read without running anything that is in them.

A .pdparams file is one pickle: a dictionary of numpy arrays by name. `unpickle` replaces foreign
classes; `ArrayMaker` makes tensors of what the pickle says about arrays.

Source of the form: what `paddle.save` of Paddle 2 and 3 writes with pickle protocols 2, 3 and 4,
under numpy 1 and 2.
"""

import math
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from hrnet.weights.files.foreign import UnusableError, other_kind, read_dictionary
from hrnet.weights.files.tensors import ALLOWANCE, MAX_GROWTH, MAX_LENGTH, checked_size
from hrnet.weights.files.unpickle import Builder, CappedFile, Placeholder, unpickler

_CUT: Final = "UnpackBigParamInfor@@"
"""The entry that lists arrays which protocols 2 and 3 hold in pieces."""

_DTYPES: Final[Mapping[str, torch.dtype]] = {
    "f2": torch.float16,
    "f4": torch.float32,
    "f8": torch.float64,
    "b1": torch.bool,
    "i1": torch.int8,
    "i2": torch.int16,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
    "u2": torch.uint16,  # Paddle's bfloat16 too, which numpy lacks
    "u4": torch.uint32,
    "u8": torch.uint64,
    "c8": torch.complex64,
    "c16": torch.complex128,
}


def read_paddle_file(path: Path) -> dict[str, object]:
    """Read the dictionary in a .pdparams file that `paddle.save` wrote.

    Arrays come as tensors on the CPU, of a pair (name, array) the array alone; arrays of other
    types than numbers and all that is no plain data are `Placeholder`s. No code of the file is run
    and no name in it is imported; memory stays within a small multiple of the file. Raises
    InputError, one line, for every other file.
    """
    return read_dictionary(path, "a .pdparams file of Paddle", _content)


def _content(file: BufferedReader, size: int) -> object:
    # Tell a pickle from other files.
    head = file.read(1 << 10)
    file.seek(0)
    if not head.startswith(b"\x80"):
        raise UnusableError(*other_kind(head))
    # Run it, and put tensors in place of arrays.
    read = unpickler(ArrayMaker(size).builders, _refuse_persistent)
    content = read(CappedFile(file))
    if isinstance(content, dict) and _CUT in content:
        raise UnusableError(
            "holds arrays of more than 1 GB in pieces", "save it with paddle.save(..., protocol=4)"
        )
    return _with_tensors(content)


def _refuse_persistent(saved_id: object) -> object:
    raise ValueError("something stored beside the pickle, as Paddle never writes it")


class _Type:
    """A type of numpy; its torch type is None where it is none of numbers."""

    def __init__(self, args: tuple[object, ...]) -> None:
        self.dtype = _DTYPES.get(args[0]) if args and isinstance(args[0], str) else None

    def set_state(self, state: object) -> None:
        """Take (version, byte order, ...)."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", "|", "="):
            raise ValueError("an array with its bytes in another order")


class _Array:
    """An array, whose content comes as its state; `value` is a placeholder until then."""

    def __init__(self, maker: "ArrayMaker") -> None:
        self._maker = maker
        self.value: Tensor | Placeholder = Placeholder("numpy.ndarray")

    def set_state(self, state: object) -> None:
        """Take (version, shape, type, whether columns come first, bytes)."""
        match state:
            case (_, tuple(shape), _Type(dtype=None), _, _):
                checked_size((shape,))
            case (_, tuple(shape), _Type(dtype=torch.dtype() as dtype), fortran, bytes(data)):
                self.value = self._maker.tensor(
                    checked_size((shape,)), dtype, data, fortran=bool(fortran)
                )
            case _:
                raise ValueError("an array without shape, type and bytes")


class ArrayMaker:
    """Makes the arrays of one file, as tensors on the CPU.

    file_size: in bytes; all arrays, each counted in full, take a bounded multiple of it.
    """

    def __init__(self, file_size: int) -> None:
        self._left = MAX_GROWTH * file_size + ALLOWANCE

    @property
    def builders(self) -> dict[str, Builder]:
        """Return the stand-ins for the functions that a file may name."""
        return {
            "numpy.core.multiarray._reconstruct": lambda _: _Array(self),  # numpy 1
            "numpy._core.multiarray._reconstruct": lambda _: _Array(self),  # numpy 2
            "numpy.dtype": _Type,
            "builtins.tuple": _tuple,
            "__builtin__.tuple": _tuple,  # protocol 2
            # Protocol 2 has no bytes: it writes them as text, or as a call without arguments.
            "_codecs.encode": self._encode,
            "__builtin__.bytes": _no_bytes,
        }

    def tensor(
        self, shape: tuple[int, ...], dtype: torch.dtype, data: bytes, *, fortran: bool
    ) -> Tensor:
        """Make a tensor of the bytes of an array; ValueError where they are not as many.

        fortran: the first side runs fastest.
        """
        if math.prod(side or 1 for side in shape) >= MAX_LENGTH:
            raise ValueError("an array of an impossible size")
        count = math.prod(shape)
        if count * dtype.itemsize != len(data):
            raise ValueError(f"an array of {count} numbers in {len(data)} bytes")
        self._spend(len(data))
        if not count:
            return torch.empty(shape, dtype=dtype)
        flat = torch.frombuffer(bytearray(data), dtype=dtype)
        if fortran:
            return flat.reshape(shape[::-1]).permute(*reversed(range(len(shape))))
        return flat.reshape(shape)

    def _encode(self, args: tuple[object, ...]) -> bytes:
        match args:
            case (str(text), "latin1" | "latin-1"):
                self._spend(len(text))
                return text.encode("latin-1")
        raise ValueError("bytes that are not written as latin-1")

    def _spend(self, count: int) -> None:
        """Bound the memory: a file may name the same bytes again and again."""
        self._left -= count
        if self._left < 0:
            raise ValueError(f"arrays of more than {MAX_GROWTH} times the size of the file")


def _no_bytes(args: tuple[object, ...]) -> bytes:
    if args:
        raise ValueError("bytes that are made by a call")
    return b""


def _tuple(args: tuple[object, ...]) -> tuple[object, ...]:
    """Return the pair (name, array) of a tensor that is not of a state dict."""
    match args:
        case (tuple(pair),):
            return pair
    raise ValueError("a tuple of something else than a tuple")


def _with_tensors(value: object) -> object:
    """Return the content of a file with a tensor for each array."""
    match value:
        case (str(), _Array() as array) | (_Array() as array):
            return array.value
        case _Type():
            return Placeholder("numpy.dtype")
        case dict():
            return {key: _with_tensors(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_with_tensors(inner) for inner in value]
    return value
