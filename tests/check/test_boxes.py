"""The check of box files counts what is there, and names every problem."""

import json
import shutil
from io import StringIO

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hrnet.check.boxes import BoxCheck, check_boxes
from hrnet.check.copies import near_copies
from hrnet.check.run import check_data, to_json, write_report
from hrnet.data.coco_boxes import read_coco_boxes
from hrnet.data.source import DataSource
from hrnet.data.split import split_dataset
from hrnet.errors import InputError

PICTURES = 12


def content_of() -> dict:
    """A cat and a dog in each of twelve pictures of 160 x 120."""
    images, annotations = [], []
    for n in range(1, PICTURES + 1):
        images.append({"id": n, "file_name": f"{n}.png", "width": 160, "height": 120})
        for category, box in ((1, [10, 10, 20, 30]), (2, [50, 5, 100, 100])):
            one = {"id": len(annotations) + 1, "image_id": n, "category_id": category}
            annotations.append(one | {"bbox": box, "area": box[2] * box[3], "iscrowd": 0})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


@pytest.fixture
def write(tmp_path):
    """Write pictures of noise, and the file with some of its first boxes replaced."""

    def written(*changes: dict, **more: object):
        rng = np.random.default_rng(0)
        for n in range(1, PICTURES + 1):
            pixels = rng.integers(0, 255, (120, 160, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{n}.png")
        content = content_of() | more
        for row, change in enumerate(changes):
            content["annotations"][row] |= change
        (tmp_path / "pets.json").write_text(json.dumps(content))
        return tmp_path / "pets.json"

    return written


def lines(file, category=None):
    result = check_boxes(file, file.parent, category=category)
    return [one.line for one in result.errors], [one.line for one in result.warnings]


def test_counts_and_report(write, tmp_path):
    file = write({"iscrowd": 1})
    result = check_data(DataSource(file, images=file.parent))
    assert isinstance(result, BoxCheck)
    assert (result.errors, result.warnings) == ((), ())
    found = json.loads(to_json(result))
    assert found["counts"] == {
        "images": 12,
        "images without boxes": 0,
        "boxes": 23,
        "regions to ignore": 1,
        "masks": 0,
        "small": 11,
        "medium": 0,
        "large": 12,
    }
    assert found["classes"]["cat"] == {"images": 11, "boxes": 11}
    assert found["classes"]["dog"] == {"images": 12, "boxes": 12}
    console = Console(file=StringIO(), record=True, width=80)
    result.print_facts(console)
    text = console.export_text()
    assert "12 images, 0 images without boxes, 23 boxes, 1 regions to ignore" in text
    assert "52.2%" in text
    report = tmp_path / "report"
    assert [path.name for path in write_report(result, report)] == [
        "check.json",
        "contact_sheet.jpg",
    ]
    with Image.open(report / "contact_sheet.jpg") as sheet:
        assert sheet.width > 900


@pytest.mark.parametrize(
    ("box", "line"),
    [
        ([200, 10, 20, 30], "pictures with boxes outside them: 1 (1 in image 1); "),
        ([-9, 10, 20, 30], "pictures with boxes that stand out of them: 1 (1 in image 1); "),
        ([10, 10, 1.5, 30], "pictures with boxes of less than 2 pixels: 1 (1 in image 1); "),
        ([10, 10, 0, 30], "boxes of no area: 1 (1); they are left out"),
    ],
)
def test_boxes_in_wrong_places(write, box, line):
    errors, warnings = lines(write({"bbox": box}))
    assert errors == []
    assert [one for one in warnings if one.startswith(line)]


def test_a_pixel_beyond_the_edge_is_no_finding(write):
    assert lines(write({"bbox": [-1, -1, 162, 122]})) == ([], [])


def test_an_object_that_is_labelled_twice(write):
    errors, warnings = lines(write({}, {"category_id": 1, "bbox": [10, 10, 20, 30.5]}))
    assert errors == []
    assert warnings == [
        "pictures with boxes of one class that overlap by 0.95 or more: 1 (1 in image 1); if they "
        "are of one object, it counts twice; remove one"
    ]
    # A box of another class, and a region to ignore, may be in the same place.
    assert lines(write({}, {"bbox": [10, 10, 20, 30]})) == ([], [])
    ignored = {"category_id": 1, "bbox": [10, 10, 20, 30], "ignore": 1}
    assert lines(write({}, ignored)) == ([], [])


def test_classes_with_few_boxes_and_none(write):
    categories = [{"id": n, "name": name} for n, name in ((1, "cat"), (2, "dog"), (3, "cow"))]
    changes = [{"category_id": 2}, {}] * 3
    _, warnings = lines(write(*changes, categories=categories))
    assert warnings[0] == "classes without a box: 1 (cow); a model learns never to find them"
    assert warnings[1].startswith("classes with fewer than 10 boxes: 1 (cat has 9); ")


def test_errors_are_those_of_training(write):
    """The first error that stops a training is the first that the check names."""
    file = write({"bbox": [10, 10, "wide", 30]}, {"bbox": None}, {"category_id": 7})
    errors, _ = lines(file)
    assert [one.split(":")[0] for one in errors] == [
        "annotations of categories that are not listed",
        "annotations without a box of four finite numbers",
        "annotations without a box",
    ]
    with pytest.raises(InputError) as first:
        read_coco_boxes(file, file.parent)
    assert str(first.value) == f"{file}: {errors[0]}"


def test_missing_broken_and_copied_pictures(write, tmp_path):
    file = write()
    shutil.copy(tmp_path / "3.png", tmp_path / "4.png")
    (tmp_path / "1.png").unlink()
    (tmp_path / "2.png").write_bytes(b"no picture")
    errors, warnings = lines(file)
    assert len(errors) == 2
    assert errors[0].startswith(f"images that are not in {tmp_path}: 1 (1.png)")
    assert errors[1].startswith("images that cannot be decoded: 1 (")
    assert warnings == [
        "pictures with a copy: 1 (image 3 = image 4); a split may train on one and measure on the "
        "other; keep one of them"
    ]


def test_images_that_have_no_name_or_occur_twice(write):
    images = [*content_of()["images"], {"id": 20}, content_of()["images"][0]]
    errors, _ = lines(write(images=images))
    assert len(errors) == 2


def test_one_category(write):
    file = write()
    result = check_boxes(file, file.parent, category="dog")
    assert list(result.classes) == ["dog"]
    with pytest.raises(InputError, match=r"expected categories \(cat, dog\), got bird"):
        check_boxes(file, file.parent, category="bird")


def test_what_the_command_needs(write):
    file = write()
    for source, val, words in (
        (DataSource(file), None, "add --images"),
        (DataSource(file, images=file), None, "expected the folder of the images"),
        (DataSource(file, images=file.parent), file, "expected --val for classes alone"),
    ):
        with pytest.raises(InputError, match=words):
            check_data(source, val)


def test_a_split_deals_out_pictures_with_their_boxes(write, tmp_path):
    parts = split_dataset(write(), tmp_path / "parts", val=0.25)
    assert [(part.images, part.subjects) for part in parts] == [(9, 18), (3, 6)]
    read = [read_coco_boxes(part.file, tmp_path) for part in parts]
    names = [{one.name for one in part.samples} for part in read]
    assert not names[0] & names[1]
    assert all(part.class_names == ("cat", "dog") for part in read)


def test_a_split_of_one_class(write, tmp_path):
    changes = [{"category_id": 2}, {}] * 6
    (part,) = split_dataset(write(*changes), tmp_path / "cats", category="cat", val=0)
    assert (part.images, part.subjects) == (6, 6)


@pytest.mark.parametrize("change", [{"iscrowd": 1}, {"ignore": 1}, {"bbox": [10, 10, 0, 5]}])
def test_no_object_at_all(write, change):
    """Nothing could be learned or measured, so training and evaluation stop."""
    file = write(*[change] * 2 * PICTURES)
    line = "boxes of objects: none in 12 pictures, regions to ignore aside; add boxes"
    errors, _ = lines(file)
    assert len(errors) == 1
    assert errors[0].startswith(line)
    with pytest.raises(InputError, match=line):
        read_coco_boxes(file, file.parent)


def test_a_box_that_names_no_class(write):
    """The only class need not be named; of several one has to be."""
    nameless = [{"category_id": None}] * 2 * PICTURES
    file = write(*nameless, categories=[{"id": 5, "name": "pet"}])
    assert check_boxes(file, file.parent).classes == {"pet": (12, 24)}
    errors, _ = lines(write({"category_id": None}))
    assert errors[0].startswith("annotations without a category_id: 1 (1); ")


def test_pictures_that_hardly_differ(write, tmp_path):
    """A copy in another format and half its size is found; other pictures are not."""
    file = write()
    with Image.open(tmp_path / "3.png") as picture:
        picture.save(tmp_path / "4.png", format="JPEG", quality=60)
        picture.resize((80, 60)).save(tmp_path / "9.png")
    _, warnings = lines(file)
    assert warnings == [
        "pictures that hardly differ from another one: 2 (image 4 and image 3, image 9 and image "
        "3); frames or copies of one scene: keep them in one part, by `hrnet data split --group`"
    ]


def test_near_copies_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 256, (40, 256))
    rows = rng.integers(0, 40, 3000)
    noisy = np.clip(scenes[rows] + rng.integers(-1, 2, (3000, 256)), 0, 255).astype(np.uint8)
    first = {scene: int(np.flatnonzero(rows == scene)[0]) for scene in set(rows.tolist())}
    expected = [(n, first[scene]) for n, scene in enumerate(rows.tolist()) if first[scene] != n]
    assert near_copies(list(noisy)) == expected
    assert near_copies([]) == []
