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
    if "annotations" not in change:  # else the data are of no task
        command = ("train", *data, "--val", folder / "boxes.json", "--out", folder / "run")
        assert words in refused(run, folder, *command, "--set", "train.epochs=1")


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
    listed = {"images": [{"id": 1, "file_name": "a.png", "width": 160, "height": 120}]}
    labels = {"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX}]}
    content = listed | labels | {"categories": [{"id": 1, "name": "person"}]}
    (folder / "boxes.json").write_text(json.dumps(content))
    given = [str(one).format(folder) for one in options]
    asked = ("evaluate", folder / "persons.onnx", "--data", folder / "boxes.json", *given)
    assert words in refused(run, folder, *asked, "--images", folder)
