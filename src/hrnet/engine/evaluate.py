"""COCO AP and AR of a pose model, with everything that the figures depend on written beside them.

    annotations + boxes -> poses (`predict.PoseModel`, as in any prediction) -> rescoring
    -> OKS-NMS in each image -> pycocotools

Source: the evaluation of the official HRNet pose code (Sun et al. 2019).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import features

from hrnet.data.coco import KeypointDataset, read_keypoints
from hrnet.data.coco_evaluation import (
    ScoredBoxes,
    Subject,
    annotated_boxes,
    read_detections,
    read_subjects,
)
from hrnet.errors import InputError
from hrnet.geometry import Size, box_to_crop
from hrnet.metrics.coco import (
    MAX_POSES,
    ScoredPose,
    coco_keypoint_metrics,
    expect_pycocotools,
)
from hrnet.metrics.keypoints import oks_nms, rescore
from hrnet.predict import Job, PoseModel, load
from hrnet.runtime.engine import DEFAULT_ENGINE, Engine, EngineName
from hrnet.spec import PoseSpec
from hrnet.types import Poses
from hrnet.weights.catalog import find_model

GROUND_TRUTH = "gt"
"""Value of `boxes` for the boxes of the annotations."""

KEYPOINT_THRESHOLD = 0.2
"""Keypoint scores above this count in a pose's score (IN_VIS_THRE of the official code)."""

NMS_THRESHOLD = 0.9
"""Of two poses of an image with a larger OKS the worse one goes (OKS_THRE)."""

Progress = Callable[[int, int], None]
"""Called after each image with how many are done and how many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class ImagePoses:
    """The poses found in one image, before rescoring and suppression.

    keypoints: (N, K, 2) pixels. keypoint_scores: (N, K). box_scores: (N,), 1 for annotated boxes.
    areas: (N,) square pixels of the padded crops, which the suppression measures by.
    """

    image_id: int
    keypoints: NDArray[np.floating]
    keypoint_scores: NDArray[np.floating]
    box_scores: NDArray[np.floating]
    areas: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What was evaluated on.

    images: pictures in the annotation file. persons: subjects that count, which leaves out crowds
    and those without a labelled keypoint. areas_estimated: how many of them have no `area` in the
    file and got `AREA_OF_BOX` of their box. sigmas: OKS falloffs, with where they come from.
    """

    annotations: str
    sha256: str
    images: int
    persons: int
    areas_estimated: int
    sigmas: tuple[float, ...]
    sigmas_source: str


@dataclass(frozen=True, slots=True)
class BoxFacts:
    """Which boxes were cropped: "gt" or a detections file, and how many."""

    source: str
    sha256: str | None
    count: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Which model ran, in what; file and sha256 are None for one that was never in a file."""

    name: str
    variant: str
    file: str | None
    sha256: str | None
    engine: str


@dataclass(frozen=True, slots=True)
class PoseFacts:
    """How a box became a scored pose. input_size: (height, width) pixels."""

    input_size: Size
    padding: float
    codec: str
    sigma: float
    activation: str
    flip_test: bool
    flip_shift: bool
    rescoring: str
    nms: str


@dataclass(frozen=True, slots=True)
class Protocol:
    """Everything that the figures of an evaluation depend on."""

    model: ModelFacts
    data: DataFacts
    boxes: BoxFacts
    pose: PoseFacts
    metric: str
    decoder: str


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The ten COCO figures (0..1, or -1 where nothing can count) and how they came about."""

    metrics: dict[str, float]
    protocol: Protocol

    def to_json(self) -> str:
        """Write the figures by their names, `AP` first, and the protocol under `protocol`."""
        return json.dumps({**self.metrics, "protocol": asdict(self.protocol)}, indent=2) + "\n"

    def summary(self) -> str:
        """Say in a few lines what the figures were measured on and how."""
        data, boxes, pose = self.protocol.data, self.protocol.boxes, self.protocol.pose
        model, (height, width) = self.protocol.model, pose.input_size
        estimated = f", {data.areas_estimated} areas estimated" if data.areas_estimated else ""
        return (
            f"model {model.name} ({model.variant}, {width}x{height}, {pose.codec}) "
            f"on {model.engine}\n"
            f"data {data.annotations}: {data.persons} persons in {data.images} images{estimated}, "
            f"OKS sigmas: {data.sigmas_source}\n"
            f"{boxes.count} boxes ({boxes.source}), padding {pose.padding:g}, "
            f"flip test {'on' if pose.flip_test else 'off'}"
        )


def evaluate(
    model: str | PathLike[str] | PoseModel,
    *,
    data: str | PathLike[str],
    images: str | PathLike[str],
    boxes: str | PathLike[str] = GROUND_TRUTH,
    flip_test: bool = False,
    engine: EngineName = DEFAULT_ENGINE,
    device: str = "cpu",
    progress: Progress | None = None,
) -> EvaluationResult:
    """Measure a pose model on COCO keypoint annotations.

    model: as `load` takes it, with `engine` and `device` for it, or a loaded model.
    data: the annotation file, of any keypoints. images: the folder of its pictures.
    boxes: "gt" for those of the annotations, or a detector's boxes in the COCO results form.
    flip_test: average with the mirrored crop, as published figures do.
    Raises InputError with one line for files of another form, a picture that is missing or of
    another size than annotated, boxes that cannot be cropped, and a model of other keypoints.
    """
    expect_pycocotools()
    dataset = read_keypoints(Path(data), Path(images))
    subjects = read_subjects(dataset)
    on_truth = boxes == GROUND_TRUTH
    wanted = annotated_boxes(dataset) if on_truth else read_detections(Path(boxes), dataset)
    if isinstance(model, PoseModel):
        pose_model, model_facts = model, _model_facts(model.spec, None, "a network in memory")
    else:
        file = find_model(model if isinstance(model, str) else Path(model))
        pose_model = load(file, engine=engine, device=device)
        runner = engine if file.suffix == ".onnx" else "torch"
        module = import_module(runner)  # loaded by now, and it knows its version
        model_facts = _model_facts(pose_model.spec, file, f"{runner} {module.__version__}")
    found = look(pose_model, dataset, wanted, flip_test=flip_test, progress=progress)
    metrics = evaluate_poses(dataset, list(found), subjects=subjects)
    protocol = Protocol(
        model=model_facts,
        data=_data_facts(dataset, subjects),
        boxes=_box_facts(boxes, wanted),
        pose=_pose_facts(pose_model.spec, flip_test),
        metric=f"pycocotools {version('pycocotools')}, {MAX_POSES} poses an image",
        decoder=_decoder(),
    )
    return EvaluationResult(metrics, protocol)


def evaluate_engine(
    engine: Engine, spec: PoseSpec, dataset: KeypointDataset, *, flip_test: bool = False
) -> dict[str, float]:
    """Measure a network in memory with the annotated boxes, as `evaluate` measures a file."""
    found = look(PoseModel(engine, spec), dataset, annotated_boxes(dataset), flip_test=flip_test)
    return evaluate_poses(dataset, list(found))


def evaluate_poses(
    dataset: KeypointDataset,
    poses: Iterable[ImagePoses],
    *,
    subjects: Sequence[Subject] | None = None,
) -> dict[str, float]:
    """Rescore poses, drop near copies in each image and compute COCO's ten figures.

    subjects: what `read_subjects(dataset)` gives, where it has been read before.
    Returns a dict from AP, AP50, ... AR, ... to 0..1, or -1 where nothing can count.
    """
    sigmas = dataset.skeleton.sigmas
    truth = read_subjects(dataset) if subjects is None else subjects
    scored = [pose for image in poses for pose in _select(image, sigmas)]
    return coco_keypoint_metrics(truth, scored, sigmas, image_ids=dataset.image_paths)


def _select(image: ImagePoses, sigmas: Sequence[float]) -> Iterator[ScoredPose]:
    """Yield the poses of one image that stay, best first, with their final scores."""
    scores = rescore(image.box_scores, image.keypoint_scores, threshold=KEYPOINT_THRESHOLD)
    kept = oks_nms(image.keypoints, scores, image.areas, sigmas, threshold=NMS_THRESHOLD)
    for row in kept:
        yield ScoredPose(image.image_id, image.keypoints[row], float(scores[row]))


def look(
    model: PoseModel,
    dataset: KeypointDataset,
    wanted: Sequence[ScoredBoxes],
    *,
    flip_test: bool = False,
    progress: Progress | None = None,
) -> Iterator[ImagePoses]:
    """Run the model on boxes of a data set's images, in order.

    Raises InputError for a model of other keypoints, for images that are missing and for the first
    one that cannot be used: figures over a part of the images would be wrong.
    """
    _expect_same_keypoints(model.spec, dataset)
    paths = [dataset.image_paths[page.image_id] for page in wanted]
    expect_files(paths)
    sizes = {sample.image_id: sample.image_size for sample in dataset.samples}
    jobs = (Job(path, page.boxes_xywh) for path, page in zip(paths, wanted, strict=True))
    stream = model.stream(jobs, flip_test=flip_test)
    for done, (path, page, poses) in enumerate(zip(paths, wanted, stream, strict=True), 1):
        if isinstance(poses, InputError):
            raise poses
        _expect_size(path, poses.image_size, sizes.get(page.image_id, poses.image_size))
        yield _image_poses(page, poses, model.spec)
        if progress is not None:
            progress(done, len(wanted))


def _image_poses(page: ScoredBoxes, poses: Poses, spec: PoseSpec) -> ImagePoses:
    _, crop_size = box_to_crop(page.boxes_xywh, spec.input_size, spec.padding)
    return ImagePoses(
        image_id=page.image_id,
        keypoints=poses.keypoints,
        keypoint_scores=poses.keypoint_scores,
        box_scores=page.scores,
        areas=crop_size.prod(axis=-1),
    )


def _expect_same_keypoints(spec: PoseSpec, dataset: KeypointDataset) -> None:
    ours, theirs = spec.skeleton.names, dataset.skeleton.names
    if ours != theirs:
        index = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), -1)
        detail = (
            f"; keypoint {index + 1} is {ours[index]}, not {theirs[index]}" if index >= 0 else ""
        )
        raise InputError(
            f"the model {spec.name} finds {len(ours)} keypoints and {dataset.path} has "
            f"{len(theirs)}{detail}; evaluate on annotations of the same keypoints"
        )


def expect_files(paths: Sequence[Path]) -> None:
    """Raise InputError that counts the missing pictures and names the first."""
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(paths)} annotated images are missing, the first is "
            f"{missing[0]}; check the folder of the images"
        )


def _expect_size(path: Path, found: Size, annotated: Size) -> None:
    if found != annotated:
        raise InputError(
            f"{path} has {found[1]}x{found[0]} pixels (EXIF applied) but the annotations say "
            f"{annotated[1]}x{annotated[0]}; use the images that were annotated"
        )


def _model_facts(spec: PoseSpec, file: Path | None, engine: str) -> ModelFacts:
    return ModelFacts(
        name=spec.name,
        variant=spec.variant,
        file=file.name if file else None,
        sha256=_sha256(file) if file else None,
        engine=engine,
    )


def _data_facts(dataset: KeypointDataset, subjects: Sequence[Subject]) -> DataFacts:
    counted = [one for one in subjects if not one.iscrowd and (one.visibility > 0).any()]
    return DataFacts(
        annotations=dataset.path.name,
        sha256=_sha256(dataset.path),
        images=len(dataset.image_paths),
        persons=len(counted),
        areas_estimated=sum(not one.area_given for one in counted),
        sigmas=dataset.skeleton.sigmas,
        sigmas_source=dataset.sigmas_source,
    )


def _box_facts(boxes: str | PathLike[str], wanted: Sequence[ScoredBoxes]) -> BoxFacts:
    count = sum(len(page.scores) for page in wanted)
    if boxes == GROUND_TRUTH:
        return BoxFacts(GROUND_TRUTH, None, count)
    return BoxFacts(Path(boxes).name, _sha256(Path(boxes)), count)


def _pose_facts(spec: PoseSpec, flip_test: bool) -> PoseFacts:
    return PoseFacts(
        input_size=spec.input_size,
        padding=spec.padding,
        codec=spec.codec,
        sigma=spec.sigma,
        activation=spec.activation,
        flip_test=flip_test,
        flip_shift=flip_test and not spec.heatmap_codec.unbiased,
        rescoring=f"box score x mean of keypoint scores > {KEYPOINT_THRESHOLD}",
        nms=f"OKS {NMS_THRESHOLD} by the area of the padded box",
    )


def _decoder() -> str:
    """Name what decodes the JPEGs: decoders differ by grey levels, and figures with them."""
    turbo = features.version_feature("libjpeg_turbo")
    library = f"libjpeg-turbo {turbo}" if turbo else f"libjpeg {features.version('jpg')}"
    return f"Pillow {PIL.__version__}, {library}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
