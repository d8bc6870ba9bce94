"""Splits by class: shares, copies of one picture, seeds, and lists that read back the same."""

import shutil

import pytest

from hrnet.data.class_folders import find_parts, read_classes
from hrnet.data.class_split import same_files, split_class_files, split_classes
from hrnet.data.source import DataSource
from hrnet.errors import InputError


@pytest.fixture
def root(pictures):
    cats, dogs = (f"cat/{n}.png" for n in range(20)), (f"dog/{n}.png" for n in range(40))
    return pictures(*cats, *dogs)


def read(path):
    return read_classes(DataSource(path))


def names(dataset):
    return {one.name for one in dataset.samples}


def test_each_class_is_split_by_the_shares(root):
    dataset = read(root)
    parts = split_classes(dataset, val=0.2, test=0.1)
    assert {name: part.counts for name, part in parts.items()} == {
        "train": {"cat": 14, "dog": 28},
        "val": {"cat": 4, "dog": 8},
        "test": {"cat": 2, "dog": 4},
    }
    together = [one for part in parts.values() for one in part.samples]
    assert sorted(together, key=lambda one: one.name) == sorted(
        dataset.samples, key=lambda one: one.name
    )
    assert len({part.facts()["sha256"] for part in parts.values()}) == 3


def test_the_seed_fixes_the_parts_and_a_new_class_moves_no_other(root, pictures):
    first, again, other = (names(split_classes(read(root), seed=n)["val"]) for n in (3, 3, 4))
    assert first == again != other
    pictures("mouse/1.png", "mouse/2.png")
    more = names(split_classes(read(root), seed=3)["val"])
    assert {name for name in more if not name.startswith("mouse")} == first


def test_files_of_equal_content_stay_together(root):
    for n in range(10):
        shutil.copy(root / "cat" / "0.png", root / "cat" / f"copy{n}.png")
        shutil.copy(root / "dog" / "7.png", root / "cat" / f"dog{n}.png")
    for seed in range(5):
        parts = split_classes(read(root), val=0.3, seed=seed)
        held = {
            name: [{one.image_path.read_bytes() for one in part.samples}]
            for name, part in parts.items()
        }
        assert not held["train"][0] & held["val"][0]
        assert sum(len(part.samples) for part in parts.values()) == 80


def test_groups_of_equal_files(tmp_path):
    paths = [tmp_path / name for name in "abcdef"]
    for path, content in zip(paths, (b"x", b"y", b"x", b"longer", b"y"), strict=False):
        path.write_bytes(content)
    paths += [tmp_path / "gone", tmp_path / "gone too"]
    assert same_files(paths) == [[0, 2], [1, 4], [3], [5], [6], [7]]


def test_a_class_of_one_picture_stays_in_training(root, pictures):
    pictures("mouse/1.png")
    parts = split_classes(read(root))
    assert parts["train"].counts["mouse"] == 1
    assert parts["val"].counts["mouse"] == 0
    assert parts["val"].class_names == ("cat", "dog", "mouse")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"val": 1.0}, "shares from 0, together below 1"),
        ({"val": -0.1}, "shares from 0, together below 1"),
        ({"seed": -1}, "whole number from 0, got -1"),
    ],
)
def test_wrong_shares(root, how, words):
    with pytest.raises(InputError, match=words):
        split_classes(read(root), **how)


def test_parts_that_would_be_empty_are_refused(pictures):
    root = pictures("cat/1.png", "dog/1.png")
    with pytest.raises(InputError, match="expected pictures for each part, but val would get none"):
        split_classes(read(root))


def test_written_lists_read_back_as_the_parts(root, tmp_path):
    out = tmp_path / "deep" / "parts"
    parts = split_classes(read(root), val=0.25, seed=1)
    written = split_class_files(DataSource(root), out, val=0.25, seed=1)
    assert list(written) == [out / "train.csv", out / "val.csv"]
    assert find_parts(out) == (out / "train.csv", out / "val.csv")
    for name, part in parts.items():
        back = read(out / f"{name}.csv")
        assert back.class_names == part.class_names
        assert [(one.image_path.resolve(), one.class_index) for one in back.samples] == [
            (one.image_path.resolve(), one.class_index) for one in part.samples
        ]
    with pytest.raises(InputError, match="exists and is not replaced"):
        split_class_files(DataSource(root), out)
    split_class_files(DataSource(root), out, force=True)


def test_a_part_without_a_class_keeps_the_indices(root, pictures, tmp_path):
    pictures("ant/1.png")
    split_class_files(DataSource(root), tmp_path / "parts")
    val = read(tmp_path / "parts" / "val.csv")
    assert val.class_names == ("ant", "cat", "dog")
    assert {one.class_index for one in val.samples} == {1, 2}


@pytest.mark.parametrize("name", ["a\nb", "c\x1b[2J", " d", "back\\slash"])
def test_names_that_a_list_cannot_hold_are_refused_before_anything_is_written(
    root, pictures, tmp_path, name
):
    pictures(f"{name}/1.png", f"{name}/2.png")
    with pytest.raises(InputError, match="expected names of printable characters"):
        split_class_files(DataSource(root), tmp_path / "parts")
    assert not (tmp_path / "parts").exists()
