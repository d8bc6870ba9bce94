"""COCO's average precision and recall of keypoints, for any skeleton, by pycocotools.

pycocotools has the sigmas of COCO's 17 person keypoints built in. They are always replaced by those
of the data set, since wrong sigmas give wrong metrics without any error.
"""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

COCO_METRICS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
"""Names of the ten metrics, in the order of pycocotools' `stats`."""

MAX_POSES = 20
"""Poses of an image that count in COCO, those with the best scores."""

CocoDict = dict[str, object]


class TruePose(Protocol):
    """The attributes of an annotated subject that the metrics read, such as `data.coco.Subject`.

    keypoints: (K, 2) pixels. visibility: (K,), 0 unlabelled, 1 hidden, 2 visible. box_xywh: (4,)
    pixels. area: square pixels. Crowds and subjects without a labelled keypoint are ignored: a
    pose that matches one counts neither for nor against the model.
    """

    @property
    def image_id(self) -> int: ...
    @property
    def keypoints(self) -> NDArray[np.floating]: ...
    @property
    def visibility(self) -> NDArray[np.integer]: ...
    @property
    def box_xywh(self) -> NDArray[np.floating]: ...
    @property
    def area(self) -> float: ...
    @property
    def iscrowd(self) -> bool: ...


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPose:
    """One predicted subject: keypoints (K, 2) in pixels of the image, and the score to rank by."""

    image_id: int
    keypoints: NDArray[np.floating]
    score: float


def coco_keypoint_metrics(
    truth: Sequence[TruePose],
    predicted: Sequence[ScoredPose],
    sigmas: Sequence[float],
    image_ids: Iterable[int] = (),
    max_poses: int = MAX_POSES,
    *,
    only: int | None = None,
) -> dict[str, float]:
    """Compute the ten metrics of `COCO_METRICS`, each in 0..1, or -1 where nothing can count.

    AP and AR are means over the OKS thresholds 0.50, 0.55 ... 0.95; 50 and 75 mean one threshold,
    M and L subjects of 32^2 to 96^2 pixels and larger ones.
    image_ids: all images, also those without subjects, where every pose is wrong.
    max_poses: how many poses of an image count, best first; see `most_poses`.
    only: index of the only keypoint whose labels count; None for all.
    Raises InputError without pycocotools, for poses of another number of keypoints than sigmas,
    and for predictions on images that are not in the data set.
    """
    expect_pycocotools()
    _expect_keypoints([*truth, *predicted], len(sigmas))
    images = sorted({*image_ids, *(subject.image_id for subject in truth)})
    unknown = sorted({pose.image_id for pose in predicted} - set(images))
    if unknown:
        raise InputError(
            f"{len(unknown)} image ids of the predictions are not in the data set, "
            f"the first is {unknown[0]}; evaluate them on the annotations they belong to"
        )
    annotations = [_annotation(index, subject, only) for index, subject in enumerate(truth, 1)]
    results = [_result(index, pose) for index, pose in enumerate(predicted, 1)]
    return _run_pycocotools(images, annotations, results, sigmas, max_poses)


def most_poses(truth: Iterable[TruePose], *, only_labelled: bool) -> int:
    """Return how many poses of an image should count: 20 as in COCO, or more for more subjects.

    only_labelled: count subjects with a labelled keypoint, as COCO does. Otherwise every subject
    that is no crowd, since a pose of one without labels takes a place too.
    """
    images = Counter(
        one.image_id
        for one in truth
        if not one.iscrowd and (not only_labelled or (np.asarray(one.visibility) > 0).any())
    )
    return max([MAX_POSES, *images.values()])


def expect_pycocotools() -> None:
    """Raise InputError if pycocotools, an optional dependency, is not installed."""
    if find_spec("pycocotools") is None:
        raise InputError(
            "evaluation needs pycocotools, which is not installed; pip install 'hrnet[train]'"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Print nothing while pycocotools works, which prints its progress."""
    with redirect_stdout(io.StringIO()):
        yield


def open_run(
    kind: Literal["keypoints", "bbox", "segm"],
    images: Sequence[Mapping[str, object]],
    categories: Sequence[Mapping[str, object]],
    truth: Sequence[CocoDict],
    found: Sequence[CocoDict],
) -> "COCOeval":
    """Return pycocotools' comparison of results with annotations, both as COCO has them.

    truth, found: entries with ids from 1 (0 counts as unmatched there) and areas.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    sides = []
    for entries in (truth, found):
        side = COCO()
        side.dataset = {"images": images, "categories": categories, "annotations": entries}
        side.createIndex()
        sides.append(side)
    return COCOeval(*sides, iouType=kind)


def _expect_keypoints(poses: Iterable[TruePose | ScoredPose], num_keypoints: int) -> None:
    for pose in poses:
        if np.shape(pose.keypoints) != (num_keypoints, 2):
            raise InputError(
                f"expected keypoints of shape {(num_keypoints, 2)}, one for each sigma, got "
                f"{np.shape(pose.keypoints)} in image {pose.image_id}"
            )


def _annotation(index: int, subject: TruePose, only: int | None) -> CocoDict:
    """Return a subject as a COCO annotation; `only` as in `coco_keypoint_metrics`."""
    visibility = np.array(subject.visibility)
    if only is not None:
        visibility[np.arange(len(visibility)) != only] = 0
    triples = np.column_stack([subject.keypoints, visibility])
    return {
        "id": index,
        "image_id": subject.image_id,
        "category_id": 1,
        "keypoints": triples.astype(np.float64).ravel().tolist(),
        "num_keypoints": int((visibility > 0).sum()),
        "bbox": np.asarray(subject.box_xywh, dtype=np.float64).tolist(),
        "area": float(subject.area),
        "iscrowd": int(subject.iscrowd),
    }


def _result(index: int, pose: ScoredPose) -> CocoDict:
    """Return a pose as pycocotools' `loadRes` does: with the area of the box of its keypoints."""
    points = np.asarray(pose.keypoints, dtype=np.float64)
    triples = np.column_stack([points, np.ones(len(points))])
    return {
        "id": index,
        "image_id": pose.image_id,
        "category_id": 1,
        "keypoints": triples.ravel().tolist(),
        "area": float(np.prod(points.max(axis=0) - points.min(axis=0))),
        "score": float(pose.score),
    }


def _run_pycocotools(
    images: list[int],
    annotations: list[CocoDict],
    results: list[CocoDict],
    sigmas: Sequence[float],
    max_poses: int,
) -> dict[str, float]:
    with quiet():
        run = open_run(
            "keypoints",
            [{"id": image} for image in images],
            [{"id": 1, "name": "subject"}],
            annotations,
            results,
        )
        # Match by OKS with the sigmas of the data set.
        run.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        run.params.maxDets = [max_poses]
        run.evaluate()
        run.accumulate()
        run.params.maxDets = [MAX_POSES]  # `summarize` looks up the results of 20 alone
        run.summarize()
    return {name: float(value) for name, value in zip(COCO_METRICS, run.stats, strict=True)}
