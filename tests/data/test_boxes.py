"""Boxes come from COCO annotations, from COCO detections or by file name."""

import json
from pathlib import Path, PurePath

import pytest

from hrnet.data.boxes import image_number, read_boxes
from hrnet.errors import InputError


def write(folder: Path, content: object) -> Path:
    path = folder / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def annotations() -> dict:
    return {
        "images": [
            {"id": 5, "file_name": "a.jpg"},
            {"id": 6, "file_name": "left/b.jpg"},
            {"id": 7, "file_name": "right/b.jpg"},
            {"id": 8, "file_name": "empty.jpg"},
        ],
        "annotations": [
            {"image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4]},
            {"image_id": 5, "category_id": 1, "bbox": [5, 6, 7, 8], "iscrowd": 0},
            {"image_id": 5, "category_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1},
            {"image_id": 5, "category_id": 2, "bbox": [0, 0, 8, 8]},
            {"image_id": 6, "category_id": 1, "bbox": [6, 6, 6, 6]},
            {"image_id": 7, "category_id": 1, "bbox": [7, 7, 7, 7]},
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
    }


def test_annotations_leave_out_crowds_and_other_categories(tmp_path: Path) -> None:
    file = read_boxes(write(tmp_path, annotations()))
    assert file.notes == (f"{file.path}: 2 crowds or other categories than persons are left out",)
    found = file.find(PurePath("photos/a.jpg"))
    assert found.image_id == 5
    assert found.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_annotations_tell_files_of_one_name_by_their_folder(tmp_path: Path) -> None:
    file = read_boxes(write(tmp_path, annotations()))
    assert file.find(PurePath("all/left/b.jpg")).image_id == 6
    assert file.find(PurePath("all/right/b.jpg")).image_id == 7
    with pytest.raises(InputError, match=r"lists left/b\.jpg and right/b\.jpg, in another folder"):
        file.find(PurePath("b.jpg"))


def test_annotations_may_say_that_nobody_is_there(tmp_path: Path) -> None:
    assert read_boxes(write(tmp_path, annotations())).find(PurePath("empty.jpg")).boxes.size == 0


def test_an_image_that_is_not_listed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no boxes for it"):
        read_boxes(write(tmp_path, annotations())).find(PurePath("other.jpg"))


def test_detections_go_by_number(tmp_path: Path) -> None:
    rows = [
        {"image_id": 785, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9},
        {"image_id": 785, "category_id": 18, "bbox": [9, 9, 9, 9], "score": 0.8},
    ]
    file = read_boxes(write(tmp_path, rows))
    assert file.find(PurePath("000000000785.jpg")).boxes.tolist() == [[1, 2, 3, 4]]
    assert file.find(PurePath("000000000786.jpg")).boxes.shape == (0, 4)
    for name in ("photo.jpg", "785.jpg", "kick_jpg.rf.0785.jpg", "frame_000000000785.jpg"):
        with pytest.raises(InputError, match=r"by number.*--images-of FILE"):
            file.find(PurePath(name))


def test_boxes_by_file_name(tmp_path: Path) -> None:
    content = {"a.jpg": [[1, 2, 3, 4], [5, 6, 7, 8]], "b.jpg": [1, 2, 3, 4], "c.jpg": []}
    file = read_boxes(write(tmp_path, content))
    counts = [len(file.find(PurePath(name)).boxes) for name in content]
    assert counts == [2, 1, 0]


@pytest.mark.parametrize(
    ("name", "number"),
    [("000000000785.jpg", 785), ("COCO_val2014_000000000042.jpg", 42), ("a1b.jpg", None)],
)
def test_image_number(name: str, number: int | None) -> None:
    assert image_number(PurePath(name)) == number


def detections() -> list[dict]:
    return [
        {"image_id": 6, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9},
        {"image_id": 7, "category_id": 18, "bbox": [9, 9, 9, 9], "score": 0.8},
    ]


def test_detections_by_the_names_of_an_annotation_file(tmp_path: Path) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps({"images": annotations()["images"]}))
    file = read_boxes(write(tmp_path, detections()), names)
    found = file.find_all([Path("all/left/b.jpg"), Path("all/right/b.jpg"), Path("b.jpg")])
    first, second, third = found.values()
    assert isinstance(third, InputError)
    assert (first.image_id, first.boxes.tolist()) == (6, [[1, 2, 3, 4]])
    assert (second.image_id, second.boxes.tolist()) == (7, [])
    assert file.notes == (f"{file.path}: 1 boxes of other categories than persons are left out",)
    assert file.inputs == (file.path, names)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"image_id": 99, "bbox": [1, 2, 3, 4]}], "1 image ids are not in .*, the first is 99"),
        ({"b.jpg": [[1, 2, 3, 4]]}, "expected a COCO detection list"),
    ],
)
def test_the_annotation_file_must_be_that_of_the_detections(tmp_path, rows, message) -> None:
    names = tmp_path / "names.json"
    names.write_text(json.dumps(annotations()))
    with pytest.raises(InputError, match=message):
        read_boxes(write(tmp_path, rows), names)


def test_detections_of_none_of_the_pictures_are_an_error(tmp_path: Path) -> None:
    file = read_boxes(write(tmp_path, detections()))
    with pytest.raises(InputError, match="has boxes for none of the 2 pictures"):
        file.find_all([Path("000000000001.jpg"), Path("000000000002.jpg")])


def test_detections_of_several_categories_without_persons(tmp_path: Path) -> None:
    rows = [{"image_id": 1, "category_id": n, "bbox": [1, 2, 3, 4]} for n in (2, 3)]
    with pytest.raises(InputError, match="persons, category 1, got those of 2 other categories"):
        read_boxes(write(tmp_path, rows))
    assert len(read_boxes(write(tmp_path, rows[:1])).by_number) == 1


def test_two_pictures_never_share_one_name(tmp_path: Path) -> None:
    file = read_boxes(write(tmp_path, {"a.jpg": [1, 2, 3, 4], "x\\c.jpg": [1, 2, 3, 4]}))
    paths = [Path("x/a.jpg"), Path("y/a.jpg"), Path("x/c.jpg"), Path("y/c.jpg")]
    found = file.find_all(paths)
    wrong = [path for path, one in found.items() if isinstance(one, InputError)]
    assert wrong == [paths[0], paths[1], paths[3]]
    assert "could be; list them with their folders" in str(found[paths[0]])


def test_boxes_of_annotations_mean_what_they_mean_in_training(tmp_path: Path) -> None:
    content = annotations() | {"categories": [{"id": 1, "keypoints": ["a", "b"]}]}
    content["images"][0] |= {"height": 60, "width": 80}
    points = {"image_id": "5", "category_id": 1.0, "iscrowd": "0"}
    content["annotations"] = [
        points | {"bbox": None, "keypoints": [10, 20, 2, 30, 20, 2]},
        points | {"bbox": [1, 1, 0, 0]},
    ]
    file = read_boxes(write(tmp_path, content))
    assert file.find(PurePath("a.jpg")).boxes.tolist() == [[8, 18, 24, 4]]
    assert file.notes == (
        f"{file.path}: 1 subjects have no box with an area; theirs is the grown extent of their "
        "keypoints",
        f"{file.path}: 1 subjects have no box and no keypoints; they are left out",
    )


def test_a_name_that_stands_twice_loses_no_boxes(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text('{"a.jpg": [[1, 2, 3, 4]], "a.jpg": [[5, 6, 7, 8]]}')
    with pytest.raises(InputError, match=r"a\.jpg is listed more than once; join these entries"):
        read_boxes(path)


def test_why_a_file_has_no_boxes(tmp_path: Path) -> None:
    content = annotations() | {"annotations": annotations()["annotations"][2:4]}
    words = "got none; 2 crowds or other categories than persons are left out"
    with pytest.raises(InputError, match=words):
        read_boxes(write(tmp_path, content))


def test_an_address_keeps_its_slashes(tmp_path: Path) -> None:
    file = read_boxes(write(tmp_path, {"https://host/a.jpg": [1, 2, 3, 4]}))
    with pytest.raises(InputError, match=r"it lists https://host/a\.jpg, in another folder"):
        file.find(PurePath("a.jpg"))
