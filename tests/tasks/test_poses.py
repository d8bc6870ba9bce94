"""Poses: checked when made, then unchangeable, and written in COCO's form."""

import csv
import dataclasses
import json
import sys

import numpy as np
import pytest
from PIL import Image

from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, Skeleton
from hrnet.tasks.pose.result import Poses

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


def test_a_short_representation():
    assert repr(poses(3)) == "Poses(3 of 2 keypoints, in 80x60 pixels)"


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
    assert poses().to_json(np.int64(42)) == poses().to_json(42)
    for wrong in ("a", None, 1.5, 10**400):
        with pytest.raises(InputError, match="image_id and category_id as whole numbers, got"):
            poses().to_coco(wrong)


def test_subjects_one_by_one():
    several = poses(3, scores=[0.25, 0.5, 0.75])
    assert [pose.score for pose in several] == [0.25, 0.5, 0.75]
    assert several[-1].score == 0.75
    assert several[np.int64(1)].score == 0.5
    pose = several[0]
    assert pose["b"] == (7.5, 7.5, 0.5)
    assert pose.to_dict() == {"a": (7.5, 7.5, 0.5), "b": (7.5, 7.5, 0.5)}
    assert pose.box.tolist() == [1, 2, 31, 42]
    with pytest.raises(KeyError):
        pose["c"]
    with pytest.raises(IndexError):
        several[3]


@pytest.mark.parametrize(
    "rows", [slice(1, 3), [1, 2], [False, True, True], np.array([1, 2]), np.array([0, 1, 1]) > 0]
)
def test_some_of_the_subjects(rows):
    some = poses(3, scores=[0.25, 0.5, 0.75])[rows]
    assert isinstance(some, Poses)
    assert some.scores.tolist() == [0.5, 0.75]
    assert some.keypoints.shape == (2, 2, 2)
    assert some.image_size == (60, 80)


def test_poses_are_drawn_on_their_own_picture_alone():
    image = np.full((60, 80, 3), 90, np.uint8)
    drawn = poses().draw(image)
    assert drawn.shape == image.shape
    assert (drawn != image).any()
    with pytest.raises(InputError, match="80x60 pixels that these poses are of, got one of 60x80"):
        poses().draw(np.swapaxes(image, 0, 1))


def test_poses_as_files(tmp_path):
    image = np.full((60, 80, 3), 90, np.uint8)
    for name in ("p.json", "p.csv", "p.png", "p.jpg"):
        poses(2).save(tmp_path / name, image)
    assert json.loads((tmp_path / "p.json").read_text()) == poses(2).to_coco(1)
    with Image.open(tmp_path / "p.png") as picture:
        assert (np.asarray(picture) == poses(2).draw(image)).all()
    with Image.open(tmp_path / "p.jpg") as picture:
        assert picture.size == (80, 60)
    rows = list(csv.DictReader((tmp_path / "p.csv").read_text().splitlines()))
    assert len(rows) == 4
    numbers = {"score": "0.25000", "x": "7.500", "y": "7.500", "keypoint_score": "0.50000"}
    box = {"left": "1.000", "top": "2.000", "right": "31.000", "bottom": "42.000"}
    assert rows[3] == {"subject": "1", "keypoint": "b"} | numbers | box


@pytest.mark.parametrize("name", ["p.txt", "p", "p.png", "missing/../q.gif"])
def test_what_poses_are_not_saved_as(tmp_path, name):
    with pytest.raises(InputError, match=r"\.json or \.csv"):
        poses().save(tmp_path / name)
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_a_picture_is_not_replaced_by_its_drawing(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (80, 60)).save(path)
    with pytest.raises(InputError, match="is read by this command"):
        poses().save(path, path)


def test_poses_for_supervision():
    supervision = pytest.importorskip("supervision")
    result = poses(2).to_supervision()
    assert isinstance(result, supervision.KeyPoints)
    assert result.xy.tolist() == poses(2).keypoints.tolist()
    scores = getattr(result, "keypoint_confidence", None)
    scores = result.confidence if scores is None else scores
    assert scores.tolist() == poses(2).keypoint_scores.tolist()


def test_supervision_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(InputError, match="pip install supervision"):
        poses().to_supervision()
