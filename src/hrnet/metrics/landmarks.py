"""Errors of landmarks as their fields quote them: in pixels, in millimetres, and normalised.

Each group of figures is asked for by a name in `GROUPS`, some with a choice behind a colon:

    px               distance to the truth: mean, median, and what 95% of the points stay below
    mm               mean radial error (MRE) with its standard deviation, and success detection
                     rates (SDR), the shares of points within 2, 2.5, 3 and 4 mm
    nme:NORMALISER   normalised mean error (NME): the mean over subjects of their mean distance
                     over a length of the subject; failure rates (FR), the shares of subjects with
                     an error above 0.08 and 0.10; and areas (AUC) under the share of subjects with
                     an error below e, for e from 0 to 0.08 and 0.10, of their largest
    pck:NORMALISER   shares of points (PCK) within 0.05, 0.1 and 0.2 of a length of the subject

NORMALISER is two keypoints, A-B, for the distance of their true places; box, the root of the box's
area; side, its longer side; or normaliser, the annotation's own.

Sources: Wang et al. 2016, "A benchmark for comparison of dental radiography analysis algorithms"
(MRE, SDR); Sagonas et al. 2013, "300 faces in-the-wild challenge" (NME); Yang and Ramanan 2013,
"Articulated human detection with flexible mixtures of parts" (PCK).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError
from hrnet.geometry import Floats

SDR_MM = (2.0, 2.5, 3.0, 4.0)
NME_LIMITS = (0.08, 0.10)
PCK_LIMITS = (0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Landmarks of N subjects, found and true.

    names: of the K keypoints. found, true: (N, K, 2) in pixels. known: (N, K), True where the truth
    is labelled. counted: (N, K), those of them that figures are computed of. boxes: (N, 2), width
    and height in pixels. mm_per_pixel: (N, 2) along x and y, NaN where unknown. normalisers: (N,)
    pixels, NaN where there is none.
    """

    names: Sequence[str]
    found: Floats
    true: Floats
    known: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    boxes: Floats
    mm_per_pixel: Floats
    normalisers: Floats

    def only(self, keypoint: int) -> "Landmarks":
        """Return the same with one keypoint counted alone."""
        alone = np.zeros_like(self.counted)
        alone[:, keypoint] = self.counted[:, keypoint]
        return replace(self, counted=alone)


def in_pixels(landmarks: Landmarks, _: str = "") -> dict[str, float]:
    """Compute the distances to the truth in pixels, over all counted points."""
    errors = _distances(landmarks)[landmarks.counted]
    return {
        "error px": _mean(errors),
        "error px median": float(np.median(errors)) if errors.size else -1.0,
        "error px 95%": float(np.quantile(errors, 0.95)) if errors.size else -1.0,
    }


def in_mm(landmarks: Landmarks, _: str = "") -> dict[str, float]:
    """Compute mean radial error and success detection rates, over all counted points.

    The standard deviation is that of a sample: the sum of squares over M - 1 points.
    """
    gaps = (landmarks.found - landmarks.true) * landmarks.mm_per_pixel[:, None]
    errors = np.linalg.norm(gaps, axis=-1)[landmarks.counted]
    return {
        "MRE mm": _mean(errors),
        "MRE mm SD": float(errors.std(ddof=1)) if errors.size > 1 else -1.0,
        **{f"SDR {limit:g}mm": _mean(errors < limit) for limit in SDR_MM},
    }


def normalised(landmarks: Landmarks, normaliser: str) -> dict[str, float]:
    """Compute normalised mean error, failure rates and areas under the curve, over subjects.

    AUC up to a limit L is the mean over subjects of max(0, 1 - error / L), which is the area under
    the step function itself.
    """
    counts = landmarks.counted.sum(axis=1)
    lengths = _lengths(landmarks, normaliser)
    usable = (counts > 0) & (lengths > 0)
    sums = np.where(landmarks.counted, _distances(landmarks), 0).sum(axis=1)
    errors = sums[usable] / counts[usable] / lengths[usable]
    failures = {f"FR {limit:.2f}": _mean(errors > limit) for limit in NME_LIMITS}
    areas = {f"AUC {limit:.2f}": _mean(np.maximum(0, 1 - errors / limit)) for limit in NME_LIMITS}
    return {"NME": _mean(errors), **failures, **areas}


def correct(landmarks: Landmarks, normaliser: str) -> dict[str, float]:
    """Compute the shares of labelled points within parts of a length of their subject."""
    lengths = _lengths(landmarks, normaliser)
    usable = landmarks.counted & (lengths > 0)[:, None]
    errors = (_distances(landmarks) / np.where(lengths > 0, lengths, 1)[:, None])[usable]
    return {f"PCK {limit:g}": _mean(errors <= limit) for limit in PCK_LIMITS}


GROUPS: Mapping[str, Callable[[Landmarks, str], dict[str, float]]] = {
    "px": in_pixels,
    "mm": in_mm,
    "nme": normalised,
    "pck": correct,
}
"""Groups of figures by their names; the first figure of each is its main one."""

_LENGTHS: Mapping[str, Callable[[Landmarks], Floats]] = {
    "box": lambda landmarks: np.sqrt(landmarks.boxes.prod(axis=1)),
    "side": lambda landmarks: landmarks.boxes.max(axis=1),
    "normaliser": lambda landmarks: landmarks.normalisers,
}


def figures(landmarks: Landmarks, group: str) -> dict[str, float]:
    """Compute a group of figures by its name; -1 where nothing could count."""
    name, _, choice = group.partition(":")
    return GROUPS[name](landmarks, choice)


def check_group(group: str, names: Sequence[str]) -> None:
    """Raise ValueError for a name that is none of a group of figures of these keypoints."""
    name, colon, choice = group.partition(":")
    if name not in GROUPS or bool(colon) != (name in ("nme", "pck")):
        raise ValueError(
            f"expected figures of px, mm, nme:NORMALISER, pck:NORMALISER or coco, got {group:.60}"
        )
    if colon and choice not in _LENGTHS and pair_of(choice, names) is None:
        raise ValueError(
            f"expected {name}: with box, side, normaliser or two keypoints as A-B, got {group:.80}"
        )


def pair_of(choice: str, names: Sequence[str]) -> tuple[int, int] | None:
    """Return the keypoints that A-B names; None where it names no two of them."""
    for first, name in enumerate(names):
        rest = choice.removeprefix(f"{name}-")
        if rest != choice and rest in names and rest != name:
            return first, list(names).index(rest)
    return None


def expect_lengths(landmarks_of: str, group: str, landmarks: Landmarks) -> None:
    """Raise InputError where labelled subjects lack what a group divides by.

    landmarks_of: the data, for the message.
    """
    name, _, choice = group.partition(":")
    counted = landmarks.known.any(axis=1)
    if name == "mm":
        lacking = counted & np.isnan(landmarks.mm_per_pixel).any(axis=1)
        hint = "add --mm-per-pixel, or mm_per_pixel to its images"
    elif name in ("nme", "pck"):
        lacking = counted & ~(_lengths(landmarks, choice) > 0)
        hint = "label them, or take another normaliser"
    else:
        return
    if lacking.any():
        what = "the pixel spacing" if name == "mm" else f"the normaliser {choice}"
        raise InputError(
            f"{landmarks_of}: expected {what} of each subject for {group}, but "
            f"{int(lacking.sum())} of {int(counted.sum())} have none; {hint}"
        )


def _lengths(landmarks: Landmarks, normaliser: str) -> Floats:
    """Return the length (N,) in pixels that a normaliser names, NaN where it is not known."""
    if normaliser in _LENGTHS:
        return _LENGTHS[normaliser](landmarks)
    pair = pair_of(normaliser, landmarks.names)
    assert pair is not None  # `check_group` was passed
    one, other = pair
    between = np.linalg.norm(landmarks.true[:, one] - landmarks.true[:, other], axis=-1)
    lengths: Floats = np.where(landmarks.known[:, one] & landmarks.known[:, other], between, np.nan)
    return lengths


def _distances(landmarks: Landmarks) -> Floats:
    distances: Floats = np.linalg.norm(landmarks.found - landmarks.true, axis=-1)
    return distances


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.mean()) if values.size else -1.0
