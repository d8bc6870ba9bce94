"""Our training loop beside a plain one on the CPU: images a second, losses and the wait for data.

Run on a quiet machine: python benchmarks/train.py [ANNOTATIONS IMAGES] [--variant small_hrnet_w16]
[--rounds N] [--steps N] [--threads 2] [--network mmpose] [--set NAME=VALUE] [--profile]. Without a
COCO keypoint file and its folder of images, pictures of discs are made in a temporary folder.

Ours is `training.step.update` over the batches of one worker, in bf16 and channels last. Plain is
the loop as it is usually written: float32, eager, contiguous memory, Adam; each sample is decoded,
cropped and normalised by itself in the main process, its targets are drawn keypoint by keypoint
as in the official code, and then the samples are stacked. Its network is ours too, or with
`--network mmpose` that of mmpose, which is as the official code. Both start from the same weights
and see the same crops in the same order with the same loss. A turn is an epoch over as many samples
as it has steps for. Ours keeps decoded pictures, as it does unless told otherwise
(run.cache_images), and has a turn that is not counted, in which it decodes them; plain decodes each
picture each time.

The loops take turns, each going first in every second round. The first step of a turn is not timed:
the worker still fetches batches of our next turn. Printed are the totals over all timed steps, the
ratio as the median over the rounds, and the losses. Processor seconds are those of the main
process: on a busy machine they are steadier than the clock, but they count threads that spin while
they wait.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from eager import mmpose_backbones, mmpose_twin
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.profiler import profile

from hrnet.config import RunConfig, override
from hrnet.data.coco import PoseSample
from hrnet.errors import InputError, one_line
from hrnet.geometry import Size, warp_affine
from hrnet.images import read_image
from hrnet.models import Network, build_network
from hrnet.tasks.pose.augment import draw_crop
from hrnet.tasks.pose.config import KeypointData, PoseExperiment, PoseModelConfig, PoseTrain
from hrnet.tasks.pose.network import mse
from hrnet.tasks.pose.spec import PoseSpec
from hrnet.tasks.pose.task import PoseTask
from hrnet.training.distributed import World, process_group
from hrnet.training.loader import Batch, EpochBatches, TrainingSet, loaded, make_loader
from hrnet.training.optim import set_training
from hrnet.training.prepare import TrainingData, prepare
from hrnet.training.run import start
from hrnet.training.step import update

PICTURE: Size = (480, 640)
KEYPOINTS = 17


@dataclass(slots=True)
class Timed:
    """What one loop took over its timed steps, and the losses of all its steps."""

    images: int = 0
    seconds: float = 0.0
    processor: float = 0.0
    waited: float = 0.0
    steps: int = 0
    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def add(self, images: int, seconds: float, processor: float, waited: float, steps: int) -> None:
        """Count one turn."""
        self.images += images
        self.seconds += seconds
        self.processor += processor
        self.waited += waited
        self.steps += steps
        self.rates.append(images / seconds)


class Ours:
    """The loop of the package, a turn being an epoch of `steps` batches."""

    name = "ours"

    def __init__(
        self, experiment: PoseExperiment, data: TrainingData, *, world: World, steps: int
    ) -> None:
        train = experiment.train
        self.experiment = experiment
        assert isinstance(data.spec, PoseSpec)
        self.spec = data.spec
        self.run = start(experiment, data.spec, world=world)
        self.samples = TrainingSet(
            data.training.samples,
            PoseTask(data.spec, experiment),
            seed=train.seed,
            cache=experiment.run.cache_images,
        )
        self.batches = EpochBatches(steps * train.batch_size, train.batch_size, seed=train.seed)
        self.batches.stop = train.epochs + 1  # the first turn is not counted
        loader = make_loader(self.samples, self.batches, workers=experiment.run.workers)
        self.loaded = loaded(loader)
        self.timed = Timed()
        set_training(self.run.network)

    def turn(self, epoch: int) -> None:
        """Train for an epoch and count all of it but the first step."""
        self.run.position.epoch = epoch
        self.train(next(self.loaded))
        images, waited, steps = 0, 0.0, 0
        start, processor = time.perf_counter(), time.process_time()
        before = start
        for batch in islice(self.loaded, len(self.batches) - 1):
            waited += time.perf_counter() - before
            self.train(batch)
            images += len(batch.inputs)
            steps += 1
            before = time.perf_counter()
        self.timed.add(
            images, time.perf_counter() - start, time.process_time() - processor, waited, steps
        )
        self.run.position.next_epoch()

    def prepare(self, batch: int) -> object:
        """Do the work of the worker for a batch."""
        return self.samples.__getitems__([(0, n) for n in self.batches.samples_of(0, batch)])

    def train(self, batch: Batch) -> None:
        """Do the work of the main process for a batch."""
        lr = self.experiment.train.lr  # constant
        loss, _ = update(self.run, batch, experiment=self.experiment, lr=lr, stop=False)
        self.timed.losses.append(loss)


class Plain:
    """The usual loop, one sample after the other; `like` says what is trained, and on what."""

    name = "plain"

    def __init__(self, like: Ours, network: str) -> None:
        self.like = like
        own = build_network(like.spec.network)
        state = like.run.network.state_dict()
        own.load_state_dict({name: value.contiguous() for name, value in state.items()})
        self.network: nn.Module = own if network == "ours" else of_mmpose(own)
        self.network.train()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=like.experiment.train.lr)
        self.timed = Timed()

    def turn(self, epoch: int) -> None:
        """Train on the batches of ours, in their order, and count all but the first step."""
        images, waited = 0, 0.0
        start, processor = time.perf_counter(), time.process_time()
        for number in range(len(self.like.batches)):
            before = time.perf_counter()
            batch = self.prepare(number, epoch)
            ready = time.perf_counter()
            self.train(batch)
            if number == 0:
                start, processor = time.perf_counter(), time.process_time()
            else:
                waited += ready - before
                images += len(batch[0])
        self.timed.add(
            images,
            time.perf_counter() - start,
            time.process_time() - processor,
            waited,
            len(self.like.batches) - 1,
        )

    def prepare(self, batch: int, epoch: int = 0) -> tuple[Tensor, Tensor, Tensor]:
        """Make the samples of a batch one by one and stack them."""
        made = [self._sample(epoch, n) for n in self.like.batches.samples_of(epoch, batch)]
        images, targets, weights = (torch.stack(part) for part in zip(*made, strict=True))
        return images, targets, weights

    def _sample(self, epoch: int, position: int) -> tuple[Tensor, Tensor, Tensor]:
        spec, config = self.like.spec, self.like.experiment
        sample = self.like.samples.samples[position]
        assert isinstance(sample, PoseSample)
        picture = read_image(sample.image_path)
        matrix, points, weights = draw_crop(
            sample,
            spec,
            augmentation=config.augmentation,
            rng=np.random.default_rng([config.train.seed, epoch, position]),
        )
        crop = warp_affine(picture, matrix, spec.input_size)
        pixels = torch.from_numpy(crop.copy()).permute(2, 0, 1).contiguous().float().div(255)
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in (spec.mean, spec.std))
        targets, kept = draw_targets(points, weights, spec)
        return (pixels - mean) / std, torch.from_numpy(targets), torch.from_numpy(kept)

    def train(self, batch: tuple[Tensor, Tensor, Tensor]) -> None:
        """Train on a batch."""
        images, targets, weights = batch
        loss = mse(self.network(images), {"heatmaps": targets, "weights": weights})
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.timed.losses.append(loss.item())


def of_mmpose(network: Network) -> nn.Module:
    """mmpose's network with the same weights; see `eager.py` for what must be installed."""
    if find_spec("mmpose") is None:
        raise InputError("--network mmpose needs mmpose and mmcv-lite, which are not installed")
    variant = network.spec.variant
    makers = {name: make for name, make, _ in mmpose_backbones()}
    if variant not in makers:
        raise InputError(f"--network mmpose is there for {', '.join(makers)}, not for {variant}")
    return mmpose_twin(network, makers[variant])


def draw_targets(
    points: NDArray[np.floating], weights: NDArray[np.float32], spec: PoseSpec
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Heatmaps (K, h, w) and weights (K,) of one sample, a Gaussian at a time (classic codec)."""
    height, width = spec.heatmap_codec.heatmap_size
    sigma = spec.heatmap_codec.sigma
    heatmaps, kept = np.zeros((len(points), height, width), np.float32), weights.copy()
    radius = int(3 * sigma)
    size = 2 * radius + 1
    for k in range(len(points)):
        x = int(points[k][0] / spec.heatmap_codec.stride[0] + 0.5)
        y = int(points[k][1] / spec.heatmap_codec.stride[1] + 0.5)
        left, top, right, bottom = x - radius, y - radius, x + radius + 1, y + radius + 1
        if left >= width or top >= height or right < 0 or bottom < 0:
            kept[k] = 0
            continue
        if kept[k] <= 0:
            continue
        column = np.arange(size, dtype=np.float32)
        row = column[:, None]
        bell = np.exp(-((column - radius) ** 2 + (row - radius) ** 2) / (2 * sigma**2))
        seen_x, seen_y = (max(0, left), min(right, width)), (max(0, top), min(bottom, height))
        heatmaps[k, seen_y[0] : seen_y[1], seen_x[0] : seen_x[1]] = bell[
            seen_y[0] - top : seen_y[1] - top, seen_x[0] - left : seen_x[1] - left
        ]
    return heatmaps, kept


def write_pictures(folder: Path, count: int) -> tuple[Path, Path]:
    """Make JPEG pictures of one subject each: a disc of its own colour for each keypoint."""
    draw = np.random.default_rng(0)
    height, width = PICTURE
    y, x = np.mgrid[:height, :width]
    colours = draw.integers(80, 256, (KEYPOINTS, 3), dtype=np.uint8)
    images, annotations = [], []
    for index in range(count):
        small = draw.integers(0, 120, (height // 8, width // 8, 3), dtype=np.uint8)
        picture = np.array(Image.fromarray(small).resize((width, height)))
        box = [160.0, 60.0, 270.0, 360.0]
        points = draw.uniform((180, 80), (410, 400), (KEYPOINTS, 2))
        for colour, (px, py) in zip(colours, points, strict=True):
            picture[(x - px) ** 2 + (y - py) ** 2 < 150] = colour
        Image.fromarray(picture).save(folder / f"{index}.jpg", quality=90)
        images.append({"id": index, "file_name": f"{index}.jpg", "height": height, "width": width})
        triples = [round(float(number), 2) for point in points for number in (*point, 2)]
        entry = {"id": index, "image_id": index, "category_id": 1, "keypoints": triples}
        annotations.append(entry | {"bbox": box, "area": box[2] * box[3], "iscrowd": 0})
    category = {"id": 1, "name": "discs", "keypoints": [f"disc {k}" for k in range(KEYPOINTS)]}
    file = folder / "annotations.json"
    file.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [category]})
    )
    return file, folder


def make_experiment(asked: argparse.Namespace, annotations: Path, images: Path) -> PoseExperiment:
    """The training that both loops do; the settings asked for change ours."""
    experiment = PoseExperiment(
        name="benchmark",
        model=PoseModelConfig(variant=asked.variant),
        data=KeypointData(annotations=annotations, images=images),
        train=PoseTrain(epochs=asked.rounds, batch_size=32, schedule="constant", precision="bf16"),
        run=RunConfig(device="cpu", workers=1, tensorboard=False),
    )
    return override(experiment, asked.settings)


def measure(ours: Ours, plain: Plain, rounds: int) -> None:
    """Let the loops take turns, and print what came of it."""
    ours.turn(0)  # decodes the pictures, and warms both up for the turns that are counted
    plain.turn(0)
    for loop in (ours, plain):
        loop.timed = Timed()
    for number in range(1, rounds + 1):
        loops = (ours, plain) if number % 2 == 0 else (plain, ours)
        for loop in loops:
            loop.turn(number)
    print("loop | images/s | processor s a step | waits for data | loss, first and last fifth")
    for loop in (ours, plain):
        timed = loop.timed
        fifth = max(1, len(timed.losses) // 5)
        first, last = (
            statistics.mean(part) for part in (timed.losses[:fifth], timed.losses[-fifth:])
        )
        print(
            f"{loop.name} | {timed.images / timed.seconds:.1f} | "
            f"{timed.processor / timed.steps:.2f} | "
            f"{timed.waited / timed.seconds:.1%} | {first:.6f}, {last:.6f}"
        )
    pairs = list(zip(ours.timed.rates, plain.timed.rates, strict=True))
    losses = list(zip(ours.timed.losses, plain.timed.losses, strict=True))
    print(
        f"ratio of images/s {statistics.median(a / b for a, b in pairs):.2f}, of processor s "
        f"{plain.timed.processor / ours.timed.processor:.2f}; "
        f"losses over {len(losses)} steps differ by {max(abs(a / b - 1) for a, b in losses):.2%} "
        f"at most and {statistics.mean(abs(a / b - 1) for a, b in losses):.2%} on average"
    )


def print_profile(loop: Ours | Plain) -> None:
    """Print where the time of one step goes: data of a batch, and the step's top operators."""
    prepare: Callable[[int], object] = loop.prepare
    prepared, start = prepare(0), time.perf_counter()
    prepared = prepare(0)
    data = time.perf_counter() - start
    loop.train(prepared)
    with profile() as taken:
        start = time.perf_counter()
        loop.train(prepared)
        step = time.perf_counter() - start
    where = "in the worker" if loop.name == "ours" else f"{data / (data + step):.0%} of the time"
    print(f"\n{loop.name}: a batch of data {data:.2f} s, {where}; a step {step:.2f} s")
    rows = sorted(taken.key_averages(), key=lambda row: -row.self_cpu_time_total)
    total = sum(row.self_cpu_time_total for row in rows)
    for row in rows[:15]:
        share = row.self_cpu_time_total / total
        print(f"  {row.key:<36} {share:6.1%} {row.self_cpu_time_total / 1e6:8.3f} s {row.count:>6}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("annotations", nargs="?", type=Path, help="a COCO keypoint file")
    parser.add_argument("images", nargs="?", type=Path, help="the folder of its images")
    parser.add_argument("--variant", default="small_hrnet_w16")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12, help="batches of 32 in a turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", choices=["ours", "mmpose"], default="ours", help="of plain")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="of our loop")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print(
        f"{asked.variant} beside {asked.network}, 256x192, batch 32, "
        f"{asked.rounds} rounds of {asked.steps} steps; "
        f"torch {torch.__version__}, Python {platform.python_version()}, {asked.threads} threads, "
        f"{platform.system()} {platform.machine()} {processor_name()}"
    )
    try:
        with tempfile.TemporaryDirectory() as folder, process_group("cpu") as world:
            given = (asked.annotations, asked.images)
            made = write_pictures(Path(folder), 32 * asked.steps) if None in given else given
            experiment = make_experiment(asked, *made)
            data = prepare(experiment, world)
            if len(data.training.samples) < 32 * asked.steps:
                raise InputError(f"expected {32 * asked.steps} subjects or more; lower --steps")
            ours = Ours(experiment, data, world=world, steps=asked.steps)
            plain = Plain(ours, asked.network)
            with closing(ours.loaded):
                measure(ours, plain, asked.rounds)
            if asked.profile:
                print_profile(ours)
                print_profile(plain)
    except InputError as error:
        sys.exit(f"train.py: error: {one_line(error)}")


def processor_name() -> str:
    """The processor as Linux tells it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
