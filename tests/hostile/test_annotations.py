"""COCO files whose entries may be anything: each command takes them, or names what is wrong.

All commands give the same meaning to a file: what the check passes is trained and measured on.
"""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hrnet
from hrnet.data.coco_boxes import read_coco_boxes

from . import odd
from .conftest import coco, few, hostile

PYTHON = re.compile(
    r"\b(Overflow|Type|Value|Key|Attribute|Index|Recursion|Unicode\w*)Error\b|NoneType"
)
"""What no line of ours says of a file."""


def samples_in(table: str) -> int:
    """Return the number of samples for training that `data check` counts."""
    (count,) = re.findall(r"training samples\W+([\d,]+)", table)
    return int(count.replace(",", ""))


@hostile
@given(content=odd.spoiled_json(coco()))
def test_what_the_check_passes_can_be_trained_on(ask, dataset, content):
    file = dataset / "a.json"
    file.write_text(odd.dumps(content))
    code, out, err = ask("data", "check", file, "--images", dataset)
    assert not PYTHON.search(err)
    try:
        samples = hrnet.read_keypoints(file, dataset).samples
    except hrnet.InputError as error:
        assert code == 2, f"the check passes what cannot be read: {error}"
        return
    assert all((sample.visibility > 0).any() for sample in samples)
    if code == 0:
        assert samples_in(out) == len(samples)


@few
@given(content=odd.spoiled_json(coco()))
def test_what_the_check_passes_can_be_measured_on(ask, dataset, spot_model, content):
    file = dataset / "a.json"
    file.write_text(odd.dumps(content))
    code, _, err = ask("evaluate", spot_model, "--data", file, "--images", dataset)
    assert not PYTHON.search(err)
    if code == 2 and "keypoint" not in err:  # those of the model are told apart by their names
        assert ask("data", "check", file, "--images", dataset)[0] == 2, err


@hostile
@given(content=odd.spoiled_json(coco()))
def test_parts_hold_what_the_file_holds(ask, dataset, content):
    file, parts = dataset / "a.json", dataset / "parts"
    file.write_text(odd.dumps(content))
    code, _, err = ask("data", "split", file, "--out", parts, "--val", 0.5, "--force")
    assert not PYTHON.search(err)
    if code == 0:
        images = [
            image
            for part in ("train", "val")
            for image in json.loads((parts / f"{part}.json").read_text())["images"]
        ]
        assert len(images) == len(content["images"])


BOXES = coco() | {"categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}]}
for entry in BOXES["annotations"]:
    for key in ("keypoints", "num_keypoints"):
        entry.pop(key)
    entry["segmentation"] = [[20, 10, 90, 10, 90, 110]]


@hostile
@given(content=odd.spoiled_json(BOXES))
def test_what_the_check_of_boxes_passes_can_be_trained_on(ask, dataset, content):
    file = dataset / "a.json"
    file.write_text(odd.dumps(content))
    code, _, err = ask("data", "check", file, "--images", dataset)
    assert not PYTHON.search(err)
    try:
        samples = read_coco_boxes(file, dataset).samples
    except hrnet.InputError as error:
        assert code == 2, f"the check passes what cannot be read: {error}"
        return
    boxes = [one.boxes_xywh for one in samples]
    assert all(np.isfinite(own).all() and (own[:, 2:] > 0).all() for own in boxes)


@few
@given(content=odd.spoiled_json(BOXES))
def test_what_the_check_of_boxes_passes_can_be_measured_on(ask, dataset, make_detector, content):
    file, model = dataset / "a.json", make_detector([[20, 10, 90, 110]], [0.9], classes=[0])
    file.write_text(odd.dumps(content))
    code, _, err = ask("evaluate", model, "--data", file, "--images", dataset)
    assert not PYTHON.search(err)
    if code == 2 and "expected classes among the model's" not in err:
        assert ask("data", "check", file, "--images", dataset)[0] == 2, err


@hostile
@given(content=odd.spoiled_json(BOXES))
def test_parts_of_boxes_hold_what_the_file_holds(ask, dataset, content):
    file, parts = dataset / "a.json", dataset / "parts"
    file.write_text(odd.dumps(content))
    code, _, err = ask("data", "split", file, "--out", parts, "--val", 0.5, "--force")
    assert not PYTHON.search(err)
    if code == 0:
        read = [json.loads((parts / f"{part}.json").read_text()) for part in ("train", "val")]
        for key in ("images", "annotations"):
            assert sum(len(part[key]) for part in read) == len(content[key])


DETECTIONS = [
    {"image_id": n, "category_id": 1, "bbox": [20, 10, 70, 100], "score": 0.9} for n in range(4)
]
BY_NAME = {f"{n}.png": [[20, 10, 70, 100]] for n in range(4)}


@pytest.mark.parametrize("form", [coco(), DETECTIONS, BY_NAME], ids=["coco", "list", "by name"])
@hostile
@given(data=st.data())
def test_files_of_boxes(ask, dataset, spot_model, form, data):
    boxes, result = dataset / "b.json", dataset / "k.json"
    boxes.write_text(odd.dumps(data.draw(odd.spoiled_json(form))))
    result.unlink(missing_ok=True)
    pictures = [dataset / f"{n}.png" for n in range(4)]
    command = ("predict", *pictures, "--boxes", boxes, "--json", result, "--model", spot_model)
    if form is DETECTIONS:  # which name no files
        names = dataset / "a.json"
        names.write_text(json.dumps(coco()))
        command += ("--images-of", names)
    code, _, err = ask(*command)
    assert not PYTHON.search(err)
    failed = re.match(r"hrnet: (\d) of 4 sources", err)
    if code == 0 or (failed and failed[1] != "4"):
        poses = json.loads(result.read_text())
        assert {one["file_name"] for one in poses} <= {picture.as_posix() for picture in pictures}


@few
@given(content=odd.spoiled_json(DETECTIONS))
def test_detections_to_measure_with(ask, dataset, spot_model, content):
    file, boxes = dataset / "a.json", dataset / "b.json"
    file.write_text(json.dumps(coco()))
    boxes.write_text(odd.dumps(content))
    where = ("--data", file, "--images", dataset, "--boxes", boxes)
    assert not PYTHON.search(ask("evaluate", spot_model, *where)[2])
