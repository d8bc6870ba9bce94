"""Huge pictures through windows: memory, time, and what differs at the seams.

Run on a quiet machine: python benchmarks/windows.py MODEL PICTURES [--side N] [--window N].
MODEL is an exported segmentation model with the conventions plain, PICTURES a folder. First, for
each picture, windows of --window pixels with the usual overlap are compared with the whole picture:
the largest difference between the probabilities that two neighbouring windows give to the pixels of
the seam between them, and the share of all pixels whose class differs from that of the whole
picture. Then the pictures are tiled into one of --side squared pixels, which is predicted once:
seconds and the peak of the process's memory.
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError, one_line
from hrnet.image_files import find_images
from hrnet.images import read_image
from hrnet.predict import Model, load, normalise
from hrnet.resize import resize_maps
from hrnet.runtime import Engine, open_engine
from hrnet.tasks.segmentation.pages import open_page
from hrnet.tasks.segmentation.spec import SegmentationSpec
from hrnet.tasks.segmentation.views import cores, make_views, upsampling

Maps = NDArray[np.float32]


def probabilities(engine: Engine, picture: NDArray[np.uint8], spec: SegmentationSpec) -> list[Maps]:
    """Return the probabilities (C, H, W) of each view, at the size of its part of the picture."""
    found: list[Maps] = []
    for crop in open_page(picture, spec).crops():
        images = normalise(crop.pixels[None], spec)
        height, width = crop.content or crop.pixels.shape[:2]
        images[:, :, height:], images[:, :, :, width:] = 0, 0
        logits = engine(images)[0][0]
        large = resize_maps(logits, (images.shape[2], images.shape[3]), upsampling(spec))
        powers = np.exp(large - large.max(axis=0))
        found.append((powers / powers.sum(axis=0))[:, :height, :width])
    return found


def seams(
    model: Model, engine: Engine, picture: NDArray[np.uint8], window: int
) -> tuple[float, float]:
    """Return the largest difference of a probability at a seam, and the share of other classes."""
    spec = model.spec
    assert isinstance(spec, SegmentationSpec)
    small = spec.adjusted([f"window=[{window},{window}]"])
    size = (picture.shape[0], picture.shape[1])
    views = make_views(size, 1.0, small)
    maps = probabilities(engine, picture, small)
    decided = dict(zip(views, cores(size, views), strict=True))
    of_view = dict(zip(views, maps, strict=True))
    worst = 0.0
    for view, (rows, columns) in decided.items():
        for other, (others, beside) in decided.items():
            # The column of pixels to the left of a seam, or the row above it.
            if rows == others and columns.stop == beside.start:
                y, x = rows, slice(columns.stop - 1, columns.stop)
            elif columns == beside and rows.stop == others.start:
                y, x = slice(rows.stop - 1, rows.stop), columns
            else:
                continue
            one, two = (
                of_view[each][
                    :,
                    y.start - each.top : y.stop - each.top,
                    x.start - each.left : x.stop - each.left,
                ]
                for each in (view, other)
            )
            worst = max(worst, float(np.abs(one - two).max()))
    whole = model.adjusted(["window=null"]).predict(picture)
    parts = model.adjusted([f"window=[{window},{window}]"]).predict(picture)
    return worst, float((whole.classes != parts.classes).mean())


def tiled(pictures: list[NDArray[np.uint8]], side: int) -> NDArray[np.uint8]:
    """Lay pictures out in rows until a square is full."""
    canvas = np.zeros((side, side, 3), np.uint8)
    number = top = 0
    while top < side:
        left = high = 0
        while left < side:
            picture = pictures[number % len(pictures)][: side - top, : side - left]
            canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left, number = left + picture.shape[1], number + 1
            high = max(high, picture.shape[0])
        top += high
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--window", type=int, default=320)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    model = load(arguments.model, threads=arguments.threads)
    if not isinstance(model.spec, SegmentationSpec) or model.spec.conventions != "plain":
        raise InputError("expected a segmentation model with the conventions plain")
    pictures = [read_image(path) for path in find_images([arguments.pictures]).paths]
    engine = open_engine(Path(arguments.model), threads=arguments.threads)
    found = [seams(model, engine, picture, arguments.window) for picture in pictures]
    worst, shares = np.array(found).T
    print(
        f"windows of {arguments.window} in {len(pictures)} pictures: probabilities at seams differ "
        f"by up to {worst.max():.3f} (median {np.median(worst):.3f} of a picture's largest); "
        f"{shares.mean():.2%} of the pixels have another class than in the whole picture"
    )
    canvas = tiled(pictures, arguments.side)
    start = time.perf_counter()
    model.predict(canvas)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{arguments.side}x{arguments.side} in windows of {model.spec.window}: {seconds:.1f} s, "
        f"peak memory {peak:.2f} GB"
    )


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(one_line(error))
