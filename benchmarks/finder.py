"""The person finder beside a pose crop, and its suppression of boxes inside the graph beside numpy.

Run on a quiet machine: python benchmarks/finder.py PICTURES [--rounds N] [--threads N].
PICTURES is a folder. For each picture in turn: the finder as it is in the package, the
finder's graph without non-maximum suppression and that in numpy, and one crop of `default`. All run
in ONNX Runtime; reading and resizing are not in the times. The medians over the pictures are
printed, and the medians of the ratios of a picture.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from hrnet.errors import InputError, one_line
from hrnet.images import read_image
from hrnet.predict import normalise
from hrnet.runtime import open_engine, read_spec
from hrnet.tasks.detection.crops import fit_picture
from hrnet.tasks.detection.spec import DetectionSpec
from hrnet.weights.catalog import find_model

Floats = NDArray[np.float32]
COLUMNS = ("finder", "finder, suppression in numpy", "pose crop")


def without_suppression(path: Path, folder: Path) -> Path:
    """Write the part of the graph that ends where NonMaxSuppression begins: boxes and scores."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    (last,) = (node for node in model.graph.node if node.op_type == "NonMaxSuppression")
    part = onnx.utils.Extractor(model).extract_model(["images"], list(last.input[:2]))
    part.metadata_props.extend(model.metadata_props)
    onnx.save(part, folder / "part.onnx")
    return folder / "part.onnx"


def suppress(boxes: Floats, scores: Floats, iou: float) -> list[int]:
    """Keep the best box of those that overlap by more than `iou`; boxes (P, 4), scores (P,)."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > 0]
    corners, areas = boxes, (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(int(best))
        left_top = np.maximum(corners[order, :2], corners[best, :2])
        right_bottom = np.minimum(corners[order, 2:], corners[best, 2:])
        shared = np.prod((right_bottom - left_top).clip(0), axis=1)
        order = order[shared <= iou * (areas[order] + areas[best] - shared)]
    return kept


def measure(
    pictures: list[Path], rounds: int, threads: int
) -> tuple[list[list[float]], list[tuple[int, int]]]:
    """Return milliseconds (pictures, 3), and how many boxes the two ways of suppression keep."""
    finder = find_model("person_finder")
    spec = read_spec(finder)
    assert isinstance(spec, DetectionSpec)
    with tempfile.TemporaryDirectory() as folder:
        whole, part, pose = (
            open_engine(path, threads=threads)
            for path in (finder, without_suppression(finder, Path(folder)), find_model("default"))
        )
    crop = np.random.default_rng(0).standard_normal((1, 3, 256, 192)).astype(np.float32)
    rows, counts = [], []
    for path in pictures:
        pixels, _, _ = fit_picture(read_image(path), spec)
        images = normalise(pixels[None], spec)

        def in_numpy(images: Floats = images) -> int:
            boxes, scores = part(images)
            return len(suppress(boxes[0], scores[0, 0], spec.nms_iou))

        ways = (lambda images=images: whole(images), in_numpy, lambda: pose(crop))
        rows.append(fastest(ways, rounds))
        counts.append((int((whole(images)[1] > 0).sum()), in_numpy()))
    return rows, counts


def fastest(ways: tuple[Callable[[], object], ...], rounds: int) -> list[float]:
    """Take turns, and return the least milliseconds of each way."""
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, times in zip(ways, taken, strict=True):
            start = time.perf_counter()
            way()
            times.append(1000 * (time.perf_counter() - start))
    return [min(times) for times in taken]


def main() -> None:
    """Measure and print one table in Markdown."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("pictures", type=Path, help="a folder of .jpg pictures")
    parser.add_argument("--most", type=int, default=40, help="pictures to take (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="calls of a picture (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of an engine (%(default)s)")
    asked = parser.parse_args()
    try:
        pictures = sorted(asked.pictures.glob("*.jpg"))[: asked.most]
        rows, counts = measure(pictures, asked.rounds, asked.threads)
    except InputError as error:
        sys.exit(f"finder.py: error: {one_line(error)}")
    print(f"{len(rows)} pictures, the fastest of {asked.rounds}, {asked.threads} threads")
    for column, name in enumerate(COLUMNS):
        times = [row[column] for row in rows]
        ratios = [row[column] / row[2] for row in rows]
        middle, ratio = statistics.median(times), statistics.median(ratios)
        print(f"| {name} | {middle:.2f} ms | {ratio:.2f} of a pose crop |")
    print(f"boxes kept, in the graph and in numpy (all, before the best 100): {counts[:5]} ...")


if __name__ == "__main__":
    main()
