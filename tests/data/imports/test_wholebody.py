"""COCO-WholeBody: 133 points of one subject, which check and training then take as any others."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet.check.keypoints import check_keypoints
from hrnet.data.coco import read_keypoints
from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import import_annotations
from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON
from hrnet.weights.skeletons import published_skeleton

COUNTS = {"keypoints": 17, "foot": 6, "face": 68, "lefthand": 21, "righthand": 21}


def content_of(**change) -> dict:
    """Two persons in one picture of 90 x 70; part p of a person lies at (10 + p, 20 + p)."""
    person = {"image_id": 700, "category_id": 1, "bbox": [5, 5, 60, 50], "area": 900, "iscrowd": 0}
    for part, (name, count) in enumerate(COUNTS.items()):
        key = name if name == "keypoints" else f"{name}_kpts"
        value = 1 if name == "keypoints" else 0.4  # of a hand or a face: a score
        person |= {key: [10 + part, 20 + part, value] * count, f"{name}_valid": True}
    return {
        "images": [{"id": 700, "file_name": "a.png", "height": 70, "width": 90}],
        "annotations": [person | {"id": 41}, person | {"id": 42} | change],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_PERSON.names)}],
    }


@pytest.fixture
def convert(tmp_path):
    def convert(content, **how):
        Image.new("RGB", (90, 70)).save(tmp_path / "a.png")
        (tmp_path / "whole.json").write_text(json.dumps(content))
        out = tmp_path / "out.json"
        return import_annotations(tmp_path / "whole.json", out, ImportOptions(), force=True, **how)

    return convert


def test_all_points_ids_areas_and_sigmas(convert, tmp_path):
    report = convert(content_of())
    assert report.format == "wholebody"
    dataset = read_keypoints(report.out, tmp_path)
    skeleton = published_skeleton("coco_wholebody")
    assert dataset.skeleton.names == skeleton.names
    assert dataset.skeleton.flip_pairs == skeleton.flip_pairs
    assert dataset.skeleton.sigmas == skeleton.sigmas
    parts = np.repeat(np.arange(5), list(COUNTS.values()))
    for sample, number in zip(dataset.samples, (41, 42), strict=True):
        assert (sample.image_id, sample.annotation_id, sample.area) == (700, number, 900)
        np.testing.assert_array_equal(sample.keypoints, np.column_stack([10 + parts, 20 + parts]))
        np.testing.assert_array_equal(sample.visibility, np.where(parts == 0, 1, 2))
    assert check_keypoints(report.out, tmp_path).errors == ()


def test_what_is_not_labelled_is_counted(convert, tmp_path):
    report = convert(content_of(face_valid=False, foot_kpts=[0] * 18, lefthand_kpts=None))
    for part in ("foot_kpts", "face_kpts", "lefthand_kpts"):
        assert f"1 subjects have no labelled {part}" in report.notes
    visibility = read_keypoints(report.out, tmp_path).samples[1].visibility
    assert visibility.nonzero()[0].tolist() == [*range(17), *range(112, 133)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"face_kpts": [1, 2, 3]}, "annotation 42: expected 204 finite numbers in face_kpts"),
        ({"foot_kpts": "feet"}, "annotation 42: expected 18 finite numbers in foot_kpts"),
        ({"keypoints": [1, 2, 2]}, r"without the 17 keypoints of COCO: 1 \(42\)"),
        ({"keypoints": [10**400, 2, 2] * 17}, r"no flat list of finite numbers: 1 \(42\)"),
    ],
)
def test_other_points_are_one_line(convert, change, message):
    with pytest.raises(InputError, match=message):
        convert(content_of(**change))


def test_missing_pictures_are_one_line(convert):
    content = content_of()
    content["images"][0]["file_name"] = "b.png"
    with pytest.raises(InputError, match=r"pictures that are not there: 1 \(.*b\.png\)"):
        convert(content)
