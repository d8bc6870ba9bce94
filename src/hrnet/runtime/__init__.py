"""Run an exported model without torch."""

from typing import Literal

EngineName = Literal["onnxruntime", "openvino"]
"""What can run an exported model."""
