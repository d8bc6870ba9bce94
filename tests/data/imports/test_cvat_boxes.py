"""CVAT's XML of boxes: in pictures, turned, and along the tracks of a video."""

import math

import pytest

from hrnet.errors import InputError

LABELS = """<meta><task><labels><label><name>dog</name></label><label><name>cat</name></label>
<label><name>never</name></label></labels></task></meta>"""
BOXES = """
<box label="cat" source="manual" occluded="0" xtl="10.25" ytl="20.00" xbr="60.50" ybr="80.00"></box>
<box label="dog" occluded="1" xtl="100.0" ytl="0.0" xbr="200.0" ybr="100.0" z_order="0"></box>
"""


@pytest.fixture
def export(tmp_path, picture):
    """Write an export with a picture of 200 x 100 and one of 100 x 200."""
    picture(tmp_path / "images" / "a.jpg")
    picture(tmp_path / "images" / "b.jpg", (100, 200))

    def write(shapes, others=""):
        file = tmp_path / "annotations.xml"
        file.write_text(
            f'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>{LABELS}'
            f'<image id="0" name="a.jpg" width="200" height="100">{shapes}</image>'
            f'<image id="1" name="b.jpg" subset="val" width="100" height="200">{others}</image>'
            "</annotations>"
        )
        return file

    return write


def test_boxes_labels_and_parts(export, convert_boxes):
    done = convert_boxes(export(BOXES))
    assert done.report.format == "cvat"
    assert done.boxes == [("cat", [10.25, 20, 50.25, 60]), ("dog", [100, 0, 100, 100])]
    assert [one.get("occluded") for one in done.content["annotations"]] == [None, 1]
    assert done.dataset.class_names == ("dog", "cat")  # as they are defined
    assert done.files == {"a.jpg": None, "b.jpg": "val"}
    assert done.report.line == "cvat: 2 images, 2 boxes of 2 classes: dog, cat"
    assert [name for name, _ in convert_boxes(export(BOXES), category="dog").boxes] == ["dog"]
    assert list(convert_boxes(export(BOXES, BOXES), part="val").files) == ["b.jpg"]


@pytest.mark.parametrize(
    ("degrees", "box"),
    [
        ("90.00", [70, 40, 60, 20]),
        ("180", [90, 20, 20, 60]),
        ("360.0", [90, 20, 20, 60]),
        (
            "30",
            [
                100 - (10 * math.cos(math.pi / 6) + 30 / 2),
                50 - (10 / 2 + 30 * math.cos(math.pi / 6)),
                20 * math.cos(math.pi / 6) + 60 / 2,
                20 / 2 + 60 * math.cos(math.pi / 6),
            ],
        ),
    ],
)
def test_a_turned_box_becomes_the_upright_one_around_it(export, convert_boxes, degrees, box):
    turned = f'<box label="cat" xtl="90" ytl="20" xbr="110" ybr="80" rotation="{degrees}"></box>'
    done = convert_boxes(export(turned))
    assert done.boxes[0][1] == pytest.approx(box, abs=1e-6)
    note = "1 boxes are turned: the upright box around each was taken"
    assert (note in done.notes) == (degrees != "360.0")


TRACKS = """<track id="0" label="dog" source="manual">
<box frame="0" keyframe="1" outside="0" occluded="0" xtl="10" ytl="10" xbr="50" ybr="60"></box>
<box frame="1" keyframe="0" outside="0" occluded="1" xtl="12" ytl="10" xbr="52" ybr="60"></box>
<box frame="2" keyframe="1" outside="1" occluded="0" xtl="14" ytl="10" xbr="54" ybr="60"></box>
</track><track id="1" label="cat">
<box frame="1" keyframe="1" outside="0" occluded="0" xtl="90" ytl="10" xbr="99" ybr="60"></box>
</track>"""


@pytest.fixture
def video(tmp_path, picture):
    for frame in range(4):
        picture(tmp_path / "images" / f"frame_{frame:06}.PNG")

    def write(tracks):
        (tmp_path / "annotations.xml").write_text(
            f"<annotations><version>1.1</version>{LABELS}{tracks}</annotations>"
        )
        return tmp_path / "annotations.xml"

    return write


def test_tracks_of_a_video(video, convert_boxes):
    done = convert_boxes(video(TRACKS))
    names = [image["file_name"] for image in done.content["images"]]
    assert names == [f"frame_{frame:06}.PNG" for frame in range(3)]
    assert [image["frame"] for image in done.content["images"]] == [0, 1, 2]
    assert done.boxes == [
        ("dog", [10, 10, 40, 50]),
        ("dog", [12, 10, 40, 50]),
        ("cat", [90, 10, 9, 50]),
    ]
    assert [one.get("occluded") for one in done.content["annotations"]] == [None, 1, None]
    # Outside means that the frame does not show it.
    assert "1 of 3 pictures have no box (frame_000002.PNG)" in done.notes
    assert (
        "boxes of 2 tracks were taken in the frames that list them; nothing is inter" in done.notes
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('frame="1" keyframe="1"', 'frame="x" keyframe="1"', "cat: expected a frame as a whole"),
        ('frame="1" keyframe="1"', 'frame="-1" keyframe="1"', "cat: expected a frame as a whole"),
        ('xtl="90"', 'xtl="left"', "frame 1: cat: expected a label and numbers xtl, ytl, xbr"),
        (
            '<track id="1"',
            '<track id="2"><polyline/></track><track id="1"',
            "other shapes were left",
        ),
    ],
)
def test_odd_boxes_of_tracks_are_counted(video, convert_boxes, old, new, message):
    assert message in convert_boxes(video(TRACKS.replace(old, new))).notes


def test_frames_that_are_missing_and_parts_are_one_line(video, convert_boxes):
    with pytest.raises(InputError, match=r"1 pictures are not in .* \(frame_000009.png\)"):
        convert_boxes(video(TRACKS.replace('frame="0"', 'frame="9"')))
    with pytest.raises(InputError, match="expected no --part for tracks of a video; leave it out"):
        convert_boxes(video(TRACKS), part="train")


@pytest.mark.parametrize(
    ("old", "new", "note", "boxes"),
    [
        ('xtl="10.25"', 'xtl="left"', "a.jpg: cat: expected a label and numbers xtl, ytl, xbr", 1),
        ('xtl="10.25"', 'xtl="1e400"', "1 boxes were left out (", 1),
        ('xtl="10.25"', 'rotation="x" xtl="1"', "1 boxes were left out (", 1),
        ('label="cat" ', "", "1 boxes were left out (", 1),
        ('xbr="60.50"', 'xbr="5"', "1 boxes without an area within their picture were left ou", 1),
        ("<box", "<ellipse/><mask/><box", "other shapes were left out (2 <ellipse>; 2 <mask>)", 2),
        ("</box>", '<attribute name="x">1</attribute></box>', "2 attributes were left out", 2),
    ],
)
def test_odd_shapes_are_left_out_and_counted(export, convert_boxes, old, new, note, boxes):
    done = convert_boxes(export(BOXES.replace(old, new)))
    assert note in done.notes
    assert len(done.boxes) == boxes


def test_keypoints_go_before_boxes(export, convert):
    shapes = '<points label="nose" points="10,20"></points>'
    done = convert(export(BOXES + shapes))
    assert done.report.kind == "keypoints"
    assert "2 boxes without a group were left out" in done.report.notes


def test_options_of_keypoints_are_refused(export, convert_boxes):
    with pytest.raises(InputError, match="expected keypoints for --names, found boxes alone; leav"):
        convert_boxes(export(BOXES), names=("nose",))
    with pytest.raises(InputError, match="expected <skeleton>, <points>, <box> or <polygon>"):
        convert_boxes(export(""))
