"""The common part of all imports: finding the format, boxes, and files that are never replaced."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from hrnet.data.imports import FORMATS, Format
from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.pictures import FolderSearch, PictureFinder
from hrnet.data.imports.run import import_annotations
from hrnet.data.imports.yaml_file import read_yaml
from hrnet.data.subject_boxes import extent_box
from hrnet.errors import InputError


@pytest.mark.parametrize(
    ("points", "box"),
    [
        ([(10, 20), (30, 60)], (6, 16, 28, 48)),  # grown by a tenth of 40
        ([(50, 50)], (48, 48, 4, 4)),  # one point: by 2 % of the picture
        ([(1, 1), (99, 99)], (0, 0, 100, 100)),  # clipped
        ([(10, 50), (30, 50)], (8, 48, 24, 4)),
    ],
)
def test_a_box_of_the_labelled_points(points, box):
    triples = np.array([*[(x, y, 2) for x, y in points], (0, 0, 0)], dtype=float)
    assert extent_box(triples, (100, 100), 0.1) == pytest.approx(box)


def test_no_labelled_point_has_no_box():
    assert extent_box(np.zeros((3, 3)), (100, 100), 0.1).tolist() == [0, 0, 0, 0]


@pytest.fixture
def source(tmp_path, picture):
    picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.4 0.6 0.5 0.5 2\n")
    return tmp_path


def test_what_is_there_is_not_replaced(source, tmp_path):
    out = tmp_path / "mine.json"
    out.write_text("mine")
    with pytest.raises(
        InputError, match=r"mine.json exists and is not replaced; name another --out"
    ):
        import_annotations(source, out, ImportOptions())
    assert out.read_text() == "mine"
    import_annotations(source, out, ImportOptions(), force=True)
    assert json.loads(out.read_text())["annotations"]
    with pytest.raises(InputError, match="is read by this command and would be lost"):
        import_annotations(out, out, ImportOptions(), force=True)


@pytest.mark.parametrize("margin", [-0.1, 1.5, float("nan")])
def test_margins(source, tmp_path, margin):
    with pytest.raises(InputError, match="expected --margin from 0 to 1, got"):
        import_annotations(source, tmp_path / "out.json", ImportOptions(), margin=margin)


def test_unknown_formats_and_sources(source, tmp_path):
    out, options = tmp_path / "out.json", ImportOptions()
    with pytest.raises(InputError, match=r"expected --format as one of yolo, voc, .* got 'xls'"):
        import_annotations(source, out, options, format_name="xls")
    with pytest.raises(InputError, match="nothere does not exist; check the path"):
        import_annotations(tmp_path / "nothere", out, options)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="looks like none of the formats; give --format as one of"):
        import_annotations(empty, out, options)
    (source / "annotations.xml").write_text("<annotations/>")
    with pytest.raises(InputError, match="looks like yolo or cvat; give --format"):
        import_annotations(source, out, options)
    assert not out.exists()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_looks_without_reading_what_is_not_there(name, tmp_path):
    assert not FORMATS[name].fits(tmp_path)
    assert not FORMATS[name].fits(tmp_path / "photo.jpg")


def test_without_pyyaml_one_line_says_what_to_install(source, tmp_path, monkeypatch):
    (source / "data.yaml").write_text("kpt_shape: [1, 3]")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InputError, match=r"needs the package PyYAML; install it with `pip install"):
        import_annotations(source, tmp_path / "out.json", ImportOptions())


def test_binary_files_where_text_is_expected(source, tmp_path):
    (source / "labels" / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"expected text .*a.txt, got something else"):
        import_annotations(source, tmp_path / "out.json", ImportOptions())


def test_pictures_are_found_by_path_then_by_their_only_name(tmp_path, picture):
    for name in ("one/a.jpg", "two/a.jpg", "two/b.jpg"):
        picture(tmp_path / name)
    finder = PictureFinder(tmp_path)
    assert finder.find("one/a.jpg") == tmp_path / "one" / "a.jpg"
    assert finder.find("C:\\pets\\two\\b.jpg") == tmp_path / "two" / "b.jpg"
    assert PictureFinder(tmp_path).find("b.jpg") == tmp_path / "two" / "b.jpg"
    assert PictureFinder(tmp_path / "two").find("pets/b.jpg") == tmp_path / "two" / "b.jpg"
    assert finder.find("a.jpg") is None  # two of them
    assert finder.find("elsewhere/b.jpg") is None  # that of another folder
    assert finder.find("n" * 10_000) is None
    assert finder.find("") is None
    assert finder.missing == ["a.jpg", "elsewhere/b.jpg", "n" * 10_000, ""]
    with pytest.raises(InputError, match=r"expected a folder of pictures, but .* is none"):
        PictureFinder(tmp_path / "three")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"expected settings in a file, but .* is a folder"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    "name", ["labels/a.txt", "images/a.jpg", "data.yaml", "list.txt", "clip.mp4", "link.txt"]
)
def test_no_file_of_the_source_is_replaced(source, tmp_path, name):
    (source / "list.txt").write_text("images/a.jpg")
    (source / "data.yaml").write_text("train: list.txt\nkpt_shape: [1, 3]")
    (source / "clip.mp4").write_text("a video")
    (source / "link.txt").hardlink_to(source / "labels" / "a.txt")
    before = (source / name).read_bytes()
    with pytest.raises(InputError, match="and would be lost; name another"):
        import_annotations(source, source / name, ImportOptions(), force=True)
    assert (source / name).read_bytes() == before


def test_an_earlier_output_in_the_source_is_replaced(source):
    for _ in range(2):
        import_annotations(source, source / "out.json", ImportOptions(), force=True)
    assert json.loads((source / "out.json").read_text())["annotations"]


def test_a_folder_of_other_things_is_no_folder_of_pictures(source, tmp_path, monkeypatch):
    for number in range(15):
        (source / "images" / f"{number}.o").touch()
    assert len(FolderSearch().pictures_below(source / "images")) == 1
    monkeypatch.setattr("hrnet.data.imports.pictures._OTHER_FILES", 3)
    with pytest.raises(
        InputError, match=r"images holds 1 pictures and more than 15 other files; na"
    ):
        FolderSearch().pictures_below(source / "images")


def test_a_reader_that_fails_is_one_line(source, tmp_path, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setitem(FORMATS, "yolo", Format(FORMATS["yolo"].fits, fail))
    with pytest.raises(InputError, match=r"not in the form of yolo \(ZeroDivisionError: a mistake"):
        import_annotations(source, tmp_path / "out.json", ImportOptions())


@pytest.mark.parametrize(
    ("name", "option", "formats"),
    [
        ("yolo", {"heads": Path("a")}, "format mpii"),
        ("mpii", {"names": ("a",)}, "formats yolo, cvat, labelstudio, deeplabcut"),
        ("sleap", {"part": "train"}, "formats yolo, voc, cvat"),
        ("cvat", {"likelihood": 0.5}, "formats yolo, deeplabcut"),
        (
            "mpii",
            {"category": "a"},
            "formats yolo, voc, cvat, labelstudio, deeplabcut, sleap, coco",
        ),
    ],
)
def test_options_that_a_format_does_not_have(source, tmp_path, name, option, formats):
    options, out = ImportOptions(**option), tmp_path / "out.json"
    with pytest.raises(InputError, match=f"with the {formats} alone, got {name}; leave it out"):
        import_annotations(source, out, options, format_name=name)


def test_subjects_that_cannot_be_cropped_are_left_out(source, tmp_path):
    lines = ("0 0.5 0.5 0.4 0.6 0.5 0.5 2", "0 0.5 0.5 0 0 0 0 0", "0 0.5 0.5 0.4 0.6 0 0 0")
    (source / "labels" / "a.txt").write_text("\n".join(lines))
    notes = import_annotations(source, tmp_path / "out.json", ImportOptions()).notes
    note = (
        "1 subjects without a usable box or a keypoint within their picture were left out (a.jpg)"
    )
    assert note in notes
    assert "1 of 2 subjects have no labelled keypoint" in notes
