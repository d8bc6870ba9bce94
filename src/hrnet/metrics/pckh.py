"""PCKh, the measure of MPII: which part of the keypoints lies within a part of the head's size.

Source: Andriluka et al. 2014; the joints that are left out, the groups and the weights of the mean
as in the official HRNet pose code (Sun et al. 2019). The "Mean@0.1" of it, and of mmpose 0.x,
on which Lite-HRNet's rests, is read at the threshold 0.11 by mistake, and so are the figures in
their READMEs. Ours is at 0.1, as in mmpose 1.x, and is lower for the same keypoints.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hrnet.errors import InputError
from hrnet.metrics.keypoints import Floats, Pck, pck

HEAD_SIZE_FACTOR = 0.6
"""The head size is this part of the diagonal of the head box (SC_BIAS)."""

UNSCORED = ("pelvis", "thorax")
"""The joints that PCKh leaves out, by name."""

GROUPS = {
    "Head": ("head_top",),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
"""The columns of MPII's tables, each the mean of its joints. The neck counts in the mean alone."""

MAIN = "PCKh@0.5"
STRICT = "PCKh@0.1"


def head_sizes(head_boxes_xyxy: ArrayLike) -> Floats:
    """Head sizes (N,) of head boxes (N, 4), in the same pixels."""
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
    """PCK with the head size for length, without the keypoints of `UNSCORED`.

    predicted, truth: (N, K, 2). visible: (N, K), true where labelled. head_sizes_px: (N,).
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


def pckh_figures(
    predicted: ArrayLike,
    truth: ArrayLike,
    visible: ArrayLike,
    head_sizes_px: ArrayLike,
    names: Sequence[str],
) -> dict[str, float]:
    """Compute the figures of MPII's tables, each in 0..1, or -1 where nothing can count.

    Arguments as for `pckh`. Returns the means "PCKh@0.5" and "PCKh@0.1", then the groups, such as
    "PCKh@0.5 Head", as far as all keypoints of a group are among the names.
    """
    usual, strict = (
        pckh(predicted, truth, visible, head_sizes_px, names, threshold=threshold)
        for threshold in (0.5, 0.1)
    )
    figures = {MAIN: usual.mean, STRICT: strict.mean}
    for group, members in GROUPS.items():
        if set(members) <= set(names):
            parts = usual.per_keypoint[[names.index(member) for member in members]]
            known = parts[~np.isnan(parts)]
            figures[f"{MAIN} {group}"] = float(known.mean()) if known.size else np.nan
    return {name: -1.0 if np.isnan(value) else value for name, value in figures.items()}
