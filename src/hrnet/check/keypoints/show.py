"""Print the counts and the skeleton of a keypoint file."""

from rich.console import Console
from rich.table import Table

from hrnet.check.keypoints.rules import Counts
from hrnet.check.keypoints.skeletons import HOW_TO_PAIR, MIRRORING_OFF, SkeletonReport
from hrnet.check.show import MAX_ROWS, print_list, print_text
from hrnet.errors import printable

_WHAT_A_SIGMA_IS = (
    "an OKS sigma is the spread of annotators over the root of the subject's area, and COCO's k is "
    "twice a sigma"
)


def print_counts(console: Console, title: str, counts: Counts) -> None:
    """Print a table of the counts of a file."""
    table = Table("data set", title=printable(title), title_justify="left")
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
    console.print(table)


def print_keypoints(console: Console, report: SkeletonReport, counts: Counts) -> None:
    """Print a table with a row for each keypoint."""
    # The names need their width first; the numbers share the rest.
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
    console.print(table)


def print_skeleton(console: Console, report: SkeletonReport) -> None:
    """Print the source of the sigmas, the bones and the mirror pairs, and loudly if none are."""
    print_text(console, f"sigmas: {report.sigmas_from}; {_WHAT_A_SIGMA_IS}")
    print_list(console, "bones", [f"{a} - {b}" for a, b in report.edges] or ["none"])
    if not report.flip_pairs:
        print_text(console, f"WARNING: {MIRRORING_OFF}. To turn it on, {HOW_TO_PAIR}.")
        return
    title = f"mirror pairs, {report.flips_from}"
    print_list(console, title, [f"{a} - {b}" for a, b in report.flip_pairs])
    title = "without a partner, mirrored in their place"
    print_list(console, title, report.no_partner or ["none"])
