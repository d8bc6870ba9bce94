"""The error of the codecs without a network: points encoded as heatmaps and decoded again.

    python benchmarks/decoding.py [--points N]

prints a table of median, 95% and largest error in pixels of the network's input, for each codec,
stride and sigma: of points anywhere in the input, and of those so far from its border that nothing
of their Gaussian and its smoothing is cut off. Inputs are 256x192; the same numbers everywhere.
"""

import argparse
import sys
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from hrnet.codecs.heatmap import CodecKind, HeatmapCodec

SIZE = (256, 192)
STRIDES, SIGMAS = (4, 2, 1), (1.0, 1.5, 2.0, 3.0)


def errors(codec: HeatmapCodec, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the errors (N,) of points in pixels, and which points are far from the border."""
    rng = np.random.default_rng(0)
    last = np.array(SIZE[::-1]) - 1
    points = rng.uniform(0, last, (count // 20, 20, 2))
    decoded, _ = codec.decode(codec.encode(points, np.ones(points.shape[:2]))[0])
    margin = (3 * codec.sigma + codec.blur_kernel // 2 + 1) * codec.stride
    far = ((points >= margin) & (points <= last - margin)).all(axis=-1)
    return np.hypot(*np.moveaxis(decoded - points, -1, 0)).ravel(), far.ravel()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("--points", type=int, default=2000, help="for each row (%(default)s)")
    asked = parser.parse_args()
    print("| codec | stride | sigma | anywhere | far from the border |")
    print("|---|---|---|---|---|")
    for kind in get_args(CodecKind):
        for stride in STRIDES:
            for sigma in SIGMAS:
                size = (SIZE[0] // stride, SIZE[1] // stride)
                found, far = errors(HeatmapCodec(kind, SIZE, size, sigma), asked.points)
                cells = []
                for some in (found, found[far]):
                    numbers = [np.median(some), np.quantile(some, 0.95), some.max()]
                    cells.append(" / ".join(f"{number:.4f}" for number in numbers))
                print(f"| {kind} | {stride} | {sigma:g} | {' | '.join(cells)} |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
