"""Two processes average the gradients of all parameters, also of those used outside the network."""

import os
import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="this torch has no torch.distributed"
)

_COMPARE = """
import sys, torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from hrnet.models import create_model
from hrnet.models.heads import two_stage
from hrnet.tasks.detection import two_stage_loss
from hrnet.tasks.detection.network import LOSSES

head, name = sys.argv[1:]
two_stage_loss.REGIONS_DRAWN, two_stage_loss.LOOKED_AT, two_stage._HIDDEN = (16, 0.25), 50, 8
dist.init_process_group("gloo")
rank = dist.get_rank()

def made():
    torch.manual_seed(0)
    return create_model(
        "small_hrnet_w16", task="detection", num_outputs=2, options={"head": head}
    ).eval()  # norms of a batch would differ

def share(rank):
    # The second process has a picture without boxes, so that it learns no boxes or masks.
    torch.manual_seed(rank)
    images = torch.randn(1, 3, 64, 96)
    labels = torch.tensor([[0, 1]]) if rank == 0 else torch.tensor([[-1, -1]])
    boxes = torch.tensor([[[4.0, 4, 40, 40], [20, 10, 90, 60]]])
    masks = torch.ones(1, 2, 56, 56, dtype=torch.uint8)
    sizes = torch.tensor([[64.0, 96.0]])
    return images, {"boxes": boxes, "labels": labels, "sizes": sizes, "masks": masks}

def gradients(forward, network, rank):
    images, targets = share(rank)
    for _ in range(2):  # a second pass finds a reducer that still waits for a gradient
        network.zero_grad()
        torch.manual_seed(rank)
        LOSSES[name](forward(images).float(), targets).backward()
    return {key: value.grad.clone() for key, value in network.named_parameters()}

network = made()
together = gradients(DistributedDataParallel(network), network, rank)
if name != "fcos":
    # The mean of what each process would have alone.
    own = gradients(network, network, rank)
    for key, value in own.items():
        dist.all_reduce(value)
        torch.testing.assert_close(together[key], value / 2, rtol=1e-4, atol=1e-6, msg=key)
    assert any(value.abs().sum() > 0 for key, value in own.items() if "head.boxes" in key)
else:
    # Both divide by their mean count of points, so the whole batch has the same gradients.
    dist.barrier()
    parts = [share(0), share(1)]
    images = torch.cat([part[0] for part in parts])
    targets = {key: torch.cat([part[1][key] for part in parts]) for key in parts[0][1]}
    dist.destroy_process_group()
    network.zero_grad()
    LOSSES[name](network(images).float(), targets).backward()
    for key, value in network.named_parameters():
        torch.testing.assert_close(together[key], value.grad, rtol=1e-3, atol=1e-5, msg=key)
    sys.exit()
dist.destroy_process_group()
"""


@pytest.mark.parametrize(
    ("head", "loss"),
    [
        ("cascade_mask", "two_stage"),
        pytest.param("fcos", "fcos", marks=pytest.mark.slow),
    ],
)
def test_gradients_are_the_mean_of_both(tmp_path, head, loss):
    file = tmp_path / "compare.py"
    file.write_text(_COMPARE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = subprocess.run(
        [*command, str(file), head, loss],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
