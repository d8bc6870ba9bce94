"""Pose's part of the report: the meaning of its metrics, keypoint by keypoint, worst and best."""

from collections.abc import Iterable, Sequence
from math import isnan

import numpy as np

from hrnet.charts import Chart, Series, draw_chart
from hrnet.markup import Section, bar, gallery, percent, section, share, table, text, tiles
from hrnet.metrics.by_keypoint import SWAP_OKS
from hrnet.metrics.landmarks import NME_LIMITS, PCK_LIMITS, SDR_MM
from hrnet.metrics.names import shown
from hrnet.metrics.pckh import GROUPS, MAIN, STRICT
from hrnet.metrics.presence import BINS, area_under_curve, calibration_error, reliability
from hrnet.tasks import Dataset, Job, Result, Task
from hrnet.tasks.pose.analysis import Analysis, Example, KeypointMetrics, Presence, analyse
from hrnet.tasks.pose.dataset import PoseDataset
from hrnet.tasks.pose.evaluation import PRESENCE_AUC, PRESENCE_ECE
from hrnet.tasks.pose.task import PoseTask

METRIC_MEANING: dict[str, str] = {
    MAIN: "keypoints within half the head size of the truth",
    STRICT: "keypoints within a tenth of the head size",
    **{f"{MAIN} {group}": "its mean over a group of keypoints" for group in GROUPS},
    "AP": "mean precision, over OKS 0.50, 0.55 ... 0.95",
    "AP50": "at OKS 0.50, loose",
    "AP75": "at OKS 0.75, strict",
    "APM": "of subjects of 32² to 96² pixels",
    "APL": "of subjects of more than 96² pixels",
    "AR": "mean recall, over OKS 0.50, 0.55 ... 0.95",
    "AR50": "at OKS 0.50",
    "AR75": "at OKS 0.75",
    "ARM": "of subjects of 32² to 96² pixels",
    "ARL": "of subjects of more than 96² pixels",
    PRESENCE_AUC: "how well chances tell labelled keypoints from others, 0.5 by luck",
    PRESENCE_ECE: "mean gap between chances and what is so, 0 at best",
    "error px": "mean distance from the truth in pixels of the picture",
    "error px median": "half of the points are nearer",
    "error px 95%": "95% of the points are nearer",
    "MRE mm": "mean radial error: the mean distance from the truth in millimetres",
    "MRE mm SD": "the standard deviation of these distances",
    **{f"SDR {mm:g}mm": f"points less than {mm:g} mm from the truth" for mm in SDR_MM},
    "NME": "mean distance from the truth over the normaliser, 0 at best",
    **{f"FR {e:.2f}": f"subjects with an error above {e:.2f} of it" for e in NME_LIMITS},
    **{f"AUC {e:.2f}": f"area under the curve of errors up to {e:.2f}" for e in NME_LIMITS},
    **{f"PCK {e:g}": f"points within {e:g} of the normaliser" for e in PCK_LIMITS},
    "within 50%": "true points in the ellipse that half of them are expected in",
    "within 90%": "true points in the ellipse that 90% of them are expected in",
}
"""Metric -> its meaning, beside its value in the report."""

_QUANTILES = 60
"""Points of the curve of errors."""

_MOST = 0.99
"""Of the points; the largest errors would squeeze the curve."""


def report_sections(
    task: Task, pairs: Sequence[tuple[Job, Result]], dataset: Dataset
) -> list[Section]:
    """Return the sections of a pose model; no examples where no subject has enough labels."""
    assert isinstance(task, PoseTask)
    assert isinstance(dataset, PoseDataset)
    found = analyse(task, pairs, dataset)
    presence = [_presence(found, found.presence)] if found.presence else []
    landmarks = [_landmarks(found)] if found.errors.size else []
    return [_keypoints(found), *landmarks, *presence, *([_examples(found)] if found.worst else [])]


def _keypoints(found: Analysis) -> Section:
    """Return each keypoint with its AP, its median error and its swaps."""
    return section(
        "keypoints",
        "Keypoint by keypoint",
        tiles(
            [
                ("keypoints", str(len(found.keypoints))),
                ("median error", _pixels(found.pixels[0])),
                ("95% are within", _pixels(found.pixels[1])),
                ("left and right swapped", percent(found.swap_rate)),
            ]
        ),
        table(
            (
                *("keypoint", "labelled", "AP", "", "median error, % of √area"),
                *("median error", "95% within", "swapped"),
            ),
            [_keypoint_row(one) for one in found.keypoints],
            numbers=(1, 2, 4, 5, 6, 7),
        ),
        "<p><b>AP</b> is the AP above, computed as if this keypoint were the only one that is "
        "labelled: the visibility of all others is set to 0, so OKS is that of this one point, and "
        "subjects without the label are ignored together with the poses in and around their boxes, "
        "as COCO ignores subjects without any label. Poses and their scores stay the same. "
        "<b>Median error</b> is the median distance from the truth, divided by the square root of "
        "the subject’s area, for the pose of each subject’s own annotated box; beside it are the "
        "same in pixels of the picture, and the distance that 95% of the labelled points stay "
        "within. <b>Swapped</b> are "
        "points that lie at the mirror partner: of keypoints that are labelled on both sides, "
        "those whose OKS with the partner’s truth, taken by itself, is "
        f"at least {SWAP_OKS:g} and with their own truth is below.</p>",
    )


def _keypoint_row(one: KeypointMetrics) -> tuple[str, ...]:
    swapped = f"{one.swapped / one.comparable:.1%}" if one.comparable else "–"
    return (
        text(one.name),
        f"{one.labelled:,}",
        share(one.ap),
        bar(one.ap),
        percent(one.median_error),
        *map(_pixels, one.pixels),
        f'<span title="{one.swapped} of {one.comparable}">{swapped}</span>',
    )


def _pixels(value: float) -> str:
    return "–" if isnan(value) else f"{value:.1f} px"


def _landmarks(found: Analysis) -> Section:
    """Return the distribution of the error in pixels, and the figures asked for by keypoint."""
    shares = np.linspace(0, _MOST, _QUANTILES)
    points = zip(np.quantile(found.errors, shares).tolist(), shares.tolist(), strict=True)
    curve = Chart(
        title="Points with a smaller error",
        x="error in pixels of the picture",
        y="points",
        series=(Series("all keypoints", tuple(points)),),
        fixed=(0.0, 1.0),
        percent=True,
    )
    names = list(next(iter(found.figures.values()), {}))
    rows = [
        (text(keypoint), *(shown(name, values[name]) for name in names))
        for keypoint, values in found.figures.items()
    ]
    numbers = tuple(range(1, len(names) + 1))
    each = [table(("keypoint", *map(text, names)), rows, numbers=numbers)] if rows else []
    return section(
        "errors",
        "Errors",
        draw_chart(curve),
        "<p>Of each subject’s own annotated box, all labelled points; the curve ends at "
        f"{_MOST:.0%} of them.</p>",
        *each,
    )


def _presence(found: Analysis, presence: Presence) -> Section:
    """Return the quality of the presence, beside the heatmaps' scores taken as chances."""
    present = presence.present
    both = (("presence", presence.chances), ("heatmap score", presence.scores))
    # The share that is labelled over the chance, with the diagonal of a perfect answer.
    curves = [Series("perfect", ((0.0, 0.0), (1.0, 1.0)))]
    for name, chances in both:
        bins = reliability(present, chances)
        curves.append(Series(name, tuple((one.chance, one.present) for one in bins)))
    diagram = Chart(
        title="Reliability",
        x="chance",
        y="labelled",
        series=tuple(curves),
        fixed=(0.0, 1.0),
        percent=True,
    )
    overall = [
        (
            name,
            f"{area_under_curve(present, chances):.3f}",
            f"{calibration_error(present, chances):.3f}",
        )
        for name, chances in both
    ]
    return section(
        "presence",
        "Points that are not there",
        table(("", "AUC", "calibration error"), overall, numbers=(1, 2)),
        draw_chart(diagram),
        table(
            ("keypoint", "labelled", *(f"AUC of the {name}" for name, _ in both)),
            [
                (
                    text(one.name),
                    percent(float(present[:, k].mean())),
                    *(share(area_under_curve(present[:, k], chances[:, k])) for _, chances in both),
                )
                for k, one in enumerate(found.keypoints)
            ],
            numbers=(1, 2, 3),
        ),
        "<p><b>Presence</b> is the chance that a keypoint is in the picture, which counts as so "
        "where it is labelled. <b>AUC</b> is the share of pairs of a labelled and an unlabelled "
        "keypoint where the first has the higher chance. Of the keypoints with a chance of 70% "
        "about 70% should be labelled: <b>calibration error</b> is the mean distance from that, "
        f"over {BINS} parts of 0 to 1. The heatmaps’ scores, taken as chances, stand beside it for "
        "comparison.</p>",
    )


def _examples(found: Analysis) -> Section:
    """Return the worst and the best subjects."""
    return section(
        "examples",
        "Worst and best",
        "<p>Left is the predicted pose, right the annotated one, on the crop of the network. "
        "Orange is the subject’s left side, blue its right. Predicted points fade with their "
        "score; annotated but hidden points are paler. OKS is that of the subject with its own "
        f"truth. Subjects with fewer than {found.least_labelled} labelled keypoints are left "
        "out.</p>",
        f"<h3>The {len(found.worst)} worst</h3>",
        _gallery(found.worst),
        f"<h3>The {len(found.best)} best</h3>{_gallery(found.best)}" if found.best else "",
    )


def _gallery(examples: Iterable[Example]) -> str:
    """Return subjects with prediction and truth side by side."""
    return gallery(
        (
            one.uri,
            f"{one.image_name}: the predicted pose left, the annotated pose right, OKS "
            f"{one.oks:.2f}",
            f"<b>OKS {one.oks:.2f}</b> {one.labelled} labelled keypoints<br>{text(one.image_name)}",
        )
        for one in examples
    )
