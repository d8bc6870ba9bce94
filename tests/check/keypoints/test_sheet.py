"""The contact sheet: which subjects, in which colours, and twins with sides exchanged."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet.check.keypoints import check_keypoints
from hrnet.check.keypoints.sheet import MAX_TILES
from hrnet.check.run import write_report
from hrnet.tasks.pose.drawing import LEFT, RIGHT


@pytest.fixture
def plain(data):
    """A data set with black pictures, whose left eye is far left of its right eye."""

    def write(**how):
        def spoil(content):
            for annotation in content["annotations"]:
                annotation["keypoints"] = [25, 10, 2, 15, 25, 2, 35, 25, 2]
            content["categories"][0] |= how.get("category", {})

        file, images = data(spoil, subjects=how.get("subjects", 2))
        for path in images.iterdir():
            Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(path)
        return check_keypoints(file, images)

    return write


def center(picture, color):
    """Mean place (x, y) of the pixels of about that colour, below the title."""
    with Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    rows, columns = np.nonzero(np.abs(pixels - color).max(axis=-1) < 80)
    kept = rows > 34
    return np.array([columns[kept].mean(), rows[kept].mean()])


def test_left_and_right_are_told_apart_by_colour(plain, tmp_path):
    files = write_report(plain(subjects=1), tmp_path / "report")
    assert [file.name for file in files] == ["check.json", "contact_sheet.jpg", "mirrored.jpg"]
    assert center(files[1], LEFT)[0] < center(files[1], RIGHT)[0] - 50
    assert json.loads(files[0].read_text())["counts"]["samples"] == 1


def test_in_the_twin_the_sides_keep_their_places(plain, tmp_path):
    """Mirrored, what was on the right is on the left, and it is now the left eye that is there."""
    path = write_report(plain(subjects=1), tmp_path)[2]
    with Image.open(path) as opened:
        sheet = opened.copy()
    half = sheet.width // 2  # two tiles fill the sheet
    for number, box in enumerate(((0, 0, half, sheet.height), (half, 0, 2 * half, sheet.height))):
        part = tmp_path / f"{number}.png"
        sheet.crop(box).save(part)
        assert center(part, LEFT)[0] < center(part, RIGHT)[0] - 50


def test_without_pairs_there_are_no_sides_and_no_twins(plain, tmp_path):
    files = write_report(plain(category={"flip_pairs": []}), tmp_path)
    assert [file.name for file in files] == ["check.json", "contact_sheet.jpg"]


def test_a_seed_fixes_the_sample(plain, tmp_path):
    result = plain(subjects=MAX_TILES + 12)
    sheets = [
        write_report(result, tmp_path / str(seed), seed)[1].read_bytes() for seed in (1, 1, 2)
    ]
    assert sheets[0] == sheets[1] != sheets[2]
    with Image.open(tmp_path / "1" / "contact_sheet.jpg") as sheet:
        width, height = sheet.size
    assert width > 8 * 180
    assert 6 * 240 < height < 7 * 280


@pytest.mark.parametrize("size", [(200, 20), (20, 200)])
def test_flat_boxes_and_points_far_away(data, tmp_path, size):
    def spoil(content):
        content["images"][0].update(height=size[0], width=size[1])
        content["annotations"][0].update(bbox=[1, 1, size[1] - 2, size[0] - 2])
        content["annotations"][0]["keypoints"][:3] = [-1e9, 1e12, 2]

    file, images = data(spoil, subjects=1)
    Image.fromarray(np.zeros((*size, 3), dtype=np.uint8)).save(images / "1.png")
    assert len(write_report(check_keypoints(file, images), tmp_path / "report")) == 3


def test_broken_pictures_leave_no_tile(data, tmp_path):
    file, images = data()
    for path in images.iterdir():
        path.write_bytes(b"no picture")
    files = write_report(check_keypoints(file, images), tmp_path / "report")
    assert [path.name for path in files] == ["check.json"]
