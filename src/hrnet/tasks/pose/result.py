"""The result of a pose model: frozen numpy arrays, checked when they are made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from hrnet.drawing import draw_boxes
from hrnet.errors import InputError, printable
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource
from hrnet.metrics.ellipses import ellipses_of
from hrnet.numbers import to_int
from hrnet.skeleton import Skeleton, count_subjects, of_persons
from hrnet.tasks.pose.drawing import draw_ellipses, draw_subject
from hrnet.tasks.saving import SavableResult, csv_text, frozen_array, read_own_picture

if TYPE_CHECKING:
    import supervision
    from rich.table import Table

Rows = slice | list[int] | list[bool] | NDArray[np.integer] | NDArray[np.bool_]
"""A choice of subjects: a slice, indices, or True and False for each of them."""


_CSV_COLUMNS = "subject score left top right bottom keypoint x y keypoint_score".split()

_COLUMN_WIDTH = 23
"""Of one person in a table: '1234.5, 1234.5  0.92' with its frame."""

_PRESENCE_WIDTH = 6
"""Of what a presence adds to it."""

_LISTED_SCORES = 12

DRAWN_SHARE = 0.9
"""Of the true points, within the ellipse that is drawn."""

MIN_PRESENCE = 0.5
"""Points with a lower chance that they are in the picture are not drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One subject of a picture.

    keypoints: (K, 2) float32, x and y in pixels. keypoint_scores: (K,) float32, 0..1.
    box: (4,) float32, left, top, right, bottom in pixels. score: of the whole subject, 0..1.
    presence: (K,) float32, 0..1, None for models without that output, see `Poses`.
    covariances: (K, 2, 2) float32, square pixels, None for models without, see `Poses`.
    """

    keypoints: NDArray[np.float32]
    keypoint_scores: NDArray[np.float32]
    box: NDArray[np.float32]
    score: float
    skeleton: Skeleton
    presence: NDArray[np.float32] | None = None
    covariances: NDArray[np.float32] | None = None

    def __getitem__(self, name: str) -> tuple[float, float, float]:
        """Return x, y and score of the keypoint with that name; KeyError where there is none."""
        if name not in self.skeleton.names:
            raise KeyError(name)
        row = self.skeleton.names.index(name)
        x, y = self.keypoints[row].tolist()
        return x, y, float(self.keypoint_scores[row])

    def to_dict(self) -> dict[str, tuple[float, float, float]]:
        """Return x, y and score of every keypoint by its name."""
        return {name: self[name] for name in self.skeleton.names}


@dataclass(frozen=True, slots=True, eq=False)
class Poses(SavableResult):
    """The persons (or other subjects) found in one picture; N may be 0.

    `len(poses)` is N, `poses[0]` and `for pose in poses` give one `Pose` each, and a slice, indices
    or a mask give fewer Poses: `poses[poses.scores > 0.5]`.

    keypoints: (N, K, 2) float32, x and y in pixels of the picture as people see it (EXIF applied).
    keypoint_scores: (N, K) float32, how sure the model is of each point, 0..1.
    boxes: (N, 4) float32, left, top, right, bottom in the same pixels.
    scores: (N,) float32, one number for the whole subject.
    skeleton: names, bones and mirror pairs of the K keypoints.
    image_size: (height, width) of the picture.
    boxes_given: False where no box was given and the whole picture was taken as one subject.
    box_scores: (N,) float32, 0..1, of the boxes that a detector found, None for other boxes.
    detector: name of the model that found the boxes, None for other boxes.
    presence: (N, K) float32, 0..1, the chance that each keypoint is in the picture; None for models
    without that output. Scores and poses do not depend on it.
    covariances: (N, K, 2, 2) float32, the uncertainty of each keypoint in square pixels, fitted to
    errors on held-out pictures; None for models without. `ellipses` turns them into axes.
    """

    keypoints: NDArray[np.float32]
    keypoint_scores: NDArray[np.float32]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    skeleton: Skeleton
    image_size: Size
    boxes_given: bool = True
    box_scores: NDArray[np.float32] | None = None
    detector: str | None = None
    presence: NDArray[np.float32] | None = None
    covariances: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        count, points = len(self.scores), self.skeleton.num_keypoints
        shapes = {
            "keypoints": (count, points, 2),
            "keypoint_scores": (count, points),
            "boxes": (count, 4),
            "scores": (count,),
        }
        if self.box_scores is not None:
            shapes["box_scores"] = (count,)
        if self.presence is not None:
            shapes["presence"] = (count, points)
        if self.covariances is not None:
            shapes["covariances"] = (count, points, 2, 2)
        for name, shape in shapes.items():
            object.__setattr__(self, name, frozen_array(name, getattr(self, name), shape))

    def __repr__(self) -> str:
        height, width = self.image_size
        points = self.skeleton.num_keypoints
        return f"Poses({len(self)} of {points} keypoints, in {width}x{height} pixels)"

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Pose]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, rows: int) -> Pose: ...

    @overload
    def __getitem__(self, rows: Rows) -> "Poses": ...

    def __getitem__(self, rows: int | Rows) -> "Pose | Poses":
        if isinstance(rows, int | np.integer):
            return Pose(
                keypoints=self.keypoints[rows],
                keypoint_scores=self.keypoint_scores[rows],
                box=self.boxes[rows],
                score=float(self.scores[rows]),
                skeleton=self.skeleton,
                presence=None if self.presence is None else self.presence[rows],
                covariances=None if self.covariances is None else self.covariances[rows],
            )
        return replace(
            self,
            keypoints=self.keypoints[rows],
            keypoint_scores=self.keypoint_scores[rows],
            boxes=self.boxes[rows],
            scores=self.scores[rows],
            box_scores=None if self.box_scores is None else self.box_scores[rows],
            presence=None if self.presence is None else self.presence[rows],
            covariances=None if self.covariances is None else self.covariances[rows],
        )

    def ellipses(self, share: float = 0.9) -> NDArray[np.float32]:
        """Return the ellipses (N, K, 3) that a share of the true points is expected in.

        Each is half of the longer and of the shorter axis in pixels, and the angle of the longer
        one in degrees, clockwise from the x axis as a picture is seen. Raises InputError for a
        model without them, and for a share that is not between 0 and 1.
        """
        if self.covariances is None:
            raise InputError(
                "expected poses with covariances, but this model has none; train it with "
                "model.ellipses=true and 20 labelled keypoints or more to measure on"
            )
        return ellipses_of(self.covariances, share)

    def draw(self, image: ImageSource, *, min_presence: float = MIN_PRESENCE) -> Image8:
        """Return a copy of the picture, RGB (H, W, 3) uint8, with the poses drawn on it.

        min_presence: 0..1, points that are less likely in the picture are left out; 0 draws all.
        Raises InputError where the picture cannot be read or has another size.
        """
        return draw_poses(image, self, min_presence=min_presence)

    def to_json(self, image_id: int = 1) -> str:
        """Return the JSON text of `to_coco`."""
        return json.dumps(self.to_coco(image_id), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """Return a table with one row a keypoint of a subject, subjects counted from 0.

        Columns: subject, score, left, top, right, bottom, keypoint, x, y, keypoint_score; and
        presence, where the model has it.
        """
        rows: list[list[object]] = [
            [*_CSV_COLUMNS, *([] if self.presence is None else ["presence"])]
        ]
        for row, pose in enumerate(self):
            subject = [row, f"{pose.score:.5f}", *(f"{edge:.3f}" for edge in pose.box.tolist())]
            for index, (name, (x, y, score)) in enumerate(pose.to_dict().items()):
                chance = [] if pose.presence is None else [f"{pose.presence[index]:.5f}"]
                rows.append([*subject, name, f"{x:.3f}", f"{y:.3f}", f"{score:.5f}", *chance])
        return csv_text(rows)

    def to_supervision(self) -> "supervision.KeyPoints":
        """Return the poses as `supervision.KeyPoints`, for its trackers and annotators.

        Raises InputError where the package supervision is not installed.
        """
        try:
            from supervision import KeyPoints
        except ImportError:
            raise InputError(
                "to_supervision() needs the package supervision; pip install supervision"
            ) from None
        # By position, since the scores are the third argument in every release but not of one name.
        return KeyPoints(np.array(self.keypoints), None, np.array(self.keypoint_scores))

    def to_coco(self, image_id: int, category_id: int = 1) -> list[dict[str, object]]:
        """List the subjects in the COCO keypoint-results form, with names and scores added.

        Each entry holds image_id, category_id, keypoints (x, y, score for each of K), score,
        bbox (left, top, width, height), keypoint_names, keypoint_scores; and where the model has
        them keypoint_covariances (xx, xy, yy in square pixels for each of K) and keypoint_presence.
        Raises InputError for ids that are no whole numbers.
        """
        image, category = to_int(image_id), to_int(category_id)  # of numpy, too
        if image is None or category is None:
            raise InputError(
                f"expected image_id and category_id as whole numbers, got {image_id!r:.60} and "
                f"{category_id!r:.60}"
            )
        return [self._coco_entry(row, image, category) for row in range(len(self))]

    def entries(self, image_id: int) -> list[dict[str, object]]:
        """List the subjects as `to_coco`, for the file of a whole run.

        Added are `boxes_given`, which is false where the whole picture was taken, and `detector`
        and `box_score` of boxes that a detector found.
        """
        entries = self.to_coco(image_id)
        for row, entry in enumerate(entries):
            entry["boxes_given"] = self.boxes_given
            if self.box_scores is not None:
                entry["detector"] = self.detector
                entry["box_score"] = round(float(self.box_scores[row]), 5)
        return entries

    @property
    def _are_persons(self) -> bool:
        return self.detector is not None or of_persons(self.skeleton.names)

    def summary(self) -> str:
        """Describe the poses in a few words: how many subjects, and the score of each."""
        count = len(self)
        subjects = count_subjects(count, persons=self._are_persons)
        scores = " ".join(f"{score:.2f}" for score in self.scores.tolist()[:_LISTED_SCORES])
        more = " ..." if count > _LISTED_SCORES else ""
        whole = "" if self.boxes_given else " (the whole image)"
        found = f" found by {printable(self.detector)}" if self.detector is not None else whole
        scored = f", score {scores}{more}" if count else ""
        return f"{subjects}{found}{scored}"

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield tables for a terminal of `width` columns: a row a keypoint, a column a subject.

        A cell holds x, y in pixels and the score; and, where the model has it, the presence.
        """
        names = max(len(printable(name)) for name in self.skeleton.names) + 4
        cell = _COLUMN_WIDTH if self.presence is None else _COLUMN_WIDTH + _PRESENCE_WIDTH
        step = max(1, (width - names) // cell)
        for first in range(0, len(self), step):
            yield self._table(range(first, min(first + step, len(self))))

    def _table(self, rows: range) -> "Table":
        from rich.table import Table

        title = "x, y in pixels and score 0..1"
        if self.presence is not None:
            title = "x, y in pixels, score 0..1, chance 0..1 that it is in the picture"
        table = Table("keypoint", title=title, title_justify="left")
        noun = "person" if self._are_persons else "subject"
        for row in rows:
            table.add_column(f"{noun} {row + 1}", justify="right", no_wrap=True)
        for index, name in enumerate(self.skeleton.names):
            table.add_row(printable(name), *(self._cell(row, index) for row in rows))
        table.add_section()
        table.add_row("mean score", *(f"{self.scores[row]:.2f}" for row in rows))
        return table

    def _cell(self, row: int, index: int) -> str:
        """Return the text of one keypoint of a person."""
        x, y = self.keypoints[row, index].tolist()
        chance = "" if self.presence is None else f"  {self.presence[row, index]:.2f}"
        return f"{x:.1f}, {y:.1f}  {self.keypoint_scores[row, index]:.2f}{chance}"

    def _coco_entry(self, row: int, image_id: int, category_id: int) -> dict[str, object]:
        triples = np.column_stack([self.keypoints[row], self.keypoint_scores[row]])
        left, top, right, bottom = self.boxes[row].tolist()
        entry: dict[str, object] = {
            "image_id": image_id,
            "category_id": category_id,
            "keypoints": [round(value, 3) for value in triples.ravel().tolist()],
            "score": round(float(self.scores[row]), 5),
            "bbox": [round(value, 3) for value in (left, top, right - left, bottom - top)],
            "keypoint_names": list(self.skeleton.names),
            "keypoint_scores": [round(value, 5) for value in self.keypoint_scores[row].tolist()],
        }
        if self.covariances is not None:
            parts = self.covariances[row][:, (0, 0, 1), (0, 1, 1)]
            entry["keypoint_covariances"] = [
                [round(value, 4) for value in part] for part in parts.tolist()
            ]
        if self.presence is not None:
            entry["keypoint_presence"] = [round(value, 5) for value in self.presence[row].tolist()]
        return entry


def draw_poses(image: ImageSource, poses: Poses, *, min_presence: float = MIN_PRESENCE) -> Image8:
    """Return a copy of a picture, RGB (H, W, 3) uint8, with all its poses drawn on it.

    With several subjects each gets its box and its number, counted from 1 as in the tables.
    min_presence: as for `Poses.draw`.
    Raises InputError where the picture cannot be read or has another size than the poses' own.
    """
    canvas = np.array(read_own_picture(image, poses.image_size, "poses"))
    for pose in poses:
        draw_subject(
            canvas,
            pose.keypoints,
            scores=_drawn_scores(pose, min_presence),
            box=pose.box,
            skeleton=pose.skeleton,
        )
        if pose.covariances is not None:
            seen = _drawn_scores(pose, min_presence)
            draw_ellipses(canvas, pose.keypoints, ellipses_of(pose.covariances, DRAWN_SHARE), seen)
    if len(poses) < 2:
        return canvas
    return draw_boxes(canvas, poses.boxes, [str(row + 1) for row in range(len(poses))])


def _drawn_scores(pose: Pose, min_presence: float) -> NDArray[np.float32]:
    """Return the keypoint scores (K,), 0 for points that are left out of a drawing."""
    if pose.presence is None:
        return pose.keypoint_scores
    return np.where(pose.presence >= min_presence, pose.keypoint_scores, np.float32(0))
