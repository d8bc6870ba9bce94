"""Tables of faces become COCO keypoints whose crops are those of the official code."""

import json

import numpy as np
import pytest

from hrnet.data.coco_evaluation import annotated_boxes
from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import find_formats, import_annotations
from hrnet.data.imports.training import is_of_another_tool
from hrnet.errors import InputError
from hrnet.geometry import box_to_crop

COUNTS = {"300w": 68, "wflw": 98, "aflw": 19}
ATTRIBUTES = ["pose", "expression", "illumination", "make_up", "occlusion", "blur"]


def points(count) -> list[float]:
    return [round(20.5 + k + 0.25 * axis, 2) for k in range(count) for axis in range(2)]


def table(tmp_path, picture, dataset, *rows, header=True):
    """Write a table of (picture, scale, centre) and, for AFLW, a box size of 77.5."""
    for name in ("a.jpg", "b.jpg"):
        picture(tmp_path / "images" / name)
    size = ["77.5"] if dataset == "aflw" else []
    lines = ["image_name,scale,..." + "," * (1 + len(size) + 2 * COUNTS[dataset])] if header else []
    for name, scale, (x, y) in rows:
        lines.append(",".join(map(str, [name, scale, *size, x, y, *points(COUNTS[dataset])])))
    file = tmp_path / "faces.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize("dataset", COUNTS)
def test_points_crop_and_box_size(tmp_path, picture, convert, dataset):
    file = table(tmp_path, picture, dataset, ("a.jpg", 0.61, (90.5, 60)), ("b.jpg", 1, (9, 8)))
    assert find_formats(file) == ["faces"]
    found = convert(file, images=tmp_path / "images")
    count = COUNTS[dataset]
    assert found.points(0) == [[*xy, 2] for xy in np.reshape(points(count), (-1, 2)).tolist()]
    assert found.category["name"] == "face"
    assert len(found.category["flip_pairs"]) == {"300w": 29, "wflw": 44, "aflw": 8}[dataset]
    # The official crop is 1.25 x 200 x scale wide, whatever lies within the picture.
    for row, (centre, scale) in enumerate((((90.5, 60), 0.61), ((9, 8), 1))):
        for box in (found.dataset.samples[row], annotated_boxes(found.dataset)[row]):
            box = box.box_xywh if hasattr(box, "box_xywh") else box.boxes_xywh[0]
            middle, size = box_to_crop(box, (256, 256), padding=1.25)
            np.testing.assert_allclose(middle, centre, atol=1e-9)
            np.testing.assert_allclose(size, 250 * scale, rtol=1e-12)
    assert found.box(1) == [0, 0, 109, 100]
    sizes = [one.get("normaliser") for one in found.content["annotations"]]
    assert sizes == ([77.5, 77.5] if dataset == "aflw" else [None, None])


def test_file_names_stay_below_the_folder_that_was_given(tmp_path, picture):
    """So train and test files of one data set go with the same --images."""
    file = table(tmp_path, picture, "300w", ("deep/set/a.jpg", 0.5, (80, 60)))
    picture(tmp_path / "images" / "deep" / "set" / "a.jpg")
    options = ImportOptions(images=tmp_path / "images")
    report = import_annotations(file, tmp_path / "o.json", options)
    assert report.images == tmp_path / "images"
    content = json.loads(report.out.read_text())
    assert content["images"][0]["file_name"] == "deep/set/a.jpg"


def test_train_takes_tables_of_faces(tmp_path, picture):
    assert is_of_another_tool(table(tmp_path, picture, "300w", ("a.jpg", 0.5, (80, 60))))
    classes = tmp_path / "classes.csv"
    classes.write_text("file,class\na.jpg,cat\n")
    assert not is_of_another_tool(classes)


def test_faces_of_one_picture(tmp_path, picture, convert):
    rows = [(name, 0.5, (80, 60)) for name in ("a.jpg", "b.jpg", "a.jpg")]
    found = convert(table(tmp_path, picture, "300w", *rows), images=tmp_path / "images")
    assert [one["image_id"] for one in found.content["annotations"]] == [1, 1, 2]


def listed(name="a.jpg", box=(10, 20, 110, 90), marks=(0, 1, 0, 0, 1, 0), count=98) -> str:
    return " ".join(map(str, [*points(count), *box, *marks, name]))


def test_a_list_of_wflw(tmp_path, picture, convert):
    picture(tmp_path / "6--Funeral" / "a.jpg")
    file = tmp_path / "list_98pt_rect_attr_train.txt"
    file.write_text(listed("6--Funeral/a.jpg") + "\n")
    assert find_formats(file) == ["faces"]
    found = convert(file)
    assert found.points() == [[*xy, 2] for xy in np.reshape(points(98), (-1, 2)).tolist()]
    assert found.box() == [10, 20, 100, 70]
    marks = dict(zip(ATTRIBUTES, [False, True, False, False, True, False], strict=True))
    assert found.content["annotations"][0]["attributes"] == marks
    assert any("published figures come of the crops" in note for note in found.report.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace(",0.5,", ",half,"), "row 2: expected numbers .* got 'half'"),
        (lambda text: text.replace(",0.5,", ",nan,"), "row 2: expected numbers .* got 'nan'"),
        (lambda text: text.replace(",0.5,", ",-1,"), "row 2: expected a scale above 0 .* got -1"),
        (lambda text: text.rstrip() + ",1\n", "row 2: expected 140 columns, got 141"),
        (lambda text: text.replace("80,60", "900,60"), "row 2: its box lies outside of a.jpg"),
        (lambda text: text.replace("a.jpg", "c.jpg"), "1 pictures are not in .*; give their"),
        (lambda text: text.partition("\n")[2], "expected a header and as many columns"),
        (lambda text: "image,scale,x,y\n", "140 of 300w.*got 4 columns"),
        (lambda text: text.replace("a.jpg", '"a.jpg'), "line 2: expected a row of a table"),
        (lambda text: text.partition("\n")[0], "expected labelled pictures, found none"),
        (lambda text: "", "expected a header and as many columns"),
    ],
)
def test_wrong_tables(tmp_path, picture, change, message):
    file = table(tmp_path, picture, "300w", ("a.jpg", 0.5, (80, 60)))
    file.write_text(change(file.read_text()))
    options = ImportOptions(images=tmp_path / "images")
    with pytest.raises(InputError, match=message) as caught:
        import_annotations(file, tmp_path / "o.json", options, format_name="faces")
    assert len(str(caught.value).splitlines()) == 1


def test_tables_as_people_keep_them(tmp_path, picture, convert):
    """Spaces around names, a suffix in capitals, names with spaces in lists, a blank first line."""
    file = table(tmp_path, picture, "300w", (" a.jpg ", 0.5, (80, 60)))
    loud = file.rename(file.with_name("FACES.CSV"))
    assert find_formats(loud) == ["faces"]
    assert convert(loud, images=tmp_path / "images").report.num_labels == 1
    picture(tmp_path / "two words.jpg")
    names = tmp_path / "LIST.TXT"
    names.write_text("\n" + listed("two words.jpg"))
    assert find_formats(names) == ["faces"]
    assert convert(names).content["images"][0]["file_name"] == "two words.jpg"


@pytest.mark.parametrize("scale", ["1e14", "0"])
def test_a_scale_that_cannot_be_costs_one_face(tmp_path, picture, convert, scale):
    rows = [("a.jpg", 0.5, (80, 60)), ("b.jpg", scale, (80, 60))]
    found = convert(table(tmp_path, picture, "300w", *rows), images=tmp_path / "images")
    assert found.report.num_labels == 1
    assert any("row 3: expected a scale above 0 and up to 5000" in n for n in found.report.notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (listed(box=(10, 20, 10, 90)), "row 1: expected a box with an area"),
        (listed(marks=("x", 1, 0, 0, 1, 0)), "row 1: expected numbers beside the picture, got 'x'"),
        (listed(count=97), "expected lines of 207 values"),
        ("", "expected lines of 207 values"),
    ],
)
def test_wrong_lists(tmp_path, picture, line, message):
    picture(tmp_path / "a.jpg")
    file = tmp_path / "list.txt"
    file.write_text(line)
    with pytest.raises(InputError, match=message):
        import_annotations(file, tmp_path / "o.json", ImportOptions(), format_name="faces")


def test_an_odd_row_is_counted(tmp_path, picture, convert):
    rows = [("a.jpg", 0.5, (80, 60)), ("b.jpg", 0, (80, 60))]
    found = convert(table(tmp_path, picture, "wflw", *rows), images=tmp_path / "images")
    assert len(found.content["annotations"]) == 1
    (note,) = [note for note in found.report.notes if "left out" in note]
    assert note.startswith("1 faces were left out (")
    assert "row 3: expected a scale above 0" in note
