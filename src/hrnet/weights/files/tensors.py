"""Tensors as a pickle of torch describes them, within the bytes that the file really has.

Source of the names and arguments: what `torch.save` of torch 0.4 to 2.13 writes.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor

from hrnet.weights.files.unpickle import Builder, Placeholder

MAX_GROWTH: Final = 16
"""All tensors of a file, each counted in full, may take that many times the size of the file."""
ALLOWANCE: Final = 1 << 24
"""Bytes beyond that: a small file may hold a number that is expanded to a tensor."""
MAX_LENGTH: Final = 1 << 48
"""Numbers of a tensor, one for each side of length 0."""

_STORAGES: Final[Mapping[str, torch.dtype]] = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
    "torch.ComplexFloatStorage": torch.complex64,
    "torch.ComplexDoubleStorage": torch.complex128,
    "torch.storage.UntypedStorage": torch.uint8,
}
_NEW_DTYPES: Final[Mapping[str, torch.dtype]] = {
    str(dtype): dtype
    for dtype in (
        torch.uint16,
        torch.uint32,
        torch.uint64,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
    )
}
"""Types without a storage of their own: their bytes are in an untyped one."""


class TensorMaker:
    """Makes the storages and tensors of one file, all on the CPU.

    fetch: returns the bytes of a storage by key and least count; ValueError where the file cannot
    have them. file_size: in bytes. Parameters come as plain tensors.
    """

    def __init__(self, fetch: Callable[[str, int], bytearray], file_size: int) -> None:
        self._fetch = fetch
        self._left = MAX_GROWTH * file_size + ALLOWANCE
        self.storages: dict[str, Tensor] = {}

    @property
    def builders(self) -> dict[str, Builder]:
        """Return the stand-ins for torch's functions that a file may name."""
        tensors: dict[str, Builder] = {
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_tensor_v3": self._tensor_v3,
            "torch._utils._rebuild_parameter": _first_tensor,
            "torch._utils._rebuild_parameter_with_state": _first_tensor,
            "torch.nn.parameter.Parameter": _first_tensor,
        }

        def typed(args: tuple[object, ...]) -> object:
            """Build a tensor with attributes: function, class, arguments, attributes."""
            match args:
                case (Placeholder(name=name), _, tuple(inner), *_) if name in tensors:
                    return tensors[name](inner)
            raise ValueError("a tensor of a foreign kind")

        return {**tensors, "torch._tensor._rebuild_from_type_v2": typed, "torch.Size": checked_size}

    def load(self, saved_id: object) -> object:
        """Return a storage as a flat tensor, or the class name of a pickled module."""
        match saved_id:
            case ("storage", Placeholder(name=kind), str(key), _, int(count), *view) if (
                kind in _STORAGES and 0 <= count < MAX_LENGTH and view in ([], [None])
            ):
                return self._storage(key, _STORAGES[kind], count)
            case ("module", Placeholder() as module, *_):
                return module
        raise ValueError("something stored beside the pickle that is no storage of a tensor")

    def _storage(self, key: str, dtype: torch.dtype, count: int) -> Tensor:
        # A storage is read once; tensors that share it share the memory.
        if key not in self.storages:
            data = self._fetch(key, count * dtype.itemsize)
            empty = torch.empty(0, dtype=dtype)
            self.storages[key] = (
                torch.frombuffer(data, dtype=dtype, count=count) if count else empty
            )
        known = self.storages[key]
        if (known.dtype, len(known)) != (dtype, count):
            raise ValueError("a storage with two types or two sizes")
        return known

    def _tensor(self, args: tuple[object, ...]) -> Tensor:
        """Build a tensor of storage, offset, size, stride, requires_grad, hooks, marks ("conj")."""
        if args[6:] not in ((), (None,), ({},)):
            raise ValueError("a tensor that is stored negated or conjugated")
        match args:
            case (Tensor() as storage, int(offset), tuple(size), tuple(stride), *_):
                return self._view(storage, offset, checked_size((size,)), checked_size((stride,)))
        raise ValueError("a tensor without storage, offset, size and stride")

    def _tensor_v3(self, args: tuple[object, ...]) -> Tensor:
        """Build a tensor as `_tensor`, with the type before the marks."""
        match args:
            case (Tensor() as storage, _, _, _, _, _, Placeholder(name=name), *marks) if (
                name in _NEW_DTYPES
            ):
                flat = storage.view(_NEW_DTYPES[name])
                return self._tensor((flat, *args[1:6], *marks))
        raise ValueError("a tensor of an unknown type")

    def _view(
        self, storage: Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> Tensor:
        # The last element, at offset + sum((n - 1) * stride), must lie within the storage.
        if len(size) != len(stride) or math.prod(n or 1 for n in size) >= MAX_LENGTH:
            raise ValueError("a tensor of an impossible size or stride")
        count, there = math.prod(size), storage.untyped_storage().nbytes() // storage.itemsize
        last = sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if count and not 0 <= offset < there - last:
            raise ValueError(f"a tensor that reaches outside its storage of {there} numbers")
        # Views share memory, but whoever copies them needs all of it: bound their sum.
        self._left -= count * storage.itemsize
        if self._left < 0:
            raise ValueError(f"tensors of more than {MAX_GROWTH} times the size of the file")
        return storage.as_strided(size, stride, offset if count else 0)


def _first_tensor(args: tuple[object, ...]) -> Tensor:
    """Return the tensor of a parameter: tensor, requires_grad, hooks."""
    if args and isinstance(args[0], Tensor):
        return args[0]
    raise ValueError("a parameter that is no tensor")


def checked_size(args: tuple[object, ...]) -> tuple[int, ...]:
    """Return the sizes in the only argument, each a whole number below the limit."""
    match args:
        case (tuple(numbers),) if len(numbers) <= 64:
            fitting = tuple(n for n in numbers if isinstance(n, int) and 0 <= n < MAX_LENGTH)
            if len(fitting) == len(numbers):
                return fitting
    raise ValueError("a size of a tensor that is no list of whole numbers")
