"""COCO instance files: what is read, what is left out and noted, and what is refused."""

import json
from pathlib import Path

import pytest

from hrnet.data.coco_boxes import holds_boxes, read_coco_boxes
from hrnet.errors import InputError


def box(number, category=1, xywh=(1, 2, 30, 40), **more):
    known = {"id": number, "image_id": 7, "category_id": category, "area": 700.5}
    return known | {"bbox": list(xywh)} | more


def content(*annotations, categories=((3, "dog"), (1, "cat"))):
    sizes = {"height": 60, "width": 80}
    return {
        "images": [{"id": 7, "file_name": "a.png"} | sizes, {"id": 9, "file_name": "b.png"}],
        "annotations": list(annotations),
        "categories": [{"id": number, "name": name} for number, name in categories],
    }


def read(tmp_path, entries, category=None):
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps(entries))
    return read_coco_boxes(file, Path("pictures"), category)


def test_pictures_with_and_without_boxes_are_samples(tmp_path):
    data = read(tmp_path, content(box(1), box(2, 3, (5, 5, 9, 9), iscrowd=1), box(3, 3, ignore=1)))
    assert data.class_names == ("cat", "dog")  # by their ids
    first, second = data.samples
    assert first.image_path == Path("pictures/a.png")
    assert (first.image_size, second.image_size) == ((60, 80), None)
    assert first.boxes_xywh.tolist() == [[1, 2, 30, 40], [5, 5, 9, 9], [1, 2, 30, 40]]
    assert first.classes.tolist() == [0, 1, 1]
    assert first.ignore.tolist() == [False, True, True]
    assert second.boxes_xywh.shape == (0, 4)
    assert first.masks is second.masks is None
    assert data.notes == ()


def test_masks_that_can_be_drawn(tmp_path):
    polygon, runs = [[1, 1, 9, 1, 9, 9]], {"counts": [0, 10, 4790], "size": [60, 80]}
    bad = [[1, 2, 3]], {"counts": 5}, "text", None, [[1, 2, 3, 4, 5, "x"]]
    data = read(
        tmp_path,
        content(
            box(1, segmentation=polygon),
            box(2, segmentation=runs),
            *(box(3 + place, segmentation=value) for place, value in enumerate(bad)),
        ),
    )
    assert data.samples[0].masks == (polygon, runs, None, None, None, None, None)
    (note,) = data.notes
    assert note == ("masks that cannot be drawn whole: 4 (3, 4, 5, 7); what is wrong is left out")


@pytest.mark.parametrize(
    "counts",
    [
        [0, 10],
        [0, 4801],
        [-1, 4801],
        [0.5, 4799.5],
        [],
        [0, "x"],
        "",
        "zzz",
        "0\u20ac",
        "o" * 99,
        7,
    ],
)
def test_run_lengths_that_do_not_fill_the_picture_are_no_mask(tmp_path, counts):
    """pycocotools would read and write beyond its memory."""
    runs = {"counts": counts, "size": [60, 80]}
    data = read(tmp_path, content(box(1, segmentation=runs)))
    assert data.samples[0].masks is None
    assert "masks that cannot be drawn whole: 1 (1)" in data.notes[0]


def test_run_lengths_of_another_size_and_far_polygons_are_no_masks(tmp_path):
    wide = {"counts": [0, 4800], "size": [80, 60]}
    far = [[0, 0, 1e9, 0, 1e9, 1e9]]
    some = [[0, 0, 5, 0, 5, 5], [1, 1]]
    masks = [box(1, segmentation=wide), box(2, segmentation=far), box(3, segmentation=some)]
    data = read(tmp_path, content(*masks))
    assert data.samples[0].masks == (None, None, some[:1])
    assert "3 (1, 2, 3)" in data.notes[0]


def test_areas_are_those_of_the_file_or_of_the_boxes(tmp_path):
    data = read(tmp_path, content(box(1), box(2, area=None), box(3, area=0), box(4, area="x")))
    assert data.samples[0].areas.tolist() == [700.5, 1200, 1200, 1200]
    assert data.notes == ("boxes without an area above 0: 3 (2, 3, 4); that of the box is taken",)
    assert data.samples[1].areas.shape == (0,)


def test_boxes_of_no_area_are_left_out_and_noted(tmp_path):
    data = read(tmp_path, content(box(1), box(2, 1, (1, 1, 0, 5))))
    assert len(data.samples[0].classes) == 1
    assert data.notes == ("boxes of no area: 1 (2); they are left out",)


def test_one_category_alone(tmp_path):
    for wanted in ("dog", "3"):
        data = read(tmp_path, content(box(1), box(2, 3)), wanted)
        assert data.class_names == ("dog",)
        assert data.samples[0].classes.tolist() == [0]
        assert len(data.samples) == 2


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (content({"id": 1, "image_id": 7, "category_id": 1}), "annotations without a box: 1 (1)"),
        (content(box(1, xywh=(1, 2, "x", 4))), "without a box of four finite numbers: 1 (1)"),
        (content(box(1, image_id=5)), "annotations of images that are not listed"),
        (content(box(1), categories=((1, "cat"), (1, "dog"))), "ids that occur more than once"),
        (content(box(1), categories=((1, "cat"), (2, "cat"))), "names that occur more than once"),
        (content(categories=((None, "cat"),)), "categories without an id"),
        (content(categories=()), "expected categories (there are none), got none"),
        ([], "expected a COCO"),
    ],
)
def test_bad_files_are_one_line(tmp_path, entries, words):
    with pytest.raises(InputError) as caught:
        read(tmp_path, entries)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_unknown_category_lists_those_there_are(tmp_path):
    with pytest.raises(InputError, match=r"expected categories \(cat, dog\), got owl"):
        read(tmp_path, content(box(1)), "owl")


def test_files_of_boxes_are_told_from_those_of_keypoints():
    assert holds_boxes(content(box(1)))
    assert not holds_boxes(content(box(1, keypoints=[1, 2, 2])))
    named = content(box(1))
    named["categories"][0]["keypoints"] = ["nose"]
    assert not holds_boxes(named)
    for other in (content(), [], None, {"annotations": 3}, {"annotations": [None]}):
        assert not holds_boxes(other)
