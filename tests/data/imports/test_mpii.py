"""MPII's JSON becomes COCO keypoints whose crops are those of the official code."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.coco import read_keypoints
from hrnet.data.coco_evaluation import annotated_boxes
from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import import_annotations
from hrnet.errors import InputError
from hrnet.geometry import box_to_crop
from hrnet.recipes.pose import common
from hrnet.skeleton import published_skeleton

JOINTS = [[100.0 + k, 50.0 + 2 * k] for k in range(16)]


def person(image="a.jpg", **changes) -> dict:
    """One entry of the official form."""
    entry = {"image": image, "joints": JOINTS, "joints_vis": [1] * 16}
    return entry | {"center": [120.0, 80.0], "scale": 0.5} | changes


class Folder:
    """Two pictures and the files that tell of their persons."""

    def __init__(self, path):
        self.path = path
        self.source = path / "train.json"
        for name, size in (("a.jpg", (200, 150)), ("b.jpg", (300, 400))):
            Image.new("RGB", size).save(path / name)

    def heads(self, boxes, name="heads.npz", key="headboxes_src"):
        """Write head boxes given as rows of left, top, right, bottom."""
        array = np.array(boxes, dtype=float).reshape(-1, 2, 2).transpose(1, 2, 0)
        file = self.path / name
        if file.suffix == ".npz":
            np.savez(file, **{key: array})
        else:
            file.write_text(json.dumps({key: array.tolist()}))
        return file

    def convert(self, entries, heads=None):
        """Import, and return the content that was written."""
        self.source.write_text(entries if isinstance(entries, str) else json.dumps(entries))
        file, options = self.path / "coco.json", ImportOptions(images=self.path, heads=heads)
        import_annotations(self.source, file, options, format_name="mpii", force=True)
        return json.loads(file.read_text())

    def read(self, entries, heads=None):
        """Import, and read again as training and evaluation do."""
        self.convert(entries, heads)
        return read_keypoints(self.path / "coco.json", self.path)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def official_crop(center, scale):
    """Centre and side in pixels as the official MPII reader and its affine have them."""
    x, y = center
    y, scale = y + 15 * scale, scale * 1.25
    return (x - 1, y - 1), 200 * scale


@pytest.mark.parametrize(
    ("center", "scale"),
    [((120.0, 80.0), 0.5), ((5.0, 3.0), 1.7), ((199.0, 149.0), 0.31), ((90.5, 70.25), 6.0)],
)
def test_the_crop_is_the_official_one(folder, center, scale):
    """Also where it sticks out of the picture: it is not clamped on any way to the network."""
    dataset = folder.read([person(center=list(center), scale=scale)])
    middle, side = official_crop(center, scale)
    for box in (dataset.samples[0].box_xywh, annotated_boxes(dataset)[0].boxes_xywh[0]):
        found, size = box_to_crop(box, (256, 256), padding=1.25)
        np.testing.assert_allclose(found, middle, atol=1e-9)
        np.testing.assert_allclose(size, [side, side], rtol=1e-12)
    left, top, width, height = dataset.subjects[0].box_xywh
    assert left >= 0
    assert top >= 0
    assert left + width <= 200
    assert top + height <= 150


def test_joints_count_from_zero_and_unlabelled_ones_are_nowhere(folder):
    visible = [1, 0] * 8
    content = folder.convert([person(joints_vis=visible)])
    (annotation,) = content["annotations"]
    triples = np.reshape(annotation["keypoints"], (16, 3))
    np.testing.assert_array_equal(triples[::2, :2], np.array(JOINTS)[::2] - 1)
    assert triples[:, 2].tolist() == [2, 0] * 8
    assert not triples[1::2].any()
    assert annotation["num_keypoints"] == 8
    assert "head_size" not in annotation
    assert "area" not in annotation


def test_persons_share_their_pictures(folder):
    """Those of one picture follow each other, and each keeps its own head."""
    heads = folder.heads([[0, 0, 6, 8], [0, 0, 12, 16], [0, 0, 18, 24]])
    persons = [person("b.jpg"), person("a.jpg"), person("b.jpg", scale=1.0)]
    dataset = folder.read(persons, heads)
    assert [sample.image_id for sample in dataset.samples] == [1, 1, 2]
    assert [sample.annotation_id for sample in dataset.samples] == [1, 2, 3]
    assert [sample.head_size for sample in dataset.samples] == pytest.approx([6.0, 18.0, 12.0])
    assert [sample.box_xywh[2] for sample in dataset.samples] == [100, 200, 100]
    assert [path.name for path in dataset.image_paths.values()] == ["b.jpg", "a.jpg"]
    assert dataset.samples[0].image_size == (400, 300)
    assert folder.read(persons).samples[0].head_size is None


def test_the_skeleton_is_that_of_the_published_weights(folder):
    skeleton, published = folder.read([person()]).skeleton, published_skeleton("mpii")
    assert skeleton.names == published.names
    assert skeleton.sigmas == published.sigmas
    assert skeleton.edges == published.edges
    assert skeleton.flip_order == published.flip_order


@pytest.mark.parametrize("name", ["heads.npz", "heads.json"])
def test_head_sizes(folder, name):
    heads = folder.heads([[10, 10, 40, 50], [0, 0, 6, 8]], name)
    dataset = folder.read([person(), person("b.jpg")], heads)
    assert [sample.head_size for sample in dataset.samples] == pytest.approx([30.0, 6.0])


def test_head_sizes_of_the_official_kind_of_file(folder):
    scipy_io = pytest.importorskip("scipy.io")
    file = folder.path / "gt_valid.mat"
    boxes = np.array([[[10, 0], [10, 0]], [[40, 6], [50, 8]]], dtype=np.int16)  # (2, 2, N)
    scipy_io.savemat(file, {"headboxes_src": boxes, "jnt_missing": np.zeros((16, 2))})
    dataset = folder.read([person(), person("b.jpg")], file)
    assert [sample.head_size for sample in dataset.samples] == pytest.approx([30.0, 6.0])
    file.write_bytes(b"no MATLAB file")
    with pytest.raises(InputError, match="cannot read head boxes"):
        folder.convert([person()], file)


def test_without_scipy(folder, monkeypatch):
    monkeypatch.setattr("hrnet.data.imports.mpii.find_spec", lambda name: None)
    file = folder.path / "gt_valid.mat"
    file.touch()
    with pytest.raises(InputError, match=r"needs scipy.*pip install 'hrnet\[import\]'"):
        folder.convert([person()], file)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "expected a list of MPII persons"),
        ([3], "expected a list of MPII persons"),
        ("nothing", "expected JSON in MPII annotations"),
        ([{"image": "a.jpg"}], "person 1 lacks joints, joints_vis, center, scale"),
        ([person(image=["a.jpg"])], r"person 1: expected the name of a picture in image, got \["),
        ([person(scale=10**400)], "expected a finite number in scale, got 1000"),
        ([person("c.jpg"), person("d.jpg"), person()], "2 pictures are not in .*; give their"),
        ([person(joints=JOINTS[:15])], r"expected 16 x 2 finite numbers in joints, got \["),
        ([person(joints_vis=[1] * 17)], "expected 16 finite numbers in joints_vis"),
        ([person(center=[1, None])], r"expected 2 finite numbers in center, got \[1, None\]"),
        ([person(scale="large")], "expected a finite number in scale, got 'large'"),
        ([person(scale=0.0)], "expected a centre and a scale above 0"),
        ([person(center=[-1, -1])], r"person 1: expected a centre .* got \[-1.0, -1.0\]"),
        ([person(center=[900, 80])], "its box lies outside of a.jpg with 200x150 pixels"),
    ],
)
def test_wrong_annotations(folder, entries, message):
    with pytest.raises(InputError, match=message) as caught:
        folder.convert(entries)
    assert str(folder.path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("odd", "note"),
    [
        ({"image": "a.jpg"}, r"person 2 lacks joints, joints_vis, center, scale"),
        (3, r"person 2: expected an object with joints, .* got 3"),
        (person(center=[-1, -1]), r"person 2: expected a centre and a scale above 0"),
        (person(center=[900, 80]), r"person 2: its box lies outside of a.jpg"),
    ],
)
def test_an_odd_person_is_left_out_with_their_head(folder, odd, note):
    heads = folder.heads([[0, 0, 6, 8], [0, 0, 12, 16], [0, 0, 18, 24]])
    content = folder.convert([person(), odd, person("b.jpg")], heads)
    assert [one["head_size"] for one in content["annotations"]] == pytest.approx([6.0, 18.0])
    (found,) = [one for one in content["info"]["notes"] if "left out" in one]
    assert re.search(rf"1 persons were left out \(.*{note}", found)


def test_a_picture_that_cannot_be_read_is_left_out(folder):
    (folder.path / "b.jpg").write_bytes(b"no picture")
    content = folder.convert([person(), person("b.jpg")])
    assert [image["file_name"] for image in content["images"]] == ["a.jpg"]
    notes = " | ".join(content["info"]["notes"])
    assert "1 pictures that cannot be read were left out (expected an image, but " in notes
    assert "1 persons of these pictures were left out" in notes


def test_wrong_heads(folder):
    good, other = [10, 10, 40, 50], folder.path / "heads.txt"
    ragged, table = folder.path / "ragged.json", folder.path / "table.json"
    ragged.write_text('{"headboxes_src": [[1], [2, 3]]}')
    table.write_text("[1, 2]")
    damaged = folder.path / "damaged.npz"
    damaged.write_bytes(b"PK")
    for heads, message in (
        (folder.heads([good, good], "two.npz"), r"of shape \(2, 2, 1\), .* got \(2, 2, 2\)"),
        (folder.heads([[5, 5, 5, 5]], "none.npz"), "got a head size of 0 for person 1"),
        (folder.heads([good], "other.npz", "boxes"), "expected headboxes_src"),
        (other, "expected head boxes as .mat, .npz or .json"),
        (folder.path / "nothere.json", "cannot read head boxes .*nothere.json: No such file"),
        (folder.path / "nothere.npz", "cannot read head boxes .*nothere.npz: No such file"),
        (damaged, "cannot read head boxes .*damaged.npz"),
        (ragged, "expected an array of numbers in headboxes_src"),
        (table, "expected headboxes_src"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            folder.convert([person()], heads)
        assert len(str(caught.value).splitlines()) == 1


def test_what_is_there_tells_the_format(folder, picture, convert):
    folder.source.write_text(json.dumps([person()]))
    done = convert(folder.source)  # beside its pictures
    assert done.report.format == "mpii"
    assert done.category["flip_pairs"][0] == ["left_ankle", "right_ankle"]
    visibility, heads = done.report.notes
    assert "all labelled keypoints count as visible" in visibility
    assert "give --heads" in heads
    boxes = folder.heads([[10, 10, 40, 50]])
    assert convert(folder.source, heads=boxes).report.notes == (visibility,)


def documented_commands() -> list[list[str]]:
    """The commands in the text below `MPII` of hrnet.recipes.pose.common."""
    source = Path(common.__file__).read_text("utf-8")
    _, _, text = source.partition('"""The files that `hrnet data import --format mpii` makes')
    lines = text.partition('"""')[0].replace("\\\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("    hrnet ")]


def test_the_documented_commands_make_what_the_recipes_read(run, tmp_path, monkeypatch, picture):
    savemat = pytest.importorskip("scipy.io").savemat
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        picture(common.MPII.images / name)
    annot = Path("data/mpii/annot")
    annot.mkdir()
    (annot / "train.json").write_text(json.dumps([person("b.jpg"), person()]))
    (annot / "valid.json").write_text(json.dumps([person("c.jpg")]))
    savemat(annot / "gt_valid.mat", {"headboxes_src": np.array([[[10], [10]], [[40], [50]]])})
    commands = documented_commands()
    assert len(commands) == 2
    for program, *arguments in commands:
        code, text, error = run(*arguments)
        assert (program, code, error) == ("hrnet", 0, "")
        assert text.startswith("mpii: ")
    for file, images, heads in (
        (common.MPII.annotations, common.MPII.images, [None, None]),
        (common.MPII.val_annotations, common.MPII.val_images, [pytest.approx(30)]),
    ):
        assert run("data", "check", file, "--images", images)[0] == 0
        dataset = read_keypoints(file, images)
        assert [sample.head_size for sample in dataset.samples] == heads
        assert all(sample.image_path.is_file() for sample in dataset.samples)


def test_heads_are_for_mpii_alone(run, folder):
    folder.source.write_text("[]")
    out, heads = folder.path / "out.json", folder.heads([[10, 10, 40, 50]])
    code, text, error = run("data", "import", folder.source, "--out", out, "--heads", heads)
    assert (code, text) == (2, "")
    assert "expected --heads with the format mpii alone, got labelstudio; leave it out" in error
    assert len(error.splitlines()) == 1
    assert not out.exists()


def test_real_annotations(data_dir, tmp_path, run):
    """Persons of MPII: each joint that is labelled lies within the official crop or near it."""
    images = data_dir / "keypoint_formats" / "mpii"
    file = tmp_path / "coco.json"
    code, text, error = run("data", "import", images / "test_mpii.json", "--out", file)
    assert (code, error) == (0, "")
    assert text.startswith("mpii: 5 images, 5 subjects, 16 keypoints: right_ankle, right_knee")
    code, text, error = run("data", "check", file, "--images", images)
    assert (code, error) == (0, "")
    assert "errors: none" in text
    dataset = read_keypoints(file, images)
    official = json.loads((images / "test_mpii.json").read_text())
    for sample, entry in zip(dataset.samples, official, strict=True):
        assert sample.image_path == images / entry["image"]
        found, size = box_to_crop(sample.box_xywh, (256, 256), padding=1.25)
        middle, side = official_crop(entry["center"], entry["scale"])
        np.testing.assert_allclose(found, middle)
        np.testing.assert_allclose(size, side)
        points = sample.keypoints[sample.visibility > 0]
        labelled = np.array(entry["joints"])[np.array(entry["joints_vis"]) > 0]
        np.testing.assert_allclose(points, labelled - 1, atol=6e-4)
        assert (abs(points - found) < 0.6 * side).all()
        with Image.open(sample.image_path) as picture:
            assert sample.image_size == (picture.height, picture.width)
