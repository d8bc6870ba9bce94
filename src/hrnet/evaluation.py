"""COCO AP and AR of a pose model, and PCKh, with everything that the figures depend on beside them.

    annotations + boxes -> poses (`predict.PoseModel`, as in any prediction) -> rescoring
    -> OKS-NMS in each image -> pycocotools

Where each subject has a head size and the annotated boxes are cropped, PCKh as well: of the pose in
each box, as it is.

Source: the evaluation of the official HRNet pose code (Sun et al. 2019).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hrnet.data.coco import KeypointDataset, Subject, expect_size, read_keypoints
from hrnet.data.coco_evaluation import ScoredBoxes, annotated_boxes, read_detections
from hrnet.errors import InputError
from hrnet.files import is_file
from hrnet.geometry import box_to_crop
from hrnet.metrics.coco import (
    MAX_POSES,
    ScoredPose,
    coco_keypoint_metrics,
    expect_pycocotools,
    most_poses,
)
from hrnet.metrics.keypoints import oks_nms, rescore
from hrnet.metrics.pckh import MAIN as PCKH
from hrnet.metrics.pckh import pckh_figures
from hrnet.predict import BATCH_SIZE, Job, PoseModel, load
from hrnet.protocol import (
    GROUND_TRUTH,
    KEYPOINT_THRESHOLD,
    NMS_THRESHOLD,
    EvaluationResult,
    Protocol,
    box_facts,
    data_facts,
    decoder,
    model_facts,
    pose_facts,
)
from hrnet.runtime import EngineName
from hrnet.runtime.engine import DEFAULT_ENGINE
from hrnet.skeleton import COCO_PERSON
from hrnet.spec import PoseSpec
from hrnet.tasks.pose.result import Poses
from hrnet.weights.catalog import find_model

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


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """An evaluation with what it was made from: the poses of each image that has boxes."""

    result: EvaluationResult
    spec: PoseSpec
    dataset: KeypointDataset
    poses: Sequence[ImagePoses]


def evaluate(
    model: str | PathLike[str] | PoseModel,
    *,
    data: str | PathLike[str],
    images: str | PathLike[str],
    boxes: str | PathLike[str] = GROUND_TRUTH,
    category: str | None = None,
    flip_test: bool = False,
    engine: EngineName | None = None,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Measure a pose model on COCO keypoint annotations: AP, AR, and PCKh where they allow it.

    PCKh needs a `head_size` of every subject and the annotated boxes.
    model: as `load` takes it, with `engine`, `device` and `threads` for it, or a loaded model.
    batch_size: crops that go through the network together.
    data: the annotation file, of any keypoints. images: the folder of its pictures.
    boxes: "gt" for those of the annotations, or a detector's boxes in the COCO results form.
    category: the name (or id) of the one to measure on, where their keypoints differ.
    flip_test: average with the mirrored crop, as published figures do.
    Raises InputError with one line for files of another form, a picture that is missing or of
    another size than annotated, boxes that cannot be cropped, and a model of other keypoints.
    """
    return examine(
        model,
        data=data,
        images=images,
        boxes=boxes,
        category=category,
        flip_test=flip_test,
        engine=engine,
        device=device,
        threads=threads,
        batch_size=batch_size,
        progress=progress,
    ).result


def examine(
    model: str | PathLike[str] | PoseModel,
    *,
    data: str | PathLike[str],
    images: str | PathLike[str],
    boxes: str | PathLike[str] = GROUND_TRUTH,
    category: str | None = None,
    flip_test: bool = False,
    engine: EngineName | None = None,
    device: str = "auto",
    threads: int | None = None,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
) -> Examination:
    """Measure as `evaluate` does, and keep the poses and what they were compared with."""
    expect_pycocotools()
    # The subjects, and the boxes to look at.
    dataset = read_keypoints(Path(data), Path(images), category)
    on_truth = boxes == GROUND_TRUTH
    wanted, left_out = (
        (annotated_boxes(dataset), 0) if on_truth else read_detections(Path(boxes), dataset)
    )
    # The model, and what is to be written of it.
    if isinstance(model, PoseModel):
        pose_model, facts = model, model_facts(model.spec, None, "a network in memory")
    else:
        file = find_model(model if isinstance(model, str) else Path(model))
        pose_model = load(file, engine=engine, device=device, threads=threads)
        runner = (engine or DEFAULT_ENGINE) if file.suffix == ".onnx" else "torch"
        module = import_module(runner)  # loaded by now, and it knows its version
        place = "" if pose_model.device == "cpu" else f" on {pose_model.device}"
        facts = model_facts(pose_model.spec, file, f"{runner} {module.__version__}{place}")
    # The poses, their figures, and what these depend on.
    looked = look(
        pose_model, dataset, wanted, flip_test=flip_test, batch_size=batch_size, progress=progress
    )
    found = list(looked)
    metrics = evaluate_poses(dataset, found)
    heads = head_figures(dataset, found) if on_truth else {}
    protocol = Protocol(
        model=facts,
        data=data_facts(dataset),
        boxes=box_facts(boxes, wanted, left_out),
        pose=pose_facts(pose_model.spec, flip_test),
        metric=_metric_facts(pose_limit(dataset), len(dataset.samples) if heads else 0),
        decoder=decoder(),
    )
    result = EvaluationResult(metrics | heads, protocol)
    return Examination(result, pose_model.spec, dataset, found)


def pose_limit(dataset: KeypointDataset) -> int:
    """Return how many poses of an image count: 20, as in COCO, or as many as the data set needs."""
    is_coco = dataset.skeleton.names == COCO_PERSON.names
    return most_poses(dataset.subjects, only_labelled=is_coco)


def _metric_facts(poses: int, heads: int) -> str:
    """The program behind the figures. heads: the number of subjects that PCKh was measured on."""
    more = f" ({MAX_POSES} in COCO)" if poses > MAX_POSES else ""
    coco = f"pycocotools {version('pycocotools')}, {poses} poses an image{more}"
    ours = (
        f"; PCKh of {heads} annotated boxes by their head_size, without rescoring and suppression"
    )
    return coco + ours if heads else coco


def head_figures(dataset: KeypointDataset, poses: Sequence[ImagePoses]) -> dict[str, float]:
    """Compute PCKh of the poses in the annotated boxes; {} unless each sample has a head size.

    poses: one for each box of `annotated_boxes`, in that order. Returns `pckh_figures`.
    """
    samples = sorted(dataset.samples, key=lambda sample: sample.image_id)  # as annotated_boxes
    sizes = [sample.head_size for sample in samples if sample.head_size is not None]
    if len(sizes) < len(samples):
        return {}
    return pckh_figures(
        np.concatenate([image.keypoints for image in poses]),
        np.stack([sample.keypoints for sample in samples]),
        np.stack([sample.visibility > 0 for sample in samples]),
        sizes,
        dataset.skeleton.names,
    )


def main_figure(metrics: Mapping[str, float]) -> tuple[str, float]:
    """Name the figure by which checkpoints are compared, and give it: PCKh@0.5 if any, else AP."""
    name = PCKH if PCKH in metrics else "AP"
    return name, metrics[name]


def evaluate_poses(
    dataset: KeypointDataset,
    poses: Iterable[ImagePoses],
    *,
    subjects: Sequence[Subject] | None = None,
) -> dict[str, float]:
    """Rescore poses, drop near copies in each image and compute COCO's ten figures.

    subjects: what to compare with; all of the data set without it.
    Returns a dict from AP, AP50, ... AR, ... to 0..1, or -1 where nothing can count.
    """
    sigmas = dataset.skeleton.sigmas
    truth = dataset.subjects if subjects is None else subjects
    scored = [pose for image in poses for pose in select_poses(image, sigmas)]
    return coco_keypoint_metrics(
        truth, scored, sigmas, image_ids=dataset.image_paths, max_poses=pose_limit(dataset)
    )


def select_poses(image: ImagePoses, sigmas: Sequence[float]) -> Iterator[ScoredPose]:
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
    batch_size: int = BATCH_SIZE,
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
    stream = model.stream(jobs, flip_test=flip_test, batch_size=batch_size)
    for done, (path, page, poses) in enumerate(zip(paths, wanted, stream, strict=True), 1):
        if isinstance(poses, InputError):
            raise poses
        expect_size(path, poses.image_size, sizes.get(page.image_id, poses.image_size))
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
    missing = [path for path in paths if not is_file(path)]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(paths)} annotated images are missing, the first is "
            f"{missing[0]}; check the folder of the images"
        )
