"""Choice of a torch device and of its precision."""

from pathlib import Path
from typing import Literal

import torch

from hrnet.errors import InputError, one_line


def pick_device(name: str) -> torch.device:
    """Return the torch device of a name; "auto" takes CUDA, else Apple's MPS, else the CPU.

    Raises InputError if there is no such device.
    """
    if name != "auto":
        try:
            device = torch.empty(0, device=name).device
        except Exception as error:  # each kind of device has its own exception types
            raise InputError(
                f"device {name} cannot be used ({first_sentence(error)}); take --device auto or "
                "cpu, in a training run.device=auto"
            ) from None
        if device.type not in _TRAINED_ON:
            raise InputError(f"device {name} computes nothing; take auto or cpu")
        return device
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


_TRAINED_ON = {"cpu", "cuda", "mps", "xpu"}


def first_sentence(error: Exception) -> str:
    """Return the first sentence of a torch error; the rest is about debugging torch."""
    line = one_line(str(error).strip().partition("\n")[0]).partition(". ")[0]
    return line.rstrip(".") or type(error).__name__


def fast_precision(device: torch.device) -> Literal["float32", "bf16"]:
    """Return bf16 if the device has instructions for it, else float32.

    For CPUs this is only known on Linux; elsewhere it is float32.
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
