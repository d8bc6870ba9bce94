"""Outlines become masks: of COCO files, and through the imports of CVAT and Label Studio."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.mask_dataset import IGNORED
from hrnet.data.mask_drawing import draw_masks
from hrnet.data.masks import read_masks
from hrnet.data.source import DataSource
from hrnet.errors import InputError

SIZE = (40, 30)


def rectangle(left: int, top: int, right: int, bottom: int) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def coco(folder: Path, *objects: dict, images: int = 1, names=("car", "tree")) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(images):
        Image.new("RGB", SIZE).save(folder / f"{number}.png")
    listed = [
        {"id": number, "file_name": f"{number}.png", "width": SIZE[0], "height": SIZE[1]}
        for number in range(images)
    ]
    annotations = [
        {"id": number, "image_id": 0, "bbox": [1, 1, 30, 20], "iscrowd": 0} | one
        for number, one in enumerate(objects, 1)
    ]
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    content = {"images": listed, "annotations": annotations, "categories": categories}
    file = folder / "objects.json"
    file.write_text(json.dumps(content))
    return file


def drawn(file: Path, tmp_path: Path, **options) -> tuple[np.ndarray, tuple[str, ...]]:
    done = draw_masks(file, file.parent, tmp_path / "out", **options)
    data = read_masks(DataSource(done.list_file))
    return data.samples[0].labels(), data.class_names


def test_rectangles_come_back_as_they_were_drawn(tmp_path):
    file = coco(
        tmp_path / "data",
        {"category_id": 1, "segmentation": [rectangle(2, 3, 12, 9), rectangle(20, 20, 25, 28)]},
        {"category_id": 2, "segmentation": [rectangle(8, 5, 30, 18)]},
    )
    labels, names = drawn(file, tmp_path)
    expected = np.zeros(SIZE[::-1], int)
    expected[3:9, 2:12] = expected[20:28, 20:25] = 1
    expected[5:18, 8:30] = 2  # the later object lies over the earlier one
    assert names == ("background", "car", "tree")
    np.testing.assert_array_equal(labels, expected)


def test_without_a_background_the_rest_is_ignored(tmp_path):
    file = coco(
        tmp_path / "data",
        {"category_id": 2, "segmentation": [rectangle(2, 3, 12, 9)]},
        {"category_id": 1, "segmentation": [rectangle(5, 5, 8, 8)]},
    )
    labels, names = drawn(file, tmp_path, background=False)
    assert names == ("car", "tree")
    expected = np.full(SIZE[::-1], IGNORED)
    expected[3:9, 2:12] = 1
    expected[5:8, 5:8] = 0
    np.testing.assert_array_equal(labels, expected)


def test_run_lengths_and_crowds(tmp_path):
    inside = np.zeros(SIZE[::-1], bool)
    inside[10:20, 5:9] = True
    flat = inside.ravel(order="F")
    runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]]))
    plain = {"size": [30, 40], "counts": runs.tolist()}
    file = coco(
        tmp_path / "data",
        {"category_id": 1, "segmentation": [rectangle(0, 0, 40, 30)]},
        {"category_id": 2, "segmentation": plain, "iscrowd": 1},
    )
    labels, _ = drawn(file, tmp_path)
    np.testing.assert_array_equal(labels, np.where(inside, IGNORED, 1))


def test_pictures_without_objects_are_background(tmp_path):
    file = coco(
        tmp_path / "data", {"category_id": 1, "segmentation": [rectangle(0, 0, 9, 9)]}, images=2
    )
    done = draw_masks(file, file.parent, tmp_path / "out")
    second = read_masks(DataSource(done.list_file)).samples[1]
    assert (second.labels() == 0).all()
    assert done.images == 2


def test_what_cannot_be_drawn_is_counted(tmp_path):
    file = coco(
        tmp_path / "data",
        {"category_id": 1, "segmentation": [rectangle(0, 0, 9, 9)]},
        {"category_id": 1},
    )
    done = draw_masks(file, file.parent, tmp_path / "out")
    assert done.objects == 1
    assert any("1 objects without an outline were left out" in note for note in done.notes)


def test_refusals_leave_nothing_behind(tmp_path):
    good = {"category_id": 1, "segmentation": [rectangle(0, 0, 9, 9)]}
    out = tmp_path / "out"

    def fails(words: str, file: Path, **options) -> None:
        with pytest.raises(InputError, match=words):
            draw_masks(file, file.parent, out, **options)
        assert not out.exists()

    fails("got boxes alone", coco(tmp_path / "boxes", {"category_id": 1}))
    fails("expected no class background", coco(tmp_path / "b", good, names=("background", "x")))
    one = coco(tmp_path / "one", good, names=("car",))
    fails("expected 2 to 254 classes", one, background=False)
    many = coco(tmp_path / "many", good, names=tuple(f"class {number}" for number in range(255)))
    fails("got 256", many)
    sized = coco(tmp_path / "sized", good)
    Image.new("RGB", (50, 30)).save(sized.parent / "0.png")
    fails("50x30", sized)
    missing = coco(tmp_path / "missing", good)
    (missing.parent / "0.png").unlink()
    fails("does not exist", missing)
    taken = coco(tmp_path / "taken", good)
    draw_masks(taken, taken.parent, out)
    with pytest.raises(InputError, match="exists"):
        draw_masks(taken, taken.parent, out)
    draw_masks(taken, taken.parent, out, force=True)


def test_a_failure_replaces_no_mask_of_a_folder_that_exists(tmp_path, monkeypatch):
    file = coco(
        tmp_path / "data", {"category_id": 1, "segmentation": [rectangle(0, 0, 9, 9)]}, images=2
    )
    out = tmp_path / "out"
    draw_masks(file, file.parent, out)

    def content() -> dict[str, bytes]:
        return {str(one): one.read_bytes() for one in out.rglob("*") if one.is_file()}

    # A picture that is no picture, a name that no list can hold, and Ctrl-C at the second mask.
    before = content()
    good = (file.parent / "1.png").read_bytes()
    (file.parent / "1.png").write_bytes(good[:20])
    with pytest.raises(InputError, match=r"1\.png"):
        draw_masks(file, file.parent, out, background=False, force=True)
    assert content() == before
    (file.parent / "1.png").write_bytes(good)
    (file.parent / "new\nline.png").write_bytes(good)
    odd = file.with_name("odd.json")
    odd.write_text(file.read_text().replace('"1.png"', '"new\\nline.png"'))
    with pytest.raises(InputError, match="printable"):
        draw_masks(odd, file.parent, out, force=True)
    assert content() == before
    save, calls = Image.Image.save, []

    def stopped(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        save(self, *arguments, **options)

    monkeypatch.setattr(Image.Image, "save", stopped)
    for folder in (out, tmp_path / "new"):
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            draw_masks(file, file.parent, folder, background=False, force=True)
    assert content() == before
    assert not (tmp_path / "new").exists()


def test_objects_without_a_pixel_are_counted(tmp_path):
    file = coco(
        tmp_path / "data",
        {"category_id": 1, "segmentation": [rectangle(0, 0, 9, 9)]},
        {"category_id": 2, "segmentation": [[1, 1, 10, 1, 20, 1]]},
    )
    done = draw_masks(file, file.parent, tmp_path / "out")
    assert any("1 objects have no pixel" in note for note in done.notes)


CVAT = """<annotations><image id="0" name="0.png" width="40" height="30">
<polygon label="tree" points="8,5;30,5;30,18;8,18" z_order="1"/>
<polygon label="car" points="2,3;12,3;12,9;2,9" z_order="0"/>
<polygon label="car" points="2,3;12,3" z_order="0"/>
</image></annotations>"""


def test_polygons_of_cvat(run, tmp_path):
    folder = tmp_path / "data"
    coco(folder)
    (folder / "annotations.xml").write_text(CVAT)
    out, areas = tmp_path / "objects.json", tmp_path / "areas"
    code, text, err = run("data", "import", folder / "annotations.xml", "-i", folder, "--out", out)
    assert (code, err) == (0, "")
    assert "1 polygons were left out" in text
    code, text, err = run("data", "masks", out, "-i", folder, "--out", areas)
    assert (code, err) == (0, "")
    assert "2 objects in 1 images, 3 classes: background, car, tree" in text
    expected = np.zeros(SIZE[::-1], int)
    expected[3:9, 2:12] = 1
    expected[5:18, 8:30] = 2
    (sample,) = read_masks(DataSource(areas / "masks.csv")).samples
    np.testing.assert_array_equal(sample.labels(), expected)
    code, text, err = run("data", "check", areas / "masks.csv")
    assert (code, err) == (0, "")


def test_polygons_of_label_studio(run, tmp_path):
    folder = tmp_path / "data"
    coco(folder)
    points = [[5, 10], [30, 10], [30, 30], [5, 30]]  # percent of 40x30
    region = {"id": "a", "type": "polygonlabels", "value": {"points": points}}
    region["value"]["polygonlabels"] = ["roof"]
    short = json.loads(json.dumps(region)) | {"id": "b"}
    short["value"]["points"] = points[:2]
    tasks = [{"data": {"image": "0.png"}, "annotations": [{"result": [region, short]}]}]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    out, areas = tmp_path / "objects.json", tmp_path / "areas"
    code, text, err = run(
        *("data", "import", folder / "tasks.json", "-i", folder, "--out", out),
        *("--format", "labelstudio"),
    )
    assert (code, err) == (0, "")
    assert "1 polygons were left out" in text
    code, _, err = run("data", "masks", out, "-i", folder, "--out", areas)
    assert (code, err) == (0, "")
    expected = np.zeros(SIZE[::-1], int)
    expected[3:9, 2:12] = 1
    (sample,) = read_masks(DataSource(areas / "masks.csv")).samples
    np.testing.assert_array_equal(sample.labels(), expected)
