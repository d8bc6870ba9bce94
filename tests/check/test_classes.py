"""The check of classes names every problem of the parts, by file where there is one."""

import json
import shutil
from io import StringIO

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from hrnet.check.classes import SHEET_PICTURES, TILE_PX, check_classes
from hrnet.check.keypoints import KeypointCheck
from hrnet.check.run import check_data, to_json, write_report
from hrnet.data.source import DataSource
from hrnet.errors import InputError


@pytest.fixture
def root(tmp_path):
    """Three pictures of noise in each class of each part."""
    rng = np.random.default_rng(0)
    for part, many in (("train", 3), ("val", 2)):
        for name in ("cat", "dog"):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            for number in range(many):
                pixels = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "pets"


def lines(result):
    return [one.line for one in result.errors], [one.line for one in result.warnings]


def check(path, val=None):
    return check_classes(DataSource(path), val)


def test_good_parts_have_no_findings(root):
    result = check(root)
    assert lines(result) == ([], [])
    assert result.train.counts == {"cat": 3, "dog": 3}
    assert result.val is not None
    assert result.val.counts == {"cat": 2, "dog": 2}
    assert json.loads(to_json(result))["parts"] == [
        {"path": str(root / "train"), "images": 6, "classes": {"cat": 3, "dog": 3}},
        {"path": str(root / "val"), "images": 4, "classes": {"cat": 2, "dog": 2}},
    ]


def test_a_part_alone_and_another_val(root):
    assert check(root / "train").val is None
    other = check(root / "train", root / "val")
    assert lines(other) == ([], [])
    assert other.val is not None


@pytest.mark.parametrize("kind", ["cut", "empty", "text"])
def test_broken_pictures(root, kind):
    broken = root / "val" / "dog" / "1.png"
    whole = broken.read_bytes()
    broken.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no"}[kind])
    errors, warnings = lines(check(root))
    assert len(errors) == 1
    assert errors[0].startswith("images that cannot be decoded: 1 (")
    assert str(broken) in errors[0]
    assert warnings == []


def test_copies_are_named_by_the_worst_place(root):
    train, val = root / "train", root / "val"
    shutil.copy(train / "cat" / "0.png", val / "dog" / "copy.png")  # other part, other class
    shutil.copy(train / "cat" / "1.png", train / "dog" / "copy.png")  # other class
    shutil.copy(val / "cat" / "1.png", val / "cat" / "copy.png")  # the same class
    errors, warnings = lines(check(root))
    assert errors == [
        "pictures with a copy in the other part: 1 (train/cat/0.png = val/dog/copy.png); what was "
        "trained on would be measured; remove them from one part"
    ]
    assert warnings == [
        "pictures with a copy in another class: 1 (train/cat/1.png = train/dog/copy.png); at most "
        "one of the classes is right; remove the others",
        "pictures with a copy in their class: 1 (val/cat/1.png = val/cat/copy.png); they count "
        "more than once",
    ]


def test_unknown_and_absent_classes(root):
    (root / "val" / "dog").rename(root / "val" / "cow")
    errors, warnings = lines(check(root))
    assert errors == [
        "classes of val that train does not have: 1 (cow); a model cannot predict them; rename or "
        "remove them"
    ]
    assert warnings == [
        "classes without a picture in val: 1 (dog); their accuracy cannot be measured; add pictures"
    ]


def test_imbalance_begins_beyond_the_tenth(root, tmp_path):
    for number in range(30):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(root / "train" / "cat" / f"more{number}.png")
    (warning,) = lines(check(root))[1]
    assert warning.startswith(
        "classes with less than 1/10 of the pictures of the largest: 1 (dog h"
    )
    (root / "train" / "cat" / "more0.png").unlink()
    for number in range(1, 4):
        (root / "train" / "cat" / f"more{number}.png").unlink()
    assert lines(check(root))[1] == []


def test_findings_of_the_reader_name_their_part(root):
    (root / "val" / "notes.txt").write_text("x")
    shutil.rmtree(root / "train" / "cat")
    errors, warnings = lines(check(root))
    assert errors[0].startswith("train: expected pictures of at least two classes: found 1 (dog);")
    assert warnings[0] == "val: files of no kind that is read: 1 (notes.txt); left out"


def test_lists_share_their_images(root, tmp_path):
    for part in ("train", "val"):
        rows = [f"{part}/{name}/0.png,{name}" for name in ("cat", "dog")]
        (tmp_path / f"{part}.csv").write_text("\n".join(["file,class", *rows, "gone.png,cat"]))
    result = check_classes(DataSource(tmp_path / "train.csv", images=root), tmp_path / "val.csv")
    assert lines(result)[0] == [
        f"{part}.csv: pictures that are not in {root}: 1 (gone.png); training would stop; add "
        "them, or give another --images"
        for part in ("train", "val")
    ]


def test_turned_pictures_are_no_finding(root):
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (9, 9)).save(root / "train" / "cat" / "3.png", exif=exif)
    assert lines(check(root)) == ([], [])


def test_progress_counts_the_pictures_of_both_parts(root):
    calls = []
    check_classes(DataSource(root), None, lambda done, total: calls.append((done, total)))
    assert calls == [(n, 10) for n in range(1, 11)]


def test_odd_names_do_not_reach_the_terminal(root):
    (root / "train" / "dog").rename(root / "train" / "d[x]\x1b[2J")
    console = Console(width=200, markup=False, record=True, file=StringIO())
    result = check(root)
    result.print_facts(console)
    text = console.export_text(styles=True)
    assert "d[x]\\x1b[2J" in text
    assert "\x1b[2J" not in text
    assert json.loads(to_json(result))["parts"][0]["classes"] == {"cat": 3, "d[x]\x1b[2J": 3}


def test_the_sheet_shows_a_row_of_each_class(root, tmp_path):
    for number in range(20):
        Image.new("RGB", (40, 20), (0, 250, 0)).save(root / "train" / "dog" / f"g{number}.png")
    result = check(root)
    files = write_report(result, tmp_path / "report")
    assert [file.name for file in files] == ["check.json", "contact_sheet.jpg"]
    assert json.loads(files[0].read_text())["parts"][0]["classes"] == {"cat": 3, "dog": 23}
    with Image.open(files[1]) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    green = (pixels[..., 1] > 200) & (pixels[..., 0] < 60)
    columns = np.flatnonzero(green.any(axis=0))
    # Two classes in a row of tiles: the cats are left of the dogs.
    assert pixels.shape[1] > 2 * SHEET_PICTURES * TILE_PX
    assert columns.min() >= SHEET_PICTURES * TILE_PX
    again = write_report(result, tmp_path / "again")[1].read_bytes()
    assert again == files[1].read_bytes()
    assert write_report(result, tmp_path / "other", seed=1)[1].read_bytes() != again


def test_without_a_readable_picture_there_is_no_sheet(root, tmp_path):
    for path in root.rglob("*.png"):
        path.write_bytes(b"no picture")
    assert [one.name for one in write_report(check(root), tmp_path / "r")] == ["check.json"]


def test_the_kind_of_data_follows_from_the_path(root, tmp_path):
    assert check_data(DataSource(root)).path == root
    file = tmp_path / "pets.json"
    names = ["nose"]
    image = {"id": 1, "file_name": "0.png", "height": 12, "width": 16}
    one = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "keypoints": [2, 2, 2]}
    category = {"id": 1, "name": "pet", "keypoints": names}
    content = {"images": [image], "annotations": [one], "categories": [category]}
    file.write_text(json.dumps(content))
    images = root / "train" / "cat"
    assert isinstance(check_data(DataSource(file, images=images)), KeypointCheck)
    with pytest.raises(InputError, match="expected the folder of its images; add --images"):
        check_data(DataSource(file))
    with pytest.raises(InputError, match="expected --val for classes alone"):
        check_data(DataSource(file, images=images), root)
    with pytest.raises(InputError, match="does not exist; check the path"):
        check_data(DataSource(tmp_path / "gone"))
