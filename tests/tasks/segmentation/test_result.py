"""A label map: areas, drawing, mask files, tables."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from hrnet.errors import InputError
from hrnet.tasks.segmentation.result import LabelMap, usual_colors

NAMES = ("road", "sky", "car")
COLORS = ((128, 64, 128), (70, 130, 180), (0, 0, 142))


def label_map(classes=((0, 0, 1), (0, 2, 1)), names=NAMES, colors=COLORS) -> LabelMap:
    return LabelMap(np.array(classes), names, colors)


def test_areas_come_in_order_of_size():
    found = label_map()
    assert [(one.name, one.class_id, one.pixels) for one in found.areas()] == [
        ("road", 0, 3),
        ("sky", 1, 2),
        ("car", 2, 1),
    ]
    assert sum(one.share for one in found.areas()) == pytest.approx(1)
    assert found.summary() == "road 50%, sky 33%, car 17%"
    assert repr(found) == "LabelMap(road 50%, sky 33%, car 17%)"
    assert found.image_size == (2, 3)
    np.testing.assert_array_equal(found["car"], [[False] * 3, [False, True, False]])
    with pytest.raises(KeyError):
        found["tree"]


def test_json_and_csv_list_the_classes_that_occur():
    found = label_map(((2, 2), (2, 0)))
    assert json.loads(found.to_json(7)) == [
        {"image_id": 7, "class": "car", "class_index": 2, "pixels": 3, "share": 0.75},
        {"image_id": 7, "class": "road", "class_index": 0, "pixels": 1, "share": 0.25},
    ]
    assert list(csv.reader(io.StringIO(found.to_csv()))) == [
        ["class", "class_index", "pixels", "share"],
        ["car", "2", "3", "0.75000"],
        ["road", "0", "1", "0.25000"],
    ]
    with pytest.raises(InputError, match="expected image_id as a whole number"):
        found.to_json("x")


def test_the_mask_holds_indices_and_their_colours(tmp_path):
    found = label_map()
    found.save_mask(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as mask:
        assert mask.mode == "P"
        np.testing.assert_array_equal(np.asarray(mask), found.classes)
        np.testing.assert_array_equal(
            np.asarray(mask.convert("RGB")), np.array(COLORS)[found.classes]
        )
    with pytest.raises(InputError, match=r"expected a \.png file for a mask"):
        found.save_mask(tmp_path / "mask.jpg")


def test_a_mask_may_have_the_values_of_a_data_set():
    found = label_map()
    mask = np.asarray(found.to_mask((7, 23, 26)))
    np.testing.assert_array_equal(mask, [[7, 7, 23], [7, 26, 23]])
    for values in ((1, 2), (1, 2, 256), (-1, 1, 2)):
        with pytest.raises(InputError, match="expected 3 values"):
            found.to_mask(values)


def test_many_classes_have_masks_of_16_bits(tmp_path):
    names = tuple(f"class {index}" for index in range(300))
    found = LabelMap(np.array([[299, 0]]), names, usual_colors(300))
    assert found.classes.dtype == np.uint16
    found.save_mask(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as mask:
        np.testing.assert_array_equal(np.asarray(mask), [[299, 0]])


def test_the_drawing_tints_the_picture_and_names_the_classes():
    classes = np.zeros((400, 600), int)
    classes[200:] = 2
    picture = np.full((400, 600, 3), 200, np.uint8)
    drawn = label_map(classes).draw(picture)
    expected = np.rint(200 + 0.55 * (np.array(COLORS, float) - 200))
    np.testing.assert_array_equal(drawn[150, 500], expected[0])
    np.testing.assert_array_equal(drawn[350, 500], expected[2])
    assert (drawn[:40, :60] == COLORS[0]).all(axis=2).any()  # the legend's ground
    assert (picture == 200).all()
    with pytest.raises(InputError, match="expected the picture of 600x400 pixels"):
        label_map(classes).draw(picture[1:])


def test_the_map_cannot_be_changed_and_must_fit():
    found = label_map()
    with pytest.raises(ValueError, match="read-only"):
        found.classes[0, 0] = 1
    for classes in (((0, 3),), ((-1, 0),), ((0.5, 1),), (0, 1), ((),)):
        with pytest.raises(InputError, match="expected classes"):
            label_map(classes)
    with pytest.raises(InputError, match="expected 3 colors"):
        label_map(colors=COLORS[:2])


def test_save_writes_by_the_suffix(tmp_path):
    found = label_map()
    found.save(tmp_path / "areas.json")
    found.save(tmp_path / "areas.csv")
    found.save(tmp_path / "drawn.png", np.zeros((2, 3, 3), np.uint8))
    assert json.loads((tmp_path / "areas.json").read_text())[0]["class"] == "road"
    assert (tmp_path / "areas.csv").read_text() == found.to_csv()
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == (3, 2)
