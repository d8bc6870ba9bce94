"""Values that are no weights of a network are refused wherever weights are read, in one line."""

import pytest
import torch

from hrnet.errors import InputError
from hrnet.models import create_model
from hrnet.spec import NetworkSpec
from hrnet.weights.checkpoint import check_values, save_checkpoint
from hrnet.weights.convert import convert_file
from hrnet.weights.load import load_network, load_weights
from hrnet.weights.schemes import to_upstream

WEIGHT = torch.tensor([0.5, -2.0])

REFUSED = {
    "complex": ("weight", WEIGHT.to(torch.complex64), "is of type complex64; expected floating"),
    "bool": ("weight", WEIGHT > 0, "is of type bool"),
    "integer": ("weight", WEIGHT.to(torch.int32), "is of type int32"),
    "unsigned": ("weight", WEIGHT.abs().to(torch.uint32), "is of type uint32"),
    "eight bits": ("weight", WEIGHT.to(torch.float8_e4m3fn), "is of type float8_e4m3fn"),
    "NaN": ("bias", torch.tensor([0.0, float("nan")]), "holds NaN or infinity"),
    "infinity": ("bias", torch.tensor([0.0, float("-inf")]).half(), "holds NaN or infinity"),
    "too large": ("weight", WEIGHT.double() * 1e300, "holds 2e+300, which is beyond float32"),
    "variance": ("norm.running_var", WEIGHT, "holds -2, and no variance is negative"),
    "counter": ("norm.num_batches_tracked", torch.tensor(2.5), "is no whole number"),
    "no counter": ("norm.num_batches_tracked", torch.tensor(float("inf")), "is no whole number"),
    "yes or no": ("norm.num_batches_tracked", torch.tensor(True), "is of type bool"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_are_no_weights_are_refused(case):
    name, value, words = REFUSED[case]
    with pytest.raises(InputError) as caught:
        check_values({"good": WEIGHT, name: value}, "file.pth")
    assert str(caught.value).startswith(f"file.pth cannot be used as weights: {name} ")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weight", WEIGHT.double()),
        ("weight", WEIGHT.half()),
        ("weight", WEIGHT.bfloat16()),
        ("weight", torch.ones(0)),
        ("norm.running_var", torch.zeros(2)),
        ("norm.num_batches_tracked", torch.tensor(7)),
        ("norm.num_batches_tracked", torch.tensor(7.0)),
        ("norm.num_batches_tracked", torch.tensor(7, dtype=torch.int32)),
    ],
)
def test_values_that_a_network_can_hold_are_taken(name, value):
    check_values({name: value}, "file.pth")


@pytest.fixture(scope="module")
def network():
    return create_model("small_hrnet_w16").eval()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_every_reader_refuses_them_and_writes_nothing(suffix, network, tmp_path):
    """A .pth is of another project, a .safetensors of ours."""
    path, out = tmp_path / f"a{suffix}", tmp_path / "out.safetensors"
    state = dict(network.state_dict())
    name = next(name for name in state if name.endswith("conv.weight"))
    state[name] = state[name].to(torch.complex64)
    if suffix == ".pth":
        torch.save(to_upstream(state, network.spec, "official"), path)
    else:
        save_checkpoint(path, state, NetworkSpec(variant="small_hrnet_w16", task="pose"))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for read in (
        lambda: convert_file(path, out),
        lambda: load_network(path),
        lambda: load_weights(network, path),
        lambda: load_weights(network, path, new_head=True),
    ):
        with pytest.raises(InputError, match=f"{name} is of type complex64"):
            read()
    assert not out.exists()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_that_answers_with_nan_is_not_written(network, tmp_path):
    state = {
        name: torch.full_like(value, 1e30) if name.endswith("norm.weight") else value
        for name, value in network.state_dict().items()
    }
    torch.save(to_upstream(state, network.spec, "official"), tmp_path / "a.pth")
    with pytest.raises(InputError, match="gives NaN or infinity for an image of noise"):
        convert_file(tmp_path / "a.pth", tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
