"""Many files: pictures, JSON, ids and names."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.boxes import read_boxes
from hrnet.errors import InputError
from hrnet.predict import load
from hrnet.predict_files import Destination, Drawings, image_ids, predict_files
from hrnet.tasks.pose.result import Poses

from .tasks.segmentation.stubs import blocks, model_of, spec_of


@pytest.fixture
def model(spot_model: Path):
    return load(spot_model, threads=1)


def test_json_is_coco_results_with_names(model, spots, tmp_path: Path) -> None:
    paths = [tmp_path / "photo.png", tmp_path / "zwei.png"]
    for path in paths:
        spots().save(path)
    outputs = Destination(tmp_path / "out", tmp_path / "out" / "k.json")
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
        with Image.open(result.drawing) as picture:
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
            model, [tmp_path / "000000000007.png"], outputs=Destination(None, tmp_path / "k.json")
        )
    )
    coco.dataset = {"images": [{"id": 7}], "annotations": [], "categories": []}
    coco.createIndex()
    assert len(coco.loadRes(str(tmp_path / "k.json")).anns) == 1


def test_nobody_in_the_picture_is_an_empty_list(model, spots, tmp_path: Path) -> None:
    spots().save(tmp_path / "a.png")
    outputs = Destination(None, tmp_path / "k.json")
    list(predict_files(model, [tmp_path / "a.png"], boxes=np.zeros((0, 4)), outputs=outputs))
    assert json.loads((tmp_path / "k.json").read_text()) == []


def test_no_picture_overwrites_another_or_a_source(model, spots, tmp_path: Path) -> None:
    names = ["a.png", "a.bmp", "a_pose.jpg", "sub/a.png"]
    (tmp_path / "sub").mkdir()
    for name in names:
        spots().save(tmp_path / name)
    before = (tmp_path / "a_pose.jpg").read_bytes()
    paths = [tmp_path / name for name in names]
    results = list(predict_files(model, paths, outputs=Destination(tmp_path)))
    assert [result.drawing.name for result in results] == [
        "a_pose_2.jpg",
        "a_pose_3.jpg",
        "a_pose_pose.jpg",
        "a_pose_4.jpg",
    ]
    assert (tmp_path / "a_pose.jpg").read_bytes() == before


def test_no_mask_replaces_a_label_beside_its_picture(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photo, label = tmp_path / "photos" / "a.png", tmp_path / "photos" / "a_mask.png"
    Image.fromarray(blocks(64, 64)).save(photo)
    label.write_bytes(b"drawn by hand")
    segmenter = model_of(spec_of())
    for folder in (tmp_path / "photos", tmp_path / "out", tmp_path / "out"):
        (found,) = predict_files(segmenter, [photo], outputs=Destination(folder))
        assert found.undrawn is None
    assert label.read_bytes() == b"drawn by hand"
    assert (tmp_path / "photos" / "a_mask_2.png").exists()
    # In a folder of results a second run replaces the first.
    assert [one.name for one in (tmp_path / "out").glob("*mask*")] == ["a_mask.png"]


def test_a_stopped_run_leaves_the_old_json(model, spots, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for path in paths:
        spots().save(path)
    (tmp_path / "k.json").write_text("old")
    results = predict_files(model, paths, outputs=Destination(None, tmp_path / "k.json"))
    next(results)
    results.close()
    assert (tmp_path / "k.json").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_a_disk_too_full_for_drawings_costs_no_keypoints(
    model, spots, tmp_path: Path, monkeypatch
) -> None:
    for name in ("a.png", "b.png"):
        spots().save(tmp_path / name)

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", refuse)
    outputs = Destination(tmp_path / "out", tmp_path / "k.json")
    results = list(predict_files(model, [tmp_path / "a.png", tmp_path / "b.png"], outputs=outputs))
    for result, name in zip(results, "ab", strict=True):
        assert f"{name}_pose.jpg cannot be written: No space left" in str(result.undrawn)
        assert isinstance(result.outcome, Poses)
        assert result.drawing is None
    assert len(json.loads((tmp_path / "k.json").read_text())) == 2
    assert not list((tmp_path / "out").iterdir())


def test_a_picture_that_cannot_be_drawn_stops_no_other(model, spots, tmp_path: Path) -> None:
    (tmp_path / "out" / "a_pose.jpg").mkdir(parents=True)
    long = "n" * 250 + ".png"
    for name in ("a.png", "b.png", long):
        spots().save(tmp_path / name)
    Image.new("L", (2, 70_000)).save(tmp_path / "tall.png")
    paths = [tmp_path / name for name in ("a.png", "tall.png", long, "b.png")]
    outputs = Destination(tmp_path / "out", tmp_path / "k.json")
    blocked, *drawn = predict_files(model, paths, boxes=[[0, 0, 2, 100]], outputs=outputs)
    assert "a_pose.jpg cannot be written: Is a directory" in str(blocked.undrawn)
    assert [result.undrawn for result in drawn] == [None] * 3
    assert drawn[0].drawing.name == "tall_pose.png"
    assert len(drawn[1].drawing.name) == 255
    for result, size in zip(drawn, [(2, 70_000), (240, 160), (240, 160)], strict=True):
        with Image.open(result.drawing) as picture:
            assert picture.size == size
    assert len(json.loads((tmp_path / "k.json").read_text())) == 4


def test_names_that_are_not_utf_8_stay_in_the_json(model, spots, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"a\xff.png")
    spots().save(path)
    outputs = Destination(tmp_path / "out", tmp_path / "k.json")
    (result,) = predict_files(model, [path], outputs=outputs)
    assert result.drawing == tmp_path / "out" / os.fsdecode(b"a\xff_pose.jpg")
    (entry,) = json.loads((tmp_path / "k.json").read_text("utf-8"))
    assert entry["file_name"] == path.as_posix()


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_what_ends_a_run_keeps_the_results_so_far(model, spots, tmp_path: Path, end) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for path in paths:
        spots().save(path)
    (tmp_path / "k.json").write_text("old")
    results = predict_files(model, paths, outputs=Destination(None, tmp_path / "k.json"))
    done = [next(results), next(results)]
    with pytest.raises(end):
        results.throw(end())
    assert len(json.loads((tmp_path / "k.json").read_text())) == len(done)
    assert not list(tmp_path.glob(".*"))


def test_a_disk_that_is_full_halfway_keeps_whole_entries(
    model, spots, tmp_path: Path, monkeypatch
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        spots().save(tmp_path / name)
    whole, room = os.write, 1500

    class Disk(io.FileIO):
        """A file on a disk with room for so many bytes."""

        def write(self, data: memoryview) -> int:
            left = room - self.tell()
            if left <= 0:
                raise OSError(28, "No space left on device")
            return whole(self.fileno(), data[:left])

    monkeypatch.setattr(Path, "open", lambda path, mode="r", **_: Disk(path, mode))
    results = predict_files(
        model,
        [tmp_path / name for name in ("a.png", "b.png", "c.png")],
        boxes=[[20, 10, 70, 100]] * 2,
        outputs=Destination(None, tmp_path / "k.json"),
    )
    with pytest.raises(InputError, match=r"cannot be written on \(No space left"):
        list(results)
    monkeypatch.undo()
    entries = json.loads((tmp_path / "k.json").read_text())
    assert 0 < len(entries) < 6


def test_a_picture_that_changes_on_the_way_is_not_drawn_on(model, spots, tmp_path: Path) -> None:
    spots().save(tmp_path / "a.png")
    poses = model.predict(tmp_path / "a.png", [[20, 10, 70, 100]])
    Image.new("RGB", (9, 7)).save(tmp_path / "a.png")
    target, error = Drawings(tmp_path, [], model.spec).add(tmp_path / "a.png", poses)
    assert target is None
    assert "was not drawn: expected the picture of" in str(error)


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
