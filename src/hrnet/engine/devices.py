"""Which device there is, and whether it computes faster in half precision."""

from pathlib import Path
from typing import Literal

import torch

from hrnet.errors import InputError, one_line


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises InputError where there is no such device.
    """
    if name != "auto":
        try:
            return torch.empty(0, device=name).device
        except (RuntimeError, AssertionError) as error:
            reason = one_line(error)[:120]
            raise InputError(
                f"device {name} cannot be used ({reason}); try run.device=auto"
            ) from None
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def fast_precision(device: torch.device) -> Literal["float32", "bf16"]:
    """bf16 where the device multiplies it by itself, which pays; float32 elsewhere.

    Of processors only Linux tells.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "float32"
    if device.type != "cpu":
        return "float32"
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return "float32"
    return "bf16" if {"avx512_bf16", "amx_bf16"} & set(facts) else "float32"
