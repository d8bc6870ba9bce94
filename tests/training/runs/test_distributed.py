"""Two processes learn what one learns from the same batches, and measure each picture once."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from hrnet.errors import InputError
from hrnet.training import distributed
from hrnet.training.distributed import SyncBatchNorm2d, World, pick_device
from hrnet.training.launch import Launch, launched
from hrnet.training.prepare import expect_equal_shares
from hrnet.training.train import train

from .discs import experiment_of, rows_of, write_discs

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch has no torch.distributed"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_discs(tmp_path_factory.mktemp("data"), 16)


def settings(data: Path, **changes):
    """Without channels_last, whose norms are far less exact in torch's kernels for the CPU."""
    usual = {"epochs": 3, "batch_size": 8, "optimizer": "sgd", "lr": 2e-4, "log_every": 1}
    usual |= {"ema": 0.5, "evaluate_every": 3, "channels_last": False}
    return experiment_of(data, data, **(usual | changes))


def free_port() -> str:
    """A port of this process: two tests that wait for each other's rank must not meet."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


JOINED = {"RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"WORLD_SIZE": "2"}, "RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT"),
        ({"WORLD_SIZE": "2", "RANK": "1"}, "LOCAL_RANK, MASTER_ADDR, MASTER_PORT"),
        ({"WORLD_SIZE": "two"}, "got 'two'"),
        ({"WORLD_SIZE": "-1"}, "from 1"),
        ({"WORLD_SIZE": "9" * 5000}, "from 1"),
        ({"WORLD_SIZE": "2", **JOINED, "RANK": "2"}, "expected RANK from 0 to 1"),
        ({"WORLD_SIZE": "2", **JOINED, "LOCAL_RANK": "x"}, "expected LOCAL_RANK"),
        ({"WORLD_SIZE": "2", **JOINED, "MASTER_PORT": "99999"}, "expected MASTER_PORT"),
        ({"WORLD_SIZE": "2", **JOINED}, "did not come within 1 s"),
        ({"WORLD_SIZE": "2", **JOINED, "RANK": "1"}, "did not come within 1 s"),
        ({"WORLD_SIZE": "2", **JOINED, "RANK": "1", "MASTER_ADDR": "no host"}, "within 1 s"),
    ],
)
def test_an_environment_left_over_is_one_line(run, data, tmp_path, monkeypatch, environment, words):
    monkeypatch.setattr(distributed, "MEETING_S_WITHOUT_TORCHRUN", 1.0)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "settings.json"
    file.write_text(settings(data).to_json())
    code, out, err = run("train", "--config", file, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert words in err
    assert "WORLD_SIZE" in err
    assert not (tmp_path / "run").exists()


def test_rank_alone_means_nothing(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "3")
    assert launched() == Launch()
    train(settings(data, epochs=1), tmp_path / "run")
    assert "epoch 1" in capsys.readouterr().out


def torchrun(code: list[str], processes: int = 2, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.Popen(
        [*command, f"--nproc-per-node={processes}", *code],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def train_by_two(experiment, out: Path) -> str:
    file = out.parent / "settings.json"
    file.write_text(experiment.to_json())
    process = torchrun(["-m", "hrnet", "train", "--config", str(file), "--out", str(out)])
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize("accumulate", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_processes_learn_what_one_does(data, tmp_path, accumulate):
    """The same losses step by step; statistics of norms are those of both shares together.

    With parts, each is a batch of its own for the norms, so the loss of an update differs. How much
    the noise of float32 grows in six updates depends on the seed, up to five times what is allowed.
    """
    experiment = settings(data, accumulate=accumulate, seed=1)
    output = train_by_two(experiment, tmp_path / "two")
    assert output.count("model written to") == 1
    train(experiment, tmp_path / "one")
    one, two = (rows_of(tmp_path / name) for name in ("one", "two"))
    losses = [[row["loss"] for row in rows if row["kind"] == "step"] for rows in (one, two)]
    assert len(losses[0]) == 6
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-4 if accumulate == 1 else 0.05)
    if accumulate == 1:
        np.testing.assert_allclose(losses[1][:2], losses[0][:2], rtol=2e-6)  # later noise grows
        weights = [load_file(tmp_path / name / "last.safetensors") for name in ("one", "two")]
        for name, value in weights[0].items():
            torch.testing.assert_close(weights[1][name], value, rtol=1e-3, atol=1e-4, msg=name)
        for figure in ("AP", "AP50", "AR"):
            assert two[-1][figure] == pytest.approx(one[-1][figure], abs=0.05)


_COMPARE = """
import sys, torch, torch.distributed as dist
from torch import nn
from hrnet.training.distributed import World, synchronise_norms

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
images, goal = torch.randn(8, 3, 5, 4), torch.randn(8, 3, 5, 4)
def made():
    net = nn.Sequential(nn.BatchNorm2d(3))
    nn.init.uniform_(net[0].weight, generator=torch.Generator().manual_seed(1))
    return net
alone, shared = made(), made()
synchronise_norms(shared, World(torch.device("cpu"), rank, 2))
assert type(shared[0]).__name__ == "SyncBatchNorm2d"
assert shared.state_dict().keys() == alone.state_dict().keys()
whole = images.clone().requires_grad_()
((alone(whole) - goal) ** 2).sum().backward()
own = images[rank::2].clone().requires_grad_()
((shared(own) - goal[rank::2]) ** 2).sum().backward()
for name, value in alone.state_dict().items():
    torch.testing.assert_close(shared.state_dict()[name], value)
torch.testing.assert_close(own.grad, whole.grad[rank::2], rtol=1e-4, atol=1e-5)
total = shared[0].weight.grad.clone()
dist.all_reduce(total)
torch.testing.assert_close(total, alone[0].weight.grad, rtol=1e-4, atol=1e-4)
shared.eval(), alone.eval()
torch.testing.assert_close(shared(images), alone(images))
gathered = World(torch.device("cpu"), rank, 2).gather({"rank": rank})
assert gathered == [{"rank": 0}, {"rank": 1}]
assert World(torch.device("cpu"), rank, 2).mean(torch.tensor([1.0 + rank])).item() == 1.5
dist.destroy_process_group()
"""


def test_norms_over_two_processes_are_those_of_the_whole_batch(tmp_path):
    file = tmp_path / "compare.py"
    file.write_text(_COMPARE)
    process = torchrun([str(file)])
    output, _ = process.communicate()
    assert process.returncode == 0, output


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="other systems have no SIGTERM")
def test_sigterm_stops_all_processes_with_a_state(data, tmp_path):
    out, file = tmp_path / "run", tmp_path / "settings.json"
    file.write_text(settings(data, epochs=200, checkpoint_minutes=0, evaluate_every=200).to_json())
    process = torchrun(["-m", "hrnet", "train", "--config", str(file), "--out", str(out)])
    while process.poll() is None and not (out / "state.safetensors").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert "stopped at step" in output
    step = int(output.split("stopped at step ")[1].split()[0])
    train(settings(data, epochs=step // 2 + 1, evaluate_every=200), out, resume=True)
    assert rows_of(out)[-1]["epoch"] == step // 2 + 1


def test_shares_must_be_equal(data):
    world = World(torch.device("cpu"), 0, 3)
    with pytest.raises(InputError, match=r"a multiple of 3 processes x 2 parts, got 8"):
        expect_equal_shares(settings(data, accumulate=2), world)
    expect_equal_shares(settings(data, batch_size=12, accumulate=2), world)


def test_in_evaluation_a_synchronised_norm_is_a_plain_one():
    plain, shared = nn.BatchNorm2d(2).eval(), SyncBatchNorm2d(2).eval()
    x = torch.randn(3, 2, 4, 4)
    assert torch.equal(plain(x), shared(x))


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}
    with pytest.raises(InputError, match=r"device gpu cannot be used .*run\.device=auto") as caught:
        pick_device("gpu")
    assert len(str(caught.value).splitlines()) == 1
