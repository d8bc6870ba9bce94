"""YOLO labels of boxes and polygons, as its documentation lays them out and as tools write them."""

import re

import numpy as np
import pytest

from hrnet.errors import InputError

YAML = "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n  1: dog\n  2: cow\n"
LABELS = "0 0.5 0.5 0.4 0.6\n1 0.123456 0.654321 0.1 0.2\n"


@pytest.fixture
def project(tmp_path, picture):
    """Pictures of 200 x 100 with boxes, without any, without a file, and of another part."""
    for name in ("train/a.jpg", "train/b.jpg", "train/c.jpg", "val/d.jpg"):
        picture(tmp_path / "pets" / "images" / name)
    for name, text in (("train/a.txt", LABELS), ("train/b.txt", ""), ("val/d.txt", LABELS[:18])):
        file = tmp_path / "pets" / "labels" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "pets" / "data.yaml").write_text(YAML)
    return tmp_path / "pets"


def test_boxes_in_pixels_classes_and_parts(project, convert_boxes):
    done = convert_boxes(project / "data.yaml")
    assert done.report.format == "yolo"
    (name, box), (other, small), (third, _) = done.boxes
    assert (name, other, third) == ("cat", "dog", "cat")
    assert box == [60, 20, 80, 60]
    expected = [200 * (0.123456 - 0.05), 100 * (0.654321 - 0.1), 20, 20]
    assert small == pytest.approx(expected, abs=1e-6)
    assert done.dataset.class_names == ("cat", "dog", "cow")
    parts = {"train/a.jpg": "train", "train/b.jpg": "train", "train/c.jpg": "train"}
    assert done.files == parts | {"val/d.jpg": "val"}
    # An empty label file and none both leave a picture without boxes; the second is noted.
    assert [len(sample.classes) for sample in done.dataset.samples] == [2, 0, 0, 1]
    assert "1 pictures have no label file and count as pictures without boxes (c.jpg)" in done.notes
    assert "2 of 4 pictures have no box (b.jpg, c.jpg)" in done.notes
    assert "1 of 3 classes have no box (cow)" in done.notes
    assert done.report.line == "yolo: 4 images, 3 boxes of 3 classes: cat, dog, cow"


def test_polygons_become_masks_and_the_boxes_around_them(project, convert_boxes):
    triangle = "2 0.1 0.2 0.5 0.2 0.1 0.8\n"
    (project / "labels/train/b.txt").write_text(triangle)
    done = convert_boxes(project)
    annotation = done.content["annotations"][2]
    assert done.boxes[2] == ("cow", [20, 20, 80, 60])
    assert annotation["segmentation"] == [[20, 20, 100, 20, 20, 80]]
    assert annotation["area"] == 80 * 60 / 2
    assert "segmentation" not in done.content["annotations"][0]
    assert "1 lines are polygons: each became a mask and the box around" in done.notes
    masks = [sample.masks is not None for sample in done.dataset.samples]
    assert masks == [False, True, False, False]


def test_one_part_and_one_class(project, convert_boxes):
    assert convert_boxes(project, part="val").files == {"d.jpg": "val"}
    done = convert_boxes(project, category="dog")
    assert [name for name, _ in done.boxes] == ["dog"]
    assert done.dataset.class_names == ("dog",)
    assert "2 boxes of other classes were left out (cat)" in done.notes
    with pytest.raises(InputError, match="expected boxes of class horse, found cat, dog, cow"):
        convert_boxes(project, category="horse")


def test_a_folder_without_settings_takes_names_of_a_file(project, convert_boxes):
    (project / "data.yaml").unlink()
    assert [name for name, _ in convert_boxes(project).boxes] == ["0", "1", "0"]
    (project / "labels" / "classes.txt").write_text("cat\ndog\n")
    assert [name for name, _ in convert_boxes(project).boxes] == ["cat", "dog", "cat"]


def test_pictures_and_label_files_side_by_side(tmp_path, picture, convert_boxes):
    picture(tmp_path / "flat" / "a.png")
    (tmp_path / "flat" / "a.txt").write_text(LABELS)
    (tmp_path / "flat" / "classes.txt").write_text("cat\r\ndog\r\n")
    done = convert_boxes(tmp_path / "flat")
    assert [name for name, _ in done.boxes] == ["cat", "dog"]
    assert done.files == {"a.png": None}


def test_darknets_form_as_cvat_writes_it(tmp_path, picture, convert_boxes):
    """Its paths begin with data/, a folder that the export does not have."""
    root = tmp_path / "export"
    picture(root / "obj_train_data" / "a.png")
    (root / "obj_train_data" / "a.txt").write_text(LABELS)
    (root / "train.txt").write_text("data/obj_train_data/a.png\n")
    (root / "obj.names").write_text("cat\ndog\n")
    settings = "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
    (root / "obj.data").write_text(settings)
    for source in (root, root / "obj.data"):
        done = convert_boxes(source)
        assert [name for name, _ in done.boxes] == ["cat", "dog"]
        assert done.files == {"a.png": "train"}
    (root / "train.txt").write_text("data/obj_train_data/b.png\n")
    with pytest.raises(InputError, match="1 listed pictures do not exist"):
        convert_boxes(root)


def test_lists_of_pictures(project, convert_boxes):
    (project / "train.txt").write_text("images/train/a.jpg\n")
    (project / "data.yaml").write_text("names: [cat, dog]\ntrain: train.txt\nval: images/val\n")
    done = convert_boxes(project)
    assert done.files == {"train/a.jpg": "train", "val/d.jpg": "val"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cat 0.5 0.5 0.4 0.6", r"a\.txt, line 3: expected numbers, got cat 0.5"),
        ("-1 0.5 0.5 0.4 0.6", r"expected a class \(a whole number from 0\) and a box, got -1"),
        ("0.5 0.5 0.5 0.4 0.6", "expected a class"),
        ("0 0.5 0.5 0.4", "expected a class and a box of four numbers, or the points of a polygon"),
        ("0 0.5 0.5 0.4 0.6 0.9", "expected a class and a box of four numbers"),
        ("0 0.1 0.2 0.5 0.2 0.1 0.8 0.9", "or the points of a polygon"),
        ("0 100 50 80 60", "expected a box relative to the picture, 0 to 1, got 0 100 50"),
        ("0 0.1 0.2 0.5 0.2 0.1 80", "expected a box relative to the picture"),
        ("0 nan 0.5 0.4 0.6", "expected numbers"),
        ("1e400 0.5 0.5 0.4 0.6", "expected numbers"),
    ],
)
def test_an_odd_line_is_left_out_or_is_the_error_where_all_are(
    project, convert_boxes, line, message
):
    file = project / "labels/train/a.txt"
    file.write_text(f"{LABELS}{line}\n")
    notes = convert_boxes(project).report.notes
    (note,) = [one for one in notes if "lines of labels" in one]
    assert re.search(rf"^1 lines of labels were left out \(.*{message}", note)
    file.write_text(f"\n\n{line}\n")
    (project / "labels/val/d.txt").unlink()
    with pytest.raises(InputError, match=message) as caught:
        convert_boxes(project)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["0 0.5 0.5 0 0.6", "0 0.5 0.5 -0.4 0.6", "0 1.5 0.5 0.4 0.6"])
def test_boxes_without_an_area_in_their_picture_are_counted(project, convert_boxes, line):
    (project / "labels/train/b.txt").write_text(line)
    done = convert_boxes(project)
    assert len(done.boxes) == 3
    assert "1 boxes without an area within their picture were left out (b.jpg)" in done.notes
    for name in ("train/a.txt", "val/d.txt"):
        (project / "labels" / name).unlink()
    with pytest.raises(InputError, match="no box with an area within its picture, so nothing"):
        convert_boxes(project)


def test_boxes_are_cut_at_the_edge_of_the_picture(project, convert_boxes):
    (project / "labels/train/b.txt").write_text("0 0.0 0.5 0.4 0.6\n0 0.999 0.5 0.004 0.6\n")
    done = convert_boxes(project)
    assert done.boxes[2:4] == [("cat", [0, 20, 40, 60]), ("cat", [199.4, 20, 0.6, 60])]
    note = "1 of 5 boxes reach beyond their picture and were cut at its edge (b.jpg)"
    assert note in done.notes  # what is lost of the other one is less than a pixel


def test_names_that_stand_twice_are_one_class(project, convert_boxes):
    (project / "data.yaml").write_text(YAML.replace("dog", "cat"))
    assert convert_boxes(project).dataset.class_names == ("cat", "cow")


@pytest.mark.parametrize("option", [{"names": ("nose",)}, {"likelihood": 0.5}])
def test_options_of_keypoints_ask_for_keypoints(project, convert_boxes, option):
    with pytest.raises(InputError, match="line 1: expected a class, a box of four numbers and key"):
        convert_boxes(project, **option)


def test_lines_of_keypoints_stay_keypoints(project, convert):
    line = "0 0.5 0.5 0.4 0.6  0.5 0.3 2  0.4 0.4 1\n"
    for name in ("train/a.txt", "val/d.txt"):
        (project / "labels" / name).write_text(line * 2)
    (project / "data.yaml").write_text(YAML + "kpt_shape: [2, 3]\n")
    assert convert(project).report.kind == "keypoints"
    (project / "data.yaml").unlink()
    done = convert(project)
    assert done.report.kind == "keypoints"
    assert np.array(done.points()).shape == (2, 3)
