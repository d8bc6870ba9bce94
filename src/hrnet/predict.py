"""Load a model of any task and predict on pictures.

import hrnet
model = hrnet.load("default")
poses = model.predict("photo.jpg", boxes=[[60, 20, 180, 400]])
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import cast, final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hrnet.errors import InputError
from hrnet.geometry import Picture
from hrnet.images import ImageSource
from hrnet.numbers import expect_whole
from hrnet.rasters import as_rgb, read_picture
from hrnet.runtime import DEFAULT_ENGINE, Engine, EngineName, open_engine, read_spec
from hrnet.spec import ModelSpec
from hrnet.tasks import Crop, Job, Outputs, Page, RegionResult, Regions, Result, Task, get_task
from hrnet.weights.catalog import detector_of, find_model

NO_DETECTOR = "none"
"""Value of `detector` that takes the whole picture."""

BATCH_SIZE = 16
"""Crops that go through the network together; they may come from several pictures."""

_FOREIGN = {".pth", ".pt", ".tar", ".bin", ".ckpt", ".pdparams"}
_TRIED = (64, 96)
"""(height, width) of the input on which a network of any size is tried."""

_MOST_THREADS = 1024
_LARGEST_BATCH = 4096
_BATCH_PIXELS = 1 << 22
"""Largest number of pixels in a batch of several crops: large inputs take much memory."""


@final
class Model:
    """A network with what is needed to use it. Made by `load`.

    spec: what the network was trained to do: its task, input size and labels. detector: the model
    that finds the subjects in pictures without boxes, None where the whole picture is taken.
    file: where it was loaded from, None for a network in memory.
    """

    def __init__(self, engine: Engine, spec: ModelSpec, file: Path | None = None) -> None:
        self.spec = spec
        self.file = file
        self.detector: Model | None = None
        self.task = get_task(spec.task).make(spec)
        self._engine = engine

    def adjusted(self, settings: Sequence[str]) -> "Model":
        """Return the model with another way to its results, see `ModelSpec.adjusted`."""
        changed = Model(self._engine, self.spec.adjusted(settings), self.file)
        changed.detector = self.detector
        return changed

    @property
    def device(self) -> str:
        """Where the network runs: "cpu", "cuda", ..."""
        return self._engine.device

    def __repr__(self) -> str:
        height, width = self.spec.input_size
        return f"Model({self.spec.name!r}, {self.spec.network.variant}, {height}x{width})"

    @overload
    def predict(  # type: ignore[overload-overlap]  # a str is a sequence too; it is one path
        self,
        image: ImageSource,
        boxes: ArrayLike | None = None,
        *,
        flip_test: bool = False,
        min_score: float | None = None,
    ) -> Result: ...

    @overload
    def predict(
        self,
        image: Sequence[ImageSource],
        boxes: Sequence[ArrayLike | None] | None = None,
        *,
        flip_test: bool = False,
        min_score: float | None = None,
    ) -> list[Result]: ...

    def predict(
        self,
        image: ImageSource | Sequence[ImageSource],
        boxes: ArrayLike | Sequence[ArrayLike | None] | None = None,
        *,
        flip_test: bool = False,
        min_score: float | None = None,
    ) -> Result | list[Result]:
        """Predict on a picture, or on each of a list of pictures.

        image: a path, a Pillow image, an RGB array (H, W, 3) uint8, or a list of them; for models
            of other channels and numbers an array (H, W, C) of those, as stored.
        boxes: (N, 4) as left, top, width, height in pixels of the picture as people see it (EXIF
            applied), for pose; for a list of pictures a list of as many. None takes what the
            model's detector finds, or the whole picture where it has none.
        flip_test: also look at the mirrored crop and average; twice the time, a little better.
        min_score: 0..1, the least score of what a detector finds; None takes its usual one.
        Returns the result of the model's task, a list for a list. Pose: `hrnet.Poses` in pixels of
        the picture, one subject a box in the order of the boxes; a subject's score is the mean of
        its keypoint scores. Of a detector's boxes near copies are left out, and the score is that
        of the box times the mean of the sure keypoints. Classification: `hrnet.Labels`.
        Detection: `hrnet.Detections` of at least `min_score`.
        Raises InputError for the first picture or box that cannot be used.
        """
        many = isinstance(image, (list, tuple))
        jobs = _pair(image, boxes) if many else [Job(image, boxes)]  # type: ignore[arg-type]
        found = []
        for result in self.stream(jobs, flip_test=flip_test, min_score=min_score):
            if isinstance(result, InputError):
                raise result
            found.append(result)
        return found if many else found[0]

    def stream(
        self,
        jobs: Iterable[Job],
        *,
        flip_test: bool = False,
        batch_size: int = BATCH_SIZE,
        min_score: float | None = None,
    ) -> Iterator[Result | InputError]:
        """Yield for each job, in order, its result or the error that it met.

        Crops of several pictures share a batch where they have the same size. Only one picture and
        one batch of crops are held at a time, however many jobs there are and however many crops
        they have. min_score: as for `predict`; 0 yields all that was found, as metrics need it.
        """
        self._expect_score(min_score)
        batch_size = expect_whole(batch_size, _LARGEST_BATCH, "crops in a batch")
        waiting: deque[Page | InputError] = deque()
        batch: list[Crop] = []
        for job in jobs:
            page = self._open(job, min_score)
            waiting.append(page)
            for crop in () if isinstance(page, InputError) else page.crops():
                if batch and not _share_batch(batch, crop, batch_size):
                    self._run(batch, flip_test)
                    batch = []
                batch.append(crop)
            if len(batch) >= batch_size:
                self._run(batch, flip_test)
                batch = []
            # An error is done, and a page once the parts of all its crops are there.
            while waiting and (isinstance(waiting[0], InputError) or waiting[0].done):
                yield self._outcome(waiting.popleft(), min_score)
        self._run(batch, flip_test)
        for page in waiting:
            yield self._outcome(page, min_score)

    def try_out(self) -> None:
        """Run the network on an empty input; InputError where its outputs are not as described."""
        size = _TRIED if self.spec.any_size else self.spec.input_size
        pixels = np.zeros((*size, self.spec.network.num_channels), np.uint8)
        numbers = (1.0,) * (len(self.spec.input_names) - 1)
        crop = Crop(self.task.preprocess(pixels, None), pixels, np.eye(2, 3), numbers=numbers)
        images = normalise(pixels[None], self.spec)
        outputs = infer(self._engine, self.task, images, *np.array([numbers], np.float32).T)
        list(self.task.postprocess(outputs, [crop]))

    def _expect_score(self, min_score: float | None) -> None:
        """Raise InputError for a `min_score` that is none, or that nothing here has."""
        if min_score is None:
            return
        if not 0 <= min_score <= 1:
            raise InputError(f"expected a min_score from 0 to 1, got {min_score:g}")
        if self.detector is None and not get_task(self.spec.task).finds_regions and min_score:
            raise InputError(
                f"expected no min_score: {self.spec.name:.60} has no detector; leave it out"
            )

    def _outcome(self, page: Page | InputError, min_score: float | None) -> Result | InputError:
        """Return the result of a page, or the error in its place."""
        if isinstance(page, InputError):
            return page
        result = page.result()
        if get_task(self.spec.task).finds_regions:
            return cast(RegionResult, result).confident(min_score)
        return result

    def _open(self, job: Job, min_score: float | None) -> Page | InputError:
        """Read a job's picture and open it as a page of the task; an error takes its place."""
        try:
            image = read_picture(job.image, self.spec)
        except InputError as error:
            return error
        try:
            boxes: ArrayLike | Regions | None = job.boxes
            if boxes is None and self.detector is not None:
                boxes = self._find(image, min_score)
            return self.task.preprocess(image, boxes)
        except InputError as error:
            name = f"{job.image}: " if isinstance(job.image, str | PathLike) else ""
            return InputError(f"{name}{error}")

    def _find(self, image: Picture, min_score: float | None) -> Regions:
        """Let the detector find the subjects in a picture, of which it sees RGB."""
        assert self.detector is not None
        found = cast(RegionResult, self.detector.predict(as_rgb(image), min_score=min_score))
        return found.regions(self.spec.subject, self.detector.spec.name)

    def _run(self, batch: Sequence[Crop], flip_test: bool) -> None:
        """Send crops through the network and put what is found in them on their pages."""
        if not batch:
            return
        images = normalise(np.stack([crop.pixels for crop in batch]), self.spec)
        for image, crop in zip(images, batch, strict=True):
            if crop.content is not None:
                height, width = crop.content
                image[:, height:] = 0
                image[:, :, width:] = 0
        numbers = np.array([crop.numbers for crop in batch], np.float32)
        outputs = infer(self._engine, self.task, images, *numbers.T, flip_test=flip_test)
        for crop, part in zip(batch, self.task.postprocess(outputs, batch), strict=True):
            crop.page.add(part)


def _share_batch(batch: Sequence[Crop], crop: Crop, batch_size: int) -> bool:
    """Return whether a crop can go through the network together with those of a batch."""
    pixels, first = crop.pixels, batch[0].pixels
    if len(batch) >= batch_size or pixels.shape != first.shape or pixels.dtype != first.dtype:
        return False
    height, width, _ = pixels.shape
    together: int = (len(batch) + 1) * height * width
    return together <= _BATCH_PIXELS


def infer(
    engine: Callable[..., Outputs],
    task: Task,
    images: NDArray[np.float32],
    *numbers: NDArray[np.float32],
    flip_test: bool = False,
) -> Outputs:
    """Run a network on images (N, 3, H, W); with `flip_test` the mean with their mirror images.

    numbers: (N,) each, see `Crop.numbers`.
    """
    outputs = engine(images, *numbers)
    if not flip_test:
        return outputs
    mirrored = task.unflip(engine(np.ascontiguousarray(images[..., ::-1]), *numbers))
    pairs = zip(outputs, mirrored, strict=False)  # outputs without a mean are left out
    return tuple((one + other) * np.float32(0.5) for one, other in pairs)


def normalise(crops: NDArray[np.number], spec: ModelSpec) -> NDArray[np.float32]:
    """Turn crops (N, H, W, C) into the network's input (N, C, H, W): (x / 255 - mean) / std.

    crops: within 0..255, as uint8 or float32; usually RGB.
    """
    crops = crops if spec.channels == "rgb" else crops[..., ::-1]
    mean, std = (np.array(value, np.float32)[:, None, None] for value in (spec.mean, spec.std))
    planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))  # bytes: a quarter of floats
    images: NDArray[np.float32] = np.subtract(planes, 255 * mean, dtype=np.float32)
    images /= 255 * std  # one pass less than dividing by 255 first
    return images


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
    detector: str | PathLike[str] | Model | None = "auto",
    settings: Sequence[str] = (),
) -> Model:
    """Load a model by its name, or from an .onnx file, a .safetensors checkpoint or a run folder.

    detector: what finds the subjects of a pose model in pictures without boxes: "auto" takes the
        packaged one for models of persons, "none" or None the whole picture as one subject; or
        a detector's name, its file, or a loaded one.
    device: "auto" takes CUDA where it is there (for checkpoints also Apple's MPS), else the CPU.
        "cpu", "cuda" and "cuda:1" go for every model; a checkpoint takes any device of torch, an
        exported model also "coreml", "directml" or "openvino" where the installed ONNX Runtime has
        them. Only the CPU was measured. `Model.device` is what was taken.
    engine: what runs an exported model, ONNX Runtime where it is None. Checkpoints and run folders
        run in torch (`hrnet[train]`).
    threads: how many to use on the CPU; None leaves it to the engine, which takes all cores. For a
        checkpoint it is torch's number for the whole program.
    settings: changes of the way to its results, each as NAME=VALUE, such as scales=[0.5,1]; which
        ones a model has is in the description of its task (`ModelSpec.adjustable`).
    Raises InputError where there is no such model, engine or device, or the file is of another
    kind.
    """
    if threads is not None:
        threads = expect_whole(threads, _MOST_THREADS, "threads")
    model = _load_alone(name, str(device), engine, threads)
    if settings:
        model = model.adjusted(settings)
    if detector is not None and detector != NO_DETECTOR:
        model.detector = _load_detector(model.spec, detector, str(device), threads)
    return model


def _load_detector(
    spec: ModelSpec, detector: str | PathLike[str] | Model, device: str, threads: int | None
) -> Model | None:
    """Load what finds the subjects of a model; None where "auto" finds that none is needed."""
    if isinstance(detector, str) and detector == "auto":
        packaged = detector_of(spec.subject)
        return None if packaged is None else _load_alone(packaged, device, None, threads)
    if not get_task(spec.task).without_boxes:
        raise InputError(
            f"expected no detector: {spec.name:.60} takes whole pictures; leave it out"
        )
    found = detector if isinstance(detector, Model) else None
    if found is None:
        found = _load_alone(cast(str, detector), device, None, threads)
    if not get_task(found.spec.task).finds_regions:
        raise InputError(f"expected a detector, but {found.spec.name:.60} is none; name one")
    return found


def _load_alone(
    name: str | PathLike[str], device: str, engine: EngineName | None, threads: int | None
) -> Model:
    """Load a model without a detector, see `load`."""
    if not isinstance(name, str | PathLike):
        raise InputError(f"expected a model's name or file, got {type(name).__name__}")
    path = find_model(Path(name) if isinstance(name, PathLike) else name)
    if path.suffix == ".safetensors":
        if engine is not None:
            raise InputError(f"engine {engine} runs exported models; {path} runs in torch")
        return _load_checkpoint(path, device, threads)
    if path.suffix in _FOREIGN:
        raise InputError(
            f"{path} is a checkpoint of another project, which does not say how pictures go in; "
            "convert it with `hrnet convert`, or take the bare network by hrnet.load_network"
        )
    spec = read_spec(path)
    runner = open_engine(
        path, DEFAULT_ENGINE if engine is None else engine, device=device, threads=threads
    )
    model = Model(runner, spec, path)
    _expect_fit(model, path)
    return model


def _expect_fit(model: Model, path: Path) -> None:
    """Raise InputError where a network's output does not fit its own description."""
    try:
        model.try_out()
    except InputError as error:
        raise InputError(f"the network in {path} does not fit its description ({error})") from None


def _load_checkpoint(path: Path, device: str, threads: int | None) -> Model:
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
    return Model(TorchEngine(model, device=str(place)), spec, path)
