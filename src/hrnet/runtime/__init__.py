"""Inference engines: run an exported model without torch."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from hrnet.errors import InputError, one_line

if (
    TYPE_CHECKING
):  # numpy and pydantic are slow to import, and the command line's help needs neither
    import numpy as np
    from numpy.typing import NDArray

    from hrnet.spec import ModelSpec

EngineName = Literal["onnxruntime", "openvino"]
"""Program that runs exported models."""

DEFAULT_ENGINE: EngineName = "onnxruntime"

METADATA_KEY = "hrnet"
"""Metadata entry of an ONNX file that holds the ModelSpec as JSON."""


class Engine(Protocol):
    """A network ready to run on its `device`."""

    device: str

    def __call__(self, *inputs: "NDArray[np.float32]") -> "tuple[NDArray[np.float32], ...]":
        """Return the network's outputs, N first, for normalised images (N, C, H, W).

        Further inputs (N,) are the numbers that some networks need of each image.
        """
        ...


def read_spec(path: Path) -> "ModelSpec":
    """Read the spec of an exported model without loading its weights.

    Raises InputError if the file is no ONNX model, or was not exported by this package.
    """
    from hrnet.runtime.onnx_file import read_metadata
    from hrnet.tasks import read_spec as parse_spec

    text = read_metadata(path).get(METADATA_KEY)
    if text is None:
        raise InputError(
            f"expected a model exported by hrnet, but {path} is an ONNX file without its "
            "description; export the checkpoint with `hrnet export`"
        )
    return parse_spec(text)


def open_engine(
    path: Path,
    name: EngineName = DEFAULT_ENGINE,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> Engine:
    """Load an exported model into an engine.

    device: "cpu", "auto", or another one of the engine, such as "cuda"; see the engines' classes.
    threads: CPU threads; None leaves the number to the engine, which uses all cores.
    Raises InputError if the engine or the device is missing, or the engine rejects the model.
    """
    # Check the name, and import only the engine that is asked for.
    if name not in get_args(EngineName):
        known = " or ".join(get_args(EngineName))
        raise InputError(f"expected {known} as the engine, got {name!r}")
    try:
        if name == "onnxruntime":
            from hrnet.runtime.onnxruntime_engine import OnnxRuntimeEngine

            return OnnxRuntimeEngine(path, device=device, threads=threads)
        from hrnet.runtime.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(path, device=device, threads=threads)
    # Turn each error into one line.
    except InputError:
        raise
    except ModuleNotFoundError as error:
        raise InputError(
            f"the engine {name} is not installed ({error.name} is missing); pip install {name}"
        ) from None
    except Exception as error:  # each engine has its own exception types
        raise InputError(
            f"{path} cannot be loaded by {name} ({one_line(error)[:200]}); export the model again"
        ) from error
