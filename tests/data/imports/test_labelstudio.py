"""Label Studio's JSON: percent become pixels, keypoints go to their rectangle, annotators stay."""

import json
import re

import pytest

from hrnet.errors import InputError


def point(name, x, y, key=None, parent=None) -> dict:
    """A keypoint region as Label Studio writes it."""
    region = {
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {"x": x, "y": y, "width": 0.4, "keypointlabels": [name]},
        "id": key or f"{name}{x}{y}",
        "from_name": "kp",
        "to_name": "image",
        "type": "keypointlabels",
        "origin": "manual",
    }
    return region | ({"parentID": parent} if parent else {})


def rectangle(key, x, y, width, height, label="Pet") -> dict:
    return {
        "original_width": 200,
        "original_height": 100,
        "image_rotation": 0,
        "value": {
            "x": x, "y": y, "width": width, "height": height, "rotation": 0,
            "rectanglelabels": [label],
        },
        "id": key,
        "from_name": "box",
        "to_name": "image",
        "type": "rectanglelabels",
    }  # fmt: skip


def task(*annotations, image="/data/upload/3/0a1b2c3d-a.jpg", who=5) -> dict:
    return {
        "id": 1,
        "annotations": [
            {"id": 7 + n, "completed_by": who + n, "result": list(regions), "was_cancelled": False}
            for n, regions in enumerate(annotations)
        ],
        "data": {"image": image},
        "file_upload": image.rsplit("/", 1)[-1],
        "predictions": [],
    }


@pytest.fixture
def export(tmp_path, picture):
    picture(tmp_path / "a.jpg")

    def write(*tasks):
        file = tmp_path / "export.json"
        file.write_text(json.dumps(list(tasks)))
        return file

    return write


def test_a_task_without_rectangles_is_one_subject(export, convert):
    done = convert(export(task([point("nose", 50, 50), point("tail", 25, 10)])))
    assert done.report.format == "labelstudio"
    assert done.points() == [[100, 50, 2], [50, 10, 2]]
    assert done.category["keypoints"] == ["nose", "tail"]
    assert done.content["annotations"][0]["annotator"] == "5"
    assert done.box() == [45, 5, 60, 50]
    assert done.content["images"][0]["file_name"] == "a.jpg"


def test_keypoints_go_to_their_rectangle(export, convert):
    """One by its parent, one by a relation, one because it lies in one rectangle alone."""
    regions = [
        rectangle("r1", 10, 10, 40, 50),
        rectangle("r2", 40, 10, 50, 50),
        point("nose", 45, 20, parent="r1"),
        point("nose", 46, 20, key="n2"),
        point("tail", 80, 40),
        {"type": "relation", "from_id": "n2", "to_id": "r2", "direction": "right"},
    ]
    done = convert(export(task(regions)), names=("tail", "nose"))
    assert done.points(0) == [[0, 0, 0], [90, 20, 2]]
    assert done.points(1) == [[160, 40, 2], [92, 20, 2]]
    assert done.box(0) == [20, 10, 80, 50]
    assert done.box(1) == [80, 10, 100, 50]
    assert done.category["name"] == "Pet"


def test_annotators_stay_apart(export, convert):
    """Sigmas can be inferred from them, as for any COCO file that names its annotators."""
    tasks = [
        task([point("nose", 50, 50 + n), point("tail", 20, 20)], [point("nose", 52, 50 + n)])
        for n in range(12)
    ]
    done = convert(export(*tasks))
    whose = {one["annotator"] for one in done.content["annotations"]}
    assert whose == {"5", "6"}


@pytest.mark.parametrize(
    "image",
    [
        "/data/local-files/?d=pets/sub%20dir/a.jpg",
        "s3://bucket/pets/a.jpg",
        "https://example.com/x/a.jpg?key=3",
        "a.jpg",
    ],
)
def test_addresses_of_pictures(export, convert, image):
    done = convert(export(task([point("nose", 50, 50)], image=image)))
    assert done.content["images"][0]["file_name"] == "a.jpg"


def test_tasks_without_an_annotation_are_told(export, convert):
    skipped = task([point("nose", 50, 50)], image="b.jpg")
    skipped["annotations"][0]["was_cancelled"] = True
    done = convert(export(task([point("nose", 50, 50)]), skipped, task(image="c.jpg")))
    assert "2 tasks without an annotation were left out" in done.report.notes


def changed(region, **value):
    return region | {"value": region["value"] | value}


TWO = [rectangle("r1", 0, 0, 60, 60), rectangle("r2", 10, 10, 60, 60)]
BAD = {
    "COCO": ({"images": [], "annotations": []}, "is in COCO's form already; `hrnet data check`"),
    "object": ({"a": 1}, "expected a list of tasks, Label Studio's export as JSON"),
    "JSON-MIN": ([{"image": "a.jpg", "kp": []}], "export as JSON, not as JSON-MIN"),
    "no points": (
        [task([{"type": "brushlabels", "value": {}}])],
        "expected tasks with keypointlabels, rectanglelabels or polygonlabels, found none",
    ),
    "twice": ([task([point("a", 1, 1), point("a", 2, 2)])], "annotation 7 has a twice in one subj"),
    "unclear": ([task([*TWO, point("a", 50, 50)])], "a keypoint is in 2 rectangles; join each"),
    "outside": ([task([*TWO, point("a", 90, 90)])], "a keypoint is in 0 rectangles"),
    "text": ([task([changed(point("a", 1, 1), x="one")])], "expected numbers x, y in each region"),
    "no label": (
        [task([changed(point("a", 1, 1), keypointlabels=[])])],
        "expected a label for each",
    ),
    "rotated": ([task([point("a", 1, 1) | {"image_rotation": 90}])], "that are not rotated"),
    "no picture": ([task([point("a", 1, 1)], image="text")], "expected the picture of task 1 in"),
    "missing": ([task([point("a", 1, 1)], image="b.jpg")], r"1 pictures are not in .* \(b\.jpg\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(export, tmp_path, convert, name):
    content, message = BAD[name]
    file = export()
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message) as caught:
        convert(file)
    assert "\n" not in str(caught.value)


def test_names_that_are_not_given(export, convert):
    with pytest.raises(InputError, match=r"keypoint labels \['tail'\] are not in --names; add"):
        convert(export(task([point("nose", 1, 1), point("tail", 2, 2)])), names=("nose",))


def test_two_labels_of_rectangles(export, convert):
    regions = [
        rectangle("r1", 0, 0, 40, 60),
        rectangle("r2", 50, 0, 40, 60, "Person"),
        point("nose", 20, 20),
        point("nose", 70, 30),
    ]
    file = export(task(regions))
    with pytest.raises(InputError, match="expected one label of rectangles, found Person, Pet"):
        convert(file)
    assert convert(file, category="Person").points() == [[140, 30, 2]]


def test_the_only_rectangle_takes_all_keypoints(export, convert):
    regions = [rectangle("r1", 10, 10, 40, 60), point("nose", 20, 20), point("tail", 60, 30)]
    done = convert(export(task(regions)))
    assert done.points() == [[40, 20, 2], [120, 30, 2]]
    assert done.box() == [20, 10, 80, 60]


def with_regions(*regions, **changes):
    """A task with one good keypoint and other regions."""
    return task([point("nose", 50, 50), *regions]) | changes


def with_value(value):
    return with_regions(point("tail", 1, 1) | {"value": value})


ODD = {
    "ghost": (
        with_value({"keypointlabels": ["tail"]}),
        "1 keypoints .* task 1, annotation 7, region",
    ),
    "no value": (
        with_value(None),
        "1 keypoints were left out .*: expected numbers x, y in each reg",
    ),
    "value": (with_value(["x"]), "1 keypoints were left out"),
    "400 digits": (with_value({"x": 10**400, "y": 1}), "1 keypoints were left out"),
    "no label": (
        with_regions(changed(point("a", 1, 1), keypointlabels=None)),
        "1 regions were left",
    ),
    "two labels": (
        with_regions(changed(point("a", 1, 1), keypointlabels=["a", "b"])),
        r"1 further labels of a region were left out \(a\)",
    ),
    "kinds": (
        with_regions({"type": "brushlabels"}, {"type": "choices"}, {}),
        r"3 regions of other kinds were left out \(brushlabels; choices; without a type\)",
    ),
    "no object": (
        with_regions(None, "text"),
        "2 regions were left out .*: expected a list of regions",
    ),
    "annotations": (
        with_regions() | {"annotations": [None, *with_regions()["annotations"]]},
        "1 annotations were left out .*task 1: expected a list of annotations, got None in it",
    ),
    "predictions": (with_regions(predictions=[{}, {}]), "^2 predictions were left out$"),
    "drafts": (with_regions(drafts=[{}]), "^1 drafts were left out$"),
    "pictures": (
        with_regions(data={"image": "a.jpg", "mask": "b.jpg"}),
        "1 further pictures of a task were left out .*task 1",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_or_of_another_kind_is_left_out_and_counted(export, convert, name):
    odd, note = ODD[name]
    done = convert(export(odd))
    assert done.points()[0] == [100, 50, 2]
    assert any(re.search(note, one) for one in done.report.notes), done.report.notes


@pytest.mark.parametrize(
    "odd",
    [
        3,
        {"data": None, "annotations": [{"result": [point("a", 1, 1)]}]},
        {"data": {"image": "http://[a.jpg"}, "annotations": [{"result": [point("a", 1, 1)]}]},
        {"data": {"image": "a.jpg"}, "annotations": 3},
        {"image": "a.jpg"},
    ],
)
def test_an_odd_task_is_left_out(export, convert, odd):
    done = convert(export(odd, task([point("nose", 50, 50)])))
    assert (done.report.num_images, done.report.num_labels) == (1, 1)
    assert any("were left out (" in note and "expected " in note for note in done.report.notes)


def test_a_wrong_rectangle_takes_its_keypoints_with_it(export, convert):
    regions = [
        changed(rectangle("r1", 0, 0, 40, 60), rotation=30),
        rectangle("r2", 50, 0, 40, 60),
        rectangle("r3", 50, 70, 40, 10),
        point("nose", 20, 20, parent="r1"),
        point("nose", 70, 30, parent="r2"),
        point("tail", 60, 30),
    ]
    done = convert(export(task(regions)))
    assert done.report.num_labels == 1
    assert done.points() == [[140, 30, 2]]
    notes = " | ".join(done.report.notes)
    assert "1 rectangles, with their keypoints, were left out (" in notes
    assert "1 keypoints were left out (" in notes  # the tail, which may lie in the wrong one
    assert "1 rectangles without a keypoint were left out" in notes


def test_a_subject_that_has_a_keypoint_twice_is_left_out(export, convert):
    good, odd = task([point("nose", 50, 50)]), task([point("nose", 1, 1), point("nose", 2, 2)])
    done = convert(export(good, odd))
    assert done.points() == [[100, 50, 2]]
    assert "1 subjects were left out (" in " | ".join(done.report.notes)


def test_uploads_of_the_same_name_are_two_pictures(export, convert):
    both = [
        task([point("nose", 50, 50)], image=f"/data/upload/3/{key}-a.jpg")
        for key in ("0a1b2c3d", "99999999")
    ]
    with pytest.raises(
        InputError, match=r"names share one in .*\(0a1b2c3d-a.jpg and 99999999-a.jpg"
    ):
        convert(export(*both))


def test_tasks_of_one_picture_are_one_picture(export, convert):
    done = convert(export(task([point("nose", 50, 50)]), task([point("nose", 60, 50)])))
    assert (done.report.num_images, done.report.num_labels) == (1, 2)
    assert "2 tasks have 1 pictures; each picture is there once" in done.report.notes
