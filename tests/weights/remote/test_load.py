"""One call downloads published weights, verifies and converts them once, and predicts with them."""

from dataclasses import replace
from hashlib import sha256

import pytest
import torch

import hrnet
from hrnet.weights.published import rows as published
from hrnet.weights.published.rows import find_row
from hrnet.weights.schemes import to_upstream

NAME = "litehrnet_18-coco-256x192"


@pytest.fixture
def network():
    torch.manual_seed(0)
    return hrnet.create_model("litehrnet_18").eval()


@pytest.fixture
def row(network, server, tmp_path, monkeypatch):
    """The catalogue's row, with a file of ours in the published form at an address of ours."""
    file = tmp_path / "file.pth"
    state = to_upstream(network.state_dict(), network.spec, "mmpose 1.x")
    torch.save({"state_dict": state, "meta": {"epoch": 210}}, file)
    content = file.read_bytes()
    server.files["/file.pth"] = content
    row = replace(
        find_row(NAME), url=f"{server.url}/file.pth", sha256=sha256(content).hexdigest()[:8]
    )
    monkeypatch.setattr(published, "rows", lambda: (row,))
    return row


def test_one_call_downloads_converts_and_predicts(row, network, server, cache, astronaut):
    poses = hrnet.load(NAME).predict(astronaut, boxes=[[20, 10, 350, 500]])
    assert poses.keypoints.shape == (1, 17, 2)
    asked = len(server.seen)
    assert asked >= 1
    loaded = hrnet.load_network(NAME)
    assert len(server.seen) == asked, "the second time the network is not needed"
    assert len(list(cache.glob("*.safetensors"))) == 1
    assert loaded.spec.variant == "litehrnet_18"
    expected = network.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in loaded.state_dict().items())


def test_another_file_at_the_address_is_refused(row, server, cache):
    server.files["/file.pth"] = server.files["/file.pth"][:-9] + b"something"
    with pytest.raises(hrnet.InputError, match=r"(?i)sha-?256"):
        hrnet.load(NAME)
    assert not list(cache.glob("*.safetensors"))
