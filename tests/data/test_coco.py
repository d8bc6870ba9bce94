"""COCO keypoint files of any K become samples; whatever is wrong in one is told in one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from hrnet.data.coco import read_keypoints
from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON, DEFAULT_SIGMA


def content_of(names, **category) -> dict:
    """One picture of 100 x 60 with one subject; keypoint k lies at (10 + k, 20 + k)."""
    triples = [number for k in range(len(names)) for number in (10 + k, 20 + k, 2)]
    return {
        "images": [{"id": 3, "file_name": "a/b.jpg", "height": 60, "width": 100}],
        "annotations": [
            {"id": 8, "image_id": 3, "category_id": 5, "bbox": [5, 6, 40, 30], "keypoints": triples}
        ],
        "categories": [{"id": 5, "name": "thing", "keypoints": list(names), **category}],
    }


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        file = tmp_path / "annotations.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_keypoints(file, "pictures", **options)

    return read


@pytest.mark.parametrize("count", [1, 5, 17, 21])
def test_any_number_of_keypoints(read, count):
    names = [f"point_{k}" for k in range(count)]
    dataset = read(content_of(names))
    (sample,) = dataset.samples
    assert dataset.skeleton.names == tuple(names)
    assert dataset.skeleton.flip_pairs == ()
    assert dataset.category_ids == {5}
    assert dict(dataset.image_paths) == {3: Path("pictures/a/b.jpg")}
    assert sample.image_path == Path("pictures/a/b.jpg")
    assert (sample.image_id, sample.annotation_id, sample.image_size) == (3, 8, (60, 100))
    steps = np.arange(count)
    np.testing.assert_array_equal(sample.keypoints, np.column_stack([10 + steps, 20 + steps]))
    np.testing.assert_array_equal(sample.visibility, np.full(count, 2))


def test_sigmas_of_the_category_come_first(read):
    dataset = read(content_of(COCO_PERSON.names, sigmas=[0.01] * 17))
    assert dataset.skeleton.sigmas == (0.01,) * 17
    assert dataset.sigmas_source == "annotation file"


def test_the_names_of_coco_bring_its_sigmas_bones_and_halves(read):
    dataset = read(content_of(COCO_PERSON.names, skeleton=[[1, 2]]))
    assert dataset.skeleton == COCO_PERSON
    assert dataset.sigmas_source == "COCO"


def test_other_names_have_one_default_sigma(read):
    dataset = read(content_of(["left_hand", "tail", "right_hand"]))
    assert dataset.skeleton.sigmas == (DEFAULT_SIGMA,) * 3
    assert dataset.skeleton.flip_pairs == ((0, 2),)
    assert "default 0.05" in dataset.sigmas_source


@pytest.mark.parametrize(
    ("bones", "edges"),
    [
        ([[1, 2], [3, 2]], ((0, 1), (2, 1))),  # COCO: from 1
        ([[0, 1], [2, 1]], ((0, 1), (2, 1))),  # ATRW and others: from 0
        ([[3, 4]], ()),  # CrowdPose: of another skeleton
        ([[0, 3]], ()),
        (None, ()),
        ([], ()),
    ],
)
def test_bones(read, bones, edges):
    assert read(content_of("abc", skeleton=bones)).skeleton.edges == edges


@pytest.mark.parametrize(
    ("box", "clamped"),
    [
        ([5, 6, 40, 30], [5, 6, 39, 29]),  # ends at the centre of the last pixel
        ([-5, -6, 40, 30], [0, 0, 39, 29]),
        ([70, 40, 40, 30], [70, 40, 29, 19]),
        ([0, 0, 100, 60], [0, 0, 99, 59]),
        ([2.5, 3.5, 10.25, 8.5], [2.5, 3.5, 9.25, 7.5]),
    ],
)
def test_boxes_are_clamped_as_the_official_code_does(read, box, clamped):
    content = content_of("ab")
    content["annotations"][0]["bbox"] = box
    np.testing.assert_allclose(read(content).samples[0].box_xywh, clamped)


@pytest.mark.parametrize(
    "change",
    [
        {"iscrowd": 1},
        {"keypoints": [0] * 6},
        {"keypoints": []},
        {"keypoints": [9, 9, 0, 8, 8, 0]},
        {"bbox": [200, 6, 40, 30]},
        {"category_id": 6},
    ],
)
def test_what_cannot_be_trained_on_is_left_out(read, change):
    content = content_of("ab")
    (good,) = content["annotations"]
    content["categories"].append({"id": 6, "name": "car"})
    content["annotations"].append(good | {"id": 9} | change)
    assert [sample.annotation_id for sample in read(content).samples] == [8]
    content["annotations"] = [good | change]
    with pytest.raises(
        InputError, match=r"subjects with a labelled keypoint( and a usable box)?: 0"
    ):
        read(content)


def spoil(**change):
    """A file of two keypoints whose only annotation is changed so."""
    content = content_of("ab")
    content["annotations"][0] |= change
    return content


def without(part, key):
    content = content_of("ab")
    del content[part][0][key]
    return content


def two_kinds():
    content = content_of("ab")
    content["categories"].append({"id": 6, "name": "other", "keypoints": ["a"]})
    content["annotations"].append(content["annotations"][0] | {"id": 9, "category_id": 6})
    return content


def with_size(value):
    content = content_of("ab")
    content["images"][0]["height"] = value
    return content


NAN = float("nan")
NO_COCO = "expected a COCO file"
BAD = {
    "not JSON": ("keypoints: none", ["expected JSON", "line 1"]),
    "empty": ("", ["expected JSON"]),
    "deep": ("[" * 100_000, ["expected JSON"]),
    "long number": ('{"images": ' + "9" * 5000 + "}", ["expected JSON", "thousands of digits"]),
    "a list": ("[]", ["images, annotations and categories"]),
    "a number": ("3", ["images, annotations and categories"]),
    "other object": ('{"images": []}', ["lacks annotations, categories"]),
    "no persons": (content_of("ab") | {"annotations": []}, ["with a labelled keypoint: 0"]),
    "annotations null": (content_of("ab") | {"annotations": None}, [NO_COCO]),
    "annotations of text": (content_of("ab") | {"annotations": ["x"]}, ["no objects: 1 (entry 0)"]),
    "images null": (content_of("ab") | {"images": None}, [NO_COCO]),
    "no category": (content_of("ab") | {"categories": []}, ["categories that are not listed: 1"]),
    "two kinds": (two_kinds(), ["different keypoints", "2 (thing, other)", "--category NAME"]),
    "no names": (content_of(""), ["no category has keypoint names"]),
    "same names": (content_of("aa"), ["must differ", "'a'"]),
    "few sigmas": (content_of("ab", sigmas=[0.1]), ["2 positive sigmas", "[0.1]"]),
    "negative sigma": (content_of("ab", sigmas=[0.1, -1]), ["2 positive sigmas"]),
    "sigmas of text": (content_of("ab", sigmas=["x", "y"]), ["2 positive sigmas"]),
    "dangling": (spoil(image_id=4), ["images that are not listed: 1 (8)"]),
    "many numbers": (spoil(keypoints=[1] * 9), ["keypoint values: 1 (8 has 9 of 6)"]),
    "few numbers": (spoil(keypoints=[1] * 3), ["keypoint values: 1 (8 has 3 of 6)"]),
    "odd numbers": (spoil(keypoints=[1] * 5), ["keypoint values: 1 (8 has 5 of 6)"]),
    "nested": (spoil(keypoints=[[1, 2, 2], [3, 4, 2]]), ["no flat list of finite numbers: 1 (8)"]),
    "ragged": (spoil(keypoints=[[1, 2], 3]), ["no flat list of finite numbers: 1 (8)"]),
    "text": (spoil(keypoints="nose"), ["no flat list of finite numbers: 1 (8)"]),
    "NaN keypoint": (spoil(keypoints=[NAN, 1, 2, 1, 1, 2]), ["of finite numbers: 1 (8)"]),
    "NaN box": (spoil(bbox=[1, 2, NAN, 3]), ["box of four finite numbers: 1 (8)"]),
    "infinite box": (spoil(bbox=[1, 2, float("inf"), 3]), ["box of four finite numbers: 1 (8)"]),
    "short box": (spoil(bbox=[1, 2, 3]), ["box of four finite numbers: 1 (8)"]),
    "crop box": (spoil(crop_box=[1, 2, 0, 3]), ["crop_box is not x, y", "8 has [1, 2, 0, 3]"]),
    "head size": (spoil(head_size=-1), ["not a number above 0", "8 has -1"]),
    "no id": (without("annotations", "id"), ["annotations without an id"]),
    "no image id": (without("annotations", "image_id"), ["annotations without an image_id: 1 (8)"]),
    "no file name": (without("images", "file_name"), ["images without a file name: 1 (image 3)"]),
    "no height": (without("images", "height"), ["images without height and width: 1 (a/b.jpg)"]),
    "odd height": (with_size("tall"), ["images without height and width: 1 (a/b.jpg)"]),
    "odd image id": (spoil(image_id="three"), ["annotations without an image_id: 1 (8)"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_one_line_that_names_the_file(read, tmp_path, name):
    content, words = BAD[name]
    with pytest.raises(InputError) as caught:
        read(content)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 400 + len(str(tmp_path))
    for word in [*words, "annotations.json"]:
        assert word in message


def test_missing_and_binary_files_are_one_line(tmp_path):
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0\x00")
    for name, words in (
        ("none.json", "cannot read"),
        (".", "is a folder"),
        ("picture.jpg", "JSON"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            read_keypoints(tmp_path / name, tmp_path)
        assert len(str(caught.value).splitlines()) == 1


def test_the_tuning_set(data_dir):
    dataset = read_keypoints(data_dir / "coco/pose_tune.json", data_dir / "coco/images")
    assert dataset.skeleton == COCO_PERSON
    assert len(dataset.samples) == 418
    assert len({sample.image_id for sample in dataset.samples}) == 160
    assert all(sample.image_path.is_file() for sample in dataset.samples)
    for sample in dataset.samples:
        height, width = sample.image_size
        left, top, wide, high = sample.box_xywh
        assert left >= 0 <= top
        assert left + wide <= width - 1
        assert top + high <= height - 1


FORMATS = {
    # file: (K, labelled subjects, mirror pairs, bones)
    "aic/test_aic.json": (14, 9, 6, 14),
    "animalpose/test_animalpose.json": (20, 2, 8, 20),
    "ap10k/test_ap10k.json": (17, 2, 7, 17),
    "atrw/test_atrw.json": (15, 2, 6, 14),
    "coco/test_coco.json": (17, 12, 8, 19),
    "coco/test_coco_wholebody.json": (17, 12, 8, 19),
    "crowdpose/test_crowdpose.json": (14, 4, 6, 13),
    "deepfasion2/deepfasion2.json": (294, 2, 0, 0),
    "exlpose/test_exlpose.json": (14, 6, 6, 13),
    "fld/test_fld.json": (8, 2, 4, 0),
    "freihand/test_freihand.json": (21, 8, 0, 20),
    "fly/test_fly.json": (32, 2, 14, 25),
    "horse10/test_horse10.json": (22, 3, 0, 0),
    "jhmdb/test_jhmdb_sub1.json": (15, 3, 6, 14),
    "macaque/test_macaque.json": (17, 2, 8, 19),
    "ochuman/test_ochuman.json": (17, 5, 8, 19),
    "onehand10k/test_onehand10k.json": (21, 4, 0, 20),
    "posetrack18/annotations/test_posetrack18_val.json": (17, 14, 7, 19),
    "locust/test_locust.json": (35, 2, 15, 26),
    "zebra/test_zebra.json": (9, 2, 2, 8),
}
"""Data sets in COCO's form. Horse10 calls its sides near and off, which says no left."""

OTHER_FORMS = {
    "300w/test_300w.json": "no category has keypoint names",
    "aflw/test_aflw.json": "no category has keypoint names",
    "ak/test_animalkingdom.json": "categories that are not listed: 2",
    "coco/test_coco_det_AP_H_56.json": "expected a COCO file",
    "coco/test_keypoint_partition_metric.json": "visibility other than 0, 1 and 2",
    "halpe/test_halpe.json": "no category has keypoint names",
    "humanart/test_humanart.json": "has 51 of 63",
    "mpii/test_mpii.json": "expected a COCO file",
    "rhd/test_rhd.json": "flat list",
    "wflw/test_wflw.json": "no category has keypoint names",
}
"""Files that only look like COCO's form, and what is said about them."""


@pytest.mark.parametrize("name", FORMATS)
def test_other_data_sets_in_this_form(data_dir, name):
    path = data_dir / "keypoint_formats" / name
    keypoints, subjects, pairs, bones = FORMATS[name]
    dataset = read_keypoints(path, path.parent)
    assert dataset.skeleton.num_keypoints == keypoints
    assert len(dataset.samples) == subjects
    assert len(dataset.skeleton.edges) == bones
    assert len(dataset.skeleton.flip_pairs) == pairs
    for sample in dataset.samples:
        assert sample.keypoints.shape == (keypoints, 2)
        assert (sample.visibility > 0).any()


@pytest.mark.parametrize("name", OTHER_FORMS)
def test_other_data_sets_in_another_form_are_refused(data_dir, name):
    path = data_dir / "keypoint_formats" / name
    with pytest.raises(InputError, match=OTHER_FORMS[name]) as caught:
        read_keypoints(path, path.parent)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_box_without_area_is_the_extent_of_the_keypoints(read):
    content = content_of("abc")
    for box in ([5, 6, 0, 30], [5, 6, 1, 30], [5, 6, 40, -3], None, []):
        content["annotations"][0]["bbox"] = box
        dataset = read(content, whole_images=False)
        # Points (10, 20) to (12, 22) grow by 2 % of 100 pixels, and a box ends at a pixel's centre.
        np.testing.assert_allclose(dataset.samples[0].box_xywh, [8, 18, 5, 5])
        assert any("missing or has no area: 1 (8)" in note for note in dataset.notes)
        assert dataset.subjects[0].area == pytest.approx(0.53 * 36)


def test_categories_of_the_same_keypoints_are_one(read, tmp_path):
    content = content_of("ab")
    content["categories"].append(content["categories"][0] | {"id": "6.0", "name": "other"})
    content["categories"].append({"id": 7, "name": "unused", "keypoints": ["paw"]})
    content["annotations"].append(content["annotations"][0] | {"id": 9, "category_id": 6})
    dataset = read(content)
    assert dataset.category_ids == {5, 6}
    assert [sample.annotation_id for sample in dataset.samples] == [8, 9]
    assert read_keypoints(tmp_path / "annotations.json", "", 6).category_ids == {6}
    alone = read_keypoints(tmp_path / "annotations.json", "pictures", "other")
    assert [sample.annotation_id for sample in alone.samples] == [9]
    assert alone.notes == ("subjects of other categories: 1 (8); they are left out",)


@pytest.mark.parametrize(
    ("name", "folder", "found"),
    [
        ("a\\b.jpg", "pictures", "pictures/a/b.jpg"),
        ("pictures\\b.jpg", "pictures", "b.jpg"),  # the folder's own name again
        ("x/pictures/b.jpg", "x/pictures", "x/pictures/b.jpg"),
        ("y/pictures/b.jpg", "x/pictures", "x/pictures/y/pictures/b.jpg"),
    ],
)
def test_where_the_pictures_are(tmp_path, name, folder, found):
    content = content_of("ab")
    content["images"][0]["file_name"] = name
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(content))
    place = read_keypoints(file, tmp_path / folder).image_paths[3]
    assert place == tmp_path / (f"pictures/{found}" if "/" not in found else found)
