"""Export a model by its name, file or run folder."""

from os import PathLike
from pathlib import Path

from hrnet.errors import InputError
from hrnet.exporters.onnx import export_onnx
from hrnet.files import check_writable_file
from hrnet.weights.catalog import find_checkpoint
from hrnet.weights.checkpoint import load_checkpoint


def export(model: str | PathLike[str], out: str | PathLike[str], *, half: bool = False) -> float:
    """Export a checkpoint to an ONNX file that includes the model's spec.

    model: a model's name, a .safetensors checkpoint of hrnet, or a run folder, of which the best
        checkpoint is exported. out: the .onnx file; `hrnet.load` reads it.
    half: store the weights in half precision, which halves the file; it still computes in float32.
    Returns the largest difference between the outputs of file and network, relative to the largest
    output. Raises InputError if `model` or `out` cannot be used, or the difference is too large.
    """
    # Find the checkpoint, and check the output file before any work is done.
    source, file = find_checkpoint(model if isinstance(model, str) else Path(model)), Path(out)
    if source.suffix != ".safetensors":
        raise InputError(
            f"expected a .safetensors checkpoint or a run folder, got {source}; an exported model "
            "is complete as it is"
        )
    if file.suffix.lower() != ".onnx":
        raise InputError(f"expected an .onnx file to write, got {file}; end its name in .onnx")
    check_writable_file(file, [source])
    return export_onnx(*load_checkpoint(source), file, half=half)
