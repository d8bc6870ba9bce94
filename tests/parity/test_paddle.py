"""Files of Paddle have the names that we know, and networks from them answer as Paddle did.

Every pd_*_keys.txt (names and shapes) and every pd_*.pdparams with its pd_*_io.npz (input and
output) of the folder that HRNET_PADDLE names (else of one beside the project) is compared.
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from hrnet.models import build_network
from hrnet.weights.load import load_network
from hrnet.weights.schemes import to_upstream
from hrnet.weights.schemes.recognise import recognise

BESIDE = Path(__file__).parents[3] / "shared" / "reference" / "paddle"
TOLERANCE = 1e-5
"""Of the largest output."""


def recorded_files(pattern: str) -> list[Path]:
    folder = os.environ.get("HRNET_PADDLE") or BESIDE
    return sorted(Path(folder).glob(pattern))


def each(pattern: str) -> list[object]:
    """The files as parameters; one that skips where there are none."""
    skipped = pytest.param(None, marks=pytest.mark.skip("HRNET_PADDLE names no folder with them"))
    return [pytest.param(path, id=path.stem) for path in recorded_files(pattern)] or [skipped]


@pytest.mark.parametrize("path", each("pd_*_keys.txt"))
def test_the_names_are_theirs_in_both_directions(path):
    # Read the names and shapes as tensors without memory.
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    shapes = {name: tuple(int(n) for n in text.strip("()").split(",") if n) for name, text in rows}
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    # There: all of them are taken, and the network has no other weights.
    found = recognise(state, path.name)
    assert found.taken.mapped == len(shapes)
    assert not found.taken.dropped
    # And back.
    with torch.device("meta"):
        network = build_network(found.network)
    back = to_upstream(network.state_dict(), found.network, found.key_map.scheme)
    assert {name: tuple(value.shape) for name, value in back.items()} == shapes


@pytest.mark.parametrize("path", each("pd_*.pdparams"))
def test_outputs_are_those_of_paddle(path):
    network = load_network(path)
    with np.load(path.with_name(f"{path.stem}_io.npz")) as recorded:
        images, expected = torch.from_numpy(recorded["x"]), recorded["y"]
    with torch.inference_mode():
        output = network(images).numpy()
    assert output.shape == expected.shape
    assert np.abs(output - expected).max() <= TOLERANCE * np.abs(expected).max()
