"""DeepLabCut projects: both layouts of the header, one animal and several."""

import re

import pytest

from hrnet.errors import InputError
from hrnet.skeleton import COCO_PERSON

SINGLE = """scorer,Ann,Ann,Ann,Ann,Ann,Ann
bodyparts,nose,nose,left_ear,left_ear,right_ear,right_ear
coords,x,y,x,y,x,y
labeled-data/walk/img01.png,100.5,50,120,40,,
labeled-data/walk/img02.png,,,,,,
"""
MULTI = """scorer,,,Ann,Ann,Ann,Ann,Ann,Ann,Ann,Ann,Ann,Ann
individuals,,,m1,m1,m1,m1,m2,m2,m2,m2,single,single
bodyparts,,,nose,nose,tail,tail,nose,nose,tail,tail,corner,corner
coords,,,x,y,x,y,x,y,x,y,x,y
labeled-data,walk,img01.png,10,20,30,40,110,20,NaN,NaN,1,1
"""
CONFIG = """
Task: walks
scorer: Ann
skeleton:
- [left_ear, right_ear]
- [nose, left_ear]
- [nose, shoulder]
"""


@pytest.fixture
def project(tmp_path, picture):
    folder = tmp_path / "walks-Ann-2024"
    for name in ("img01.png", "img02.png"):
        picture(folder / "labeled-data" / "walk" / name)
    (folder / "labeled-data" / "walk" / "CollectedData_Ann.csv").write_text(SINGLE)
    (folder / "config.yaml").write_text(CONFIG)
    return folder


def put(project, text, scorer="Ann", video="walk"):
    folder = project / "labeled-data" / video
    folder.mkdir(exist_ok=True)
    (folder / f"CollectedData_{scorer}.csv").write_text(text)
    return project


def test_one_animal(project, convert):
    done = convert(project)
    assert done.report.format == "deeplabcut"
    assert done.points() == [[100.5, 50, 2], [120, 40, 2], [0, 0, 0]]
    assert done.box() == [96.5, 36, 27.5, 18]  # grown by 2 % of the picture's 200 pixels
    assert done.dataset.skeleton.edges == ((1, 2), (0, 1))
    assert done.dataset.skeleton.flip_pairs == ((1, 2),)
    assert (done.report.num_images, done.report.num_labels) == (2, 1)
    assert [image["video"] for image in done.content["images"]] == ["walk", "walk"]
    assert "annotator" not in done.content["annotations"][0]


def test_without_boxes_whole_pictures_are_the_subjects(project, convert):
    """As they are later in predicting; --margin makes boxes, and so do two animals a picture."""
    whole = convert(project, margin=None)
    assert "bbox" not in whole.content["annotations"][0]
    assert whole.dataset.whole_images
    assert any("each whole picture is a subject" in note for note in whole.report.notes)
    boxed = convert(project, margin=0.1)
    assert not boxed.dataset.whole_images
    assert not any("whole picture" in note for note in boxed.report.notes)
    two = convert(put(project, MULTI), margin=None)
    assert not two.dataset.whole_images
    assert all(one["bbox"] for one in two.content["annotations"])


def test_persons_without_boxes_keep_the_extent_of_their_keypoints(project, convert):
    """The reader takes it for them, and so does the import, which says so."""
    names = COCO_PERSON.names
    cells = [",".join(["scorer", *["Ann"] * 2 * len(names)])]
    cells.append(",".join(["bodyparts", *(name for name in names for _ in range(2))]))
    cells.append(",".join(["coords", *["x", "y"] * len(names)]))
    points = (str(10 + k + axis) for k in range(len(names)) for axis in range(2))
    cells.append(",".join(["labeled-data/walk/img01.png", *points]))
    done = convert(put(project, "\n".join(cells)), margin=None)
    assert not done.dataset.whole_images
    assert "bbox" in done.content["annotations"][0]
    assert not any("whole picture" in note for note in done.report.notes)
    assert any("theirs is the extent" in note for note in done.report.notes)


@pytest.mark.parametrize("name", ["config.yaml", "labeled-data/walk/CollectedData_Ann.csv"])
def test_other_ways_to_name_the_project(project, convert, name):
    assert convert(project / name).points() == convert(project).points()


def test_several_animals(project, convert):
    done = convert(put(project, MULTI))
    assert done.category["keypoints"] == ["nose", "tail"]
    assert done.points(0) == [[10, 20, 2], [30, 40, 2]]
    assert done.points(1) == [[110, 20, 2], [0, 0, 0]]
    assert [one["individual"] for one in done.content["annotations"]] == ["m1", "m2"]
    assert done.box(1) == [106, 16, 8, 8]  # of one point


def test_several_videos_and_scorers(project, convert, picture):
    picture(project / "labeled-data" / "run" / "img01.png")
    put(project, SINGLE.replace("walk", "run").replace("img02", "img01"), video="run")
    put(project, SINGLE.replace("Ann", "Bob").replace("100.5", "101.5"), scorer="Bob")
    done = convert(project)
    names = [image["file_name"] for image in done.content["images"]]
    assert names == ["run/img01.png", "walk/img01.png", "walk/img02.png"]
    walk = [one for one in done.content["annotations"] if one["image_id"] == 2]
    assert [one["annotator"] for one in walk] == ["Ann", "Bob"]
    assert [one["keypoints"][0] for one in walk] == [100.5, 101.5]


def test_the_order_of_the_names(project, convert):
    done = convert(project, names=("right_ear", "nose", "left_ear"))
    assert done.points()[1] == [100.5, 50, 2]
    with pytest.raises(InputError, match="expected --names from nose, left_ear, right_ear, got"):
        convert(project, names=("nose",))


BAD = {
    "no header": ("a,b\n1,2\n", "expected the header rows scorer, bodyparts and coords"),
    "empty": ("", "expected the header rows"),
    "long": (SINGLE + "a" * 200_000, r"Ann.csv, line 6: expected a row of a table, got somethin"),
    "all text": (
        SINGLE.replace("100.5,50,120,40", "left,50,,"),
        r"walk/img01.png: nose: expected coordinates or nothing, got left, 50",
    ),
    "no x": (
        SINGLE.replace("coords,x,y,x,y,x,y", "coords,a,b,a,b,a,b"),
        "expected columns x and y",
    ),
    "missing": (SINGLE.replace("img02", "img09"), r"1 pictures are not in .*walk \(walk/img09.png"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_tables_are_one_line(project, convert, name):
    text, message = BAD[name]
    with pytest.raises(InputError, match=message) as caught:
        convert(put(project, text))
    assert "\n" not in str(caught.value)


LIKELY = SINGLE.replace("nose,nose,", "nose,nose,nose,").replace("x,y,x", "x,y,likelihood,x", 1)
LIKELY = LIKELY.replace("Ann", "Ann,Ann", 1).replace("100.5,50,", "100.5,50,0.3,")
LIKELY = LIKELY.replace("img02.png,", "img02.png,,")
ODD = {
    "ragged": (
        SINGLE + "labeled-data/walk/img03.png,1\n",
        r"1 rows were left out \(.*Ann.csv: labeled-data/walk/img03.png: expected 7 columns in ea",
    ),
    "text": (
        SINGLE.replace("100.5", "left"),
        r"1 keypoints were left out \(.*img01.png: nose: expected coordinates or nothing, got left",
    ),
    "x alone": (SINGLE.replace("100.5", ""), "expected coordinates or nothing, got , 50"),
    "beyond": (SINGLE.replace("100.5", "1e400"), "expected coordinates or nothing, got 1e400, 50"),
    "twice": (SINGLE.replace("img02", "img01"), "img01.png: expected each frame once"),
    "likelihood": (LIKELY, r"1 keypoints of a likelihood below 0.6 were left out \(.*: nose\)"),
    "columns": (
        SINGLE.replace("coords,x,y,x,y,x,y", "coords,x,y,x,y,x,z"),
        r"1 body parts without columns x and y were left out \(right_ear\)",
    ),
    "unread": (SINGLE.split("labeled-data/walk/img02")[0], r"1 pictures that no table names were"),
    "empty frames": (SINGLE, r"1 of 2 pictures have no subject \(img02.png\)"),
    "never": (SINGLE, r"1 keypoints are never labelled \(right_ear\)"),
    "bones": (
        SINGLE,
        r"1 bones that are not two of these keypoints were left out \(\['nose', '",
    ),
    "unique": (
        MULTI,
        r"1 body parts of the individual single were left out \(corner, labelled in 1 frames; --c",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_left_out_is_counted(project, convert, name):
    text, note = ODD[name]
    done = convert(put(project, text))
    assert any(re.search(note, one) for one in done.report.notes), done.report.notes


def test_the_users_limit_of_the_likelihood(project, convert):
    assert convert(put(project, LIKELY)).points() == [[0, 0, 0], [120, 40, 2], [0, 0, 0]]
    assert convert(project, likelihood=0.3).points()[0] == [100.5, 50, 2]
    with pytest.raises(InputError, match="expected --likelihood from 0 to 1, got 2"):
        convert(project, likelihood=2)


def test_unique_body_parts_can_be_taken(project, convert):
    put(project, MULTI)
    for chosen in ({"category": "single"}, {"names": ("corner",)}):
        done = convert(project, **chosen)
        assert [one["individual"] for one in done.content["annotations"]] == ["single"]
        assert done.points() == [[1, 1, 2]]
    done = convert(project, names=("corner", "nose", "tail"))
    assert [one["individual"] for one in done.content["annotations"]] == ["m1", "m2", "single"]
    assert convert(project, category="m2").report.num_labels == 1
    done = convert(project, category="mouse")
    assert done.category["name"] == "mouse"
    assert "mouse is no individual; it names the category, and all of them are taken" in (
        done.report.notes
    )


def test_other_files_of_a_project_are_counted(project, convert):
    folder = project / "labeled-data" / "walk"
    (folder / "clip.mp4").touch()
    (folder / "machinelabels-iter0.csv").touch()
    notes = convert(project).report.notes
    assert "1 files that are not read in folders were left out (1 .mp4)" in notes
    assert "1 tables of other names were left out (walk/machinelabels-iter0.csv)" in notes


def test_rows_of_another_video_never_take_this_ones_frames(project, convert, picture, tmp_path):
    put(project, SINGLE.replace("walk", "run"))
    with pytest.raises(InputError, match=r"2 pictures are not in .*walk \(run/img01.png, run"):
        convert(project)
    for name in ("img01.png", "img02.png"):
        picture(project / "labeled-data" / "run" / name)
    assert {one["video"] for one in convert(project).content["images"]} == {"run"}
    for name in ("run/img01.png", "walk/img01.png", "walk/img02.png"):
        picture(tmp_path / "elsewhere" / name)
    with pytest.raises(InputError, match=r"1 pictures are not in .*elsewhere \(run/img02.png\)"):
        convert(project, images=tmp_path / "elsewhere")


def test_tables_must_agree(project, convert):
    with pytest.raises(
        InputError, match=r"expected the body parts of .*nose, left_ear, right_ear, "
    ):
        convert(put(project, SINGLE.replace("nose", "snout"), scorer="Bob"))


def test_a_project_without_tables(project, convert):
    (project / "labeled-data" / "walk" / "CollectedData_Ann.csv").unlink()
    with pytest.raises(
        InputError, match=r"expected labeled-data/\*/CollectedData_\*.csv, found no"
    ):
        convert(project)


def test_nobody_is_labelled(project, convert):
    empty = SINGLE.replace("100.5,50,120,40", ",,,")
    with pytest.raises(InputError, match="no subject with a labelled keypoint"):
        convert(put(project, empty))


def test_a_table_without_frames(project, convert):
    header = "".join(SINGLE.splitlines(keepends=True)[:3])
    with pytest.raises(InputError, match="expected labelled pictures, found none"):
        convert(put(project, header))
