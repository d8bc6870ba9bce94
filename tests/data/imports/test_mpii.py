"""MPII's JSON becomes COCO keypoints whose crops are those of the official code."""

import json

import numpy as np
import pytest
from PIL import Image

from hrnet.data.coco import read_keypoints
from hrnet.data.coco_evaluation import annotated_boxes, read_subjects
from hrnet.data.imports.mpii import read_mpii
from hrnet.errors import InputError
from hrnet.geometry import box_to_crop
from hrnet.weights.skeletons import published_skeleton

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
        self.source.write_text(entries if isinstance(entries, str) else json.dumps(entries))
        return read_mpii(self.source, self.path, heads)

    def read(self, entries, heads=None):
        """Convert, write, and read again as training and evaluation do."""
        file = self.path / "coco.json"
        file.write_text(json.dumps(self.convert(entries, heads)))
        return read_keypoints(file, self.path)


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
    left, top, width, height = read_subjects(dataset)[0].box_xywh
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
    dataset = folder.read([person("b.jpg"), person("a.jpg"), person("b.jpg", scale=1.0)])
    assert [sample.image_id for sample in dataset.samples] == [1, 2, 1]
    assert [sample.annotation_id for sample in dataset.samples] == [1, 2, 3]
    assert [path.name for path in dataset.image_paths.values()] == ["b.jpg", "a.jpg"]
    assert dataset.samples[0].image_size == (400, 300)
    assert dataset.samples[0].head_size is None


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
        ([person(), {"image": "a.jpg"}], "person 2 lacks joints, joints_vis, center, scale"),
        ([person("c.jpg"), person("d.jpg"), person()], "2 of 3 annotated images are missing"),
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


def test_real_annotations(data_dir, tmp_path):
    """Persons of MPII: each joint that is labelled lies within the official crop or near it."""
    images = data_dir / "keypoint_formats" / "mpii"
    file = tmp_path / "coco.json"
    file.write_text(json.dumps(read_mpii(images / "test_mpii.json", images)))
    dataset = read_keypoints(file, images)
    assert len(dataset.samples) == 5
    official = json.loads((images / "test_mpii.json").read_text())
    for sample, entry in zip(dataset.samples, official, strict=True):
        assert sample.image_path.is_file()
        found, size = box_to_crop(sample.box_xywh, (256, 256), padding=1.25)
        middle, side = official_crop(entry["center"], entry["scale"])
        np.testing.assert_allclose(found, middle)
        np.testing.assert_allclose(size, side)
        points = sample.keypoints[sample.visibility > 0]
        assert (abs(points - found) < 0.6 * side).all()
        with Image.open(sample.image_path) as picture:
            assert sample.image_size == (picture.height, picture.width)
