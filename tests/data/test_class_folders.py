"""Classes from folders: which pictures, in which order, and what is refused or left out."""

import os
import pickle
from types import SimpleNamespace

import pytest

from hrnet.data.class_folders import _check_names, find_parts, read_classes
from hrnet.data.class_lists import Labelled
from hrnet.data.findings import Findings
from hrnet.data.source import DataSource
from hrnet.errors import InputError


def read(path, **fields):
    return read_classes(DataSource(path, **fields))


def test_folders_are_classes_in_the_order_of_their_names(pictures):
    root = pictures("dog/2.png", "cat/b/1.png", "cat/a.PNG", "Zebra/1.png", "dog/10.png")
    dataset = read(root)
    assert dataset.class_names == ("Zebra", "cat", "dog")
    assert [(one.name, one.class_index) for one in dataset.samples] == [
        ("Zebra/1.png", 0),
        ("cat/a.PNG", 1),
        ("cat/b/1.png", 1),
        ("dog/10.png", 2),
        ("dog/2.png", 2),
    ]
    assert all(one.class_name == dataset.class_names[one.class_index] for one in dataset.samples)
    assert all(one.image_path == root / one.name for one in dataset.samples)
    assert dataset.samples[0].image_size is None
    assert dataset.notes == ()
    assert dataset.counts == {"Zebra": 1, "cat": 2, "dog": 2}


def test_names_are_sorted_by_code_points_as_in_torchvision(pictures):
    root = pictures("b/1.png", "B/2.png", "a b/3.png", "a/4.png", "10/5.png", "9/1.png", "é/1.png")
    assert read(root).class_names == ("10", "9", "B", "a", "a b", "b", "é")


def test_what_is_left_out_is_counted(pictures):
    root = pictures("cat/1.png", "dog/1.png", "beside.png", ".hidden/1.png", "cat/.2.png")
    (root / "empty").mkdir()
    (root / "dog" / "notes.txt").write_text("x")
    (root / "labels.xml").write_text("x")
    (root / "dog" / "deeper").symlink_to(root / "cat")
    dataset = read(root)
    assert [one.name for one in dataset.samples] == ["cat/1.png", "dog/1.png"]
    assert dataset.notes == (
        "hidden files and folders: 2 (.hidden, cat/.2.png); left out",
        "files of no kind that is read: 2 (dog/notes.txt, labels.xml); left out",
        "pictures beside the folders of the classes: 1 (beside.png); left out",
        "links to folders within a class, or to a folder above: 1 (dog/deeper); left out",
        "folders without a picture: 1 (empty); left out",
    )


def test_a_class_may_be_a_link_and_circles_end(pictures, tmp_path):
    root = pictures("cat/1.png")
    (root / "dog").symlink_to(pictures("1.png", root="elsewhere"))
    (root / "self").symlink_to(root)
    (root / "above").symlink_to(tmp_path)
    (root / "cat" / "circle").symlink_to(root / "cat")
    (root / "loop").symlink_to(root / "loop")
    dataset = read(root)
    assert [one.name for one in dataset.samples] == ["cat/1.png", "dog/1.png"]
    assert "folder above: 3 (above, cat/circle, self); left out" in dataset.notes[-1]


def test_a_picture_that_is_a_link_to_nothing_is_an_error(pictures):
    root = pictures("cat/1.png", "dog/1.png")
    (root / "cat" / "2.png").symlink_to("gone.png")
    (root / "cat" / "3.png").symlink_to("3.png")
    with pytest.raises(
        InputError, match=r"broken links or no files: 2 \(cat/2.png, cat/3.png\); training"
    ):
        read(root)


def test_a_folder_that_cannot_be_read_is_an_error(pictures, monkeypatch):
    root = pictures("cat/1.png", "dog/1.png")
    scandir = os.scandir

    def refuse(folder):  # as the system does, but not to root, who runs tests in containers
        if folder == root / "dog":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"cannot be read: 1 \(dog: Permission denied\); correct"):
        read(root)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "expected pictures of at least two classes: found none; put the pictures of each"),
        (("1.png",), "expected pictures of at least two classes: found none"),
        (("cat/1.png",), r"expected pictures of at least two classes: found 1 \(cat\); put"),
        (("train/cat/1.png",), "holds the parts train of a data set; name one of them"),
        (("train/cat/1.png", "val/cat/1.png"), "holds the parts train and val of a data set"),
    ],
)
def test_too_few_classes(pictures, names, words):
    root = pictures(*names)
    root.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=words) as caught:
        read(root)
    assert len(str(caught.value).splitlines()) == 1


def test_fields_that_are_not_for_classes_are_refused(pictures):
    root = pictures("cat/1.png", "dog/1.png")
    for fields in ({"boxes": root}, {"category": "cat"}):
        with pytest.raises(InputError, match="expected no boxes and no category for classes"):
            read(root, **fields)
    with pytest.raises(InputError, match="holds its images; leave out --images"):
        read(root, images=root)


def test_odd_names_of_classes_are_noted(pictures):
    root = pictures("a\x1b[2J/1.png", " b/1.png", "cat/1.png", "Cat/1.png")
    dataset = read(root)
    assert dataset.class_names == (" b", "Cat", "a\x1b[2J", "cat")
    assert dataset.notes == (
        "class names with control characters or spaces at an end: 2 (' b', 'a\\x1b[2J'); rename "
        "them, since other tools change them",
        "class names that differ in case or spaces alone: 2 (Cat, cat); give them one name if they "
        "are one class",
    )


def test_parts_are_found_by_name(pictures):
    root = pictures("train/cat/1.png", "train/dog/1.png", "validation/cat/1.png", "test/cat/1.png")
    assert find_parts(root) == (root / "train", root / "validation")
    assert find_parts(root / "train") == (root / "train", None)
    assert find_parts(root / "train" / "cat") == (root / "train" / "cat", None)
    lists = pictures("1.png", root="lists")
    for name in ("train.csv", "val.txt"):
        (lists / name).write_text("")
    assert find_parts(lists) == (lists / "train.csv", lists / "val.txt")
    assert find_parts(lists / "train.csv") == (lists / "train.csv", None)
    assert find_parts(lists / "none") == (lists / "none", None)


def test_parts_are_found_in_any_case(pictures):
    root = pictures("Train/cat/1.png", "Train/dog/1.png", "VALID/cat/1.png", "VALID/dog/1.png")
    assert find_parts(root) == (root / "Train", root / "VALID")


def test_a_class_may_be_called_train(pictures):
    root = pictures("train/1.png", "bus/1.png", "test/1.png")
    assert find_parts(root) == (root, None)
    assert read(root).class_names == ("bus", "test", "train")


def test_facts_follow_from_the_content(pictures):
    root = pictures("cat/1.png", "cat/2.png", "dog/1.png")
    (root / "notes.txt").write_text("x")
    facts = read(root).facts()
    digest = facts.pop("sha256")
    assert facts == {
        "source": "pets",
        "images": 3,
        "classes": {"cat": 2, "dog": 1},
        "notes": ("files of no kind that is read: 1 (notes.txt); left out",),
    }
    moved = root.rename(root.with_name("moved"))
    assert read(moved).facts()["sha256"] == digest
    (moved / "cat" / "1.png").rename(moved / "dog" / "0.png")
    assert read(moved).facts()["sha256"] != digest
    assert read(moved).describe() == [
        "data moved: 3 images of 2 classes, 1 (cat) to 2 (dog) in a class"
    ]


def test_samples_are_a_sequence(pictures):
    samples = read(pictures("cat/1.png", "cat/2.png", "dog/1.png")).samples
    assert samples[-1] == list(samples)[2]
    assert samples[:2] == (samples[0], samples[1])
    assert samples[1] in samples
    with pytest.raises(IndexError):
        samples[3]


def test_a_model_may_know_more_classes_but_not_fewer(pictures):
    dataset = read(pictures("cat/1.png", "dog/1.png"))
    dataset.expect_labels_of(SimpleNamespace(class_names=("bird", "dog", "cat")))
    with pytest.raises(InputError, match=r"the model's 2 \(dog, bird\), got 1 others \(cat\);"):
        dataset.expect_labels_of(SimpleNamespace(class_names=("dog", "bird")))
    with pytest.raises(InputError, match="expected a model that predicts classes, got none"):
        dataset.expect_labels_of(SimpleNamespace())


def test_a_check_collects_every_error(pictures):
    root = pictures("cat/1.png")
    (root / "cat" / "2.png").symlink_to("gone.png")
    findings = Findings(path=root)
    dataset = read_classes(DataSource(root), findings)
    assert [one.name for one in dataset.samples] == ["cat/1.png"]
    assert len(findings.errors) == 2


def test_names_that_are_not_utf_8_are_read(pictures):
    root = pictures("cat/1.png", "dog/1.png")
    (root / "cat").rename(root / os.fsdecode(b"c\xff"))
    dataset = read(root)
    assert dataset.counts == {"c\udcff": 1, "dog": 1}
    assert len(dataset.facts()["sha256"]) == 64
    assert all(one.image_path.is_file() for one in dataset.samples)


def test_samples_go_to_other_processes(pictures):
    samples = read(pictures("cat/1.png", "dog/1.png")).samples
    assert list(pickle.loads(pickle.dumps(samples))) == list(samples)


def test_a_class_that_is_a_link_to_nothing_is_noted(pictures):
    root = pictures("cat/1.png", "dog/1.png")
    (root / "cow").symlink_to("gone")
    assert read(root).notes == (
        "links that lead nowhere, instead of to a class: 1 (cow); left out",
    )


@pytest.mark.parametrize("name", ["x" * 201, "\u3000"])
def test_a_name_that_no_model_can_have_is_an_error(name):
    findings = Findings()
    _check_names([Labelled("1.png", "cat"), Labelled("2.png", name)], (), findings)
    assert [one.what for one in findings.errors] == [
        "class names of over 200 letters, or of spaces alone"
    ]


def test_too_many_classes_are_an_error():
    findings = Findings()
    labelled = [Labelled(f"{number}.png", str(number)) for number in range(30_001)]
    _check_names(labelled, (), findings)
    assert [one.line for one in findings.errors] == [
        "expected at most 30000 classes: 30001; take fewer"
    ]
