"""Poses: checked when made, then unchangeable, and written in COCO's form."""

import dataclasses
import json

import numpy as np
import pytest

from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, Skeleton
from hrnet.types import Poses

PAIR = Skeleton(("a", "b"))


def poses(count: int = 1, skeleton: Skeleton = PAIR, **changes: object) -> Poses:
    points = skeleton.num_keypoints
    values = {
        "keypoints": np.full((count, points, 2), 7.5),
        "keypoint_scores": np.full((count, points), 0.5),
        "boxes": np.tile([1.0, 2.0, 31.0, 42.0], (count, 1)),
        "scores": np.full(count, 0.25),
    }
    return Poses(**{**values, "skeleton": skeleton, "image_size": (60, 80), **changes})


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("points", [1, 5, 17, 21])
def test_any_number_of_subjects_and_keypoints(count, points):
    skeleton = Skeleton(tuple(f"k{index}" for index in range(points)))
    result = poses(count, skeleton)
    assert len(result) == count
    assert result.keypoints.shape == (count, points, 2)
    assert {array.dtype for array in (result.keypoints, result.scores)} == {np.dtype("float32")}
    assert len(result.to_coco(1)) == count


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": np.zeros((1, 3, 2))}, r"keypoints of shape \(1, 2, 2\), got \(1, 3, 2\)"),
        ({"keypoints": np.zeros((2, 2))}, r"keypoints of shape \(1, 2, 2\), got \(2, 2\)"),
        ({"keypoint_scores": np.zeros((1, 2, 1))}, r"keypoint_scores of shape \(1, 2\), got"),
        ({"boxes": np.zeros((1, 5))}, r"boxes of shape \(1, 4\), got \(1, 5\)"),
        ({"scores": np.zeros(2)}, r"keypoints of shape \(2, 2, 2\), got \(1, 2, 2\)"),
        ({"keypoints": np.full((1, 2, 2), np.nan)}, "finite numbers in keypoints, got NaN"),
        ({"keypoint_scores": np.full((1, 2), np.nan)}, "finite numbers in keypoint_scores"),
        ({"boxes": np.full((1, 4), np.inf)}, "finite numbers in boxes, got NaN or infinity"),
        ({"scores": np.array([np.nan])}, "finite numbers in scores"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(changes, message):
    with pytest.raises(InputError, match=message) as error:
        poses(**changes)
    assert "\n" not in str(error.value)


def test_poses_do_not_change_and_share_nothing_with_their_input():
    points = np.zeros((1, 2, 2), dtype=np.float32)
    result = poses(keypoints=points)
    points[:] = 9
    assert not result.keypoints.any()
    assert points.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        result.keypoints[0, 0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.image_size = (1, 1)


def test_the_coco_form():
    (entry,) = poses().to_coco(image_id=42)
    assert json.loads(json.dumps(entry)) == {
        "image_id": 42,
        "category_id": 1,
        "keypoints": [7.5, 7.5, 0.5, 7.5, 7.5, 0.5],
        "score": 0.25,
        "bbox": [1.0, 2.0, 30.0, 40.0],
        "keypoint_names": ["a", "b"],
        "keypoint_scores": [0.5, 0.5],
    }
    assert len(poses(skeleton=COCO_PERSON).to_coco(1)[0]["keypoints"]) == 51
