"""PCKh, the metric of MPII: share of keypoints within a fraction of the head size of the truth.

Source: Andriluka et al. 2014; joints left out, groups and weights of the mean as in the official
HRNet pose code (Sun et al. 2019). "Mean@0.1" of that code, and of mmpose 0.x on which Lite-HRNet
is built, is in fact measured at 0.11, also in their READMEs. Here it is measured at 0.1, as in
mmpose 1.x, which gives lower values for the same keypoints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hrnet.errors import InputError
from hrnet.metrics.keypoints import Floats, Pck, pck

HEAD_SIZE_FACTOR = 0.6
"""Head size divided by the diagonal of the head box (SC_BIAS)."""

UNSCORED = ("pelvis", "thorax")
"""Keypoints that PCKh leaves out."""

GROUPS = {
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
"""Columns of MPII's tables, each the mean of its keypoints. The neck only counts in the mean."""

MAIN = "PCKh@0.5"
STRICT = "PCKh@0.1"


def head_sizes(head_boxes_xyxy: ArrayLike) -> Floats:
    """Compute head sizes (N,) of head boxes (N, 4), in the same pixels."""
    boxes = np.asarray(head_boxes_xyxy, dtype=np.float64)
    sizes: Floats = HEAD_SIZE_FACTOR * np.linalg.norm(boxes[..., 2:] - boxes[..., :2], axis=-1)
    return sizes


def pckh(
    predicted: ArrayLike,
    truth: ArrayLike,
    visible: ArrayLike,
    head_sizes_px: ArrayLike,
    names: Sequence[str],
    *,
    threshold: float = 0.5,
) -> Pck:
    """Compute PCK with the head size as reference length, without the keypoints of `UNSCORED`.

    predicted, truth: (N, K, 2). visible: (N, K), True where labelled. head_sizes_px: (N,).
    names: K names of the keypoints. The mean of the result weighs each keypoint by its count.
    Raises InputError for head sizes that are not above 0 and for another number of names.
    """
    counted = np.array(visible, dtype=bool)
    if counted.ndim != 2 or counted.shape[1] != len(names):
        raise InputError(
            f"expected visibility of shape (N, {len(names)}), one for each name, got "
            f"{counted.shape}; give the names of the data set's keypoints"
        )
    counted[:, [name in UNSCORED for name in names]] = False
    return pck(predicted, truth, counted, head_sizes_px, threshold=threshold)


def pckh_metrics(
    predicted: ArrayLike,
    truth: ArrayLike,
    visible: ArrayLike,
    head_sizes_px: ArrayLike,
    names: Sequence[str],
) -> dict[str, float]:
    """Compute the metrics of MPII's tables, each in 0..1, or -1 where nothing can count.

    Arguments as for `pckh`. Returns the means "PCKh@0.5" and "PCKh@0.1", then groups such as
    "PCKh@0.5 Head", those of which all keypoints are among the names.
    """
    usual, strict = (
        pckh(predicted, truth, visible, head_sizes_px, names, threshold=threshold)
        for threshold in (0.5, 0.1)
    )
    # Means over all keypoints.
    metrics = {MAIN: usual.mean, STRICT: strict.mean}
    # Means of the groups, over the keypoints that are labelled anywhere.
    for group, members in GROUPS.items():
        if set(members) <= set(names):
            parts = usual.per_keypoint[[names.index(member) for member in members]]
            known = parts[~np.isnan(parts)]
            metrics[f"{MAIN} {group}"] = float(known.mean()) if known.size else np.nan
    return {name: -1.0 if np.isnan(value) else value for name, value in metrics.items()}
