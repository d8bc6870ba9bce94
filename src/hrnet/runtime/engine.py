"""The protocol of inference engines, and the opening of an exported model in one."""

from pathlib import Path
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError, one_line
from hrnet.runtime import EngineName
from hrnet.runtime.onnx_file import read_metadata
from hrnet.spec import ModelSpec
from hrnet.tasks import read_spec as parse_spec

DEFAULT_ENGINE: EngineName = "onnxruntime"

METADATA_KEY = "hrnet"
"""Entry of the ONNX file's metadata that holds the ModelSpec as JSON."""


class Engine(Protocol):
    """A network ready to run; `device` is the one that it runs on."""

    device: str

    def __call__(self, images: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Turn normalised images (N, 3, H, W) into the network's outputs, each with N first."""
        ...


def read_spec(path: Path) -> ModelSpec:
    """Read from an exported model what it was trained to do, without an engine.

    Raises InputError where the file is no ONNX model or not one that this package exported.
    """
    spec = read_metadata(path).get(METADATA_KEY)
    if spec is None:
        raise InputError(
            f"expected a model exported by hrnet, but {path} is an ONNX file without its "
            "description; export the checkpoint with `hrnet export`"
        )
    return parse_spec(spec)


def open_engine(
    path: Path,
    name: EngineName = DEFAULT_ENGINE,
    *,
    device: str = "auto",
    threads: int | None = None,
) -> Engine:
    """Load an exported model into an engine.

    device: "cpu", "auto", or another that the engine finds, such as "cuda"; see the engines.
    threads: how many to use on the CPU; None leaves it to the engine, which takes all cores.
    Raises InputError where the engine or the device is not installed, or refuses the model.
    """
    if name not in get_args(EngineName):
        known = " or ".join(get_args(EngineName))
        raise InputError(f"expected {known} as the engine, got {name!r}")
    try:
        if name == "onnxruntime":
            from hrnet.runtime.onnxruntime_engine import OnnxRuntimeEngine

            return OnnxRuntimeEngine(path, device=device, threads=threads)
        from hrnet.runtime.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(path, device=device, threads=threads)
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
