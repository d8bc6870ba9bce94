"""Import inference engines without their telemetry, and turn their errors into one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hrnet.errors import InputError, one_line

ORT_SWITCH = "ORT_DISABLE_TELEMETRY"
"""The environment variable that ONNX Runtime reads when it is loaded; "1" turns telemetry off."""

_OPENVINO_SENDER = "openvino_telemetry"


@contextmanager
def no_telemetry() -> Iterator[None]:
    """Let the engines that are imported in this block send nothing and keep no device id.

    ONNX Runtime is asked by its environment variable; a value that the user has set stays.
    OpenVINO sends an event on import where its package for that is installed, and goes without
    where it is not: it is hidden for the time of the block.
    """
    os.environ.setdefault(ORT_SWITCH, "1")
    if _OPENVINO_SENDER in sys.modules:  # the program has it in use already
        yield
        return
    sys.modules[_OPENVINO_SENDER] = None  # type: ignore[assignment]  # import fails on None
    try:
        yield
    finally:
        del sys.modules[_OPENVINO_SENDER]


@contextmanager
def network_errors() -> Iterator[None]:
    """Turn an error of a running network into an InputError; each engine has types of its own."""
    try:
        yield
    except Exception as error:
        raise InputError(
            f"the network failed ({one_line(error)[:200]}); export the model again, or take "
            "another engine or device"
        ) from error
