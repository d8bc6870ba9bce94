"""Unusable detectors and box data: one line, exit code 2, and nothing is written."""

import json
from pathlib import Path

import pytest
from PIL import Image

BOX = [20.0, 10.0, 60.0, 40.0]
NAN, HUGE = float("nan"), 1e300


@pytest.fixture
def folder(tmp_path: Path, make_detector) -> Path:
    """A picture, a detector of persons, one of cats, and files that are none."""
    Image.new("RGB", (160, 120), "teal").save(tmp_path / "a.png")
    for name, classes in (("persons", ("person",)), ("cats", ("cat",))):
        made = make_detector([[10, 10, 90, 90]], [0.9], classes=[0], names=classes)
        made.rename(tmp_path / f"{name}.onnx")
    for name in ("text.onnx", "text.safetensors", "text.txt"):
        (tmp_path / name).write_text("hello")
    return tmp_path


def refused(run, folder: Path, *arguments: object) -> str:
    """Run a command that has to be refused, and return its line."""
    before = sorted(folder.rglob("*"))
    code, _, err = run(*arguments)
    assert code == 2
    assert err.startswith("hrnet: error: ")
    assert err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
    return err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--detector", "{}/nothere.onnx"), "there is no"),
        (("--detector", "{}/text.onnx"), "expected an ONNX model"),
        (("--detector", "{}/text.safetensors"), "not a readable safetensors file"),
        (("--detector", "{}/text.txt"), "expected an ONNX model"),
        (("--detector", "{}"), "expected a run folder"),
        (("--detector", "default"), "is none; name one"),
        (("--detector", "nosuchname"), "expected a model's name or file"),
        (("--detector", "none", "--min-score", 0.5), "has no detector"),
        (("--detector", "{}/persons.onnx", "--min-score", 2), "--min-score"),
        (("--detector", "{}/persons.onnx", "--min-score", "nan"), "--min-score"),
        (("--model", "{}/persons.onnx", "--detector", "{}/cats.onnx"), "expected no detector"),
        (("--model", "{}/persons.onnx", "--boxes", "1,2,30,40"), "expected no boxes"),
        (("--model", "{}/persons.onnx", "--flip-test"), "expected no flip test"),
    ],
)
def test_predict(run, folder, options, words) -> None:
    given = [str(one).format(folder) for one in options]
    asked = ("predict", folder / "a.png", *given, "--json", folder / "out.json")
    assert words in refused(run, folder, *asked)


def test_a_detector_without_the_class_is_found_before_anything_is_written(run, folder) -> None:
    """It is one error of each picture, so the file holds none of them."""
    asked = ("predict", folder / "a.png", "--detector", folder / "cats.onnx")
    assert "expected a detector of the class person" in refused(run, folder, *asked)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bbox": [NAN, 1, 2, 3]}, "without a box of four finite numbers: 1 (1)"),
        ({"bbox": [1, 1, HUGE, HUGE]}, "without a box of four finite numbers: 1 (1)"),
        ({"bbox": ["a", "b", "c", "d"]}, "without a box of four finite numbers: 1 (1)"),
        ({"bbox": [1, 2, 3]}, "without a box of four finite numbers: 1 (1)"),
        ({"bbox": [10, 10, -5, 5]}, "boxes of objects: none in 1 pictures"),
        ({"iscrowd": 1}, "boxes of objects: none in 1 pictures"),
        ({"iscrowd": 7}, "iscrowd is neither 0 nor 1"),
        ({"category_id": 9}, "categories that are not listed"),
        ({"category_id": "x"}, "category_id is no whole number"),
        ({"image_id": 77}, "images that are not listed"),
        ({"categories": []}, "categories that are not listed"),
        ({"categories": [{"id": 1, "name": "person"}] * 2}, "occur more than once"),
        ({"images": []}, "images that are not listed"),
        ({"images": [{"id": 1, "file_name": "b.png"}]}, "1 of 1 annotated images are missing"),
        ({"annotations": 3}, "expected a COCO file with the lists"),
        ({"annotations": []}, "boxes of objects: none in 1 pictures"),
        ({"annotations": [], "images": []}, "boxes of objects: none in 0 pictures"),
        ({"annotations": [], "categories": []}, "expected categories (there are none), got none; "),
    ],
)
def test_train_and_evaluate(run, folder, change, words) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 160, "height": 120}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "person"}],
    }
    if change.keys() & content.keys():
        content |= change
    else:
        content["annotations"][0] |= change
    (folder / "boxes.json").write_text(json.dumps(content))
    data = ("--data", folder / "boxes.json", "--images", folder)
    model = folder / "persons.onnx"
    assert words in refused(run, folder, "evaluate", model, *data)
    command = ("train", *data, "--val", folder / "boxes.json", "--out", folder / "run")
    if "annotations" in change:  # without boxes the data may be of another task
        words = words if change["annotations"] == 3 else "or, for a detector, boxes to"
    assert words in refused(run, folder, *command, "--set", "train.epochs=1")


def one_person() -> dict:
    """A picture with a box."""
    listed = {"images": [{"id": 1, "file_name": "a.png", "width": 160, "height": 120}]}
    labels = {"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX}]}
    return listed | labels | {"categories": [{"id": 1, "name": "person"}]}


def of_keypoints(*, boxed: bool) -> dict:
    """The same with keypoints, of which pose can make boxes."""
    content = one_person()
    content["categories"][0] |= {"keypoints": ["red", "green", "blue"]}
    points = [30, 20, 2, 80, 40, 2, 50, 100, 1]
    content["annotations"][0] |= {"keypoints": points, "bbox": BOX if boxed else None}
    return content


def test_data_of_another_task(run, folder, spot_model) -> None:
    """A detector is measured on the boxes of a keypoint file, if it has them."""
    boxes, points, bare = (folder / f"{name}.json" for name in ("boxes", "points", "bare"))
    boxes.write_text(json.dumps(one_person()))
    points.write_text(json.dumps(of_keypoints(boxed=True)))
    bare.write_text(json.dumps(of_keypoints(boxed=False)))
    (folder / "list.json").write_text("[]")
    images, detector = ("--images", folder), folder / "persons.onnx"
    for model, data, words in (
        (spot_model, boxes, "expected one; training would stop; add them"),
        (detector, bare, "annotations without a box: 1 (1)"),
        (detector, folder / "list.json", "expected a COCO file with the lists"),
        (detector, folder, "got the folder"),
        (detector, folder / "nothere.json", "No such file"),
    ):
        assert words in refused(run, folder, "evaluate", model, "--data", data, *images)
    assert run("evaluate", detector, "--data", points, *images)[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--category", "cat"), "expected categories (person), got cat; name one of them"),
        (("--images", "{}/nowhere"), "1 of 1 annotated images are missing"),
        (("--val", "{}/nothere.json"), "nothere.json"),
        (("--set", "model.options.head=nothere"), "head"),
        (("--set", "model.options.head=mask"), "mask"),
        (("--set", "model.fit=[0,5]"), "model.fit"),
        (("--set", "train.loss=nothere"), "train.loss"),
    ],
)
def test_options_of_train(run, folder, options, words) -> None:
    (folder / "boxes.json").write_text(json.dumps(one_person()))
    data = ("--data", folder / "boxes.json", "--val", folder / "boxes.json")
    given = [str(one).format(folder) for one in options]
    asked = ("train", *data, "--images", folder, "--set", "train.epochs=1")
    assert words in refused(run, folder, *asked, "--out", folder / "run", *given)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("export", "{}/persons.onnx", "--out", "{}/o.onnx"), "an exported model is complete"),
        (("export", "{}/text.safetensors", "--out", "{}/o.onnx"), "safetensors"),
        (("export", "{}", "--out", "{}/o.onnx"), "expected a run folder"),
        (("report", "{}"), "expected a run folder"),
        (("report", "{}/persons.onnx"), "expected a run folder"),
        (("data", "split", "{}/text.onnx", "--out", "{}/parts"), "expected JSON"),
        (("data", "split", "{}/boxes.json", "--out", "{}/parts"), "val would get none of 1"),
        (("data", "check", "{}/boxes.json"), "add --images"),
    ],
)
def test_other_commands(run, folder, asked, words) -> None:
    (folder / "boxes.json").write_text(json.dumps(one_person()))
    assert words in refused(run, folder, *(one.format(folder) for one in asked))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--boxes", "detector"), "expected no boxes: fixed takes whole pictures"),
        (("--boxes", "{}/boxes.json"), "expected no boxes: fixed takes whole pictures"),
        (("--detector", "{}/persons.onnx"), "boxes=detector alone"),
        (("--flip-test",), "expected no flip test"),
    ],
)
def test_options_of_evaluate(run, folder, options, words) -> None:
    (folder / "boxes.json").write_text(json.dumps(one_person()))
    given = [str(one).format(folder) for one in options]
    asked = ("evaluate", folder / "persons.onnx", "--data", folder / "boxes.json", *given)
    assert words in refused(run, folder, *asked, "--images", folder)
