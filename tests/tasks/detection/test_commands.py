"""The commands with an exported detector, as a user runs them, also without torch."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hrnet

BOXES = [[40, 40, 120, 160], [160, 80, 240, 240], [0, 0, 32, 32]]
"""In an input of 320x320."""


@pytest.fixture
def detector(make_detector) -> Path:
    """Finds a person and a dog, and a second person that is too unsure to be shown."""
    return make_detector(BOXES, [0.9, 0.8, 0.1], classes=[0, 1, 0], names=("person", "dog"))


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Three pictures, two of them smaller than the input by half, and one that is none."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, size in (("a", (160, 160)), ("b", (320, 320)), ("c", (160, 120))):
        Image.new("RGB", size, "teal").save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def labels(tmp_path) -> Path:
    """The boxes that the detector finds in a and b, and a dog in c that it does not find."""
    annotations = []
    for image, scale in ((1, 0.5), (2, 1)):
        for category, (left, top, right, bottom) in enumerate(BOXES[:2], 1):
            box = [left, top, right - left, bottom - top]
            annotations.append(entry(annotations, image, category, [one * scale for one in box]))
    annotations.append(entry(annotations, 3, 2, [0, 60, 20, 20]))
    sizes = {1: (160, 160), 2: (320, 320), 3: (120, 160)}
    images = [
        {"id": number, "file_name": f"{'abc'[number - 1]}.png", "height": high, "width": wide}
        for number, (high, wide) in sizes.items()
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    return tmp_path / "labels.json"


def entry(listed, image, category, box) -> dict:
    known = {"id": len(listed) + 1, "image_id": image, "category_id": category}
    return known | {"bbox": box, "area": box[2] * box[3], "iscrowd": 0}


def test_a_picture_has_a_line_and_a_table(run, detector, pictures):
    code, out, err = run("predict", pictures / "a.png", "--model", detector)
    assert (code, err) == (0, "")
    assert "a.png 160x160: 1 person, 1 dog" in out
    assert "0.900" in out


def test_results_are_written_and_drawn(run, detector, pictures, tmp_path):
    out_dir = tmp_path / "out"
    code, out, err = run("predict", pictures, "--model", detector, "--out", out_dir)
    # The picture that is none stops no other.
    assert code == 2
    assert "1 of 4 sources could not be used" in err
    assert "broken.png" in err
    found = json.loads((out_dir / "detections.json").read_text())
    assert [one["class"] for one in found] == ["person", "dog"] * 3
    assert [one["image_id"] for one in found] == [1, 1, 2, 2, 4, 4]
    # Pixels of the picture: a and c are enlarged by 2.
    assert found[0]["bbox"] == [20, 20, 40, 60]
    assert found[2]["bbox"] == [40, 40, 80, 120]
    assert found[5]["bbox"] == [80, 40, 40, 80]  # cut off at the bottom, 120
    assert {path.name for path in out_dir.iterdir()} == {
        "detections.json",
        *(f"{name}_detection.jpg" for name in "abc"),
    }
    assert "detections written to" in out


def test_min_score_shows_more_or_less(run, detector, pictures):
    for score, words in ((0.05, "2 persons, 1 dog"), (0.85, "1 person"), (0.95, "nothing found")):
        code, out, err = run(
            "predict", pictures / "a.png", "--model", detector, "--min-score", score
        )
        assert (code, err) == (0, "")
        assert f"a.png 160x160: {words}\n" in out


def test_nothing_found_is_an_empty_list_and_a_picture(run, detector, pictures, tmp_path):
    options = ("--model", detector, "--min-score", 1, "--out", tmp_path / "out")
    code, _, err = run("predict", pictures / "a.png", *options)
    assert (code, err) == (0, "")
    assert json.loads((tmp_path / "out" / "detections.json").read_text()) == []
    assert (tmp_path / "out" / "a_detection.jpg").exists()


def test_json_alone_on_stdout(run, detector, pictures):
    code, out, _ = run("predict", pictures / "b.png", "--model", detector, "--json", "-")
    assert code == 0
    assert [one["category_id"] for one in json.loads(out)] == [1, 2]


def test_pictures_of_all_sizes_go_through_a_detector_that_keeps_their_ratio(
    make_detector, tmp_path
):
    """Each batch holds one size; the order stays, and a broken picture is an error in its place."""
    model = hrnet.load(make_detector([[0, 0, 64, 32]], [0.9], fit=(64, 128)))
    sizes = [(60, 80), (60, 80), (80, 60), (100, 300), (60, 80), (7, 900), (64, 64)]
    pictures = [np.zeros((*size, 3), np.uint8) for size in sizes]
    found = model.predict(pictures)
    assert [one.image_size for one in found] == sizes
    for one in found:
        high, wide = one.image_size
        scale = min(128 / max(high, wide), 64 / min(high, wide))
        content = [max(1, int(side * scale + 0.5)) for side in (high, wide)]
        right = min(64 * wide / content[1], wide)
        bottom = min(32 * high / content[0], high)
        np.testing.assert_allclose(one.boxes[0], [0, 0, right, bottom], rtol=1e-5)


def test_masks_are_written_as_run_lengths_and_drawn(run, make_detector, pictures, tmp_path):
    masks = np.zeros((2, 28, 28))
    masks[0] = 1
    detector = make_detector(BOXES[:2], [0.9, 0.8], masks=masks)
    code, _, err = run(
        "predict", pictures / "b.png", "--model", detector, "--out", tmp_path / "out"
    )
    assert (code, err) == (0, "")
    first, second = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert first["segmentation"]["size"] == [320, 320]
    coco_mask = pytest.importorskip("pycocotools.mask")
    areas = [int(coco_mask.area(one["segmentation"])) for one in (first, second)]
    assert areas == [80 * 120 - 4, 0]  # cells fade out at the corners


def test_metrics_details_and_protocol_are_written(run, detector, pictures, labels, tmp_path):
    pytest.importorskip("pycocotools")
    options = ("--data", labels, "--images", pictures, "--json", tmp_path / "found.json")
    code, out, err = run("evaluate", detector, *options)
    assert (code, err) == (0, "")
    assert "5 boxes of 2 classes in 3 images" in out
    found = json.loads((tmp_path / "found.json").read_text())
    assert next(iter(found)) == "AP"
    # All persons are found and a third of those found are right; of dogs 2 of 3 are found.
    assert found["AP/person"] == pytest.approx(1, abs=0.2)
    assert found["recall"] == pytest.approx(4 / 5)
    assert found["precision"] == pytest.approx(4 / 6)
    assert {one["class"]: one["objects"] for one in found["classes"]} == {"person": 2, "dog": 3}
    assert [one["size"] for one in found["sizes"]] == ["all", "small", "medium", "large"]
    protocol = found["protocol"]
    assert protocol["detection"]["usual_score"] == 0.3
    assert protocol["data"]["boxes"] == 5
    assert "pycocotools" in protocol["metric"]
    assert "IoU 0.50" in protocol["metric"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--boxes", "boxes.json"), "expected no boxes: fixed takes whole pictures; leave them"),
        (("--flip-test",), "expected no flip test"),
        (("--boxes", "detector"), "expected no boxes: fixed takes whole pictures; leave them"),
        (("--category", "owl"), "expected categories (person, dog), got owl"),
    ],
)
def test_what_an_evaluation_of_detectors_does_not_take(
    run, detector, pictures, labels, arguments, words
):
    options = ("--data", labels, "--images", pictures)
    code, _, err = run("evaluate", detector, *options, *arguments)
    assert code == 2
    assert words in err
    assert len(err.splitlines()) == 1


def test_data_of_other_classes_are_refused_in_one_line(run, detector, pictures, labels):
    labels.write_text(labels.read_text().replace('"dog"', '"cow"'))
    code, _, err = run("evaluate", detector, "--data", labels, "--images", pictures)
    assert code == 2
    assert "got 1 others (cow)" in err
    assert len(err.splitlines()) == 1


def test_boxes_and_a_flip_test_are_refused_before_anything_is_written(
    run, detector, pictures, tmp_path
):
    for more, words in (
        (("--boxes", "1,2,3,4"), "expected no boxes: fixed takes whole pictures"),
        (("--flip-test",), "expected no flip test"),
        (("--detector", "default"), "expected no detector: fixed takes whole pictures"),
    ):
        options = ("--model", detector, "--out", tmp_path / "out", *more)
        code, out, err = run("predict", pictures / "a.png", *options)
        assert (code, out) == (2, "")
        assert words in err
        assert len(err.splitlines()) == 1
        assert not list((tmp_path / "out").glob("*"))


def test_predicting_and_evaluating_need_no_torch(run_without_torch, detector, pictures, labels):
    for arguments in (
        ("predict", pictures / "a.png", "--model", detector, "--out", "drawn"),
        ("evaluate", detector, "--data", labels, "--images", pictures),
    ):
        done = run_without_torch(*arguments)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("label", [2, -1, 0.5, 1e30])
def test_labels_that_are_no_classes_are_refused(run, make_detector, pictures, label):
    detector = make_detector(BOXES[:1], [0.9], classes=[label], names=("cat", "dog"))
    code, out, err = run("predict", pictures / "a.png", "--model", detector)
    assert (code, out) == (2, "")
    assert "labels that are no classes 0 to 1; export it again" in err
    assert len(err.splitlines()) == 1


def test_in_python_detections_come_out(detector, pictures):
    found = hrnet.load(detector).predict(pictures / "a.png")
    assert isinstance(found, hrnet.Detections)
    assert found.names == ("person", "dog")
    assert len(hrnet.load(detector).predict(pictures / "a.png", min_score=0)) == 3
