"""Print what a check found: tables of counts and keypoints, and lines of problems."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from hrnet.check.run import CheckResult
from hrnet.check.skeletons import HOW_TO_PAIR, MIRRORING_OFF, SkeletonReport
from hrnet.errors import printable

MAX_ROWS = 60
"""Keypoints, bones and pairs beyond so many are only counted; check.json has all."""

_WHAT_A_SIGMA_IS = (
    "an OKS sigma is the spread of annotators over the root of the subject's area, and COCO's k is "
    "twice a sigma"
)


def print_check(console: Console, result: CheckResult) -> None:
    """Print counts, keypoints, bones, mirror pairs and warnings; errors are for the caller."""
    console.print(_counts(result))
    console.print(_keypoints(result))
    report = result.report
    _plain(console, f"sigmas: {report.sigmas_from}; {_WHAT_A_SIGMA_IS}")
    _line(console, "bones", [f"{a} - {b}" for a, b in report.edges] or ["none"])
    _print_flips(console, report)
    for finding in result.warnings:
        if finding.what != MIRRORING_OFF:
            _plain(console, f"warning: {finding.line}")
    errors, warnings = len(result.errors), len(result.warnings)
    _plain(console, f"kinds of errors: {errors}, of warnings: {warnings}")


def _counts(result: CheckResult) -> Table:
    counts = result.counts
    title = printable(f"{result.path}, {result.category}")
    table = Table("data set", title=title, title_justify="left")
    table.add_column("count", justify="right")
    for what, value in (
        ("images", counts.images),
        ("images without subjects", counts.images_without_subjects),
        ("annotations", counts.annotations),
        ("annotations of other categories, left out", counts.other_categories),
        ("subjects with a labelled keypoint", counts.subjects),
        ("of these with a usable box: training samples", counts.samples),
        ("subjects whose box is made of their keypoints", counts.boxes_from_keypoints),
        ("subjects whose area is estimated", counts.areas_estimated),
        ("annotations without a labelled keypoint", counts.without_keypoints),
        ("crowds", counts.crowds),
    ):
        table.add_row(what, str(value))
    return table


def _keypoints(result: CheckResult) -> Table:
    report, counts = result.report, result.counts
    table = Table()
    table.add_column("", justify="right")
    table.add_column(
        "keypoint", min_width=min(30, max(len(printable(name)) for name in report.names))
    )
    for title in ("labelled", "share", "visible", "hidden", "sigma"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("sigma from")
    for index, name in enumerate(report.names[:MAX_ROWS]):
        labelled, visible = counts.labelled[index], counts.visible[index]
        share = labelled / counts.subjects if counts.subjects else 0.0
        table.add_row(
            str(index),
            printable(name),
            str(labelled),
            f"{share:.0%}",
            str(visible),
            str(labelled - visible),
            f"{report.sigmas[index]:.3f}",
            report.sigma_sources[index],
        )
    if len(report.names) > MAX_ROWS:
        table.add_row("", f"and {len(report.names) - MAX_ROWS} more")
    return table


def _print_flips(console: Console, report: SkeletonReport) -> None:
    if not report.flip_pairs:
        _plain(console, f"WARNING: {MIRRORING_OFF}. To turn it on, {HOW_TO_PAIR}.")
        return
    title = f"mirror pairs, {report.flips_from}"
    _line(console, title, [f"{a} - {b}" for a, b in report.flip_pairs])
    _line(console, "without a partner, mirrored in their place", report.no_partner or ["none"])


def _line(console: Console, title: str, items: Sequence[str]) -> None:
    more = [f"and {len(items) - MAX_ROWS} more"] if len(items) > MAX_ROWS else []
    _plain(console, f"{title}: {', '.join([*items[:MAX_ROWS], *more])}")


def _plain(console: Console, text: str) -> None:
    console.print(printable(text), soft_wrap=True)
