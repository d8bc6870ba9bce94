"""Run an exported model without torch."""

from typing import Literal

EngineName = Literal["onnxruntime", "openvino"]
"""The programs that can run an exported model."""
