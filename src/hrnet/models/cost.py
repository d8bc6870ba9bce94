"""The cost of a network: parameters, multiply-adds and memory, part by part.

Everything is measured on torch's meta device, where tensors have a shape and no content: the real
forward pass runs, no weight is drawn and no number is computed.
"""

import copy
import re
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from hrnet.errors import InputError, one_line
from hrnet.geometry import Size

MAX_SIDE = 2**15
"""The longest side of an input that is measured, in pixels."""

FLOAT_BYTES = 4

_REST = "rest"
_PART_OF = (
    (re.compile(r"backbone\.stem"), "stem"),
    (re.compile(r"backbone\.stages\.stage(\d)\.(transition)"), r"stage\1 \2"),
    (re.compile(r"backbone\.stages\.stage(\d)\.module\d+\.(streams|exchange)"), r"stage\1 \2"),
    (re.compile(r"head"), "head"),
)
"""Name of a module -> the part of the network that it is."""


@dataclass(frozen=True, slots=True)
class PartStatistics:
    """The cost of one part of a network at inference with one image.

    name: "stem", "stage3 transition", "stage3 streams", "stage3 exchange", "head", or "rest" for
        what lies outside of those. The modules of a stage are added up.
    parameters: learned numbers. weight_bytes: parameters and batch normalisation's running
        figures, in float32.
    macs: multiply-adds, see `NetworkStatistics`.
    activation_bytes: the most that is alive at one moment of the part's work, see
        `NetworkStatistics`; what other parts hold at that moment counts too.
    """

    name: str
    parameters: int
    weight_bytes: int
    macs: int
    activation_bytes: int


@dataclass(frozen=True, slots=True)
class NetworkStatistics:
    """The cost of a network at inference with one image of `input_size` (height, width).

    Multiply-adds are those of convolutions, linear layers and attention products, padding
    included, as they are carried out: a layer that runs twice counts twice. Biases,
    normalisation, activations, pooling, resizing and sums are not counted.

    Activation memory is the largest sum of the float32 tensors that are alive at one moment of the
    forward pass, the image included: each counts from the operation that makes it until nothing
    refers to it. Weights and a library's working memory are not in it.
    """

    input_size: Size
    parts: tuple[PartStatistics, ...]
    macs_by_operation: Mapping[str, int]

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts)

    @property
    def weight_bytes(self) -> int:
        return sum(part.weight_bytes for part in self.parts)

    @property
    def macs(self) -> int:
        return sum(part.macs for part in self.parts)

    @property
    def activation_bytes(self) -> int:
        return max(part.activation_bytes for part in self.parts)

    def part(self, name: str) -> PartStatistics:
        """Return the part of this name; raises KeyError where the network has none."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)


def measure(model: nn.Module, input_size: Size) -> NetworkStatistics:
    """Count what a network costs with one image of `input_size` (height, width), in eval mode.

    model: maps images (N, 3, H, W) to anything; it may lie on any device, and is left as it is.

    Raises InputError for a size that the network refuses.
    """
    if not all(1 <= side <= MAX_SIDE for side in input_size):
        raise InputError(
            f"expected height and width of 1 to {MAX_SIDE} pixels, got {_text(input_size)}"
        )
    twin = on_meta(model).eval()
    images = torch.empty(1, 3, *input_size, device="meta")
    watch = _Watch(twin, images)
    with torch.no_grad(), _announced_parts(twin, watch), watch:
        try:
            twin(images)
        except ValueError as error:
            raise InputError(one_line(error)) from error
        except RuntimeError as error:  # the only thing that can go wrong here are shapes
            raise InputError(
                f"the network takes no images of {_text(input_size)} ({one_line(error)}); "
                "take larger ones with sides in multiples of 64"
            ) from error
    return NetworkStatistics(input_size, _parts(twin, watch), watch.macs_by_operation())


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def on_meta(model: nn.Module) -> nn.Module:
    """Copy a network to the meta device, without the content of its weights.

    Where batch normalisation was, an empty tensor of the same shape comes out: that costs the same
    here, and torch's own way on the meta device takes most of the time.
    """
    twins: dict[int, object] = {}
    for parameter in model.parameters():
        twins[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"))
    for buffer in model.buffers():
        twins[id(buffer)] = torch.empty_like(buffer, device="meta")
    twin = copy.deepcopy(model, twins)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = torch.empty_like  # type: ignore[method-assign]
    return twin


def _part_of(name: str) -> str:
    """The part that a module, parameter or buffer of this name belongs to."""
    for pattern, part in _PART_OF:
        if match := pattern.match(name):
            return match.expand(part)
    return _REST


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation of a forward pass; adds up multiply-adds and bytes that are alive."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.part = _REST
        self.macs: Counter[tuple[str, str]] = Counter()
        self.peak_bytes: Counter[str] = Counter()
        self._live_bytes = 0
        self._known = {_key(tensor) for tensor in (*model.parameters(), *model.buffers())}
        self._add(images)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in flop_registry:
            flops = flop_registry[packet](*args, **(kwargs or {}), out_val=result)
            self.macs[self.part, packet.__name__] += flops // 2
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, Tensor):
                self._add(tensor)
        return result

    def enter(self, part: str) -> None:
        """Note that the operations from here on belong to a part."""
        self.part = part
        self._note_peak()

    def macs_by_operation(self) -> dict[str, int]:
        """Multiply-adds of the whole pass by torch's name of the operation."""
        totals: Counter[str] = Counter()
        for (_, operation), macs in self.macs.items():
            totals[operation] += macs
        return dict(totals)

    def _add(self, tensor: Tensor) -> None:
        key = _key(tensor)
        if key in self._known:  # a view, or written in place
            return
        storage = tensor.untyped_storage()
        self._known.add(key)
        self._live_bytes += storage.nbytes()
        weakref.finalize(storage, self._release, key, storage.nbytes())
        self._note_peak()

    def _release(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live_bytes -= size

    def _note_peak(self) -> None:
        self.peak_bytes[self.part] = max(self.peak_bytes[self.part], self._live_bytes)


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


@contextmanager
def _announced_parts(model: nn.Module, watch: _Watch) -> Iterator[None]:
    """Tell the watch which part is at work; a part is left for the one that called it."""
    callers: list[str] = []

    def before(module: nn.Module, _: object) -> None:
        callers.append(watch.part)
        watch.enter(parts[module])

    def after(module: nn.Module, _: object, __: object) -> None:
        watch.enter(callers.pop())

    parts = dict(_part_modules(model))
    handles = [module.register_forward_pre_hook(before) for module in parts]
    handles += [module.register_forward_hook(after) for module in parts]
    yield
    for handle in handles:
        handle.remove()


def _part_modules(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """The modules whose whole name is a part's."""
    for name, module in model.named_modules():
        for pattern, part in _PART_OF:
            if match := pattern.fullmatch(name):
                yield module, match.expand(part)


def _parts(model: nn.Module, watch: _Watch) -> tuple[PartStatistics, ...]:
    """One row a part, in the order of the network; what costs nothing is left out."""
    parameters: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        parameters[_part_of(name)] += parameter.numel()
    for name, tensor in model.state_dict().items():
        numbers[_part_of(name)] += tensor.numel() if tensor.is_floating_point() else 0
    macs: Counter[str] = Counter()
    for (part, _), count in watch.macs.items():
        macs[part] += count
    names = dict.fromkeys([*(part for _, part in _part_modules(model)), _REST])
    return tuple(
        PartStatistics(
            name, parameters[name], numbers[name] * FLOAT_BYTES, macs[name], watch.peak_bytes[name]
        )
        for name in names
        if name != _REST or parameters[name] or macs[name] or len(names) == 1
    )
