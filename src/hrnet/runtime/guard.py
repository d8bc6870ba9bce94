"""Import inference engines without telemetry, and turn their errors into one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hrnet.errors import InputError, one_line

ORT_SWITCH = "ORT_DISABLE_TELEMETRY"
"""Environment variable that ONNX Runtime reads when imported; "1" turns telemetry off."""

_OPENVINO_SENDER = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Disable the telemetry of engines imported in this block: no events, no stored device id.

    ONNX Runtime has an environment variable for it; a value set by the user is kept. OpenVINO
    sends an event on import if the package openvino_telemetry is installed, and works without it:
    that package is hidden during the block.
    """
    os.environ.setdefault(ORT_SWITCH, "1")
    if _OPENVINO_SENDER in sys.modules:  # already imported by the program
        yield
        return
    sys.modules[_OPENVINO_SENDER] = None  # type: ignore[assignment]  # import fails on None
    try:
        yield
    finally:
        del sys.modules[_OPENVINO_SENDER]


@contextmanager
def network_errors() -> Iterator[None]:
    """Turn any error of a running network into an InputError; each engine has its own types."""
    try:
        yield
    except Exception as error:
        raise InputError(
            f"the network failed ({one_line(error)[:200]}); export the model again, or take "
            "another engine or device"
        ) from error
