"""Pascal VOC: folders of the challenge and of labelling tools; pixels from 1 or edges from 0."""

import pytest

from hrnet.errors import InputError

OBJECT = """<object><name>{name}</name><pose>Left</pose><truncated>1</truncated>
<difficult>{difficult}</difficult><bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax>
<ymax>{3}</ymax></bndbox></object>"""


def thing(*sides, name="dog", difficult=0) -> str:
    return OBJECT.format(*sides, name=name, difficult=difficult)


def annotation(*objects, name="a.jpg", size=(200, 100)) -> str:
    width, height = size
    return (
        f"<annotation><folder>VOC2007</folder><filename>{name}</filename><size><width>{width}"
        f"</width><height>{height}</height><depth>3</depth></size><segmented>0</segmented>"
        f"{''.join(objects)}</annotation>"
    )


def lists(root, **parts):
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True, exist_ok=True)
    for part, names in parts.items():
        (folder / f"{part}.txt").write_text("\n".join(names) + "\n")


@pytest.fixture
def voc(tmp_path, picture):
    """Three pictures: with two boxes, with one, and without any."""
    root = tmp_path / "VOC2007"
    (root / "Annotations").mkdir(parents=True)
    contents = {
        "a": (thing(1, 1, 200, 100), thing(11, 21, 50, 60, name="cat", difficult=1)),
        "b": (thing(45.70000076293945, 5, 100, 90),),
        "c": (),
    }
    for name, objects in contents.items():
        picture(root / "JPEGImages" / f"{name}.jpg")
        text = annotation(*objects, name=f"{name}.jpg")
        (root / "Annotations" / f"{name}.xml").write_text(text)
    return root


def test_pixels_count_from_1_and_both_edges_are_inside(voc, convert_boxes):
    done = convert_boxes(voc)
    assert done.report.format == "voc"
    assert done.boxes[0] == ("dog", [0, 0, 200, 100])  # the whole picture
    assert done.boxes[1] == ("cat", [10, 20, 40, 40])
    name, box = done.boxes[2]
    expected = [44.70000076293945, 4, 55.29999923706055, 86]
    assert (name, box) == ("dog", pytest.approx(expected, abs=1e-6))
    assert done.dataset.class_names == ("cat", "dog")
    assert done.files == {"a.jpg": None, "b.jpg": None, "c.jpg": None}
    assert "pixels were read as counted from 1 with both edges inside" in done.notes
    assert "1 of 3 pictures have no box (c.jpg)" in done.notes


def test_what_is_difficult_is_a_region_to_ignore(voc, convert_boxes):
    done = convert_boxes(voc)
    ignored = [one.get("ignore") for one in done.content["annotations"]]
    assert ignored == [None, 1, None]
    assert done.dataset.samples[0].ignore.tolist() == [False, True]
    assert "1 of 3 boxes are marked as difficult: they are regions to ignore" in done.notes
    assert [one["truncated"] for one in done.content["annotations"]] == [1, 1, 1]
    assert "3 further entries of objects were left out (pose)" in done.notes


def test_a_0_shows_that_numbers_are_edges(voc, convert_boxes):
    (voc / "Annotations/c.xml").write_text(annotation(thing(0, 5, 10, 20), name="c.jpg"))
    done = convert_boxes(voc)
    assert [box for _, box in done.boxes] == [
        [1, 1, 199, 99],
        [11, 21, 39, 39],
        pytest.approx([45.70000076293945, 5, 54.29999923706055, 85], abs=1e-6),
        [0, 5, 10, 15],
    ]
    assert "1 of 4 boxes begin before pixel 1, so all numbers were read as edges" in done.notes


def test_lists_name_the_parts(voc, convert_boxes):
    lists(voc, train=["a"], val=["b"], trainval=["a", "b", "c", "gone"], cat_train=["a  1"])
    done = convert_boxes(voc)
    assert done.files == {"a.jpg": "train", "b.jpg": "val", "c.jpg": "trainval"}
    assert "1 listed pictures without an XML file were left out (gone)" in done.notes
    assert list(convert_boxes(voc, part="val").files) == ["b.jpg"]
    assert list(convert_boxes(voc, part="trainval").files) == ["a.jpg", "b.jpg", "c.jpg"]
    for part in ("test", "../train"):
        with pytest.raises(InputError, match=f"expected XML files of part {part} in"):
            convert_boxes(voc, part=part)


def test_folders_name_the_parts_where_there_are_no_lists(tmp_path, picture, convert_boxes):
    """Files of a tool beside the pictures, whose names in the XML files have gone stale."""
    for part in ("train", "valid"):
        picture(tmp_path / "set" / part / "a.png")
        text = annotation(thing(1, 2, 30, 40), name="before.png")
        (tmp_path / "set" / part / "a.xml").write_text(text)
    done = convert_boxes(tmp_path / "set")
    assert done.files == {"train/a.png": "train", "valid/a.png": "valid"}
    assert list(convert_boxes(tmp_path / "set", part="valid").files) == ["a.png"]


def test_folders_as_tools_name_them(voc, convert_boxes):
    (voc / "Annotations").rename(voc / "annotations")
    (voc / "JPEGImages").rename(voc / "images")
    done = convert_boxes(voc)
    assert (done.report.images, len(done.boxes)) == (voc / "images", 3)


def test_a_picture_may_have_another_suffix_or_the_name_in_the_file(voc, picture, convert_boxes):
    (voc / "JPEGImages/b.jpg").rename(voc / "JPEGImages/b.png")
    (voc / "Annotations/c.xml").rename(voc / "Annotations/0003.xml")
    assert list(convert_boxes(voc).files) == ["c.jpg", "a.jpg", "b.png"]
    # Two XML files of one picture are an error.
    (voc / "Annotations/0004.xml").write_text((voc / "Annotations/0003.xml").read_text())
    with pytest.raises(InputError, match=r"names share one in .* \(0003.jpg and 0004.jpg\)"):
        convert_boxes(voc)


def test_pictures_without_an_xml_file_are_counted(voc, picture, convert_boxes):
    picture(voc / "JPEGImages" / "new.jpg")
    done = convert_boxes(voc)
    assert "1 pictures without an XML file were left out (new.jpg)" in done.notes
    (voc / "JPEGImages" / "c.jpg").unlink()
    with pytest.raises(InputError, match=r"1 pictures are not in .*JPEGImages \(c.jpg\); give"):
        convert_boxes(voc)


ODD = {
    "no name": (thing(1, 2, 3, 4, name=""), "an object without a name: expected a name, and xmin"),
    "text": (thing("left", 2, 3, 4), "b.xml, dog: expected a name, and xmin, ymin, xmax, ymax in"),
    "infinite": (thing("1e400", 2, 3, 4), "1 objects were left out"),
    "underscores": (thing("1_0", 2, 30, 40), "1 objects were left out"),
    "no box": ("<object><name>dog</name></object>", "1 objects were left out"),
    "corners exchanged": (thing(30, 2, 3, 4), "1 boxes without an area within their picture"),
    "outside": (thing(300, 2, 400, 4), "1 boxes without an area within their picture"),
    "parts": (
        thing(1, 2, 3, 4).replace("</object>", "<part><name>head</name></part></object>"),
        "4 further entries of objects were left out (pose; part)",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_objects_are_left_out_and_counted(voc, convert_boxes, name):
    objects, note = ODD[name]
    (voc / "Annotations/b.xml").write_text(annotation(objects, name="b.jpg"))
    done = convert_boxes(voc)
    assert note in done.notes
    assert len(done.boxes) == 2 + (name == "parts")


BAD_XML = {
    "entities": ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "without entities, which may be"),
    "external": ('<!DOCTYPE a SYSTEM "http://x/a.dtd"><annotation/>', "without entities, which"),
    "other": ("<annotations/>", "expected <annotation> of Pascal VOC, got <annotations>"),
    "cut": ("<annotation><object>", "expected XML in .*, got something else"),
    "empty": ("", "expected XML in .*, got something else"),
}


@pytest.mark.parametrize("name", BAD_XML)
def test_a_file_that_cannot_be_read_is_counted_or_the_error(voc, convert_boxes, name):
    text, message = BAD_XML[name]
    (voc / "Annotations/b.xml").write_text(text)
    done = convert_boxes(voc)
    assert "1 XML files that cannot be read were left out" in done.notes
    for letter in "ac":
        (voc / f"Annotations/{letter}.xml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        convert_boxes(voc)
    assert "\n" not in str(caught.value)


def test_other_sources_are_one_line(voc, tmp_path, convert_boxes):
    with pytest.raises(
        InputError, match=r"expected the folder of a Pascal VOC data set, got .*xml"
    ):
        convert_boxes(voc / "Annotations/a.xml", format_name="voc")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected XML files in .*empty, found none"):
        convert_boxes(tmp_path / "empty", format_name="voc")
    (voc / "Annotations/b.xml").write_text(annotation(thing(1, 1, 9, 9), size=(20, 20)))
    with pytest.raises(InputError, match=r"of 20x20 pixels, it has 200x100; give the pictures"):
        convert_boxes(voc)
    for file in (voc / "Annotations").glob("*.xml"):
        file.write_text(annotation(name=f"{file.stem}.jpg"))
    with pytest.raises(InputError, match="expected XML files with objects, found none"):
        convert_boxes(voc)


def test_a_picture_without_a_size_is_measured(voc, convert_boxes):
    text = annotation(thing(1, 1, 9, 9), name="b.jpg", size=(0, 0))
    (voc / "Annotations/b.xml").write_text(text)
    assert [image["width"] for image in convert_boxes(voc).content["images"]] == [200] * 3
