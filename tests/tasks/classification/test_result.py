"""Labels are checked when they are made, and given out sorted, in JSON, in CSV and drawn."""

import json

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hrnet.errors import InputError
from hrnet.tasks.classification.result import Labels

NAMES = ("cat", "dog", "owl", "a fox, red")


@pytest.fixture
def labels() -> Labels:
    return Labels(np.array([0.2, 0.5, 0.1, 0.2]), NAMES, (40, 60))


def test_the_best_classes_come_first_and_equal_ones_by_their_index(labels):
    assert (labels.name, labels.index, labels.score) == ("dog", 1, 0.5)
    assert [name for name, _ in labels.top()] == ["dog", "cat", "a fox, red", "owl"]
    assert labels.top(1) == [("dog", 0.5)]
    assert labels["owl"] == pytest.approx(0.1)
    with pytest.raises(KeyError):
        labels["cow"]
    with pytest.raises(InputError, match="expected 1 to"):
        labels.top(0)


def test_scores_are_a_frozen_copy(labels):
    with pytest.raises(ValueError, match="read-only"):
        labels.scores[0] = 1


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([0.5, 0.5], r"shape \(4,\), got \(2,\)"),
        ([[0.5] * 4], r"got \(1, 4\)"),
        ([np.nan, 0, 0, 1], "NaN or infinity"),
    ],
)
def test_scores_that_fit_no_classes_are_refused(scores, message):
    with pytest.raises(InputError, match=message):
        Labels(np.array(scores), NAMES, (40, 60))


def test_entries_count_classes_from_zero(labels):
    (entry,) = labels.entries(7)
    assert entry["image_id"] == 7
    assert (entry["class"], entry["class_index"], entry["score"]) == ("dog", 1, 0.5)
    assert [one["class_index"] for one in entry["top"]] == [1, 0, 3, 2]
    assert json.loads(labels.to_json(np.int64(7))) == labels.entries(7)
    with pytest.raises(InputError, match="image_id as a whole number"):
        labels.entries("x")


def test_the_csv_has_a_row_a_class_and_counts_ranks_from_one(labels):
    assert labels.to_csv().splitlines() == [
        "rank,class,class_index,score",
        "1,dog,1,0.50000",
        "2,cat,0,0.20000",
        '3,"a fox, red",3,0.20000',
        "4,owl,2,0.10000",
    ]


def test_a_line_and_a_table_show_the_best_classes(labels):
    assert labels.summary() == "dog 0.50, cat 0.20, a fox, red 0.20"
    console = Console(width=60)
    with console.capture() as shown:
        for table in labels.tables(console.width):
            console.print(table)
    assert "dog" in shown.get()
    assert "0.500" in shown.get()


def test_control_characters_of_a_name_reach_no_terminal():
    labels = Labels(np.array([0.9, 0.1]), ("a\x1b[2Jb", "c"), (40, 60))
    assert "\x1b" not in labels.summary()


def test_the_drawing_has_the_best_classes_in_its_corner(labels):
    picture = np.full((40, 60, 3), 120, np.uint8)
    drawn = labels.draw(picture)
    assert drawn.shape == picture.shape
    assert (drawn[:10, :10] != 120).any()
    np.testing.assert_array_equal(drawn[-3:, -3:], picture[-3:, -3:])
    with pytest.raises(InputError, match="picture of 60x40 pixels"):
        labels.draw(np.zeros((41, 60, 3), np.uint8))


def test_the_letters_of_a_long_name_shrink_to_the_width():
    labels = Labels(np.array([0.9, 0.1]), ("a very long name " * 4, "c"), (300, 500))
    drawn = labels.draw(np.full((300, 500, 3), 120, np.uint8))
    assert (drawn[:14, -20:] == 120).all()


@pytest.mark.parametrize("name", ["labels.json", "labels.csv", "labels.jpg", "labels.png"])
def test_it_is_saved_by_its_suffix(labels, tmp_path, name):
    labels.save(tmp_path / name, np.full((40, 60, 3), 120, np.uint8))
    if name.endswith((".jpg", ".png")):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (60, 40)
    else:
        assert "dog" in (tmp_path / name).read_text()


@pytest.mark.parametrize("name", ["labels.txt", "labels.jpg"])
def test_a_file_that_cannot_be_written_is_refused(labels, tmp_path, name):
    with pytest.raises(InputError, match=r"ends in \.json or \.csv"):
        labels.save(tmp_path / name)
