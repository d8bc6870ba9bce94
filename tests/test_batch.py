"""Many files: pictures, JSON, ids and names."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.batch import Outputs, image_ids, predict_files
from hrnet.data.boxes import read_boxes
from hrnet.errors import InputError
from hrnet.predict import load


@pytest.fixture
def model(spot_model: Path):
    return load(spot_model, threads=1)


def test_json_is_coco_results_with_names(model, spots, tmp_path: Path) -> None:
    paths = [tmp_path / "photo.png", tmp_path / "zwei.png"]
    for path in paths:
        spots().save(path)
    outputs = Outputs(tmp_path / "out", tmp_path / "out" / "k.json")
    results = list(
        predict_files(model, paths, boxes=[[20, 10, 70, 100], [0, 0, 240, 160]], outputs=outputs)
    )
    entries = json.loads((tmp_path / "out" / "k.json").read_text("utf-8"))
    assert [entry["image_id"] for entry in entries] == [1, 1, 2, 2]
    assert entries[2]["file_name"] == paths[1].as_posix()
    assert entries[0]["bbox"] == [20, 10, 70, 100]
    assert len(entries[0]["keypoints"]) == 9
    assert entries[0]["keypoint_names"] == ["red", "green", "blue"]
    assert entries[0]["boxes_given"] is True
    np.testing.assert_allclose(
        np.reshape(entries[0]["keypoints"], (3, 3))[:, :2],
        results[0].outcome.keypoints[0],
        atol=1e-3,
    )
    for result in results:
        with Image.open(result.picture) as picture:
            assert picture.size == (240, 160)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "k.json",
        "photo_pose.jpg",
        "zwei_pose.jpg",
    ]


def test_the_json_loads_into_pycocotools(model, spots, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO()
    spots().save(tmp_path / "000000000007.png")
    list(
        predict_files(
            model, [tmp_path / "000000000007.png"], outputs=Outputs(None, tmp_path / "k.json")
        )
    )
    coco.dataset = {"images": [{"id": 7}], "annotations": [], "categories": []}
    coco.createIndex()
    assert len(coco.loadRes(str(tmp_path / "k.json")).anns) == 1


def test_nobody_in_the_picture_is_an_empty_list(model, spots, tmp_path: Path) -> None:
    spots().save(tmp_path / "a.png")
    outputs = Outputs(None, tmp_path / "k.json")
    list(predict_files(model, [tmp_path / "a.png"], boxes=np.zeros((0, 4)), outputs=outputs))
    assert json.loads((tmp_path / "k.json").read_text()) == []


def test_no_picture_overwrites_another_or_a_source(model, spots, tmp_path: Path) -> None:
    names = ["a.png", "a.bmp", "a_pose.jpg", "sub/a.png"]
    (tmp_path / "sub").mkdir()
    for name in names:
        spots().save(tmp_path / name)
    before = (tmp_path / "a_pose.jpg").read_bytes()
    paths = [tmp_path / name for name in names]
    results = list(predict_files(model, paths, outputs=Outputs(tmp_path)))
    assert [result.picture.name for result in results] == [
        "a_pose_2.jpg",
        "a_pose_3.jpg",
        "a_pose_pose.jpg",
        "a_pose_4.jpg",
    ]
    assert (tmp_path / "a_pose.jpg").read_bytes() == before


def test_a_stopped_run_leaves_the_old_json(model, spots, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for path in paths:
        spots().save(path)
    (tmp_path / "k.json").write_text("old")
    results = predict_files(model, paths, outputs=Outputs(None, tmp_path / "k.json"))
    next(results)
    results.close()
    assert (tmp_path / "k.json").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_a_full_disk_is_one_input_error(model, spots, tmp_path: Path, monkeypatch) -> None:
    spots().save(tmp_path / "a.png")

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(InputError, match=r"a_pose\.jpg cannot be written: No space left"):
        list(predict_files(model, [tmp_path / "a.png"], outputs=Outputs(tmp_path / "out")))


def test_image_ids(tmp_path: Path) -> None:
    def ids(*names: str) -> list[int]:
        return list(image_ids([Path(name) for name in names]).values())

    assert ids("000000000785.jpg", "COCO_val2014_000000000012.jpg") == [785, 12]
    assert ids("000785.jpg", "x_12.jpg") == [1, 2]
    assert ids("a/1.jpg", "b/1.jpg") == [1, 2]
    assert ids("7.jpg", "photo.jpg") == [1, 2]
    listed = {"images": [{"id": 40, "file_name": "7.jpg"}], "categories": []}
    listed["annotations"] = [{"image_id": 40, "bbox": [0, 0, 5, 5]}]
    (tmp_path / "b.json").write_text(json.dumps(listed))
    other = {Path("7.jpg"): 40, Path("8.jpg"): 41}
    assert image_ids(list(other), read_boxes(tmp_path / "b.json")) == other
