"""A pickle machine that only makes data: no name of the file is imported, no code of it is run.

Python's own unpicklers import and call the names in a file, and trust it with their memory. This
one makes nothing but values. Every name becomes an inert `Placeholder`; a call gives the result of
the caller's builder of that name, or again a placeholder; the state of an object is dropped, but
for a `Stateful` one that a builder made.
Memory is bounded by the size of the file and by `MAX_STEPS`.

Source of the opcodes: the standard library's `pickletools`, which also decodes their arguments.
"""

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol, cast, runtime_checkable

MAX_STEPS: Final = 1 << 21
"""Opcodes of one file; a checkpoint with the state of its optimizer has some hundred thousand."""
MAX_VALUES: Final = 1 << 20
"""Values in the result, a value that is used twice counted twice."""
MAX_DEPTH: Final = 64
"""Containers inside each other."""
MAX_STRING: Final = 1 << 26
"""Bytes of one string."""
MAX_NAME: Final = 1000
"""Characters of a name of a global, and of a key of a dictionary."""

CALL_STEPS: Final = 16
"""The count of a tensor or another built value, as it takes so much more memory than a number."""


@dataclass(frozen=True, slots=True, eq=False)
class Placeholder:
    """A stand-in for anything in a file that is no plain data: only its dotted name is kept.

    name: as the file gives it, such as "argparse.Namespace"; it may be a class, a function or an
    object that one of them would have made.
    """

    name: str


Builder = Callable[[tuple[object, ...]], object]
"""Makes a value of the arguments of a call; ValueError where they do not fit."""


@runtime_checkable
class Stateful(Protocol):
    """A value of a builder that takes the state which the pickle gives its object afterwards."""

    def set_state(self, state: object) -> None:
        """Take the state; ValueError where it does not fit."""


class CappedFile:
    """A file that refuses to read more bytes at once than an honest pickle needs.

    cap: bytes; more of them raise ValueError.
    """

    def __init__(self, file: BinaryIO, cap: int = MAX_STRING) -> None:
        self._file, self._cap = file, cap
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read that many bytes, or all up to the end."""
        return self._checked(self._file.read(min(size % (1 << 64), self._cap + 1)))

    def readline(self) -> bytes:
        """Read to the end of the line."""
        return self._checked(self._file.readline(self._cap + 1))

    def _checked(self, data: bytes) -> bytes:
        if len(data) > self._cap:
            raise ValueError(f"one part of more than {self._cap} bytes")
        return data


def unpickler(
    builders: Mapping[str, Builder], load: Callable[[object], object]
) -> Callable[[CappedFile], object]:
    """Return a reader of one pickle after the other, which counts their steps together.

    builders: by name of a global. load: returns the value of a persistent id, which torch writes in
    place of the bytes of a tensor. The file stands behind a pickle when it is
    read. A malformed pickle raises ValueError, IndexError, KeyError or TypeError.
    """
    return _Machine({**_CONTAINERS, **builders}, load).run


class _Machine:
    def __init__(self, builders: Mapping[str, Builder], load: Callable[[object], object]) -> None:
        self._builders, self._load = builders, load
        self._stack: list[object] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}
        self._steps = 0

    def run(self, source: CappedFile) -> object:
        self._stack, self._marks, self._memo = [], [], {}
        for opcode, arg, _ in pickletools.genops(cast(BinaryIO, source)):
            self._spend(1)
            if opcode.name in _CONSTANTS:
                self.push(arg)
            elif opcode.name in _ACTIONS:
                _ACTIONS[opcode.name](self, arg)
            else:
                raise ValueError(f"pickle code {opcode.name}, which no file of weights has")
        result = self.top()
        _check_tree(result)
        return result

    def _spend(self, steps: int) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise ValueError(f"more than {MAX_STEPS} pickle steps")

    def push(self, value: object) -> None:
        self._stack.append(value)

    def pop(self, count: int) -> list[object]:
        """Take that many values off the stack, the lowest first."""
        if len(self._stack) < count:
            raise IndexError("too few values")
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def top(self) -> object:
        return self._stack[-1]

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def pop_mark(self) -> list[object]:
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def replace_mark(self, value: object) -> None:
        self.pop_mark()
        self.push(value)

    def discard(self) -> None:
        """Take off a value, or a mark where there is one on top."""
        if self._marks and self._marks[-1] == len(self._stack):
            self._marks.pop()
        else:
            self.pop(1)

    def extend(self, values: list[object]) -> None:
        match self.top():
            case list() as target:
                target.extend(values)
            case Placeholder():
                pass
            case _:
                raise TypeError("items for a value that has none")

    def set_items(self, keys_and_values: list[object]) -> None:
        match self.top():
            case dict() as target:
                target.update(_dict(keys_and_values))
            case Placeholder():
                pass
            case _:
                raise TypeError("items for a value that has none")

    def call(self, what: object, args: object) -> None:
        """Push the result that a call would have had."""
        if not isinstance(what, Placeholder) or not isinstance(args, tuple):
            raise TypeError("a call of something that is no name")
        builder = self._builders.get(what.name)
        if builder is None:
            return self.push(Placeholder(what.name))
        # A list among the arguments is walked by the builder, so it counts as that many steps.
        self._spend(CALL_STEPS + sum(len(arg) for arg in args if isinstance(arg, list)))
        return self.push(builder(args))

    def build(self) -> None:
        """Give the value on top its state, or drop that, such as a dictionary's `_metadata`."""
        (state,) = self.pop(1)
        target = self.top()
        if isinstance(target, Stateful):
            self._spend(CALL_STEPS)
            target.set_state(state)

    def load_persistent(self) -> None:
        self._spend(CALL_STEPS)
        self.push(self._load(*self.pop(1)))

    def put(self, index: object) -> None:
        self._memo[int(str(index))] = self.top()

    def memoize(self) -> None:
        self._memo[len(self._memo)] = self.top()

    def get(self, index: object) -> None:
        self.push(self._memo[int(str(index))])


def _check_tree(root: object) -> None:
    """Raise ValueError for a result with cycles, or too large or too deep to walk through."""
    todo, seen = [(root, 0)], 0
    while todo:
        value, depth = todo.pop()
        # A value that is reached twice counts twice: that bounds trees of shared values.
        inner = _inside(value)
        seen += 1
        if inner and depth >= MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} containers inside each other")
        if seen + len(todo) + len(inner) > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES} values")
        todo.extend((item, depth + 1) for item in inner)


def _inside(value: object) -> list[object] | tuple[object, ...]:
    if isinstance(value, dict):
        return list(value.values())  # the keys hold no containers
    return value if isinstance(value, list | tuple) else ()


def _key(value: object) -> object:
    """Return a key that is cheap to hash and safe to print; ValueError for others."""
    parts = value if isinstance(value, tuple) and len(value) <= MAX_DEPTH else [value]
    for part in parts:
        match part:
            case str():
                fits = len(part) <= MAX_NAME and part.isprintable()
            case int():
                fits = -(1 << 63) <= part < 1 << 64
            case float() | None | Placeholder():
                fits = True
            case _:
                fits = False
        if not fits:
            raise ValueError("a dictionary with a key that is no short text and no number")
    return value


def _dict(keys_and_values: list[object]) -> dict[object, object]:
    pairs = zip(keys_and_values[::2], keys_and_values[1::2], strict=True)
    return {_key(key): value for key, value in pairs}


def _named(module: object, name: object) -> Placeholder:
    if not isinstance(module, str) or not isinstance(name, str):
        raise TypeError("a global whose name is not text")
    if len(module) + len(name) > MAX_NAME:
        raise ValueError(f"a global whose name is longer than {MAX_NAME}")
    return Placeholder(f"{module}.{name}")


def _ordered_dict(args: tuple[object, ...]) -> OrderedDict[object, object]:
    """An OrderedDict, empty as Python 3 writes it or of a list of pairs as Python 2 did."""
    match args:
        case ():
            return OrderedDict()
        case (list(pairs),) if all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
            return OrderedDict((_key(key), value) for key, value in pairs)
    raise ValueError("an OrderedDict of something else than pairs")


def _instance(args: tuple[object, ...]) -> Placeholder:
    """An object of the class that is the first argument."""
    if args and isinstance(args[0], Placeholder):
        return args[0]
    raise ValueError("an object of something that is no class")


_CONTAINERS: Final[Mapping[str, Builder]] = {
    "collections.OrderedDict": _ordered_dict,
    "collections.defaultdict": lambda _: {},
    "copy_reg._reconstructor": _instance,
    "copyreg._reconstructor": _instance,
}

_CONSTANTS: Final = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING "
    "UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 "
    "BYTEARRAY8".split()
)
"""Opcodes that push their argument."""

_ACTIONS: Final[Mapping[str, Callable[[_Machine, object], object]]] = {
    **{name: lambda machine, _: None for name in ("PROTO", "FRAME", "STOP")},
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(Placeholder("builtins.set")),
    "LIST": lambda machine, _: machine.push(machine.pop_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop(3))),
    "DICT": lambda machine, _: machine.push(_dict(machine.pop_mark())),
    "FROZENSET": lambda machine, _: machine.replace_mark(Placeholder("builtins.frozenset")),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "GLOBAL": lambda machine, arg: machine.push(_named(*str(arg).split(" ", 1))),
    "STACK_GLOBAL": lambda machine, _: machine.push(_named(*machine.pop(2))),
    "REDUCE": lambda machine, _: machine.call(*machine.pop(2)),
    "NEWOBJ": lambda machine, _: machine.call(*machine.pop(2)),
    "NEWOBJ_EX": lambda machine, _: machine.push(_instance(tuple(machine.pop(3)))),
    "OBJ": lambda machine, _: machine.push(_instance(tuple(machine.pop_mark()))),
    "INST": lambda machine, arg: machine.replace_mark(_named(*str(arg).split(" ", 1))),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.load_persistent(),
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.discard(),
    "POP_MARK": lambda machine, _: machine.pop_mark(),
    "DUP": lambda machine, _: machine.push(machine.top()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda machine, arg: machine.put(arg)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, arg: machine.get(arg)),
    "MEMOIZE": lambda machine, _: machine.memoize(),
}
"""The other opcodes are refused: codes of a registry (EXT), buffers outside the file, PERSID."""
