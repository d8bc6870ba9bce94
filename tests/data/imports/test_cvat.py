"""CVAT's XML for images: skeletons, lists of points, and grouped single points."""

import os

import pytest

from hrnet.errors import InputError

LABELS = """<meta><task><labels>
<label><name>pet</name><type>skeleton</type><svg>&lt;line x1="1" data-type="edge"
data-node-from="1" data-node-to="3"&gt;&lt;/line&gt;&lt;circle data-node-id="1"
data-label-name="nose"&gt;&lt;/circle&gt;&lt;circle data-node-id="3"
data-label-name="right_eye"&gt;&lt;/circle&gt;</svg></label>
<label><name>nose</name><type>points</type><parent>pet</parent></label>
<label><name>left_eye</name><type>points</type><parent>pet</parent></label>
<label><name>right_eye</name><type>points</type><parent>pet</parent></label>
</labels></task></meta>"""

SKELETONS = """
<skeleton label="pet" source="manual" z_order="0" group_id="4">
  <points label="right_eye" source="manual" outside="0" occluded="1" points="30.50,20.25"></points>
  <points label="nose" source="manual" outside="0" occluded="0" points="10.00,50.00"></points>
  <points label="left_eye" source="manual" outside="1" occluded="0" points="1.00,1.00"></points>
</skeleton>
<skeleton label="pet" source="manual" z_order="0">
  <points label="nose" outside="0" occluded="0" points="100.00,50.00"></points>
  <points label="left_eye" outside="0" occluded="0" points="150.00,70.00"></points>
  <points label="right_eye" outside="0" occluded="0" points="110.00,90.00"></points>
</skeleton>
<box label="body" xtl="5.0" ytl="6.0" xbr="55.0" ybr="86.0" group_id="4"></box>
"""


@pytest.fixture
def export(tmp_path, picture):
    """Write an export with one picture of 200 x 100."""
    picture(tmp_path / "images" / "a.jpg")

    def write(shapes, labels=LABELS, head='id="0" name="a.jpg" width="200" height="100"'):
        file = tmp_path / "annotations.xml"
        file.write_text(
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>'
            f"{labels}<image {head}>{shapes}</image></annotations>"
        )
        return file

    return write


def test_skeletons(export, convert):
    done = convert(export(SKELETONS))
    assert done.report.format == "cvat"
    assert done.category["keypoints"] == ["nose", "left_eye", "right_eye"]
    assert done.points(0) == [[10, 50, 2], [0, 0, 0], [30.5, 20.25, 1]]
    assert done.box(0) == [5, 6, 50, 80]
    assert done.points(1) == [[100, 50, 2], [150, 70, 2], [110, 90, 2]]
    assert done.box(1) == [95, 45, 60, 50]  # extent 50 x 40, grown by 5 on each side
    assert done.dataset.skeleton.edges == ((0, 2),)
    assert done.dataset.skeleton.flip_pairs == ((1, 2),)
    assert "1 of 2 subjects have no box in the source" in done.report.notes[0]
    assert done.content["info"]["notes"] == list(done.report.notes)


def test_the_order_of_a_skeletons_names(export, convert):
    done = convert(export(SKELETONS), names=("left_eye", "right_eye", "nose"))
    assert done.points(0) == [[0, 0, 0], [30.5, 20.25, 1], [10, 50, 2]]
    assert done.dataset.skeleton.edges == ((2, 1),)
    with pytest.raises(InputError, match="expected --names from nose, left_eye, right_eye, got a"):
        convert(export(SKELETONS), names=("a",))


def test_the_margin(export, convert):
    assert convert(export(SKELETONS), margin=0.5).box(1) == [75, 25, 100, 75]  # clipped below


def test_an_unpacked_export_with_subsets(export, convert, picture, tmp_path):
    picture(tmp_path / "images" / "train" / "b.jpg", (80, 100))
    head = 'id="0" name="b.jpg" subset="train" width="80" height="100"'
    export(SKELETONS.partition("</skeleton>")[0] + "</skeleton>", head=head)
    done = convert(tmp_path)
    assert done.content["images"][0]["part"] == "train"
    with pytest.raises(InputError, match="expected <image> elements of the wanted part"):
        convert(tmp_path, part="val")


def test_two_kinds_of_skeletons(export, convert):
    other = '<skeleton label="hand"><points label="thumb" points="9,9"></points></skeleton>'
    file = export(SKELETONS + other)
    with pytest.raises(InputError, match="expected one label of skeletons, found hand, pet; give"):
        convert(file)
    assert convert(file, category="hand").points() == [[9, 9, 2]]
    with pytest.raises(InputError, match="give another one than dog"):
        convert(file, category="dog")


def test_points_beside_skeletons_are_told(export, convert):
    done = convert(export(SKELETONS + '<points label="x" points="1,2"></points>'))
    assert "1 <points> beside the skeletons were left out" in done.report.notes


def test_lists_of_points(export, convert):
    shapes = '<points label="face" occluded="1" points="10,20;30.5,40;50,60"></points>'
    done = convert(export(shapes))
    assert done.category["name"] == "face"
    assert done.points() == [[10, 20, 1], [30.5, 40, 1], [50, 60, 1]]
    done = convert(export(shapes), names=("a", "b", "c"))
    assert done.category["keypoints"] == ["a", "b", "c"]
    more = '<points label="face" occluded="0" points="10,20;3,4"></points>'
    with pytest.raises(InputError, match=r"expected as many points in each face, got 3 \(a.jpg\)"):
        convert(export(shapes + more))


def test_single_points_by_group(export, convert):
    shapes = "".join(
        f'<points label="{label}" occluded="0" points="{x},20" group_id="{group}"></points>'
        for label, x, group in (("tail", 10, 1), ("nose", 30, 1), ("nose", 90, 2))
    )
    done = convert(export(shapes))
    assert done.category["keypoints"] == ["nose", "tail"]  # as the labels are defined, then others
    assert done.points(0) == [[30, 20, 2], [10, 20, 2]]
    assert done.points(1) == [[90, 20, 2], [0, 0, 0]]
    assert convert(export(shapes), names=("tail", "nose")).points(0)[0] == [10, 20, 2]
    with pytest.raises(InputError, match=r"labels \['nose'\] are not in --names"):
        convert(export(shapes), names=("tail",))
    with pytest.raises(InputError, match=r"a\.jpg has nose twice in one subject; group the points"):
        convert(export(shapes.replace("group_id", "z_order")))


BAD = {
    "not XML": ("", "<annotations><image></annotations>", "expected XML in .*, got something else"),
    "other XML": ("", "<svg/>", "expected <annotations> of CVAT, got <svg>"),
    "entities": ("", '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', "without entities"),
    "video": (
        "",
        "<annotations><track/></annotations>",
        "expected tracks of boxes, found none; export key",
    ),
    "nothing": ("", "<annotations/>", "expected <image> elements of the wanted part, found none"),
}


@pytest.mark.parametrize("name", BAD)
def test_other_files_are_one_line(tmp_path, convert, name):
    _, text, message = BAD[name]
    file = tmp_path / "annotations.xml"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        convert(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "note", "subjects"),
    [
        (
            "10.00,50.00",
            "here",
            "1 points were left out ({file}: a.jpg: nose: expected points as x,y;x,y, got 'here')",
            2,
        ),
        ("10.00,50.00", "1e400,5", "1 points were left out (", 2),
        ("10.00,50.00", "1,2;3,4", "nose: expected one point in each skeleton", 2),
        ('label="nose"', 'label="left_eye"', "left_eye: expected one point in each skeleton", 2),
        ('xtl="5.0"', 'xtl="left"', "a.jpg: body: expected numbers in the boxes, got {", 2),
        ('xtl="5.0"', 'xtl="5.0" rotation="30"', "1 boxes that are turned were left out (", 2),
        ("</skeleton>", '<attribute name="x">1</attribute></skeleton>', "2 attributes were", 2),
        ("<box", '<polygon points="1,2"/><mask/><box', "other shapes were left out (1 <poly", 2),
        ('rbr="86.0" group_id="4"', "", "", 2),
        ('group_id="4">', ">", "1 boxes without a group were left out", 2),
        ('outside="0"', 'outside="1"', "1 subjects without a labelled keypoint were left out (", 1),
    ],
)
def test_odd_shapes_are_left_out_and_counted(export, convert, old, new, note, subjects):
    shapes = SKELETONS.replace('outside="0" occluded="1"', 'occluded="1"').replace(old, new)
    file = export(shapes)
    done = convert(file)
    assert note.replace("{file}", str(file)) in " | ".join(done.report.notes)
    assert done.report.num_labels == subjects


def test_nothing_but_odd_shapes_is_one_line(export, convert):
    shapes = '<points label="face" points="1,2;x,4"></points>'
    with pytest.raises(InputError, match=r"a\.jpg: face: expected points as x,y;x,y, got '1,2;x"):
        convert(export(shapes))
    with pytest.raises(InputError, match="expected a label and numbers xtl, ytl, xbr, ybr, got"):
        convert(export("<box/>"))


def test_a_list_of_another_length_is_left_out(export, convert):
    good = '<points label="face" points="10,20;30.5,40;50,60"></points>'
    odd = '<points label="face" points="10,20;3,4"></points>'
    done = convert(export(good * 2 + odd + odd.replace("face", "hand")), category="face")
    assert done.report.num_labels == 2
    notes = " | ".join(done.report.notes)
    assert "a.jpg: face: expected 3 points in each face, got 2)" in notes
    assert "1 points of other labels were left out (hand)" in notes


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            'name="b.jpg" width="200" height="100"',
            r"1 pictures are not in .*images \(b\.jpg\); give",
        ),
        ('name="a.jpg" width="20" height="100"', "of 20x100 pixels, it has 200x100; give the pict"),
        ('name="a.jpg"', r"expected height and width of a\.jpg"),
    ],
)
def test_pictures_must_be_those_that_were_annotated(export, convert, head, message):
    with pytest.raises(InputError, match=message):
        convert(export(SKELETONS, head=head))


IMAGE = '<image name="{}" width="200" height="100"><points label="nose" points="{},2"/></image>'


def names_and_files(tmp_path, picture, names, files):
    """An export that names some pictures, and a folder that holds others."""
    for name in files:
        picture(tmp_path / "pictures" / name)
    images = "".join(IMAGE.format(name, x) for x, name in enumerate(names, 1))
    (tmp_path / "export.xml").write_text(f"<annotations>{images}</annotations>")
    return tmp_path / "export.xml", tmp_path / "pictures"


@pytest.mark.parametrize(
    ("names", "files", "message"),
    [
        (
            ["day1/a.jpg", "day2/a.jpg"],
            ["a.jpg"],
            r"names share one in .* \(day1/a.jpg and day2/a.jpg\)",
        ),
        (["day1/a.jpg"], ["day2/a.jpg"], r"1 pictures are not in .* \(day1/a.jpg\)"),
        (["day1\\a.jpg"], ["day2/a.jpg"], r"1 pictures are not in"),
        (["a.jpg", "b/a.jpg"], ["a.jpg"], r"names share one in .* \(a.jpg and b/a.jpg\)"),
        (["a.jpg"], ["b/a.jpg", "c/a.jpg"], r"1 pictures are not in .* \(a.jpg\)"),
        (
            ["a.jpg", "a.jpg"],
            ["a.jpg"],
            r"expected each picture once, but two <image> elements are",
        ),
    ],
)
def test_a_picture_is_never_that_of_another_folder(
    tmp_path, picture, convert, names, files, message
):
    source, images = names_and_files(tmp_path, picture, names, files)
    with pytest.raises(InputError, match=message):
        convert(source, images=images)


@pytest.mark.parametrize(
    ("name", "file", "noted"),
    [
        ("day1/a.jpg", "day1/a.jpg", False),
        ("day1\\a.jpg", "day1/a.jpg", False),
        ("a.jpg", "day1/a.jpg", False),
        ("day1/a.jpg", "set/day1/a.jpg", False),
        ("/home/me/day1/a.jpg", "day1/a.jpg", True),
        ("C:\\set\\day1\\a.jpg", "a.jpg", True),
    ],
)
def test_a_picture_is_found_where_all_folders_agree(tmp_path, picture, convert, name, file, noted):
    source, images = names_and_files(tmp_path, picture, [name], [file])
    done = convert(source, images=images)
    assert done.report.images / done.content["images"][0]["file_name"] == images / file
    note = "1 pictures were found by the last part of their path, without the folder that the"
    assert any(one.startswith(note) for one in done.report.notes) == noted


@pytest.mark.parametrize("encoding", ["UTF-7", "idna", "evil", "utf-16"])
def test_the_declared_encoding_is_not_looked_up(export, convert, encoding):
    file = export(SKELETONS.replace('label="pet"', 'label="p\u00e9t"'))
    text = file.read_text().replace("utf-8", encoding)
    file.write_text(text, encoding="utf-8")
    assert convert(file, category="p\u00e9t").report.num_labels == 2


def test_deep_and_endless_files(tmp_path, picture, convert, monkeypatch):
    picture(tmp_path / "a.jpg")
    file = tmp_path / "annotations.xml"
    deep = "<g>" * 20_000 + "</g>" * 20_000
    labels = f"<labels><label><name>subject</name><svg>{deep}</svg></label></labels>"
    file.write_text(f"<annotations>{labels}{IMAGE.format('a.jpg', 1)}{deep}</annotations>")
    assert convert(file).points() == [[1, 2, 2]]
    monkeypatch.setattr("hrnet.data.imports.xml_file._MOST_TAGS", 1000)
    with pytest.raises(InputError, match="expected XML of CVAT of at most 1,000 tags"):
        convert(file)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_no_source(tmp_path, convert):
    os.mkfifo(tmp_path / "annotations.xml")
    with pytest.raises(InputError, match="is a pipe or a device; name a regular file"):
        convert(tmp_path / "annotations.xml")
