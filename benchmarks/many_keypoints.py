"""Memory of a training step with many keypoints: targets as profiles, and as whole heatmaps.

    python benchmarks/many_keypoints.py [--keypoints 500] [--side 512] [--batch 1] [--loss mse]

For each way a process of its own makes targets as the loader does, and runs a forward and a
backward pass of small_hrnet_w16 in float32: bytes of the targets, and the peak of its memory.
"""

import argparse
import resource
import subprocess
import sys

import numpy as np
import torch

from hrnet.codecs.heatmap import HeatmapCodec
from hrnet.models import create_model
from hrnet.tasks.pose.network import LOSSES

WAYS = ("profiles", "heatmaps")


def step(way: str, keypoints: int, side: int, batch: int, loss: str) -> None:
    """Print the bytes of the targets and the peak of the memory of one training step."""
    torch.manual_seed(0)
    options = {"background": True} if loss == "map_cross_entropy" else {}
    network = create_model("small_hrnet_w16", num_outputs=keypoints, options=options).train()
    codec = HeatmapCodec("exact", (side, side), (side // 4, side // 4), 2)
    points = np.random.default_rng(0).uniform(0, side - 1, (batch, keypoints, 2))
    weights = np.ones((batch, keypoints))
    if way == "profiles":
        rows, columns, kept = codec.encode_profiles(points, weights)
        made = {"rows": rows, "columns": columns, "weights": kept}
    else:
        heatmaps, kept = codec.encode(points, weights)
        made = {"heatmaps": heatmaps, "weights": kept}
    targets = {name: torch.from_numpy(values) for name, values in made.items()}
    LOSSES[loss](network(torch.randn(batch, 3, side, side)), targets).backward()
    size = sum(values.nbytes for values in made.values()) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{loss}, {way}: targets {size:.1f} MB, peak of the process {peak:.0f} MB")


def main() -> None:
    """Run each way in a process of its own."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--keypoints", type=int, default=500)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--loss", default="mse", choices=LOSSES)
    parser.add_argument("--way", choices=WAYS)
    asked = parser.parse_args()
    if asked.way:
        step(asked.way, asked.keypoints, asked.side, asked.batch, asked.loss)
        return
    for way in WAYS:
        subprocess.run([sys.executable, *sys.argv, "--way", way], check=True)


if __name__ == "__main__":
    main()
