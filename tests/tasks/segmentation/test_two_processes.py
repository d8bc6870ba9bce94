"""Two processes have the gradients that one has with both shares: sums are divided together."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import hrnet

from .shapes import experiment_of, write_shapes
from .test_training import rows_of

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch has no torch.distributed"
)

_COMPARE = """
import sys, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from hrnet.models import create_model
from hrnet.tasks.segmentation.config import SegmentationTrain
from hrnet.tasks.segmentation.pixel_loss import PixelLoss

name, weights = sys.argv[1], eval(sys.argv[2])
# So few hard pixels are asked for that the threshold decides, which is the same in both.
loss = PixelLoss(
    SegmentationTrain(loss=name, class_weights=weights, ohem_threshold=0.4, ohem_keep=1), True
)
dist.init_process_group("gloo")
rank = dist.get_rank()

def share(rank):
    # The second process has a label in few pixels.
    torch.manual_seed(rank)
    labels = torch.randint(0, 3, (1, 64, 96), dtype=torch.int16)
    labels[:, 8 + 40 * (1 - rank) :] = -1
    return torch.randn(1, 3, 64, 96), {"labels": labels}

def gradients(forward, rank):
    images, targets = share(rank)
    value = loss(forward(images), targets)
    value.backward()
    return value.detach()

torch.manual_seed(0)
network = create_model(
    "small_hrnet_w16", task="segmentation", num_outputs=3, options={"head": "ocr"}
).eval()  # norms of a batch would differ
value = gradients(DistributedDataParallel(network), rank)
together = {key: one.grad.clone() for key, one in network.named_parameters()}
dist.all_reduce(value)
dist.barrier()
dist.destroy_process_group()
parts = [share(0), share(1)]
images = torch.cat([part[0] for part in parts])
labels = torch.cat([part[1]["labels"] for part in parts])
network.zero_grad()
alone = loss(network(images), {"labels": labels})
alone.backward()
torch.testing.assert_close(value / 2, alone.detach(), rtol=1e-5, atol=0)
for key, one in network.named_parameters():
    torch.testing.assert_close(together[key], one.grad, rtol=1e-3, atol=1e-6, msg=key)
assert any(one.grad.abs().max() > 1e-3 for one in network.parameters())
"""


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        ("cross_entropy", "(1, 2, 0.5)"),
        pytest.param("ohem", "()", marks=pytest.mark.slow),
        pytest.param("ohem_hrformer", "(1, 2, 0.5)", marks=pytest.mark.slow),
    ],
)
def test_gradients_are_those_of_one_process(tmp_path, loss, weights):
    file = tmp_path / "compare.py"
    file.write_text(_COMPARE)
    run_by_two(str(file), loss, weights)


def test_a_training_by_two_is_that_by_one(tmp_path):
    """The same losses step by step; norms share their statistics.

    The noise of float32 grows: with channels_last one process alone differs by as much.
    """
    data = write_shapes(tmp_path / "data", 8)
    settings = ("train.optimizer=sgd", "train.lr=1e-4", "run.log_every=1", "train.epochs=3")
    # Without channels_last, whose norms are less exact in torch's kernels for the CPU.
    experiment = experiment_of(data, *settings, "run.channels_last=false")
    file = tmp_path / "settings.json"
    file.write_text(experiment.to_json())
    run_by_two("-m", "hrnet", "train", "--config", str(file), "--out", str(tmp_path / "two"))
    hrnet.train(experiment, tmp_path / "one")
    losses = [[row["loss"] for row in rows_of(tmp_path / name, "step")] for name in ("one", "two")]
    assert len(losses[0]) == 6
    np.testing.assert_allclose(losses[1][:2], losses[0][:2], rtol=1e-5)
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-3)


def run_by_two(*code: str) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = subprocess.run(
        [*command, *code],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
