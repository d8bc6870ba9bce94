"""From a model's name, file or run folder to a file that predicts without torch."""

from os import PathLike
from pathlib import Path

from hrnet.errors import InputError
from hrnet.exporters.onnx import export_onnx
from hrnet.files import check_writable_file
from hrnet.weights.catalog import find_checkpoint
from hrnet.weights.checkpoint import load_checkpoint


def export(model: str | PathLike[str], out: str | PathLike[str], *, half: bool = False) -> float:
    """Write a checkpoint as an ONNX file that carries its own description.

    model: a model's name, a .safetensors checkpoint of ours or the folder of a run, of which the
        best checkpoint is taken. out: the .onnx file; `hrnet.load` takes it.
    half: store the weights in half precision: half the file, computed in float32 all the same.
    Returns the largest difference between the answers of file and network, relative to the largest
    value. Raises InputError where one of the two cannot be used, or the difference is too large.
    """
    source, file = find_checkpoint(model if isinstance(model, str) else Path(model)), Path(out)
    if source.suffix != ".safetensors":
        raise InputError(f"expected a .safetensors checkpoint or a run folder, got {source}")
    if file.suffix.lower() != ".onnx":
        raise InputError(f"expected an .onnx file to write, got {file}; end its name in .onnx")
    check_writable_file(file, [source])
    return export_onnx(*load_checkpoint(source), file, half=half)
