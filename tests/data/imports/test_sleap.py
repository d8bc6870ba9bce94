"""SLEAP files in their true layout, written by h5py: skeletons, points, embedded pictures."""

import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import import_annotations
from hrnet.errors import InputError

h5py = pytest.importorskip("h5py")

POINT = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
INSTANCE = [
    ("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"),
    ("track", "i4"), ("from_predicted", "i8"), ("score", "f4"), ("point_id_start", "u8"),
    ("point_id_end", "u8"), ("tracking_score", "f4"),
]  # fmt: skip
FRAME = [
    ("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8"), ("instance_id_start", "u8"),
    ("instance_id_end", "u8"),
]  # fmt: skip
NODES = ["eye_r", "nose", "eye_l"]
NAN = float("nan")


def kind(value) -> dict:
    return {"py/reduce": [{"py/type": "sleap.skeleton.EdgeType"}, {"py/tuple": [value]}]}


def link(source, target, what) -> dict:
    return {"edge_insert_idx": 0, "key": 0, "source": source, "target": target, "type": what}


def skeleton(name="fly", wrapped=False) -> dict:
    """Nodes in the order nose, eye_l, eye_r; two bones, one symmetry, told both ways."""
    graph = {
        "directed": True,
        "graph": {"name": name, "num_edges_inserted": 2},
        "links": [
            link(1, 2, kind(1)),
            link(1, 0, {"py/id": 1}),
            link(2, 0, kind(2)),
            link(0, 2, {"py/id": 2}),
        ],
        "multigraph": True,
        "nodes": [{"id": 1}, {"id": 2}, {"id": 0}],
    }
    return {"nx_graph": graph, "description": "", "preview_image": None} if wrapped else graph


@pytest.fixture
def labels(tmp_path, picture):
    """Two frames of a list of pictures; the second has a predicted instance as well."""
    folder = tmp_path / "frames"
    names = [str(picture(folder / f"f{n}.png").name) for n in range(3)]

    def write(name="labels.slp", format_id=1.2, wrapped=False, **how):
        path = folder / name
        backend = {"type": "ImageVideo", "filename": names[0], "filenames": names}
        video = {"filename": names, "backend": how.get("backend", backend)}
        metadata = {
            "version": "2.0.0",
            "skeletons": how.get("skeletons", [skeleton(wrapped=wrapped)]),
            "nodes": [{"name": node, "weight": 1.0} for node in NODES],
            "videos": [], "tracks": [], "suggestions": [], "negative_anchors": {},
            "provenance": {},
        }  # fmt: skip
        user, predicted = how.get("types", (0, 0, 1))[:2], 1
        with h5py.File(path, "w") as file:
            group = file.create_group("metadata")
            group.attrs["format_id"] = format_id
            group.attrs["json"] = np.bytes_(json.dumps(metadata))
            file["videos_json"] = np.array([np.bytes_(json.dumps(video))])
            file["tracks_json"] = np.array([np.bytes_('[0, "one"]')])
            file["points"] = np.array(
                [
                    (100.5, 50.0, True, True), (120.0, 40.0, False, True), (NAN, NAN, False, False),
                    (10.0, 20.0, True, True), (30.0, 40.0, True, True), (50.0, 60.0, True, True),
                ],
                POINT,
            )  # fmt: skip
            file["pred_points"] = np.zeros(3, [*POINT, ("score", "f8")])
            file["instances"] = np.array(
                [
                    (0, user[0], 0, 0, -1, -1, 0, 0, 3, 0),
                    (1, user[1], 1, 0, 0, -1, 0, 3, how.get("end", 6), 0),
                    (2, predicted, 1, 0, 0, -1, 0.9, 0, 3, 0.5),
                ],
                INSTANCE,
            )
            file["frames"] = np.array([(0, 0, 0, 0, 1), (1, 0, 2, 1, 3)], FRAME)
        return path

    return write


@pytest.mark.parametrize("wrapped", [False, True])
def test_points_bones_and_symmetries(labels, convert, wrapped):
    done = convert(labels(wrapped=wrapped))
    assert done.report.format == "sleap"
    assert done.category["name"] == "fly"
    assert done.category["keypoints"] == ["nose", "eye_l", "eye_r"]
    assert done.points(0) == [[100.5, 50, 2], [120, 40, 1], [0, 0, 0]]
    assert done.points(1) == [[10, 20, 2], [30, 40, 2], [50, 60, 2]]
    assert done.dataset.skeleton.edges == ((0, 1), (0, 2))
    assert done.category["flip_pairs"] == [["eye_l", "eye_r"]]
    assert [image["file_name"] for image in done.content["images"]] == ["f0.png", "f2.png"]
    assert done.content["images"][1]["frame"] == 2
    assert "1 predicted instances were left out" in done.report.notes


def test_before_format_1_1_pixels_began_at_their_corner(labels, convert):
    assert convert(labels(format_id=1.0)).points()[0] == [100, 49.5, 2]


def embed(path, frames, *, encoding="png", channel_order=None):
    """Put pictures of one red pixel on blue into a file, as SLEAP's packages hold them."""
    pixels = np.zeros((100, 200, 3), dtype=np.uint8)
    pixels[..., 2] = 200
    pixels[5, 7] = (250, 0, 0)
    stored = pixels[..., ::-1] if channel_order in ("BGR", None) else pixels
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(buffer, format="PNG")
    encoded = np.frombuffer(buffer.getvalue(), dtype=np.int8)
    with h5py.File(path, "a") as file:
        group = file.create_group("video0")
        if encoding == "png":
            kind = h5py.special_dtype(vlen=np.dtype("int8"))
            video = group.create_dataset("video", shape=(len(frames),), dtype=kind)
            for row in range(len(frames)):
                video[row] = encoded
        elif encoding == "padded":  # rows of one length, as newer files have them
            row = np.pad(encoded, (0, 20))
            video = group.create_dataset("video", data=np.stack([row] * len(frames)))
        else:
            video = group.create_dataset("video", data=np.stack([pixels] * len(frames)))
        video.attrs["format"] = "png" if encoding == "padded" else encoding
        if channel_order is not None:
            video.attrs["channel_order"] = channel_order
        group.create_dataset("frame_numbers", data=frames)
    return path


EMBEDDED = {"type": "HDF5Video", "filename": ".", "dataset": "video0/video"}


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("png", "RGB"), ("png", "BGR"), ("png", None), ("padded", "RGB"), ("hdf5", "RGB")],
)
def test_embedded_pictures_are_written_with_their_colours(
    labels, convert, tmp_path, encoding, order
):
    path = labels("labels.pkg.slp", backend=EMBEDDED)
    done = convert(embed(path, [0, 2], encoding=encoding, channel_order=order))
    names = ["video0_000000.png", "video0_000002.png"]
    assert [image["file_name"] for image in done.content["images"]] == names
    assert done.report.images == tmp_path / "out" / "extracted"
    with Image.open(done.report.images / names[0]) as picture:
        assert picture.getpixel((7, 5)) == (250, 0, 0)
        assert picture.getpixel((0, 0)) == (0, 0, 200)


def test_frames_that_are_not_embedded(labels, convert):
    path = embed(labels("labels.pkg.slp", backend=EMBEDDED), [0, 1])
    with pytest.raises(InputError, match="frame 2 of video 0 is labelled but not embedded"):
        convert(path)


def test_videos_are_not_read(labels, convert):
    path = labels(backend={"type": "MediaVideo", "filename": "walk.mp4"})
    with pytest.raises(InputError, match=r"they are in walk.mp4; export a training package with"):
        convert(path)


def test_missing_pictures(labels, convert):
    path = labels(backend={"filename": "a.png", "filenames": ["a.png", "b.png", "c.png"]})
    with pytest.raises(InputError, match=r"2 pictures are not in .*frames \(a.png, c.png\); give"):
        convert(path)


def test_several_skeletons(labels, convert):
    path = labels(skeletons=[skeleton("fly"), skeleton("mouse")])
    with pytest.raises(
        InputError, match="expected one skeleton, found fly, mouse; give one of the"
    ):
        convert(path)
    assert convert(path, category="fly").report.num_labels == 2
    with pytest.raises(InputError, match="expected instances that people labelled, found none"):
        convert(path, category="mouse")


def test_instances_must_have_all_points(labels, convert):
    done = convert(labels(end=5))
    assert done.report.num_labels == 1
    (note,) = [one for one in done.report.notes if one.startswith("1 instances")]
    assert "labels.slp: frame 1: expected 3 points in each instance, got 2)" in note


def test_only_predictions(labels, convert):
    with pytest.raises(InputError, match="expected instances that people labelled, found none"):
        convert(labels(types=(1, 1)))


def test_other_files_are_one_line(tmp_path, convert):
    path = tmp_path / "labels.slp"
    path.write_text("no HDF5")
    with pytest.raises(InputError, match=r"expected a SLEAP file, but .* is none"):
        convert(path)
    with h5py.File(path, "w") as file:
        file["points"] = [1]
    with pytest.raises(InputError, match=r"expected a SLEAP file, but .* is none") as caught:
        convert(path)
    assert "\n" not in str(caught.value)


def test_without_h5py_one_line_says_what_to_install(labels, convert, monkeypatch):
    path = labels()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(
        InputError, match=r"needs the package h5py; install it with `pip install 'hr"
    ):
        convert(path)


def test_a_folder_is_no_file(tmp_path, convert):
    (tmp_path / "labels.slp").mkdir()
    with pytest.raises(InputError, match=r"labels.slp cannot be read: it is a folder"):
        convert(tmp_path / "labels.slp")


def test_a_second_skeleton_of_the_same_name_is_counted(labels, convert):
    other = skeleton("fly") | {"nodes": [{"id": 1}, {"id": 2}]}
    other["links"] = []
    path = labels(skeletons=[skeleton("fly"), other])
    change(path, "instances", lambda rows: rows["skeleton"].__setitem__(1, 1))
    done = convert(path)
    assert done.report.num_labels == 1
    note = "1 instances of other skeletons were left out (1 of fly, no. 2, with 2 keypoints)"
    assert note in done.report.notes
    path = labels(
        skeletons=[skeleton("fly"), skeleton("fly")]
    )  # the same twice, as merging leaves it
    change(path, "instances", lambda rows: rows["skeleton"].__setitem__(1, 1))
    assert convert(path).report.num_labels == 2


def change(path, name, how):
    """Change a table of a file in place."""
    with h5py.File(path, "a") as file:
        rows = file[name][()]
        how(rows)
        file[name][...] = rows


@pytest.mark.parametrize(
    ("name", "field", "value", "note"),
    [
        (
            "frames",
            "video",
            9,
            r"1 frames were left out \(.*frame 2: expected one of 1 videos, got 9",
        ),
        (
            "frames",
            "frame_idx",
            9,
            r"1 frames were left out \(.*expected the file of frame 9 of vid",
        ),
        ("frames", "frame_id", 0, "1 frames that are there twice were left out"),
        ("frames", "frame_id", 7, "1 frames not in the file's list were left out"),
        ("instances", "skeleton", 5, r"\(1 of skeleton no. 6, which the file does not have\)"),
        (
            "instances",
            "point_id_start",
            2**63,
            r"frame 1: expected 3 points in each instance, got 0\)",
        ),
    ],
)
def test_odd_rows_are_left_out(labels, convert, name, field, value, note):
    path = labels()
    change(path, name, lambda rows: rows[field].__setitem__(1, value))
    done = convert(path)
    assert done.points() == [[100.5, 50, 2], [120, 40, 1], [0, 0, 0]]
    assert any(re.search(note, one) for one in done.report.notes), done.report.notes


def test_instances_without_points_and_odd_bones_are_counted(labels, convert):
    odd = skeleton()
    odd["links"].append({"source": 9, "target": 1, "type": None})
    odd["links"].append({"source": 0, "target": 1, "type": kind(float("inf"))})
    path = labels(skeletons=[odd])
    change(path, "points", lambda rows: rows["x"].__setitem__(slice(3, 6), float("inf")))
    notes = " | ".join(convert(path).report.notes)
    assert "1 instances without a labelled point were left out (frame 1)" in notes
    assert "1 frames without labels of people were left out" in notes
    assert "2 bones of another form were left out ({'source': 9" in notes


def test_tracks_are_kept(labels, convert):
    assert [one.get("track") for one in convert(labels()).content["annotations"]] == [None, 0]


def replaced(name, **how):
    def spoil(file):
        del file[name]
        file.create_dataset(name, **how)

    return spoil


BOMBS = {
    "instances": (
        replaced("instances", shape=(10**12,), dtype=INSTANCE, chunks=True),
        "in instances",
    ),
    "points": (
        replaced("points", shape=(10**12,), dtype=POINT, chunks=True),
        "in points, got the sh",
    ),
    "videos": (replaced("videos_json", shape=(10**12,), dtype="S9", chunks=True), "in videos_json"),
    "pixels": (
        replaced("video0/video", shape=(3, 10**6, 10**6, 1), dtype="u1", chunks=True),
        "frame 0 of video 0: expected at most 40,000,000 pixels, got 1,000,000,000,000",
    ),
    "no picture": (
        replaced("video0/video", shape=(3, 9), dtype="i1"),
        "frame 0 of video 0: expected",
    ),
    "deep": (
        lambda file: file["metadata"].attrs.__setitem__("json", np.bytes_("[" * 20_000)),
        "expected JSON in the metadata of .*nested too deeply",
    ),
    "other fields": (replaced("points", data=[1.0, 2.0]), "points has no x"),
    "elsewhere": (
        lambda file: (
            file.pop("points"),
            file.__setitem__("points", h5py.ExternalLink("/dev/zero", "points")),
        ),
        "it has no points",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_files_that_claim_more_than_they_hold(labels, convert, name):
    spoil, message = BOMBS[name]
    path = embed(labels("labels.pkg.slp", backend=EMBEDDED), [0, 2])
    with h5py.File(path, "a") as file:
        spoil(file)
    with pytest.raises(InputError, match=message):
        convert(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda graph: graph.update(graph=None),
        lambda graph: graph.update(nodes=None),
        lambda graph: graph.update(links=[3]),
        *(lambda graph, n=n: graph["nodes"][0].update(id=n) for n in (10**30, -1, None, "x")),
    ],
)
def test_a_skeleton_of_another_form_is_one_line(labels, convert, spoil):
    odd = skeleton()
    spoil(odd)
    with pytest.raises(InputError, match="skeleton 1 is not in SLEAP's form: expected lists of"):
        convert(labels(skeletons=[odd]))


@pytest.mark.parametrize("value", [NAN, -1.0, 256.0])
def test_embedded_pixels_of_no_picture_are_one_line(labels, convert, value):
    path = embed(labels("labels.pkg.slp", backend=EMBEDDED), [0, 2], encoding="hdf5")
    with h5py.File(path, "a") as file:
        pixels = file["video0/video"][()].astype(np.float32)
        pixels[0, 0, 0, 0] = value
        replaced("video0/video", data=pixels)(file)
    with pytest.raises(InputError, match="expected pixels of 0 to 255, got others"):
        convert(path)


def test_another_picture_is_not_replaced_by_an_embedded_one(labels, tmp_path, picture):
    path = embed(labels("labels.pkg.slp", backend=EMBEDDED), [0, 2])
    options = ImportOptions(extracted=tmp_path / "extracted")
    other = picture(tmp_path / "extracted" / "video0_000002.png")
    with pytest.raises(InputError, match=r"video0_000002.png exists and is another picture; name"):
        import_annotations(path, tmp_path / "out.json", options)
    with Image.open(other) as kept:
        assert kept.getpixel((7, 5)) == (40, 90, 160)
    import_annotations(path, tmp_path / "out.json", options, force=True)
    with Image.open(other) as kept:
        assert kept.getpixel((7, 5)) == (250, 0, 0)
