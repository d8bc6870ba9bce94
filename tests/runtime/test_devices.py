"""Devices by their names, and the errors of those that are not there."""

import pytest
import torch

from hrnet.errors import InputError
from hrnet.runtime.devices import first_sentence, pick_device


@pytest.mark.parametrize("name", ["gpu", "meta", "", "hpu", "privateuseone", "cuda:99999999999"])
def test_a_device_that_cannot_be_used_is_one_line(name):
    with pytest.raises(InputError, match="auto") as caught:
        pick_device(name)
    assert len(str(caught.value).splitlines()) == 1


def test_the_cpu_is_always_there():
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (
            "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and "
            "installed a driver from http://www.nvidia.com/Download/index.aspx",
            "Found no NVIDIA driver on your system",
        ),
        (
            "CUDA error: invalid device ordinal\nGPU device may be out of range, do you have "
            "enough GPUs?\nCUDA kernel errors might be asynchronously reported",
            "CUDA error: invalid device ordinal",
        ),
        ("", "RuntimeError"),
    ],
)
def test_what_torch_says_is_kept_to_its_first_sentence_and_never_cut(message, kept):
    assert first_sentence(RuntimeError(message)) == kept
