"""A detector finds the subjects of a pose model: in Python, by command, and in evaluations."""

import json
from pathlib import Path

import numpy as np
import pytest

import hrnet
from hrnet.errors import InputError
from hrnet.geometry import xyxy_to_xywh
from hrnet.predict import load
from hrnet.skeleton import COCO_PERSON, Skeleton
from hrnet.spec import NetworkSpec
from hrnet.tasks.pose.spec import PoseSpec

# Persons of `spots` at (0, 0) and (100, 30), in a picture of 160x240, which a side of 320 enlarges
# by 4 / 3.
BOXES = np.array([[20, 10, 90, 110], [120, 40, 190, 140]])
SCALE = 320 / 240


@pytest.fixture
def detector(make_detector) -> Path:
    """Finds both persons, the first one twice, and one of another class."""
    boxes = [*(BOXES * SCALE), BOXES[0] * SCALE, [0, 0, 64, 64]]
    return make_detector(
        [np.round(box, 3).tolist() for box in boxes],
        [0.9, 0.8, 0.7, 0.6],
        classes=[0, 0, 0, 1],
        names=("person", "dog"),
    )


@pytest.fixture
def picture(spots):
    return spots((0, 0), (100, 30))


def test_each_found_subject_is_there_once(spot_model, detector, picture, spot_points) -> None:
    poses = load(spot_model, detector=detector).predict(picture)
    # The dog's box is kept, since the subjects of this model are of no class; it sees one spot.
    assert len(poses) == 3
    assert poses.detector == "fixed"
    assert poses.boxes_given
    expected = np.stack([spot_points, spot_points + np.array([100, 30])])
    assert np.abs(poses.keypoints[:2] - expected).max() < 3
    np.testing.assert_allclose(poses.box_scores[:2], [0.9, 0.8])
    means = poses.keypoint_scores[:2].mean(axis=1)
    np.testing.assert_allclose(poses.scores[:2], [0.9 * means[0], 0.8 * means[1]], rtol=1e-5)


def test_it_is_as_with_the_same_boxes_given(spot_model, detector, picture) -> None:
    model = load(spot_model, detector=detector)
    found = model.predict(picture)[:2]
    np.testing.assert_allclose(found.boxes, BOXES, atol=0.4)
    given = model.predict(picture, xyxy_to_xywh(found.boxes))
    np.testing.assert_allclose(found.keypoints, given.keypoints, atol=0.01)
    assert given.detector is None
    assert given.box_scores is None


def test_min_score_is_of_the_boxes(spot_model, detector, picture) -> None:
    model = load(spot_model, detector=detector)
    assert len(model.predict(picture, min_score=0.85)) == 1
    nothing = model.predict(picture, min_score=0.95)
    assert len(nothing) == 0
    assert nothing.summary() == "no persons found by fixed"
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match="min_score from 0 to 1"):
            model.predict(picture, min_score=wrong)
    with pytest.raises(InputError, match="has no detector"):
        load(spot_model, detector=None).predict(picture, min_score=0.5)


def test_fifty_persons_go_through_in_batches(spot_model, make_detector, spots) -> None:
    boxes = [[2 * step, step, 60 + 2 * step, 90 + step] for step in range(50)]
    many = make_detector(boxes, [0.9 - step / 100 for step in range(50)])
    model = load(spot_model, detector=many)
    runs: list[int] = []
    engine = model._engine

    def counted(images):
        runs.append(len(images))
        return engine(images)

    counted.device = "cpu"
    model._engine = counted
    model.predict(spots())
    assert runs == [16, 16, 16, 2]


def test_the_description_names_the_subjects() -> None:
    def subject(skeleton: Skeleton, **fields: object) -> str | None:
        count = skeleton.num_keypoints
        network = NetworkSpec(variant="hrnet_w32", task="pose", num_outputs=count)
        fields = {"name": "a", "network": network, "input_size": (256, 192), **fields}
        return PoseSpec(skeleton=skeleton, **fields).subject

    mouse = Skeleton(("snout", "tail"))
    assert subject(COCO_PERSON) == "person"
    assert subject(mouse) is None
    assert subject(mouse, subjects="persons") == "person"
    assert subject(COCO_PERSON, subjects="picture") is None
    assert subject(COCO_PERSON, subjects="boxes") is None


def test_a_detector_without_the_class_is_refused(make_detector, picture) -> None:
    cats = make_detector([[0, 0, 9, 9]], [0.9], names=("cat",))
    with pytest.raises(InputError, match=r"class person, but fixed finds cat; name another"):
        load("default", detector=cats).predict(picture)
    with pytest.raises(InputError, match="is none; name one"):
        load("default", detector="default")


def test_command(run, spot_model, detector, picture, tmp_path: Path) -> None:
    picture.save(tmp_path / "a.png")
    file = tmp_path / "k.json"
    options = ("--model", spot_model, "--detector", detector, "--json", file)
    code, text, errors = run("predict", tmp_path / "a.png", *options, "--min-score", 0.65)
    assert (code, errors) == (0, "")
    assert "2 persons found by fixed" in text
    assert "no boxes given" not in text
    entries = json.loads(file.read_text())
    assert [entry["box_score"] for entry in entries] == [0.9, 0.8]
    assert {entry["detector"] for entry in entries} == {"fixed"}
    # Boxes of the user go before the detector, and "none" takes the whole picture.
    code, text, _ = run("predict", tmp_path / "a.png", *options, "--boxes", "20,10,70,100")
    assert (code, "found by" in text) == (0, False)
    whole = ("--model", spot_model, "--detector", "none")
    assert "1 subject (the whole image)" in run("predict", tmp_path / "a.png", *whole)[1]


def test_nothing_found_is_no_error(run, spot_model, make_detector, picture, tmp_path) -> None:
    picture.save(tmp_path / "a.png")
    nobody = make_detector([[0, 0, 9, 9]], [0.01])
    options = ("--model", spot_model, "--detector", nobody, "--out", tmp_path / "o")
    code, text, errors = run("predict", tmp_path / "a.png", *options)
    assert (code, errors) == (0, "")
    assert "no persons found by fixed" in text
    assert json.loads((tmp_path / "o" / "keypoints.json").read_text()) == []


def test_evaluation_with_found_boxes(spot_model, detector, picture, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    picture.save(tmp_path / "a.png")
    points = np.array([[30.0, 20], [80, 40], [50, 100]])
    annotations = [
        {
            "id": number,
            "image_id": 1,
            "category_id": 1,
            "bbox": [20 + x, 10 + y, 70, 100],
            "area": 7000,
            "iscrowd": 0,
            "num_keypoints": 3,
            "keypoints": np.c_[np.add(points, (x, y)), [2, 2, 2]].ravel().tolist(),
        }
        for number, (x, y) in enumerate([(0, 0), (100, 30)], 1)
    ]
    data = {
        "images": [{"id": 1, "file_name": "a.png", "height": 160, "width": 240}],
        "categories": [{"id": 1, "name": "person", "keypoints": ["red", "green", "blue"]}],
        "annotations": annotations,
    }
    (tmp_path / "data.json").write_text(json.dumps(data))
    where = {"data": tmp_path / "data.json", "images": tmp_path}
    found = hrnet.evaluate(spot_model, **where, boxes="detector", detector=detector)
    assert found.metrics["AP50"] == pytest.approx(1, abs=0.01)
    assert found.protocol["detector"]["name"] == "fixed"
    assert found.protocol["boxes"]["source"] == "the model's detector"
    assert hrnet.evaluate(spot_model, **where).metrics["AP50"] == pytest.approx(1, abs=0.01)
    with pytest.raises(InputError, match="none of its own; name one"):
        hrnet.evaluate(spot_model, **where, boxes="detector")
