"""YOLO pose labels, as its documentation lays them out and as tools write them."""

import pytest

from hrnet.errors import InputError

YAML = """
path: .
train: images/train
val: images/val
kpt_shape: [3, 3]
flip_idx: [0, 2, 1]
names:
  0: pet
"""
LINE = "0 0.5 0.5 0.4 0.6  0.5 0.3 2  0.4 0.4 1  0 0 0\n"


@pytest.fixture
def project(tmp_path, picture):
    """Two pictures for training, of which one has no labels, and one for validation."""
    for name in ("train/a.jpg", "train/b.jpg", "val/c.jpg"):
        picture(tmp_path / "pets" / "images" / name)
    for name in ("train/a.txt", "val/c.txt"):
        file = tmp_path / "pets" / "labels" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(LINE)
    (tmp_path / "pets" / "data.yaml").write_text(YAML)
    return tmp_path / "pets"


def test_points_boxes_visibility_and_pairs(project, convert):
    done = convert(project / "data.yaml")
    assert done.report.format == "yolo"
    assert done.points() == [[100, 30, 2], [80, 40, 1], [0, 0, 0]]
    assert done.box() == [60, 20, 80, 60]
    assert done.category["name"] == "pet"
    assert done.category["keypoints"] == ["kp_0", "kp_1", "kp_2"]
    assert done.category["flip_pairs"] == [["kp_1", "kp_2"]]
    assert done.dataset.skeleton.flip_pairs == ((1, 2),)
    names = [image["file_name"] for image in done.content["images"]]
    assert names == ["train/a.jpg", "train/b.jpg", "val/c.jpg"]
    assert [image["part"] for image in done.content["images"]] == ["train", "train", "val"]
    assert done.content["annotations"][1]["image_id"] == 3
    assert done.report.images == project / "images"
    assert "kp_0, ...; give --names" in " ".join(done.report.notes)


def test_one_part(project, convert):
    done = convert(project, part="val")
    assert [image["file_name"] for image in done.content["images"]] == ["c.jpg"]
    assert not any("--part" in note for note in done.report.notes)
    with pytest.raises(InputError, match="expected part test with labels, found none"):
        convert(project, part="test")


def test_names_from_the_user_or_the_file(project, convert):
    done = convert(project, names=("nose", "left_eye", "right_eye"))
    assert done.dataset.skeleton.names == ("nose", "left_eye", "right_eye")
    assert done.category["flip_pairs"] == [["left_eye", "right_eye"]]
    with pytest.raises(InputError, match=r"expected 3 names in --names, .* got 2"):
        convert(project, names=("a", "b"))
    (project / "data.yaml").write_text(YAML + "kpt_names:\n  0: [nose, l_ear, r_ear]\n")
    assert convert(project).dataset.skeleton.names == ("nose", "l_ear", "r_ear")


def test_a_folder_without_settings(project, convert):
    (project / "data.yaml").unlink()
    done = convert(project)
    assert done.points() == [[100, 30, 2], [80, 40, 1], [0, 0, 0]]
    assert "flip_pairs" not in done.category
    assert done.category["name"] == "0"


def test_two_values_a_keypoint(project, convert):
    (project / "data.yaml").unlink()
    for file in (project / "labels").rglob("*.txt"):
        file.write_text("\n0 0.5 0.5 0.4 0.6 0.25 0.5 0 0 -1 -1 0.75 0.25\n")
    done = convert(project)
    assert done.points() == [[50, 50, 2], [0, 0, 0], [0, 0, 0], [150, 25, 2]]
    assert "no visibility" in " ".join(done.report.notes)


def test_several_classes(project, convert):
    text = YAML.replace("0: pet", "0: cat\n  1: dog")
    (project / "data.yaml").write_text(text)
    (project / "labels/val/c.txt").write_text(LINE + "1" + LINE[1:])
    done = convert(project)
    assert done.category["name"] == "cat or dog"
    assert [one["class"] for one in done.content["annotations"]] == ["cat", "cat", "dog"]
    done = convert(project, category="dog")
    assert done.category["name"] == "dog"
    assert done.report.num_subjects == 1
    with pytest.raises(InputError, match="expected subjects of class cow, found cat, dog"):
        convert(project, category="cow")


def test_lists_of_files_and_paths_with_one_step_too_many(project, convert):
    (project / "val.txt").write_text("./images/val/c.jpg\n")
    text = YAML.replace("images/train", "../images/train").replace("images/val", "val.txt")
    (project / "data.yaml").write_text(text)
    assert [image["part"] for image in convert(project).content["images"]] == [
        "train",
        "train",
        "val",
    ]


def settings(old, new):
    return lambda project: (project / "data.yaml").write_text(YAML.replace(old, new))


def label(text):
    return lambda project: (project / "labels/train/a.txt").write_text(text)


BAD = {
    "words": (label("0 a b c d 1 1 1"), r"a\.txt, line 1: expected numbers, got 0 a b"),
    "short": (label("0 0.5 0.5 0.4 0.6"), r"line 1: expected a class, a box of four numbers and"),
    "class": (label(LINE + "0.5" + LINE[1:]), "line 2: expected a class"),
    "NaN": (label(LINE.replace("0.3", "nan")), "line 1: expected a class"),
    "pixels": (label(LINE.replace("0.6", "60")), "line 1: expected a box relative to the picture"),
    "K": (label("0 0.5 0.5 0.4 0.6 1 1 1"), r"a\.txt: expected 3 keypoints of 3 numbers each, got"),
    "shape": (settings("[3, 3]", "[3, 4]"), r"expected kpt_shape as .* got \[3, 4\]"),
    "flips": (settings("[0, 2, 1]", "[0, 2]"), "expected flip_idx as the numbers 0..2"),
    "turn": (settings("[0, 2, 1]", "[1, 2, 0]"), "expected flip_idx to exchange pairs, got"),
    "yaml": (settings("names:", "names: ["), "expected YAML in"),
    "folder": (settings("images/val", "images/no"), "expected pictures in .*no, which does not ex"),
    "list": (
        lambda project: (project / "data.yaml").write_text("- kpt_shape"),
        "expected named set",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(project, convert, name):
    spoil, message = BAD[name]
    spoil(project)
    with pytest.raises(InputError, match=message) as caught:
        convert(project / "data.yaml", format_name="yolo")
    assert "\n" not in str(caught.value)


def test_listed_pictures_must_exist(project, convert):
    (project / "val.txt").write_text("images/val/gone.jpg\n")
    settings("images/val", "val.txt")(project)
    with pytest.raises(InputError, match="1 listed pictures do not exist"):
        convert(project)


def test_folders_without_labels(tmp_path, picture, convert):
    (tmp_path / "labels").mkdir()
    with pytest.raises(InputError, match=r"expected pictures in .*images; give their folder"):
        convert(tmp_path)
    picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(InputError, match="expected label files with subjects, found none"):
        convert(tmp_path)
