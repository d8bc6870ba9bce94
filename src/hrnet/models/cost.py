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
from hrnet.spec import NetworkSpec

MAX_SIDE = 2**15
"""Largest side of a measured input, in pixels."""

_FLOAT_BYTES = 4

_REST = "rest"
_PART_OF = (
    (re.compile(r"backbone\.stem"), "stem"),
    (re.compile(r"backbone\.stages\.stage(\d)\.(transition)"), r"stage\1 \2"),
    (re.compile(r"backbone\.stages\.stage(\d)\.module\d+\.(streams|exchange)"), r"stage\1 \2"),
    (re.compile(r"head"), "head"),
)
"""Pattern of a module's name -> the part of the network that it belongs to."""


@dataclass(frozen=True, slots=True)
class PartStatistics:
    """The cost of one part of a network at inference with one image.

    name: "stem", "stage3 transition", "stage3 streams", "stage3 exchange", "head", or "rest" for
        everything else. The modules of a stage are added up.
    parameters: learned numbers. weight_bytes: parameters and running statistics in float32.
    macs: multiply-adds, see `NetworkStatistics`.
    activation_bytes: peak memory while the part runs, see `NetworkStatistics`; tensors of other
        parts that are alive then count too.
    """

    name: str
    parameters: int
    weight_bytes: int
    macs: int
    activation_bytes: int


@dataclass(frozen=True, slots=True)
class NetworkStatistics:
    """The cost of a network at inference with one image of `input_size` (height, width).

    Multiply-adds are those of convolutions, linear layers and attention products, including
    padding; a layer that runs twice counts twice. Biases, normalisation, activations, pooling,
    resizing and sums do not count.

    Activation memory is the peak of the float32 tensors alive during the forward pass, including
    the image: a tensor counts from the operation that makes it until its last reference is gone.
    Weights and a library's working memory do not count.
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


def measure(model: nn.Module, input_size: Size) -> NetworkStatistics:
    """Measure the cost of a network for one image of `input_size` (height, width), in eval mode.

    model: takes images (N, 3, H, W), or of the channels in its `spec`; on any device. It is not
        changed.

    Raises InputError for a size that the network does not take.
    """
    if not all(1 <= side <= MAX_SIDE for side in input_size):
        raise InputError(
            f"expected height and width of 1 to {MAX_SIDE} pixels, got {_text(input_size)}"
        )
    # Run a copy on the meta device, where only shapes are computed.
    twin = _on_meta(model).eval()
    spec = getattr(model, "spec", None)
    channels = spec.num_channels if isinstance(spec, NetworkSpec) else 3
    images = torch.empty(1, channels, *input_size, device="meta")
    watch = _Watch(twin, images)
    with torch.no_grad(), _watched_parts(twin, watch), watch:
        try:
            twin(images)
        except ValueError as error:
            raise InputError(one_line(error)) from error
        except RuntimeError as error:  # on the meta device only shapes can be wrong
            raise InputError(
                f"the network takes no images of {_text(input_size)} ({one_line(error)}); "
                "take larger ones with sides in multiples of 64"
            ) from error
    return NetworkStatistics(input_size, _parts(twin, watch), watch.macs_by_operation())


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def _on_meta(model: nn.Module) -> nn.Module:
    """Copy a network to the meta device.

    BatchNorm is replaced by `empty_like`: the cost is the same, and it is faster on meta.
    """
    # deepcopy takes tensors from this table by their id, so no weight is copied.
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
    """Return the part that a module, parameter or buffer of this name belongs to."""
    for pattern, part in _PART_OF:
        if match := pattern.match(name):
            return match.expand(part)
    return _REST


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A counter of multiply-adds and live bytes over all operations of a forward pass."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.part = _REST
        self.macs: Counter[tuple[str, str]] = Counter()
        self.peak_bytes: Counter[str] = Counter()
        self._live_bytes = 0
        self._known = {_key(tensor) for tensor in (*model.parameters(), *model.buffers())}
        self._add(images)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        # torch's registry counts two operations for each multiply-add.
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
        """Assign the operations from here on to a part."""
        self.part = part
        self._note_peak()

    def macs_by_operation(self) -> dict[str, int]:
        """Return the multiply-adds of the pass by torch's name of the operation."""
        totals: Counter[str] = Counter()
        for (_, operation), macs in self.macs.items():
            totals[operation] += macs
        return dict(totals)

    def _add(self, tensor: Tensor) -> None:
        # A storage counts from here until it is freed, which `finalize` reports.
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
def _watched_parts(model: nn.Module, watch: _Watch) -> Iterator[None]:
    """Set the watch's part while each part's module runs, and its caller's part afterwards."""
    # The parts of the modules that are running, the innermost last.
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
    """Yield the modules that are a whole part, with its name."""
    for name, module in model.named_modules():
        for pattern, part in _PART_OF:
            if match := pattern.fullmatch(name):
                yield module, match.expand(part)


def _parts(model: nn.Module, watch: _Watch) -> tuple[PartStatistics, ...]:
    """Make one row a part, in the order of the network, without an empty rest."""
    # Parameters, and all numbers of the state dict, by part.
    parameters: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        parameters[_part_of(name)] += parameter.numel()
    for name, tensor in model.state_dict().items():
        numbers[_part_of(name)] += tensor.numel() if tensor.is_floating_point() else 0
    # Multiply-adds were counted by part and operation.
    macs: Counter[str] = Counter()
    for (part, _), count in watch.macs.items():
        macs[part] += count
    names = dict.fromkeys([*(part for _, part in _part_modules(model)), _REST])
    return tuple(
        PartStatistics(
            name, parameters[name], numbers[name] * _FLOAT_BYTES, macs[name], watch.peak_bytes[name]
        )
        for name in names
        if name != _REST or parameters[name] or macs[name] or len(names) == 1
    )
