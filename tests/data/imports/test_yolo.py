"""YOLO pose labels, as its documentation lays them out and as tools write them."""

import re
from itertools import pairwise

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
    assert done.report.num_labels == 1
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


ODD_LINES = {
    "words": ("0 a b c d 1 1 1", r"a\.txt, line 1: expected numbers, got 0 a b"),
    "short": ("0 0.5 0.5 0.4 0.6", r"line 1: expected a class, a box of four numbers and"),
    "class": ("0.5" + LINE[1:], "line 1: expected a class"),
    "underscores": (LINE.replace("0.5", "0_0.5", 1), "line 1: expected numbers"),
    "huge class": ("1e400" + LINE[1:], "line 1: expected numbers"),
    "NaN": (LINE.replace("0.3", "nan"), "line 1: expected numbers"),
    "pixels": (LINE.replace("0.6", "60"), "line 1: expected a box relative to the picture"),
    "K": (
        "0 0.5 0.5 0.4 0.6 1 1 1",
        r"a\.txt, line 1: expected 3 keypoints of 3 numbers each, got",
    ),
}


@pytest.mark.parametrize("name", ODD_LINES)
def test_an_odd_line_is_left_out_or_is_the_error_where_all_are(project, convert, name):
    line, message = ODD_LINES[name]
    file = project / "labels" / "train" / "a.txt"
    file.write_text(f"{line}\n{LINE}")
    done = convert(project)
    assert done.report.num_labels == 2
    (note,) = [one for one in done.report.notes if "lines of labels" in one]
    assert re.search(rf"^1 lines of labels were left out \(.*{message}", note)
    file.write_text(line)
    (project / "labels" / "val" / "c.txt").unlink()
    with pytest.raises(InputError, match=message) as caught:
        convert(project)
    assert "\n" not in str(caught.value)


def test_scores_are_no_visibility(project, convert):
    for file in (project / "labels").rglob("*.txt"):
        file.write_text(LINE.replace("0.3 2", "0.3 0.9").replace("0.4 1", "0.4 0.2"))
    with pytest.raises(InputError, match=r"line 1: expected a visibility of 0, 1 or 2, got 0.9; "):
        convert(project)
    done = convert(project, likelihood=0.5)
    assert done.points() == [[100, 30, 2], [0, 0, 0], [0, 0, 0]]
    assert "2 keypoints of a score below 0.5 were left out" in done.report.notes


def test_what_is_left_out_is_counted(project, convert):
    (project / "images" / "train" / "clip.mp4").touch()
    (project / "images" / "train" / "phone.HEIC").touch()
    (project / "labels" / "train" / "gone.txt").write_text(LINE)
    (project / "labels" / "train" / "classes.txt").write_text("pet")
    (project / "images" / "val" / "c.jpg").write_bytes(b"no picture")
    lines = "1" + LINE[1:] + LINE.replace("0.5 0.5 0.4 0.6", "0.5 0.5 0 0")
    (project / "labels" / "train" / "a.txt").write_text(LINE + lines)
    text = YAML.replace("val: images/val", "val: [images/val, images/train, 3]")
    (project / "data.yaml").write_text(text.replace("0: pet", "0: pet\n  a: dog"))
    done = convert(project, category="pet")
    for note in (
        r"^2 files that are not read in folders were left out \(1 .heic; 1 .mp4\)$",
        r"^1 label files without a picture were left out \(gone.txt\)$",
        r"^1 pictures that cannot be read were left out \(expected an image",
        r"^1 subjects of other classes were left out \(1 1\)$",
        r"^2 pictures that are named a second time were left out \(val a.jpg; val b.jpg\)$",
        r"^1 entries of val were left out .*got 3\)$",
        r"^1 names of classes were left out .*got 'a': 'dog'\)$",
        r"^1 pictures have no label file and count as pictures without subjects \(b.jpg\)$",
        r"^1 of 2 subjects have a box in the source without an area within the picture: theirs is",
        r"^1 keypoints are never labelled \(kp_2\)$",
    ):
        assert [one for one in done.report.notes if re.search(note, one)], (
            f"{note}: {done.report.notes}"
        )


def test_parts_that_are_not_there_are_left_out(project, convert):
    text = YAML.replace("val: images/val", "val: images/no\ntest: ../test/images")
    (project / "data.yaml").write_text(text)
    for part in (None, "train"):
        done = convert(project, part=part)
        assert done.report.num_images == 2
        notes = " | ".join(done.report.notes)
        assert "1 entries of val were left out (" in notes
        assert "test/images, which does not exist; correct path)" in notes
    with pytest.raises(InputError, match=r"expected pictures in .*no, which does not exist"):
        convert(project, part="val")


BAD = {
    "shape": (settings("[3, 3]", "[3, 4]"), r"expected kpt_shape as .* got \[3, 4\]"),
    "flips": (settings("[0, 2, 1]", "[0, 2]"), "expected flip_idx as the numbers 0..2"),
    "turn": (settings("[0, 2, 1]", "[1, 2, 0]"), "expected flip_idx to exchange pairs, got"),
    "yaml": (settings("names:", "names: ["), "expected YAML in"),
    "laughs": (
        settings(
            "path: .",
            "a: &a [1]\n"
            + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 20)}]\n" for a, b in pairwise("abcdef"))
            + "names: *f",
        ),
        "expected at most 200,000 entries, got more",
    ),
    "endless": (settings("[3, 3]", "&a [*a, 3]"), "expected at most 200,000 entries, got more"),
    "tag": (settings("[3, 3]", "!!int x"), "expected YAML in"),
    "word": (settings("[3, 3]", "!!bool x"), "a value that its tag does not fit"),
    "date": (settings("[3, 3]", "!!timestamp x"), "a value that its tag does not fit"),
    "object": (settings("[3, 3]", "!!python/name:os.system x"), "expected YAML in"),
    "digits": (settings("[3, 3]", "9" * 5000), "expected YAML in"),
    "deep": (settings("[3, 3]", "[" * 100_000), "expected YAML in"),
    "flip floats": (settings("[0, 2, 1]", "[0.5, 2, 1]"), "expected flip_idx as the numbers 0..2"),
    "flip mixed": (settings("[0, 2, 1]", "[0, a, 1]"), "expected flip_idx as the numbers 0..2"),
    "flip null": (settings("[0, 2, 1]", "[0, null, 1]"), "expected flip_idx as the numbers 0..2"),
    "device": (settings("images/val", "/dev/zero"), "but /dev/zero is a pipe or a device"),
    "names": (settings("names:", "kpt_names: [[1]]\nnames:"), "expected a list of names in kpt_n"),
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
        convert(tmp_path, format_name="yolo")
    picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(InputError, match="expected label files with boxes or keypoints, found no"):
        convert(tmp_path, format_name="yolo")
