"""`hrnet evaluate` with what cannot be used: one clear line and exit code 2, never a figure."""

import json

import pytest
from PIL import Image

from hrnet.errors import InputError
from hrnet.evaluation import expect_files
from hrnet.skeleton import Skeleton


def drop_image(scene):
    (scene.images / "9.png").unlink()
    return ["images are missing", "9.png"]


def shrink_image(scene):
    Image.new("RGB", (200, 119)).save(scene.images / "9.png")
    return ["200x119", "240x120"]


def break_image(scene):
    (scene.images / "9.png").write_text("no picture")
    return ["9.png", "none that can be read"]


def no_json(scene):
    scene.data.write_text("keypoints")
    return ["annotations.json", "JSON"]


def no_persons(scene):
    scene.content["annotations"] = []
    scene.save()
    return ["annotations.json", "subjects with a labelled keypoint: 0"]


def dangling_image(scene):
    scene.content["annotations"][1]["image_id"] = 11
    scene.save()
    return ["annotations of images that are not listed: 1 (2)"]


def wrong_count(scene):
    scene.content["annotations"][1]["keypoints"] += [1, 1, 2]
    scene.save()
    return ["another number of keypoint values: 1 (2 has 12 of 9)"]


def score_for_visibility(scene):
    scene.content["annotations"][1]["keypoints"][2] = 0.9
    scene.save()
    return ["visibility other than 0, 1 and 2: 1 (2 has 0.9)", "a score is no visibility"]


def other_keypoints(scene):
    scene.remodel(skeleton=Skeleton(("red", "green", "tail")))
    return ["model pooling", "keypoint 3 is tail, not blue"]


def other_model_file(scene):
    scene.model.write_text("no model")
    return ["model.onnx"]


@pytest.mark.parametrize(
    "spoil",
    [
        drop_image,
        shrink_image,
        break_image,
        no_json,
        no_persons,
        dangling_image,
        wrong_count,
        score_for_visibility,
        other_keypoints,
        other_model_file,
    ],
)
def test_bad_data_is_one_line_and_exit_code_2(scene, run, spoil):
    words = spoil(scene)
    code, out, err = run("evaluate", scene.model, "--data", scene.data, "--images", scene.images)
    assert code == 2
    assert "AP" not in out
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err


BOX = [20.0, 30.0, 60.0, 60.0]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("no json at all", ["expected JSON in detections"]),
        ({"annotations": []}, ["expected a list of detections"]),
        ([[1, 2, 3, 4]], ["expected a list of detections"]),
        ([], ["found none"]),
        ([{"image_id": 7, "category_id": 5, "bbox": BOX, "score": 1}], ["category 1"]),
        ([{"image_id": 7, "bbox": BOX}], ["detection 1", "score"]),
        ([{"image_id": 7, "bbox": BOX[:3], "score": 1}], ["detection 1, bbox", "4 finite"]),
        ([{"image_id": 7, "bbox": "wide", "score": 1}], ["detection 1, bbox"]),
        ([{"image_id": 7, "bbox": [*BOX[:3], float("nan")], "score": 1}], ["bbox", "NaN"]),
        ([{"image_id": 7, "bbox": [*BOX[:3], 0], "score": 1}], ["positive width and height"]),
        ([{"image_id": 7, "bbox": [999, 0, 9, 9], "score": 1}], ["7.png", "outside"]),
        ([{"image_id": 7, "bbox": BOX, "score": None}], ["detection 1, score"]),
        (
            [{"image_id": i, "bbox": BOX, "score": 1} for i in (7, 70, 71)],
            ["2 image ids", "70, 71"],
        ),
    ],
)
def test_bad_detections_are_one_line_and_exit_code_2(scene, run, entries, words):
    path = scene.detections([])
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    arguments = ["--data", scene.data, "--images", scene.images, "--boxes", path]
    code, _, err = run("evaluate", scene.model, *arguments)
    assert code == 2
    assert len(err.splitlines()) == 1
    for word in words:
        assert word in err


@pytest.mark.parametrize("missing", ["model", "data", "images", "boxes", "json"])
def test_missing_files_are_one_line_and_exit_code_2(scene, run, missing, tmp_path):
    (tmp_path / "file").write_text("")
    given = {"data": scene.data, "images": scene.images, "boxes": "gt", "model": scene.model}
    given |= {"json": tmp_path / "file" / "x.json" if missing == "json" else tmp_path / "x.json"}
    if missing != "json":
        given[missing] = tmp_path / "nothing-here"
    model = given.pop("model")
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    code, _, err = run("evaluate", model, *options)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "x.json").exists()


def test_pycocotools_missing_is_said(scene, monkeypatch):
    monkeypatch.setattr("hrnet.metrics.coco.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"hrnet\[train\]"):
        scene.evaluate()


def test_a_missing_picture_of_several_subjects_is_one(tmp_path):
    (tmp_path / "there.png").touch()
    paths = [tmp_path / name for name in ("gone.png", "there.png", "gone.png")]
    with pytest.raises(InputError, match=r"^1 of 2 annotated images are missing.*gone\.png;"):
        expect_files(paths)
