"""The fit of keypoints' ellipses to held-out pictures, and how many points they hold."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from hrnet.geometry import Floats, box_to_crop, xyxy_to_xywh
from hrnet.metrics.ellipses import fit_ellipses, shares_within
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.pose.spec import PoseSpec

if TYPE_CHECKING:
    from hrnet.tasks.pose.result import Poses

Pairs = Sequence[tuple[Job, Result]]

SHARES = (0.5, 0.9)
"""Of the true points, in the ellipses that are counted."""


def _compared(pairs: Pairs, dataset: Dataset, spec: PoseSpec) -> tuple[Floats, Floats, Floats]:
    """Return errors (M, 2), covariances (M, 2, 2) and units (M,) of all labelled keypoints.

    pairs: in annotated boxes, with covariances. units: square pixels of a square heatmap pixel.
    """
    from hrnet.tasks.pose.dataset import PoseDataset

    assert isinstance(dataset, PoseDataset)
    # Poses come by image, as the landmarks do.
    poses = [cast("Poses", result) for _, result in pairs]
    found = np.concatenate([one.keypoints for one in poses]).astype(np.float64)
    covariances = np.concatenate([one.covariances for one in poses if one.covariances is not None])
    marks = dataset.landmarks(found)
    errors, labelled = marks.found - marks.true, marks.counted
    boxes = xyxy_to_xywh(np.concatenate([one.boxes for one in poses]))
    _, size = box_to_crop(boxes, spec.input_size, spec.padding)
    units = (size / np.array(spec.heatmap_codec.heatmap_size)).prod(axis=1)
    repeated = np.repeat(units[:, None], labelled.shape[1], axis=1)
    return errors[labelled], covariances[labelled].astype(np.float64), repeated[labelled]


def fitted(task: Task, pairs: Pairs, dataset: Dataset) -> PoseSpec:
    """Return the spec with a spread that is fitted to held-out poses.

    pairs: their covariances are of the heatmaps alone. The spread is None where the model has no
    ellipses, and where too few keypoints are labelled.
    """
    spec = task.spec
    assert isinstance(spec, PoseSpec)
    if spec.spread is None:
        return spec
    return spec.model_copy(update={"spread": fit_ellipses(*_compared(pairs, dataset, spec))})


def shares(pairs: Pairs, dataset: Dataset, spec: PoseSpec) -> dict[str, float]:
    """Return which part of the true points lies within the ellipses of 50% and of 90%.

    pairs: in annotated boxes. {} for models without fitted ellipses; -1 where nothing is labelled.
    """
    if spec.spread is None or spec.spread[1] <= 0 or not pairs:
        return {}
    errors, covariances, _ = _compared(pairs, dataset, spec)
    found = shares_within(errors, covariances, SHARES)
    return {f"within {share:.0%}": part for share, part in zip(SHARES, found, strict=True)}
