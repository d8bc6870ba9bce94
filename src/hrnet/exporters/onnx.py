"""Write a network as an ONNX file that carries its own description."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from hrnet.errors import InputError
from hrnet.files import atomic_path
from hrnet.runtime.engine import METADATA_KEY, open_engine
from hrnet.runtime.onnxruntime_engine import fold_constants
from hrnet.runtime.torch_engine import TorchEngine
from hrnet.spec import ModelSpec

TOLERANCE = {False: 1e-4, True: 2e-2}
"""Largest accepted difference to the network, relative to the largest value, without and with
`half`: half precision keeps 11 bits of a weight, and a peak sums thousands of products."""


_OPSET = 18


def export_onnx(model: nn.Module, spec: ModelSpec, path: Path, *, half: bool = False) -> float:
    """Export a network, and compare the file's outputs with the network's.

    model: (N, 3, H, W) -> the outputs of `spec.output_names`, as `load_checkpoint` gives it.
    half: store the weights in half precision, which halves the file; engines still compute in
        float32.
    The file's input `images` is float32 (N, 3, H, W), normalised as `spec` says, for any N; its
    outputs have the names of the spec, such as `heatmaps`. The metadata entry "hrnet" holds the
    spec as JSON.
    Returns the largest difference found at batch 1 and 3, relative to the largest value; raises
    InputError, and writes nothing, where it is above `TOLERANCE`.
    """
    network = model.cpu().eval()
    with atomic_path(path) as temporary:
        proto = _trace(network, spec)
        _strip(proto)
        if half:
            _halve_weights(proto)
        entry = proto.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, spec.to_json()
        onnx.save(proto, str(temporary))
        difference = max(_difference(network, temporary, batch, spec) for batch in (1, 3))
        if not difference <= TOLERANCE[half]:
            raise InputError(
                f"the exported network differs from the original by {difference:.2g} of the "
                f"largest value, more than {TOLERANCE[half]:g}; nothing was written"
            )
    return difference


def _trace(network: nn.Module, spec: ModelSpec) -> onnx.ModelProto:
    """Trace the network by torch's older exporter, a tenth of the time of `_capture`."""
    example = torch.zeros(2, 3, *spec.input_size)
    with _quiet_exporter():
        try:
            proto = _trace_folded(network, example, spec.output_names)
        except Exception:  # a torch that has lost this exporter, or what it cannot trace
            return _capture(network, example, spec.output_names)
    standard = [entry for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    proto.ClearField("opset_import")
    proto.opset_import.extend(standard)
    return proto


def _trace_folded(
    network: nn.Module, example: torch.Tensor, names: tuple[str, ...]
) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as folder:
        traced, folded = Path(folder) / "traced.onnx", Path(folder) / "folded.onnx"
        torch.onnx.export(
            network,
            (example,),
            str(traced),
            input_names=["images"],
            output_names=list(names),
            dynamic_axes={name: {0: "batch"} for name in ("images", *names)},
            opset_version=_OPSET,
            dynamo=False,
        )
        fold_constants(traced, folded)
        return onnx.load(str(folded))


def _capture(network: nn.Module, example: torch.Tensor, names: tuple[str, ...]) -> onnx.ModelProto:
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
        raise RuntimeError("torch.onnx.export gave no program")
    return program.model_proto


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Silence the exporter's notes about torch itself, and about torchvision being absent."""
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
    """Take out what the exporter notes about the source code: a tenth of a small model's file."""
    for item in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    proto.graph.ClearField("metadata_props")
    proto.graph.ClearField("value_info")


def _halve_weights(proto: onnx.ModelProto) -> None:
    """Store every float32 weight as float16, with a cast that engines fold when they load.

    Biases stay, and so do the factors of a Resize: OpenCV takes them as they stand in the file.
    """
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *proto.graph.node]
    proto.graph.ClearField("node")
    proto.graph.node.extend(nodes)


def _difference(network: nn.Module, path: Path, batch: int, spec: ModelSpec) -> float:
    """Return max |file - network| / max |network| on noise."""
    noise = np.random.default_rng(batch).standard_normal((batch, 3, *spec.input_size))
    images = noise.astype(np.float32)
    pairs = zip(open_engine(path, device="cpu")(images), TorchEngine(network)(images), strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)
