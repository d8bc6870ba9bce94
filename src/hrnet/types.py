"""What comes out of the models: frozen values of numpy arrays, checked when they are made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hrnet.errors import InputError
from hrnet.geometry import Size
from hrnet.skeleton import Skeleton

Image8 = NDArray[np.uint8]
"""An RGB picture, (H, W, 3) uint8."""


def _expect_shape(name: str, array: NDArray[np.float32], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise InputError(f"expected {name} of shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"expected finite numbers in {name}, got NaN or infinity")


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """The persons (or other subjects) found in one picture; N may be 0.

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

    def __len__(self) -> int:
        return len(self.scores)

    def to_coco(self, image_id: int, category_id: int = 1) -> list[dict[str, object]]:
        """List the subjects in the COCO keypoint-results form, with names and scores added.

        Each entry holds image_id, category_id, keypoints (x, y, score for each of K), score,
        bbox (left, top, width, height), keypoint_names and keypoint_scores.
        """
        return [self._coco_entry(row, image_id, category_id) for row in range(len(self))]

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
