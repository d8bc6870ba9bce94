"""The check names each problem, classes it, never stops at the first one, and never lies."""

import json

import pytest

from hrnet.check.keypoints import check_keypoints
from hrnet.check.run import to_json
from hrnet.data.coco import read_keypoints
from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON


def first(part, **change):
    """A change of the first entry of a part of the file."""
    return lambda content: content[part][0].update(change)


def without(part, key):
    return lambda content: content[part][0].pop(key)


def put(part, value):
    return lambda content: content.update({part: value})


def again(part):
    return lambda content: content[part].append(dict(content[part][0]))


def points(*triples):
    return first("annotations", keypoints=[number for triple in triples for number in triple])


A, B = (12, 10, 2), (15, 12, 2)

ERRORS = {
    "image twice": (again("images"), "image ids that occur more than once: 1 (1); annotations"),
    "dangling": (first("annotations", image_id=9), "images that are not listed: 1 (10); training"),
    "odd category": (first("annotations", category_id=7), "categories that are not listed: 1 (10)"),
    "short": (points(A, B), "another number of keypoint values: 1 (10 has 6 of 9); training or"),
    "NaN": (points(A, B, (float("nan"), 1, 2)), "no flat list of finite numbers: 1 (10); training"),
    "nested": (first("annotations", keypoints=[[1, 2, 2]] * 3), "no flat list of finite numbers"),
    "text": (first("annotations", keypoints="nose"), "no flat list of finite numbers: 1 (10)"),
    "short box": (first("annotations", bbox=[1, 2, 3]), "without a box of four finite numbers"),
    "no id": (without("annotations", "id"), "annotations without an id that is a whole number: 1"),
    "no image": (without("annotations", "image_id"), "annotations without an image_id: 1 (10)"),
    "image id": (first("images", id="one"), "images without an id that is a whole number: 1"),
    "file name": (without("images", "file_name"), "images without a file name: 1 (image 1); train"),
    "no size": (without("images", "height"), "images without height and width: 1 (1.png); train"),
    "odd size": (first("images", height="tall"), "images without height and width: 1 (1.png)"),
    "no object": (put("annotations", ["x"]), "annotations that are no objects: 1 (entry 0); corr"),
    "no images": (put("images", [3]), "images that are no objects: 1 (entry 0); correct or rem"),
    "categories": (put("categories", []), "no category has keypoint names: expected one; training"),
    "two": (
        lambda content: (
            content["categories"].append({"id": 2, "name": "cat", "keypoints": ["paw"]}),
            content["annotations"][1].update(category_id=2, keypoints=[15, 12, 2]),
        ),
        "where one kind is expected: 2 (pet, cat); training would stop; choose one with --category",
    ),
    "huge": (first("annotations", image_id=10**400), "annotations without an image_id: 1 (10)"),
    "huge point": (points(A, B, (10**400, 1, 2)), "no flat list of finite numbers: 1 (10)"),
    "huge height": (first("images", height=10**400), "images without height and width: 1 (1.png)"),
    "huge sigma": (first("categories", sigmas=[10**400, 1, 1]), "expected 3 positive sigmas"),
    "sigma": (first("categories", sigmas=3), "expected 3 positive sigmas, one for each keypoint"),
    "crowd": (first("annotations", iscrowd="many"), "whose iscrowd is neither 0 nor 1: 1 (10);"),
    "score": (
        points(A, B, (9, 9, 0.9)),
        "visibility other than 0, 1 and 2: 1 (10 has 0.9); a score is no visibility: write 2",
    ),
    "names": (first("categories", keypoints=[]), "no category has keypoint names: expected one"),
    "same names": (first("categories", keypoints=list("aab")), "the category cannot be used: key"),
    "sigmas": (first("categories", sigmas=[1]), "the category cannot be used: expected 3 positive"),
    "pairs": (first("categories", flip_pairs=[["a", "b"]]), "flip_pairs names 'a', which is no"),
    "nobody": (put("annotations", []), "subjects with a labelled keypoint: 0; nothing can be"),
    "case": (first("images", file_name="1.PNG"), "1 (1.PNG, but 1.png of another case or Unicode"),
    "missing": (first("images", file_name="7.png"), "images: 1 (7.png); training would stop; add"),
    "size": (first("images", width=61), "(width x height) than annotated: 1 (1.png is 60x40, not"),
    "within 1": (
        lambda content: [a.update(keypoints=[0.1, 0.2, 2] * 3) for a in content["annotations"]],
        "points all lie within 0..1: 3 (10, 20, 30); keypoints must be in pixels; multiply x by",
    ),
    "address": (
        first("images", file_name="https://host/1.png"),
        "file name is an address: 1 (https://host/1.png); addresses are not fetched; download",
    ),
    "one id for two": (
        lambda content: content["categories"].append(content["categories"][0] | {"name": "a"}),
        "ids that several categories have: 1 (1); their subjects cannot be told apart",
    ),
    "odd names": (
        first("categories", keypoints=["nose", None, {"name": "tail"}]),
        "keypoint names that are neither text nor number: 2 (None, {'name': 'tail'}); training",
    ),
    "no category id": (without("categories", "id"), "categories that are not listed"),
}

WARNINGS = {
    "count": (
        first("annotations", num_keypoints=0),
        "num_keypoints is not how many are labelled: 1 (10 has 3); here the labelled ones count",
    ),
    "annotation twice": (again("annotations"), "annotation ids that occur more than once: 1 (10);"),
    "file twice": (first("images", file_name="2.png"), "file names that occur more than once: 1 ("),
    "file twice, longer": (first("images", file_name="./2.png"), "more than once: 1 (2.png); par"),
    "empty box": (first("annotations", bbox=[5, 5, 0, 3]), "missing or has no area: 1 (10); thei"),
    "no box": (without("annotations", "bbox"), "missing or has no area: 1 (10); theirs is the ext"),
    "null box": (first("annotations", bbox=None), "box is missing or has no area: 1 (10)"),
    "area 0": (first("annotations", area=0), "area cannot be: 1 (10); an evaluat"),
    "area 1": (first("annotations", area=1), "area cannot be: 1 (10)"),
    "area -5": (first("annotations", area=-5), "area cannot be: 1 (10)"),
    "area NaN": (first("annotations", area=float("nan")), "area cannot be: 1 (10)"),
    "area huge": (first("annotations", area=10**400), "area cannot be: 1 (10)"),
    "area text": (first("annotations", area="400"), "area cannot be: 1 (10)"),
    "area of all": (first("annotations", area=60 * 40 + 1), "area cannot be: 1 (10)"),
    "far area": (first("annotations", area=2000), "areas below 0.02 or above 1.5 times their box"),
    "same keypoints": (
        lambda content: (
            content["categories"].append(content["categories"][0] | {"id": 2, "name": "cat"}),
            content["annotations"][1].update(category_id=2),
        ),
        "categories with the same keypoints: 2 (pet, cat); they are taken as one; --category",
    ),
    "unused category": (
        lambda content: (
            content["categories"].append({"id": 2, "name": "cat", "keypoints": ["paw"]}),
            first("annotations", area=0)(content),
        ),
        "area cannot be",
    ),
    "face": (
        first("annotations", face_kpts=[1, 2, 2] * 68),
        "righthand_kpts): 1 (10); these are not read; `hrnet data import FILE --format wholebody`",
    ),
    "whole numbers": (
        lambda content: (
            content["images"][0].update(id="1", height=40.0, width="60"),
            content["annotations"][0].update(id=10.0, image_id=1.0, category_id="1", iscrowd="0"),
            content["categories"][0].update(id=1.0),
            first("annotations", area=0)(content),
        ),
        "area cannot be: 1 (10)",
    ),
    "windows": (
        lambda content: (
            [
                image.update(file_name="images\\" + image["file_name"])
                for image in content["images"]
            ],
            first("annotations", area=0)(content),
        ),
        "area cannot be: 1 (10)",
    ),
    "one bone": (first("categories", skeleton=[[1]]), "bones that do not fit the keypoints: [[1]]"),
    "long bone": (
        first("categories", skeleton=[[1, 2], [1, 2, 3]]),
        "do not fit the keypoints: 1 of 2",
    ),
    "endless bone": (first("categories", skeleton=[[1, float("inf")]]), "do not fit the keypoints"),
    "far box": (first("annotations", bbox=[90, 5, 9, 3]), "no area within the picture: 1 (10)"),
    "wide box": (
        first("annotations", bbox=[5, 5, 70, 9]),
        "boxes that stand out of the picture: 1",
    ),
    "out": (points(A, (-9, 1, 2), (70, 1, 1)), "outside the picture: 1 (10); 2 keypoints in all;"),
    "out of the box": (
        points(A, B, (50, 10, 2)),
        "outside their box: 1 (10); a crop shows the box",
    ),
    "corner": (points(A, B, (0, 0, 2)), "a labelled keypoint at (0, 0): 1 (10); that is often"),
    "odd bones": (
        first("categories", skeleton=[[7, 8]]),
        "bones that do not fit the keypoints: [[",
    ),
    "spaces": (first("categories", keypoints=["a", "b ", "c"]), "spaces at an end: 1 ('b ');"),
    "one side": (
        first("categories", keypoints=["nose", "left_eye", "tail"]),
        "no partner: 1 (left",
    ),
    "no sides": (
        first("categories", keypoints=["a", "b", "c"]),
        "MIRRORING IS OFF in training, be",
    ),
    "no pairs": (first("categories", flip_pairs=[]), "no mirror pairs are known: the category's"),
    "other pairs": (
        first("categories", flip_pairs=[["nose", "left_eye"]]),
        "the category does not have: 1 (left_eye - right_eye); correct flip_pairs",
    ),
    "unlabelled": (
        lambda content: [a["keypoints"].__setitem__(8, 0) for a in content["annotations"]],
        "keypoints that nobody labelled: 1 (right_eye); a network cannot learn them",
    ),
    "missing, unused": (
        lambda content: content["images"].append(
            {"id": 8, "file_name": "8.png", "height": 4, "width": 4}
        ),
        "without subjects: 1 (8.png); add them",
    ),
}


def test_a_good_file_has_no_findings(data):
    result = check_keypoints(*data())
    assert result.findings == ()
    counts = result.counts
    assert (counts.images, counts.annotations, counts.subjects, counts.samples) == (3, 3, 3, 3)
    assert (counts.crowds, counts.without_keypoints, counts.images_without_subjects) == (0, 0, 0)
    assert counts.labelled == (3, 3, 3)
    assert counts.visible == (3, 0, 3)
    assert result.report.flip_pairs == (("left_eye", "right_eye"),)
    assert result.report.no_partner == ("nose",)
    assert result.report.flips_from == "inferred from the names"
    assert result.report.edges == (("nose", "left_eye"),)
    assert result.report.sigma_sources == ("default",) * 3


@pytest.mark.parametrize("name", ERRORS)
def test_errors(data, name):
    spoil, words = ERRORS[name]
    result = check_keypoints(*data(spoil))
    lines = [finding.line for finding in result.errors]
    assert any(words in line for line in lines), lines
    assert all("\n" not in line and len(line) < 600 for line in lines)
    json.loads(to_json(result))


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(data, name):
    spoil, words = WARNINGS[name]
    result = check_keypoints(*data(spoil))
    lines = [finding.line for finding in result.warnings]
    assert any(words in line for line in lines), lines
    assert result.errors == ()


@pytest.mark.parametrize("name", WARNINGS)
def test_without_errors_training_reads_the_file_and_takes_what_was_counted(data, name):
    file, images = data(WARNINGS[name][0])
    result = check_keypoints(file, images)
    dataset = read_keypoints(file, images)
    assert len(dataset.samples) == result.counts.samples
    assert dataset.skeleton == result.skeleton
    assert dataset.skeleton.sigmas == result.report.sigmas


def test_many_problems_are_all_told(data):
    def spoil(content):
        content["annotations"][0]["image_id"] = 99
        content["annotations"][1]["keypoints"] = [1]
        content["images"][2]["file_name"] = "gone.png"

    result = check_keypoints(*data(spoil))
    assert len(result.errors) == 3
    assert {finding.count for finding in result.errors} == {1}


def test_only_the_first_examples_are_told(data):
    def spoil(content):
        for annotation in content["annotations"]:
            annotation["image_id"] = 99

    (error, *_) = check_keypoints(*data(spoil, subjects=8)).errors
    assert error.count == 8
    assert error.line.startswith(
        "annotations of images that are not listed: 8 (10, 20, 30, 40, 50, ...); training"
    )


def test_crowds_and_annotations_without_keypoints_are_counted(data):
    def spoil(content):
        content["annotations"][0]["iscrowd"] = 1
        content["annotations"][1]["keypoints"] = [0] * 9

    counts = check_keypoints(*data(spoil)).counts
    assert (counts.crowds, counts.without_keypoints, counts.subjects) == (1, 1, 1)
    assert counts.images_without_subjects == 2
    assert counts.labelled == (1, 1, 1)


@pytest.mark.parametrize("text", ["keypoints: none", "[]", '{"images": []}', '{"images": 3}', ""])
def test_what_is_not_coco_at_all_is_one_line(tmp_path, text):
    file = tmp_path / "pets.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"pets\.json") as caught:
        check_keypoints(file, tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_the_folder_of_images_must_be_one(data):
    file, images = data()
    with pytest.raises(InputError, match=r"expected the folder of the images, but .* is none"):
        check_keypoints(file, images / "1.png")


def test_several_annotators_give_sigmas_and_a_warning(data):
    def spoil(content):
        for annotation in list(content["annotations"]):
            moved = [number + 1 for number in annotation["keypoints"]]
            moved[2::3] = annotation["keypoints"][2::3]
            other = {"id": annotation["id"] + 1, "annotator": "b", "keypoints": moved}
            annotation["annotator"] = "a"
            content["annotations"].append(annotation | other)

    result = check_keypoints(*data(spoil, subjects=12))
    assert result.report.several_annotators == 12
    assert result.report.sigma_sources == ("annotators (12 subjects)",) * 3
    assert result.report.sigmas == pytest.approx([0.05] * 3)  # root of (2 * 0.5) / 400
    assert [finding.line for finding in result.warnings] == [
        "subjects that several annotators labelled: 12; each of their annotations is a sample, "
        "and in an evaluation a subject, of its own"
    ]


def test_coco_names_have_coco_sigmas(data):
    result = check_keypoints(*data(names=list(COCO_PERSON.names)))
    assert result.report.sigmas == COCO_PERSON.sigmas
    assert set(result.report.sigma_sources) == {"COCO"}


def test_the_json_holds_what_is_printed(data):
    file, images = data(first("annotations", image_id=9))
    told = json.loads(to_json(check_keypoints(file, images)))
    assert told["counts"]["annotations"] == 3
    assert told["skeleton"]["names"] == ["nose", "left_eye", "right_eye"]
    assert told["errors"][0]["examples"] == ["10"]
    assert (told["annotations"], told["category"]) == (str(file), "pet")


ACCEPTED = "aic animalpose atrw crowdpose exlpose fld fly freihand horse10 jhmdb locust macaque "
ACCEPTED += "ochuman onehand10k posetrack18 zebra deepfasion2 ap10k"


@pytest.mark.parametrize("name", ACCEPTED.split())
def test_data_sets_that_training_reads_have_no_errors(data_dir, name):
    folder = data_dir / "keypoint_formats" / name
    file = next(f for f in sorted(folder.rglob("*.json")) if "det" not in f.name)
    assert check_keypoints(file, folder).errors == ()


REFUSED = {
    "300w": "no category has keypoint names",
    "ak": "categories that are not listed: 2",
    "halpe": "images that are not in",
    "humanart": "4 (2000000006746 has 51 of 63,",
    "rhd": "no flat list of finite numbers: 3 (111, 1111, 11111)",
    "wflw": "no category has keypoint names",
}


@pytest.mark.parametrize("name", REFUSED)
def test_data_sets_in_another_form_are_told_why(data_dir, name):
    folder = data_dir / "keypoint_formats" / name
    file = next(f for f in sorted(folder.rglob("*.json")) if "det" not in f.name)
    lines = [finding.line for finding in check_keypoints(file, folder).errors]
    assert any(REFUSED[name] in line for line in lines), lines


def test_the_tuning_set(data_dir):
    result = check_keypoints(data_dir / "coco/pose_tune.json", data_dir / "coco/images")
    assert result.errors == ()
    assert (result.counts.images, result.counts.samples) == (160, 418)
    assert [finding.count for finding in result.warnings] == [84]
