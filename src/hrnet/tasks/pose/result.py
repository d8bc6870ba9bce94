"""The result of a pose model: frozen numpy arrays, checked when they are made."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from hrnet.drawing import save_drawing
from hrnet.errors import InputError
from hrnet.files import check_writable_file, write_text
from hrnet.geometry import Image8, Size
from hrnet.images import ImageSource
from hrnet.numbers import to_int
from hrnet.skeleton import Skeleton
from hrnet.tasks.pose.drawing import draw_poses

if TYPE_CHECKING:
    import supervision
    from rich.table import Table

Rows = slice | list[int] | list[bool] | NDArray[np.integer] | NDArray[np.bool_]
"""A choice of subjects: a slice, indices, or True and False for each of them."""


def _expect_shape(name: str, array: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InputError(f"expected {name} of shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"expected finite numbers in {name}, got NaN or infinity")


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """One subject of a picture.

    keypoints: (K, 2) float32, x and y in pixels. keypoint_scores: (K,) float32, 0..1.
    box: (4,) float32, left, top, right, bottom in pixels. score: of the whole subject, 0..1.
    """

    keypoints: NDArray[np.float32]
    keypoint_scores: NDArray[np.float32]
    box: NDArray[np.float32]
    score: float
    skeleton: Skeleton

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
class Poses:
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
    """

    keypoints: NDArray[np.float32]
    keypoint_scores: NDArray[np.float32]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    skeleton: Skeleton
    image_size: Size
    boxes_given: bool = True

    def __post_init__(self) -> None:
        count, points = len(self.scores), self.skeleton.num_keypoints
        shapes = {
            "keypoints": (count, points, 2),
            "keypoint_scores": (count, points),
            "boxes": (count, 4),
            "scores": (count,),
        }
        for name, shape in shapes.items():
            array = np.array(getattr(self, name), dtype=np.float32)
            _expect_shape(name, array, shape)
            array.setflags(write=False)
            object.__setattr__(self, name, array)

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
            )
        return replace(
            self,
            keypoints=self.keypoints[rows],
            keypoint_scores=self.keypoint_scores[rows],
            boxes=self.boxes[rows],
            scores=self.scores[rows],
        )

    def draw(self, image: ImageSource) -> Image8:
        """Return a copy of the picture, RGB (H, W, 3) uint8, with the poses drawn on it.

        Raises InputError where the picture cannot be read or has another size.
        """
        return draw_poses(image, self)

    def save(self, path: str | PathLike[str], image: ImageSource | None = None) -> None:
        """Write the poses to a file: .json, .csv, or drawn on their `image` as .jpg or .png.

        Raises InputError for another suffix, a missing image, and where nothing can be written.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        check_writable_file(target, [Path(image)] if isinstance(image, str | PathLike) else [])
        if suffix == ".json":
            write_text(target, self.to_json())
        elif suffix == ".csv":
            write_text(target, self.to_csv())
        elif suffix in (".jpg", ".jpeg", ".png") and image is not None:
            save_drawing(self.draw(image), target)
        else:
            raise InputError(
                f"expected a file that ends in .json or .csv, or in .jpg or .png with image=..., "
                f"got {target}"
            )

    def to_json(self, image_id: int = 1) -> str:
        """Return the JSON text of `to_coco`."""
        return json.dumps(self.to_coco(image_id), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """Return a table with one row a keypoint of a subject, subjects counted from 0.

        Columns: subject, score, left, top, right, bottom, keypoint, x, y, keypoint_score.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(_CSV_COLUMNS)
        for row, pose in enumerate(self):
            subject = [row, f"{pose.score:.5f}", *(f"{edge:.3f}" for edge in pose.box.tolist())]
            for name, (x, y, score) in pose.to_dict().items():
                table.writerow([*subject, name, f"{x:.3f}", f"{y:.3f}", f"{score:.5f}"])
        return text.getvalue()

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
        bbox (left, top, width, height), keypoint_names and keypoint_scores.
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
        """List the subjects as `to_coco`, with `boxes_given` added, for the file of a whole run."""
        return [{**entry, "boxes_given": self.boxes_given} for entry in self.to_coco(image_id)]

    def summary(self) -> str:
        """Describe the poses in a few words: how many persons, and the score of each."""
        from hrnet.tasks.pose.show import summarise

        return summarise(self)

    def tables(self, width: int) -> "Iterator[Table]":
        """Yield tables of the keypoints for a terminal of `width` columns."""
        from hrnet.tasks.pose.show import pose_tables

        return pose_tables(self, width)

    def _coco_entry(self, row: int, image_id: int, category_id: int) -> dict[str, object]:
        triples = np.column_stack([self.keypoints[row], self.keypoint_scores[row]])
        left, top, right, bottom = self.boxes[row].tolist()
        return {
            "image_id": image_id,
            "category_id": category_id,
            "keypoints": [round(value, 3) for value in triples.ravel().tolist()],
            "score": round(float(self.scores[row]), 5),
            "bbox": [round(value, 3) for value in (left, top, right - left, bottom - top)],
            "keypoint_names": list(self.skeleton.names),
            "keypoint_scores": [round(value, 5) for value in self.keypoint_scores[row].tolist()],
        }


_CSV_COLUMNS = "subject score left top right bottom keypoint x y keypoint_score".split()
