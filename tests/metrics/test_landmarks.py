"""Figures of landmarks: by hand, against plain loops, and what they need of the data."""

import math

import numpy as np
import pytest

from hrnet.errors import InputError
from hrnet.metrics.landmarks import (
    GROUPS,
    Landmarks,
    check_group,
    expect_lengths,
    figures,
    pair_of,
)
from hrnet.metrics.names import has_unit, is_better

NAMES = ("left-eye", "right-eye", "nose", "chin")
EYES = "left-eye-right-eye"


def random_landmarks(seed: int, count: int = 12) -> Landmarks:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 200, (count, 4, 2))
    known = rng.random((count, 4)) < 0.8
    known[:, :2] = True
    return Landmarks(
        names=NAMES,
        found=true + rng.normal(0, 12, true.shape),
        true=true,
        known=known,
        counted=known,
        boxes=rng.uniform(50, 250, (count, 2)),
        mm_per_pixel=rng.uniform(0.05, 0.4, (count, 2)),
        normalisers=rng.uniform(50, 250, count),
    )


def by_loop(marks: Landmarks) -> list[tuple[int, int, float, float]]:
    """Subject, keypoint, error in pixels and in mm of each counted point."""
    found = []
    for n, k in np.argwhere(marks.counted).tolist():
        x, y = (marks.found[n, k] - marks.true[n, k]).tolist()
        wide, high = marks.mm_per_pixel[n].tolist()
        found.append((n, k, math.hypot(x, y), math.hypot(x * wide, y * high)))
    return found


def length_by_loop(marks: Landmarks, n: int, normaliser: str) -> float:
    width, height = marks.boxes[n].tolist()
    return {
        "box": math.sqrt(width * height),
        "side": max(width, height),
        "normaliser": float(marks.normalisers[n]),
        EYES: math.dist(marks.true[n, 0], marks.true[n, 1]),
    }[normaliser]


def share(flags) -> float:
    flags = list(flags)
    return sum(flags) / len(flags)


@pytest.mark.parametrize("seed", range(5))
def test_pixels_and_mm_by_loops(seed):
    marks = random_landmarks(seed)
    errors = [one[2] for one in by_loop(marks)]
    mm = [one[3] for one in by_loop(marks)]
    mean = sum(mm) / len(mm)
    assert figures(marks, "px") == pytest.approx(
        {
            "error px": sum(errors) / len(errors),
            "error px median": float(np.percentile(errors, 50)),
            "error px 95%": float(np.percentile(errors, 95)),
        },
        rel=1e-12,
    )
    assert figures(marks, "mm") == pytest.approx(
        {
            "MRE mm": mean,
            "MRE mm SD": math.sqrt(sum((one - mean) ** 2 for one in mm) / (len(mm) - 1)),
            "SDR 2mm": share(one < 2 for one in mm),
            "SDR 2.5mm": share(one < 2.5 for one in mm),
            "SDR 3mm": share(one < 3 for one in mm),
            "SDR 4mm": share(one < 4 for one in mm),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("normaliser", ["box", "side", "normaliser", EYES])
@pytest.mark.parametrize("seed", range(3))
def test_normalised_errors_by_loops(seed, normaliser):
    marks = random_landmarks(seed)
    each, points = [], []
    for n in range(len(marks.true)):
        own = [one[2] for one in by_loop(marks) if one[0] == n]
        length = length_by_loop(marks, n, normaliser)
        each.append(sum(own) / len(own) / length)
        points += [one / length for one in own]
    assert figures(marks, f"nme:{normaliser}") == pytest.approx(
        {
            "NME": sum(each) / len(each),
            "FR 0.08": share(one > 0.08 for one in each),
            "FR 0.10": share(one > 0.10 for one in each),
            "AUC 0.08": share(max(0, 1 - one / 0.08) for one in each),
            "AUC 0.10": share(max(0, 1 - one / 0.10) for one in each),
        },
        rel=1e-12,
    )
    assert figures(marks, f"pck:{normaliser}") == pytest.approx(
        {f"PCK {limit:g}": share(one <= limit for one in points) for limit in (0.05, 0.1, 0.2)},
        rel=1e-12,
    )


def test_by_hand():
    """Errors of 3, 4 and 0 pixels; the eyes are 50 apart; a pixel is 0.5 mm wide and 1 mm high."""
    true = np.array([[[0.0, 0], [30, 40], [10, 10], [0, 0]]])
    found = true + np.array([[[3, 0], [0, 4], [0, 0], [99, 99]]])
    known = np.array([[True, True, True, False]])
    marks = Landmarks(
        NAMES, found, true, known, known, np.ones((1, 2)), np.array([[0.5, 1]]), np.array([np.nan])
    )
    assert figures(marks, "px")["error px"] == pytest.approx(7 / 3)
    assert figures(marks, "mm") == pytest.approx(
        {
            "MRE mm": 5.5 / 3,
            "MRE mm SD": np.std([1.5, 4, 0], ddof=1),
            "SDR 2mm": 2 / 3,
            "SDR 2.5mm": 2 / 3,
            "SDR 3mm": 2 / 3,
            "SDR 4mm": 2 / 3,  # below 4, not at it
        }
    )
    nme = 7 / 3 / 50
    assert figures(marks, f"nme:{EYES}") == pytest.approx(
        {
            "NME": nme,
            "FR 0.08": 0,
            "FR 0.10": 0,
            "AUC 0.08": 1 - nme / 0.08,
            "AUC 0.10": 1 - nme / 0.1,
        }
    )
    assert figures(marks.only(1), f"nme:{EYES}")["NME"] == pytest.approx(4 / 50)
    assert figures(marks.only(3), "px")["error px"] == -1


def test_the_mean_of_the_area_is_that_under_the_curve():
    marks = random_landmarks(9, count=40)
    lengths = [length_by_loop(marks, n, "box") for n in range(40)]
    errors = [
        np.mean([one[2] for one in by_loop(marks) if one[0] == n]) / lengths[n] for n in range(40)
    ]
    steps = np.linspace(0, 0.1, 200_001)
    curve = (np.sort(errors)[None] <= steps[:, None]).mean(axis=1)
    area = ((curve[1:] + curve[:-1]) / 2).mean()
    assert figures(marks, "nme:box")["AUC 0.10"] == pytest.approx(area, abs=1e-4)


@pytest.mark.parametrize("group", ["px", "mm", "nme:box", "pck:side"])
def test_without_a_label_nothing_counts(group):
    marks = random_landmarks(0).only(0)
    marks.counted[:] = False
    assert set(figures(marks, group).values()) == {-1}


@pytest.mark.parametrize(
    "group", ["px", "mm", "nme:box", "nme:normaliser", f"pck:{EYES}", "pck:nose-chin", "nme:side"]
)
def test_groups_are_known(group):
    check_group(group, NAMES)
    assert next(iter(figures(random_landmarks(0), group))) in (
        *("error px", "MRE mm", "NME", "PCK 0.05"),
    )


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("", "expected figures of px, mm"),
        ("ap", "expected figures of px, mm"),
        ("px:box", "expected figures of px, mm"),
        ("nme", "expected figures of px, mm"),
        ("nme:", "expected nme: with box"),
        ("nme:eyes", "expected nme: with box"),
        ("pck:nose-nose", "expected pck: with box"),
        ("nme:nose-ear", "expected nme: with box"),
    ],
)
def test_unknown_groups_are_refused(group, message):
    with pytest.raises(ValueError, match=message):
        check_group(group, NAMES)


def test_names_with_dashes_are_two_keypoints():
    assert pair_of(EYES, NAMES) == (0, 1)
    assert pair_of("right-eye-left-eye", NAMES) == (1, 0)
    assert pair_of("left-eye", NAMES) is None


def test_what_is_divided_by_must_be_there():
    marks = random_landmarks(0)
    for group in GROUPS:
        expect_lengths("data", group if group in ("px", "mm") else f"{group}:{EYES}", marks)
    marks.normalisers[3] = np.nan
    with pytest.raises(InputError, match=r"normaliser of each subject .* 1 of 12 have none"):
        expect_lengths("data", "nme:normaliser", marks)
    marks.mm_per_pixel[:2] = np.nan
    with pytest.raises(InputError, match=r"spacing of each subject .* 2 of 12 .*--mm-per-pixel"):
        expect_lengths("data", "mm", marks)
    marks.known[5, 1] = False
    with pytest.raises(InputError, match=f"normaliser {EYES} of each"):
        expect_lengths("data", f"pck:{EYES}", marks)


def test_less_is_better_for_errors_alone():
    for name in ("error px", "error px 95%", "MRE mm", "NME", "FR 0.08"):
        assert is_better(name, 1.0, 2.0)
        assert not is_better(name, 2.0, 1.0)
    for name in ("AP", "SDR 2mm", "AUC 0.08", "PCK 0.1", "mIoU", "presence AUC"):
        assert is_better(name, 2.0, 1.0)
        assert not is_better(name, 1.0, 2.0)
    for name in ("NME", "AP"):
        assert is_better(name, 0.5, 0.5)  # the later one
        assert is_better(name, 0.5, -1.0)
        assert not is_better(name, -1.0, 0.5)
    assert [has_unit(name) for name in ("error px", "MRE mm SD", "NME", "SDR 2mm", "AP")] == [
        *(True, True, False, False, False),
    ]
