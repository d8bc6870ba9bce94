"""Detections are checked when they are made, cut by rows, classes and scores, and given out."""

import json
import re
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hrnet.drawing import class_color
from hrnet.errors import InputError
from hrnet.tasks.detection.coco import COCO_CLASSES, COCO_IDS
from hrnet.tasks.detection.result import Detections
from hrnet.tasks.detection.words import plural

BOXES = [[10, 20, 40, 60], [5, 5, 30, 30.5], [50, 10, 80, 70]]
NAMES = ("person", "dog")
GREY = np.full((80, 100, 3), 120, np.uint8)


def found(boxes=BOXES, scores=(0.9, 0.5, 0.25), classes=(0, 1, 0), names=NAMES, **fields):
    return Detections(boxes, scores, classes, names, (80, 100), **fields)


def masked(**fields) -> Detections:
    """The first mask fills its box, the second its left half, the third nothing."""
    maps = np.zeros((3, 28, 28), np.float32)
    maps[0], maps[1, :, :14] = 1, 1
    return found(mask_maps=maps, **fields)


def nothing(**fields) -> Detections:
    return found(np.zeros((0, 4)), (), (), **fields)


def test_rows_classes_and_scores_choose():
    one = found()[1]
    assert (one.name, one.class_id, one.score) == ("dog", 1, 0.5)
    assert one.box.tolist() == BOXES[1]
    assert [other.name for other in found()] == ["person", "dog", "person"]
    for rows in ([0, 2], [True, False, True], slice(None, None, 2), found().class_ids == 0):
        assert found()[rows].scores.tolist() == [np.float32(0.9), 0.25]
    assert len(found()["dog"]) == 1
    assert len(masked()["person"].mask_maps) == 2
    with pytest.raises(KeyError):
        found()["owl"]
    with pytest.raises(IndexError):
        found()[3]


def test_the_usual_score_or_another_one_is_enough():
    result = found(usual_score=0.3)
    assert len(result.confident()) == 2
    assert len(result.confident(0.6)) == 1
    assert len(result.confident(0)) == 3


def test_arrays_are_frozen_copies():
    given = np.zeros((3, 28, 28), np.float32)
    result = found(mask_maps=given)
    given[:] = 1
    for values in (result.boxes, result.scores, result.class_ids, result.mask_maps):
        with pytest.raises(ValueError, match="read-only"):
            values[:] = 1
    assert not result.mask_maps.any()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"boxes": BOXES[:2]}, r"boxes of shape \(3, 4\), got \(2, 4\)"),
        ({"scores": (0.5, np.nan, 0.5)}, "finite numbers in scores"),
        ({"classes": (0, 2, 1)}, "class_ids of 0 to 1, got 0 to 2"),
        ({"classes": (0, -1, 1)}, "class_ids of 0 to 1, got -1 to 1"),
        ({"mask_maps": np.zeros((2, 28, 28))}, r"mask_maps of shape \(3, 28, 28\)"),
    ],
)
def test_what_does_not_fit_together_is_refused(fields, words):
    with pytest.raises(InputError, match=words):
        found(**fields)


def test_entries_are_in_the_form_of_coco():
    entry = found().entries(np.int64(7))[1]
    assert entry == {
        "image_id": 7,
        "category_id": 2,
        "bbox": [5, 5, 25, 25.5],
        "score": 0.5,
        "class": "dog",
        "class_index": 1,
    }
    assert json.loads(found().to_json(7)) == found().entries(7)
    assert nothing().entries(1) == []
    with pytest.raises(InputError, match="image_id as a whole number"):
        found().entries("x")


def test_classes_of_coco_have_its_category_ids():
    assert (len(COCO_IDS), COCO_IDS[0], COCO_IDS[-1]) == (80, 1, 90)
    assert all(re.fullmatch(r"[a-z]+( [a-z]+)*", name) for name in COCO_CLASSES)
    known = {"person": 1, "fire hydrant": 11, "stop sign": 13, "dog": 18, "sports ball": 37}
    known |= {"wine glass": 46, "hot dog": 58, "toilet": 70, "toothbrush": 90}
    for name, number in known.items():
        classes = [COCO_CLASSES.index(name)] * 3
        assert found(classes=classes, names=COCO_CLASSES).entries(1)[0]["category_id"] == number
    assert [one["category_id"] for one in found().entries(1)] == [1, 2, 1]


def test_pycocotools_reads_the_entries_with_their_masks(tmp_path):
    coco = pytest.importorskip("pycocotools.coco").COCO()
    mask = pytest.importorskip("pycocotools.mask")
    result = masked()
    result.save(tmp_path / "found.json")
    coco.dataset = {"images": [{"id": 1}], "annotations": [], "categories": []}
    coco.createIndex()
    loaded = coco.loadRes(str(tmp_path / "found.json")).anns.values()
    decoded = [mask.decode(one["segmentation"]) for one in loaded]
    assert np.array_equal(decoded, result.masks())


def test_masks_lie_in_their_boxes():
    masks = masked().masks()
    assert masks.shape == (3, 80, 100)
    expected = np.zeros((80, 100), bool)
    expected[20:60, 10:40] = True
    np.testing.assert_array_equal(masks[0], expected)
    assert masks[1][:, 17].any()
    assert not masks[1][:, 18:].any()
    assert not masks[2].any()
    with pytest.raises(InputError, match="a model with the head mask"):
        found().masks()


def test_masks_of_legacy_detectors_are_cut_to_whole_pixels():
    maps = np.ones((1, 28, 28), np.float32)
    values = ([[10.6, 20.2, 40.4, 60.9]], (0.9,), (0,), NAMES, (80, 100), maps)
    plain, legacy = (Detections(*values, 0.0, one).masks()[0] for one in ("plain", "legacy"))
    rows, columns = (np.flatnonzero(legacy.any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (20, 59, 10, 39)
    rows, columns = (np.flatnonzero(plain.any(axis=axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (20, 60, 11, 39)


def test_a_line_counts_the_classes():
    assert found().summary() == "2 persons, 1 dog"
    assert nothing().summary() == "nothing found"
    names = tuple("abcdefgh")
    many = found(np.zeros((9, 4)), [0.5] * 9, [0, 0, *range(1, 8)], names)
    assert many.summary() == "2 as, 1 b, 1 c, 1 d, 1 e, 1 f, 2 of other classes"
    assert "\x1b" not in found(names=("a\x1b[2Jb", "c")).summary()


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ("person", "persons"),
        ("wine glass", "wine glasses"),
        ("bus", "buses"),
        ("sheep", "sheep"),
        ("computer mouse", "computer mice"),
        ("bench", "benches"),
        ("box", "boxes"),
        ("berry", "berries"),
        ("toy", "toys"),
        ("skis", "skis"),
        ("class 7", "class 7"),
        ("Tür", "Türs"),
        ("café", "café"),
        ("猫", "猫"),
    ],
)
def test_plurals(one, several):
    assert plural(one) == several


def test_the_csv_has_a_row_a_detection():
    assert found().to_csv().splitlines()[:2] == [
        "class,class_index,score,left,top,right,bottom",
        "person,0,0.90000,10.00,20.00,40.00,60.00",
    ]
    assert len(nothing().to_csv().splitlines()) == 1


def test_a_table_shows_all_and_none_is_shown_for_nothing():
    console = Console(width=60)
    with console.capture() as shown:
        for table in found().tables(console.width):
            console.print(table)
    assert all(word in shown.get() for word in ("person", "dog", "0.900", "60"))
    assert list(nothing().tables(60)) == []


def test_a_drawing_has_boxes_in_the_colours_of_their_classes():
    drawn = found().draw(GREY)
    for row, (left, top, right, bottom) in enumerate(np.array(BOXES).astype(int)):
        color = class_color(found().class_ids[row])
        assert tuple(drawn[bottom - 2, (left + right) // 2]) == color
        middle = drawn[(top + bottom) // 2 + 8, (left + right) // 2]
        assert tuple(middle) == (120, 120, 120)
    assert (GREY == 120).all()
    np.testing.assert_array_equal(nothing().draw(GREY), GREY)
    with pytest.raises(InputError, match="picture of 100x80 pixels that these detections"):
        found().draw(GREY[1:])


def test_a_mask_is_blended_into_the_picture():
    drawn = masked().draw(GREY)
    color = np.array(class_color(0))
    blended = drawn[50, 25]
    assert (np.abs(blended - (0.55 * 120 + 0.45 * color)) < 1).all()
    assert tuple(drawn[50, 65]) == (120, 120, 120)  # the third mask is empty


def test_captions_stay_in_the_picture_and_off_each_other():
    """Two boxes of one place, one at the right edge: the second caption stands elsewhere."""
    boxes = [[70, 30, 99, 60], [70, 30, 99, 60]]
    first = found(boxes[:1], (0.9,), (0,)).draw(GREY)
    both = found(boxes, (0.9, 0.8), (0, 1)).draw(GREY)
    changed = np.argwhere((first != GREY).any(axis=2) & (np.arange(80)[:, None] < 28))
    assert len(changed) > 50
    for y, x in changed:
        assert tuple(first[y, x]) == tuple(both[y, x])


def test_neighbouring_classes_have_far_colours():
    colors = np.array([class_color(index) for index in range(12)], int)
    gaps = [np.abs(a - b).sum() for i, a in enumerate(colors) for b in colors[i + 1 :]]
    assert min(gaps) > 40
    assert len({class_color(index) for index in range(80)}) == 80


def test_detections_for_supervision():
    supervision = pytest.importorskip("supervision")
    theirs = masked().to_supervision()
    assert isinstance(theirs, supervision.Detections)
    assert theirs.xyxy.tolist() == masked().boxes.tolist()
    assert theirs.confidence.tolist() == masked().scores.tolist()
    assert theirs.data["class_name"].tolist() == ["person", "dog", "person"]
    assert theirs.mask.shape == (3, 80, 100)
    assert len(theirs[theirs.class_id == 0]) == 2
    assert len(nothing().to_supervision()) == 0


def test_supervision_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(InputError, match="pip install supervision"):
        found().to_supervision()


@pytest.mark.parametrize("name", ["found.json", "found.csv", "found.jpg", "found.png"])
def test_it_is_saved_by_its_suffix(tmp_path, name):
    masked().save(tmp_path / name, GREY)
    if name.endswith((".jpg", ".png")):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == (100, 80)
    else:
        assert "dog" in (tmp_path / name).read_text()
