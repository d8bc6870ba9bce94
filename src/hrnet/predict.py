"""Load a model and find the keypoints of the persons in pictures.

import hrnet
model = hrnet.load("default")
poses = model.predict("photo.jpg", boxes=[[60, 20, 180, 400]])
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.errors import InputError
from hrnet.geometry import Floats, Image8, Size, warp_affine, xywh_to_xyxy
from hrnet.images import ImageSource, read_image
from hrnet.numbers import expect_whole
from hrnet.runtime import EngineName
from hrnet.runtime.engine import DEFAULT_ENGINE, Engine, open_engine, read_spec
from hrnet.spec import PoseSpec
from hrnet.tasks.pose.crops import (
    check_boxes,
    crop_matrices,
    estimate_heatmaps,
    locate,
    normalise,
    whole_image_box,
)
from hrnet.tasks.pose.result import Poses
from hrnet.weights.catalog import find_model

BATCH_SIZE = 16
"""Crops that go through the network together; they may come from several pictures."""


_FOREIGN = {".pth", ".pt", ".tar", ".bin", ".ckpt"}
_MOST_THREADS = 1024
_LARGEST_BATCH = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One picture to look at.

    boxes: (N, 4) as left, top, width, height in pixels; None takes the whole picture as one person.
    """

    image: ImageSource
    boxes: ArrayLike | None = None


@dataclass(slots=True, eq=False)
class _Page:
    """A picture under way: its boxes, and the keypoints that have come in so far."""

    image_size: Size = (0, 0)
    boxes: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    boxes_given: bool = True
    points: list[NDArray[np.float32]] = field(default_factory=list)  # each (K, 2)
    scores: list[NDArray[np.float32]] = field(default_factory=list)  # each (K,)
    error: InputError | None = None

    @property
    def done(self) -> bool:
        return len(self.points) == len(self.boxes)


@dataclass(frozen=True, slots=True, eq=False)
class _Crop:
    page: _Page
    pixels: Image8
    matrix: Floats


@final
class PoseModel:
    """A pose network with what is needed to use it. Made by `load`.

    spec: what the network was trained to do: input size, keypoints, heatmap codec.
    """

    def __init__(self, engine: Engine, spec: PoseSpec) -> None:
        self.spec = spec
        self._engine = engine

    @property
    def device(self) -> str:
        """Where the network runs: "cpu", "cuda", ..."""
        return self._engine.device

    def __repr__(self) -> str:
        height, width = self.spec.input_size
        return f"PoseModel({self.spec.name!r}, {self.spec.variant}, {height}x{width})"

    @overload
    def predict(  # type: ignore[overload-overlap]  # a str is a sequence too; it is one path
        self, image: ImageSource, boxes: ArrayLike | None = None, *, flip_test: bool = False
    ) -> Poses: ...

    @overload
    def predict(
        self,
        image: Sequence[ImageSource],
        boxes: Sequence[ArrayLike | None] | None = None,
        *,
        flip_test: bool = False,
    ) -> list[Poses]: ...

    def predict(
        self,
        image: ImageSource | Sequence[ImageSource],
        boxes: ArrayLike | Sequence[ArrayLike | None] | None = None,
        *,
        flip_test: bool = False,
    ) -> Poses | list[Poses]:
        """Find the keypoints of every box in a picture, or in each of a list of pictures.

        image: a path, a Pillow image, an RGB array (H, W, 3) uint8, or a list of them.
        boxes: (N, 4) as left, top, width, height in pixels of the picture as people see it (EXIF
            applied); for a list of pictures a list of as many. None takes the whole picture as one
            person.
        flip_test: also look at the mirrored crop and average; twice the time, a little better.
        Returns Poses in pixels of the picture, one subject a box in the order of the boxes; a list
        for a list. A subject's score is the mean of its keypoint scores.
        Raises InputError for the first picture or box that cannot be used.
        """
        many = isinstance(image, (list, tuple))
        jobs = _pair(image, boxes) if many else [Job(image, boxes)]  # type: ignore[arg-type]
        found = []
        for result in self.stream(jobs, flip_test=flip_test):
            if isinstance(result, InputError):
                raise result
            found.append(result)
        return found if many else found[0]

    def stream(
        self, jobs: Iterable[Job], *, flip_test: bool = False, batch_size: int = BATCH_SIZE
    ) -> Iterator[Poses | InputError]:
        """Yield for each job, in order, its Poses or the error that it met.

        Crops of several pictures share a batch. Only one picture and one batch of crops are held
        at a time, however many jobs there are and however many boxes they have.
        """
        batch_size = expect_whole(batch_size, _LARGEST_BATCH, "crops in a batch")
        waiting: deque[_Page] = deque()
        batch: list[_Crop] = []
        for job in jobs:
            page = _Page()
            waiting.append(page)
            for crop in self._open(job, page):
                batch.append(crop)
                if len(batch) >= batch_size:
                    self._run(batch, flip_test)
                    batch = []
            while waiting and waiting[0].done:
                yield self._result(waiting.popleft())
        self._run(batch, flip_test)
        yield from (self._result(page) for page in waiting)

    def _open(self, job: Job, page: _Page) -> Iterator[_Crop]:
        """Read a job's picture, note on its page what was found, and cut the crops one by one."""
        try:
            image = read_image(job.image)
            page.image_size = (image.shape[0], image.shape[1])
            page.boxes_given = job.boxes is not None
            page.boxes = _boxes_of(job, page.image_size)
        except InputError as error:
            page.error = error
            return
        for matrix in crop_matrices(page.boxes, self.spec):
            yield _Crop(page, warp_affine(image, matrix, self.spec.input_size), matrix)

    def _run(self, batch: Sequence[_Crop], flip_test: bool) -> None:
        """Send crops through the network and put the keypoints on their pages."""
        if not batch:
            return
        images = normalise(np.stack([crop.pixels for crop in batch]), self.spec)
        heatmaps = estimate_heatmaps(self._answer, images, self.spec, flip_test=flip_test)
        matrices = np.stack([crop.matrix for crop in batch])
        for crop, points, scores in zip(batch, *locate(heatmaps, matrices, self.spec), strict=True):
            crop.page.points.append(points)
            crop.page.scores.append(scores)

    def _answer(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Heatmaps (N, K, h, w) of images (N, 3, H, W), of that shape and finite."""
        heatmaps = self._engine(images)
        problem = _misfit(heatmaps, len(images), self.spec)
        if problem:
            raise InputError(f"the network does not fit its description ({problem})")
        return heatmaps

    def _result(self, page: _Page) -> Poses | InputError:
        if page.error is not None:
            return page.error
        count, skeleton = len(page.boxes), self.spec.skeleton
        scores = np.array(page.scores, np.float32).reshape(count, skeleton.num_keypoints)
        return Poses(
            keypoints=np.array(page.points, np.float32).reshape(*scores.shape, 2),
            keypoint_scores=scores,
            boxes=xywh_to_xyxy(page.boxes).astype(np.float32),
            scores=scores.mean(axis=1),
            skeleton=skeleton,
            image_size=page.image_size,
            boxes_given=page.boxes_given,
        )


def _boxes_of(job: Job, image_size: Size) -> Floats:
    if job.boxes is None:
        return whole_image_box(image_size)
    try:
        return check_boxes(job.boxes, image_size)
    except InputError as error:
        name = f"{job.image}: " if isinstance(job.image, (str, PathLike)) else ""
        raise InputError(f"{name}{error}") from None


def _pair(images: Sequence[ImageSource], boxes: Iterable[ArrayLike | None] | None) -> list[Job]:
    if boxes is None:
        return [Job(image) for image in images]
    hint = "give a list of box lists, with None for a whole image"
    if not isinstance(boxes, Iterable) or isinstance(boxes, str | bytes | Mapping):
        got = type(boxes).__name__
        raise InputError(f"expected boxes for each of {len(images)} images, got {got}; {hint}")
    boxes = list(boxes)
    if len(boxes) != len(images):
        raise InputError(
            f"expected boxes for each of {len(images)} images, got {len(boxes)}; {hint}"
        )
    return [Job(image, rows) for image, rows in zip(images, boxes, strict=True)]


def load(
    name: str | PathLike[str] = "default",
    *,
    device: str = "auto",
    engine: EngineName | None = None,
    threads: int | None = None,
) -> PoseModel:
    """Load a model by its name, or from an .onnx file, a .safetensors checkpoint or a run folder.

    device: "auto" takes CUDA where it is there (for checkpoints also Apple's MPS), else the CPU.
        "cpu", "cuda" and "cuda:1" go for every model; a checkpoint takes any device of torch, an
        exported model also "coreml", "directml" or "openvino" where the installed ONNX Runtime has
        them. Only the CPU was measured. `PoseModel.device` is what was taken.
    engine: what runs an exported model, ONNX Runtime where it is None. Checkpoints and run folders
        run in torch (`hrnet[train]`).
    threads: how many to use on the CPU; None leaves it to the engine, which takes all cores. For a
        checkpoint it is torch's number for the whole program.
    Raises InputError where there is no such model, engine or device, or the file is of another
    kind.
    """
    if threads is not None:
        threads = expect_whole(threads, _MOST_THREADS, "threads")
    if not isinstance(name, str | PathLike):
        raise InputError(f"expected a model's name or file, got {type(name).__name__}")
    path = find_model(Path(name) if isinstance(name, PathLike) else name)
    if path.suffix == ".safetensors":
        if engine is not None:
            raise InputError(f"engine {engine} runs exported models; {path} runs in torch")
        return _load_checkpoint(path, str(device), threads)
    if path.suffix in _FOREIGN:
        raise InputError(
            f"{path} is a checkpoint of another project, which does not say how pictures go in; "
            "convert it with `hrnet convert`, or take the bare network by hrnet.load_network"
        )
    spec = read_spec(path)
    runner = open_engine(
        path, DEFAULT_ENGINE if engine is None else engine, device=str(device), threads=threads
    )
    _expect_fit(runner, spec, path)
    return PoseModel(runner, spec)


def _expect_fit(engine: Engine, spec: PoseSpec, path: Path) -> None:
    """Raise InputError where a network's output does not fit its own description."""
    try:
        answer = engine(np.zeros((1, 3, *spec.input_size), np.float32))
        problem = _misfit(answer, 1, spec)
    except InputError as error:
        problem = str(error)
    if problem:
        raise InputError(
            f"the network in {path} does not fit its description ({problem}); export it again"
        )


def _misfit(heatmaps: NDArray[np.float32], count: int, spec: PoseSpec) -> str:
    """Describe what is wrong with the network's output for `count` crops; "" for nothing."""
    expected = (count, spec.skeleton.num_keypoints, *spec.heatmap_codec.heatmap_size)
    if heatmaps.shape != expected:
        return f"it answers with shape {heatmaps.shape}, not {expected}"
    return "" if np.isfinite(heatmaps).all() else "it answers with numbers that are not finite"


def _load_checkpoint(path: Path, device: str, threads: int | None) -> PoseModel:
    try:
        import torch

        from hrnet.runtime.devices import pick_device
        from hrnet.runtime.torch_engine import TorchEngine
        from hrnet.weights.checkpoint import load_checkpoint
    except ModuleNotFoundError as error:
        raise InputError(
            f"{path} needs {error.name} to run; pip install 'hrnet[train]', or export the "
            "checkpoint to .onnx where that is installed"
        ) from None
    place = pick_device(device)
    if threads is not None:
        torch.set_num_threads(threads)
    model, spec = load_checkpoint(path)
    return PoseModel(TorchEngine(model, device=str(place)), spec)
