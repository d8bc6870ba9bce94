"""Poses on a terminal: a line for a picture, and tables of its keypoints."""

from collections.abc import Iterator

from rich.table import Table

from hrnet.errors import printable
from hrnet.tasks.pose.drawing import PoseArrays

_COLUMN_WIDTH = 23
"""Of one person: '1234.5, 1234.5  0.92' with its frame."""


def pose_tables(poses: PoseArrays, width: int) -> Iterator[Table]:
    """Yield tables with one row a keypoint and one column a person, as many as `width` holds.

    A cell holds x, y in pixels and the score.
    """
    names = max(len(printable(name)) for name in poses.skeleton.names) + 4
    step = max(1, (width - names) // _COLUMN_WIDTH)
    for first in range(0, len(poses.scores), step):
        yield _table(poses, range(first, min(first + step, len(poses.scores))))


def summarise(poses: PoseArrays) -> str:
    """Describe poses in a few words: how many persons, and how sure the model is of each."""
    count = len(poses.scores)
    persons = "no persons" if count == 0 else "1 person" if count == 1 else f"{count} persons"
    scores = " ".join(f"{score:.2f}" for score in poses.scores.tolist()[:12])
    more = " ..." if count > 12 else ""
    whole = "" if poses.boxes_given else " (the whole image)"
    scored = f", score {scores}{more}" if count else ""
    return f"{persons}{whole}{scored}"


def _table(poses: PoseArrays, rows: range) -> Table:
    table = Table("keypoint", title="x, y in pixels and score 0..1", title_justify="left")
    for row in rows:
        table.add_column(f"person {row + 1}", justify="right", no_wrap=True)
    for index, name in enumerate(poses.skeleton.names):
        table.add_row(printable(name), *(_cell(poses, row, index) for row in rows))
    table.add_section()
    table.add_row("mean score", *(f"{poses.scores[row]:.2f}" for row in rows))
    return table


def _cell(poses: PoseArrays, row: int, index: int) -> str:
    x, y = poses.keypoints[row, index].tolist()
    return f"{x:.1f}, {y:.1f}  {poses.keypoint_scores[row, index]:.2f}"
