"""COCO files of published data sets take the published names, and keep all else."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet.data.coco import read_keypoints
from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import import_annotations
from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, published_skeleton

NAMES = [f"own_{k}" for k in range(17)]
TRIPLES = np.column_stack([np.arange(17) + 10.5, np.arange(17) + 3.0, np.arange(17) % 3])


def content() -> dict:
    """An antelope and a bear, as AP-10K has a category a species."""
    subject = {"bbox": [5, 2, 40, 30], "area": 900, "iscrowd": 0, "num_keypoints": 11}
    subject["keypoints"] = TRIPLES.ravel().tolist()
    return {
        "images": [{"id": 7, "file_name": "a.png", "height": 40, "width": 60, "background": 3}],
        "annotations": [
            subject | {"id": 31, "image_id": 7, "category_id": 1},
            subject | {"id": 32, "image_id": 7, "category_id": 9, "track": 5},
        ],
        "categories": [
            {"id": 1, "name": "antelope", "keypoints": NAMES, "skeleton": [[1, 2]]},
            {"id": 9, "name": "bear", "keypoints": NAMES, "skeleton": [[1, 2]]},
        ],
    }


@pytest.fixture
def bring(tmp_path):
    def run(data, **options):
        Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
        (tmp_path / "in.json").write_text(json.dumps(data))
        chosen = ImportOptions(**{"skeleton": "ap10k", **options})
        return import_annotations(
            tmp_path / "in.json", tmp_path / "out.json", chosen, format_name="coco", force=True
        )

    return run


def test_names_bones_pairs_and_sigmas_are_the_published_ones(bring, tmp_path):
    report = bring(content())
    found = read_keypoints(report.out, tmp_path)
    assert found.skeleton == published_skeleton("ap10k")
    assert [one.annotation_id for one in found.samples] == [31, 32]
    for sample in found.samples:
        labelled = TRIPLES[:, 2] > 0
        np.testing.assert_array_equal(sample.visibility, TRIPLES[:, 2])
        np.testing.assert_array_equal(sample.keypoints[labelled], TRIPLES[labelled, :2])
        assert (sample.image_id, sample.area) == (7, 900)
    written = json.loads(report.out.read_text())
    assert written["images"][0]["background"] == 3
    assert written["annotations"][1]["track"] == 5
    assert "2 categories with the same keypoints became one" in report.notes


def test_one_category_alone(bring):
    report = bring(content(), category="bear")
    assert report.num_labels == 1
    assert "1 subjects of other categories were left out" in report.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skeleton": None}, "expected the keypoints of a published data set .*--skeleton"),
        ({"skeleton": "ap10"}, "expected the name of a skeleton, got 'ap10'; try ap10k"),
        ({"skeleton": "animalpose"}, "expected the 20 keypoints of animalpose, got 17"),
        ({"category": "cow"}, "expected --category as one with keypoint names"),
    ],
)
def test_what_does_not_fit_is_one_line(bring, options, message):
    with pytest.raises(InputError, match=message) as caught:
        bring(content(), **options)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("change", [lambda values: values[:-3], lambda values: [*values, 1]])
def test_subjects_of_another_number_of_keypoints(bring, change):
    data = content()
    data["annotations"][1]["keypoints"] = change(data["annotations"][1]["keypoints"])
    with pytest.raises(
        InputError, match=r"another number of keypoint values: 1 \(32 has \d+ of 51"
    ):
        bring(data)


def test_names_of_another_published_skeleton_are_refused(bring):
    data = content()
    for one in data["categories"]:
        one["keypoints"] = list(COCO_PERSON.names)
    with pytest.raises(InputError, match=r"expected keypoints of ap10k, .* are those of coco"):
        bring(data)


def test_what_is_renamed_is_listed(bring):
    (note,) = [note for note in bring(content()).notes if "became L_Eye" in note]
    assert "own_0 became L_Eye, own_1 became R_Eye" in note


def test_missing_pictures(bring, tmp_path):
    data = content()
    data["images"][0]["file_name"] = "b.png"
    with pytest.raises(InputError, match=r"pictures that are not there.*--images"):
        bring(data)


def test_ap10k_has_names_of_its_own(data_dir, tmp_path):
    """Two of its pictures, each of another species."""
    source = data_dir / "keypoint_formats" / "ap10k" / "test_ap10k.json"
    assert read_keypoints(source, source.parent).skeleton.names[0] == "left_eye"
    out, options = tmp_path / "out.json", ImportOptions(skeleton="ap10k")
    report = import_annotations(source, out, options, format_name="coco")
    found = read_keypoints(out, report.images)
    assert found.skeleton == published_skeleton("ap10k")
    assert len(found.samples) == 2
