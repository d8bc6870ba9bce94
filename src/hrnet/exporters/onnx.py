"""Export a network to an ONNX file that includes the model's spec."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from hrnet.errors import InputError
from hrnet.exporters.compare import Thresholded, plain_difference, row_difference
from hrnet.files import atomic_path
from hrnet.runtime import METADATA_KEY, open_engine
from hrnet.runtime.onnxruntime_engine import fold_constants
from hrnet.runtime.torch_engine import TorchEngine
from hrnet.spec import ModelSpec

TOLERANCE = {False: 1e-4, True: 2e-2}
"""`half` -> largest accepted difference to the network, relative to its largest output. Half
precision keeps 11 bits of a weight, and an output sums thousands of products."""

_OPSET = 18


def export_onnx(model: nn.Module, spec: ModelSpec, path: Path, *, half: bool = False) -> float:
    """Export a network, and compare the outputs of the file with those of the network.

    model: (N, C, H, W) -> the outputs of `spec.output_names`, as `load_checkpoint` returns it.
    half: store the weights in half precision, which halves the file; engines still compute in
        float32.
    The input of the file is `images`, float32 (N, C, H, W) of the network's channels, usually 3,
    normalised by the spec's mean and std, for any N, and for any H and W where the spec has no
    fixed size; further inputs (N,) are those of `spec.input_names`. Its outputs have the names of
    the spec, such as `heatmaps`. The metadata entry "hrnet" holds the spec as JSON.
    Returns the largest difference at batch sizes 1 and 3, relative to the largest output. Raises
    InputError, and writes nothing, if it is above `TOLERANCE`.
    """
    network = model.cpu().eval()
    with atomic_path(path) as temporary:
        # Make the graph, and compare with the network; rows below the least score count too.
        lenient = network.lenient() if isinstance(network, Thresholded) else network
        _write(lenient, spec, temporary, half=half)
        difference = max(
            _difference(lenient, temporary, shape, spec, half) for shape in _shapes(spec)
        )
        # The block must end with an error if the file is wrong.
        if not difference <= TOLERANCE[half]:
            raise InputError(
                f"the exported network differs from the original by {difference:.2g} of the "
                f"largest value, more than {TOLERANCE[half]:g}; nothing was written"
            )
        if lenient is not network:
            _write(network, spec, temporary, half=half)
    return difference


def _shapes(spec: ModelSpec) -> list[tuple[int, int, int]]:
    """Return batch, height and width of the inputs to compare; of an odd number and any size."""
    if spec.any_size:
        return [(1, 128, 160), (3, 96, 64)]
    return [(batch, *spec.input_size) for batch in (1, 3)]


def _noise(spec: ModelSpec, shape: tuple[int, int, int]) -> tuple[NDArray[np.float32], ...]:
    """Return images of noise (N, C, H, W), and 1.5 for each further input (N,)."""
    batch, height, width = shape
    channels = spec.network.num_channels
    noise = np.random.default_rng(batch).standard_normal((batch, channels, height, width))
    numbers = np.full((len(spec.input_names) - 1, batch), 1.5, np.float32)
    return (noise.astype(np.float32), *numbers)


def _write(network: nn.Module, spec: ModelSpec, path: Path, *, half: bool) -> None:
    """Write the graph of a network with its spec."""
    proto = _trace(network, spec)
    _strip(proto)
    if half:
        _halve_weights(proto)
    entry = proto.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, spec.to_json()
    onnx.save(proto, str(path))


def _trace(network: nn.Module, spec: ModelSpec) -> onnx.ModelProto:
    """Trace the network by torch's older exporter, in a tenth of the time of `_capture`."""
    height, width = (128, 160) if spec.any_size else spec.input_size
    example = tuple(map(torch.from_numpy, _noise(spec, (2, height, width))))
    with _quiet_exporter():
        try:
            proto = _trace_folded(network, example, spec)
        except Exception:  # torch without this exporter, or a network it cannot trace
            if len(example) > 1 or spec.any_size:
                raise
            return _capture(network, example[0], spec.output_names)
    # Declare the standard operator set alone; ONNX Runtime adds its own, which are not used.
    standard = [entry for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    proto.ClearField("opset_import")
    proto.opset_import.extend(standard)
    return proto


def _trace_folded(
    network: nn.Module, example: tuple[torch.Tensor, ...], spec: ModelSpec
) -> onnx.ModelProto:
    """Trace the network for any batch size, and compute the constant parts of its graph."""
    axes = {name: {0: "batch"} for name in (*spec.input_names, *spec.output_names)}
    if spec.any_size:
        axes[spec.input_names[0]] |= {2: "height", 3: "width"}
    with tempfile.TemporaryDirectory() as folder:
        traced, folded = Path(folder) / "traced.onnx", Path(folder) / "folded.onnx"
        torch.onnx.export(
            network,
            example,
            str(traced),
            input_names=list(spec.input_names),
            output_names=list(spec.output_names),
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
        fold_constants(traced, folded)
        return onnx.load(str(folded))


def _capture(network: nn.Module, example: torch.Tensor, names: tuple[str, ...]) -> onnx.ModelProto:
    """Export by torch's newer exporter, for any batch size."""
    program = torch.onnx.export(
        network,
        (example,),
        input_names=["images"],
        output_names=list(names),
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return program.model_proto


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Suppress the exporter's messages about torch itself and a missing torchvision."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _strip(proto: onnx.ModelProto) -> None:
    """Remove the exporter's notes on the source code, a tenth of a small model's file."""
    for item in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    proto.graph.ClearField("metadata_props")
    proto.graph.ClearField("value_info")


def _halve_weights(proto: onnx.ModelProto) -> None:
    """Store every float32 weight as float16, followed by a cast that engines fold when loading.

    Vectors stay float32: biases, which are small, and the scales of a Resize, which OpenCV reads
    from the file without the cast.
    """
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        # weight -> weight_half -> Cast -> weight
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
        )
    # The casts come first: nodes are in the order of their inputs.
    nodes = [*casts, *proto.graph.node]
    proto.graph.ClearField("node")
    proto.graph.node.extend(nodes)


def _difference(
    network: nn.Module, path: Path, shape: tuple[int, int, int], spec: ModelSpec, half: bool
) -> float:
    """Return the largest difference between file and network on noise, relative to the largest."""
    inputs = _noise(spec, shape)
    found, expected = open_engine(path, device="cpu")(*inputs), TorchEngine(network)(*inputs)
    if isinstance(network, Thresholded):
        return row_difference(found, expected, TOLERANCE[half], half=half)
    indices = [name in spec.index_outputs for name in spec.output_names]
    return plain_difference(found, expected, indices)
