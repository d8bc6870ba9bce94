"""Whatever stands in a source of any format, it is imported with notes or ends in one line."""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hrnet.data.coco import read_keypoints
from hrnet.data.coco_boxes import read_coco_boxes
from hrnet.data.imports.common import ImportOptions
from hrnet.data.imports.run import import_annotations
from hrnet.errors import InputError

YAML = """path: .
train: images
val: [images, list.txt]
kpt_shape: [2, 3]
flip_idx: [1, 0]
kpt_names: {0: [left, right]}
names: {0: pet, 1: cow}
"""
LABELS = "0 0.5 0.5 0.4 0.6 0.5 0.3 2 0.4 0.4 1\n1 0.5 0.5 0.4 0.6 0.5 0.3 2 0.4 0.4 1\n"
XML = """<?xml version="1.0" encoding="utf-8"?><annotations><meta><labels><label><name>pet</name>
<svg>&lt;line data-node-from="1" data-node-to="2"&gt;&lt;circle data-node-id="1"
data-label-name="nose"&gt;</svg></label><label><name>nose</name><parent>pet</parent></label>
</labels></meta><image name="a.png" width="60" height="40"><skeleton label="pet" group_id="1">
<points label="nose" outside="0" occluded="1" points="10,20"/><points label="tail" points="5,6"/>
</skeleton><box label="pet" group_id="1" xtl="1" ytl="2" xbr="30" ybr="40"/></image></annotations>
"""
POINTS = re.sub("</?skeleton[^>]*>", "", XML)
TABLE = """scorer,A,A,A,A,A
individuals,m1,m1,m1,single,single
bodyparts,nose,nose,nose,tail,tail
coords,x,y,likelihood,x,y
labeled-data/walk/a.png,10,20,0.9,5,6
labeled-data/walk/b.png,10,20,0.1,nan,6
"""
CONFIG = "Task: x\ndate: 2024-01-02\nskeleton:\n- [nose, tail]\nvideo_sets: {a.mp4: {crop: 1}}\n"
STUDIO = [
    {
        "id": 1,
        "data": {"image": "/data/upload/3/0a1b2c3d-a.png"},
        "predictions": [],
        "annotations": [
            {
                "id": 7,
                "completed_by": {"id": 3},
                "was_cancelled": False,
                "result": [
                    {
                        "id": "k",
                        "type": "keypointlabels",
                        "parentID": "r",
                        "value": {"x": 10, "y": 20, "keypointlabels": ["nose"]},
                    },
                    {
                        "id": "r",
                        "type": "rectanglelabels",
                        "value": {"x": 1, "y": 2, "width": 50, "height": 60, "rotation": 0}
                        | {"rectanglelabels": ["pet"]},
                    },
                    {"type": "relation", "from_id": "k", "to_id": "r"},
                ],
            }
        ],
    }
] * 2
PERSONS = [
    {
        "image": "a.png",
        "joints": [[10 + k, 20] for k in range(16)],
        "joints_vis": [1] * 16,
        "center": [30.0, 20.0],
        "scale": 0.2,
    }
] * 2
FLY = {
    "skeletons": [
        {
            "nx_graph": {
                "graph": {"name": "fly"},
                "nodes": [{"id": 1}, {"id": 0}],
                "links": [{"source": 1, "target": 0, "type": {"py/id": 1}}],
            }
        }
    ],
    "nodes": [{"name": "nose"}, {"name": "tail"}],
    "videos": [{"backend": {"filenames": ["a.png", "b.png"]}}],
    "points": [[1, 2, 1], [3, 4, 0]] * 2,
    "instances": [[0, 0, 0, 0, 2], [0, 1, 0, 2, 4]],
    "frames": [[0, 0, 0], [1, 0, 1]],
    "format_id": 1.2,
}

nested: tuple = ()  # JSON writes tuples as lists
for _ in range(400):
    nested = (nested,)
values = st.sampled_from(
    [
        *(None, True, 0, -1, 2.5, 1e300, 10**400, float("nan"), float("inf")),
        *("", "1", "x\0", "a.png", "../a.png", "/dev/zero", "[", "http://[a.png", "n" * 5000),
        *((), (1,), ((2, 3),), nested),
    ]
)
WORDS = (
    *("", "0", "-1", "1e400", "nan", "x", "\0", '"', "<", "&", ",", ";", "[", "*a", "&a", "!!int"),
    *("\n", "\t- ", ": ", "/", "/dev/zero", "é", "\u2028", "a.png", "single", "9" * 5000),
)


def spoiled_text(text: str) -> st.SearchStrategy[str]:
    """The text with up to three stretches replaced by something else."""
    place = st.integers(0, len(text))
    change = st.tuples(place, st.integers(0, 12), st.sampled_from(WORDS))

    def apply(changes: list[tuple[int, int, str]]) -> str:
        changed = text
        for start, length, word in changes:
            changed = changed[:start] + word + changed[start + length :]
        return changed

    return st.lists(change, min_size=1, max_size=3).map(apply)


def spoiled_values(text: str) -> st.SearchStrategy[str]:
    """The XML with up to three attributes' values replaced."""
    places = [match.span() for match in re.finditer(r'(?<==")[^"<>]*(?=")', text)]
    words = st.sampled_from([word for word in WORDS if word not in ('"', "<", "&", "&a", "\0")])

    def apply(changes: dict[tuple[int, int], str]) -> str:
        changed = text
        for (start, end), word in sorted(changes.items(), reverse=True):
            changed = changed[:start] + word + changed[end:]
        return changed

    return st.dictionaries(st.sampled_from(places), words, min_size=1, max_size=3).map(apply)


@st.composite
def spoiled_json(draw, content):
    """The content with up to three values, at any depth, replaced by something else."""
    content = deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        holder = content
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = draw(st.sampled_from(keys))
            inner = holder[key]
            if not isinstance(inner, dict | list) or not inner or not draw(st.integers(0, 3)):
                break
            holder = inner
        holder[key] = draw(values)
    return content


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Iterator[Path]:
    """A new folder each, with two pictures."""
    root = tmp_path_factory.mktemp("spoiled")

    def make() -> Iterator[Path]:
        for number in count():
            folder = root / str(number)
            folder.mkdir()
            for name in ("a.png", "b.png"):
                Image.new("RGB", (60, 40)).save(folder / name)
            yield folder

    return make()


def expect_result_or_line(source: Path, format_name: str, heads: Path | None = None) -> None:
    """Import; the result can be trained on, and an error is one line of the reader itself."""
    folder = source if source.is_dir() else source.parent
    options = ImportOptions(heads=heads, extracted=folder / "extracted")
    out = folder / "out.json"
    try:
        report = import_annotations(source, out, options, format_name=format_name)
    except InputError as error:
        assert "is not in the form of" not in str(error)
        assert not out.exists()
    else:
        read = read_keypoints if report.kind == "keypoints" else read_coco_boxes
        assert read(out, report.images).samples


def check(**given_values) -> Callable:
    return lambda test: settings(max_examples=80, deadline=None)(given(**given_values)(test))


BOX_LABELS = "0 0.5 0.5 0.4 0.6\n1 0.1 0.2 0.5 0.2 0.1 0.8\n"
BOX_YAML = "path: .\ntrain: images\nval: [images, list.txt]\nnames: {0: pet, 1: cow}\n"
BOX_XML = """<annotations><meta><labels><label><name>pet</name></label></labels></meta>
<image name="a.png" width="60" height="40"><box label="pet" xtl="1" ytl="2" xbr="30" ybr="40"/>
<box label="cow" occluded="1" rotation="30" xtl="1" ytl="2" xbr="30" ybr="30"/></image>
</annotations>"""
TRACKS = """<annotations><track id="0" label="pet"><box frame="0" keyframe="1" outside="0" xtl="1"
ytl="2" xbr="30" ybr="40"/><box frame="1" outside="1" xtl="1" ytl="2" xbr="30" ybr="40"/></track>
</annotations>"""
VOC = """<annotation><filename>a.png</filename><size><width>60</width><height>40</height></size>
<object><name>pet</name><difficult>1</difficult><truncated>0</truncated><bndbox><xmin>1</xmin>
<ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"""
RECTANGLES = [
    {
        "id": 1,
        "data": {"image": "/data/upload/3/0a1b2c3d-a.png"},
        "annotations": [
            {
                "id": 7,
                "ground_truth": True,
                "result": [
                    {
                        "id": "r",
                        "type": "rectanglelabels",
                        "value": {"x": 1, "y": 2, "width": 50, "height": 60, "rotation": 30}
                        | {"rectanglelabels": ["pet"]},
                    }
                ],
            }
        ]
        * 2,
    }
] * 2


@check(yaml=st.just(BOX_YAML) | spoiled_text(BOX_YAML), labels=spoiled_text(BOX_LABELS))
def test_yolo_boxes(folders, yaml, labels):
    folder = next(folders)
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.png").rename(folder / "images" / f"{name}.png")
        (folder / "labels" / f"{name}.txt").write_text(labels, newline="")
    (folder / "list.txt").write_text("images/a.png\n")
    (folder / "classes.txt").write_text("pet\ncow\n")
    (folder / "data.yaml").write_text(yaml, newline="")
    expect_result_or_line(folder, "yolo")


@check(text=spoiled_text(VOC), parts=spoiled_text("a\nb 1\n"))
def test_voc(folders, text, parts):
    folder = next(folders)
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "a.xml").write_text(text, newline="")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "train.txt").write_text(parts, newline="")
    expect_result_or_line(folder, "voc")


@check(
    text=st.one_of([f(text) for f in (spoiled_text, spoiled_values) for text in (BOX_XML, TRACKS)])
)
def test_cvat_boxes(folders, text):
    folder = next(folders)
    for old, new in (("a", "frame_000000"), ("b", "frame_000001")):
        (folder / f"{new}.png").write_bytes((folder / f"{old}.png").read_bytes())
    (folder / "annotations.xml").write_text(text, newline="")
    expect_result_or_line(folder / "annotations.xml", "cvat")


@check(yaml=spoiled_text(YAML), labels=st.just(LABELS) | spoiled_text(LABELS))
def test_yolo(folders, yaml, labels):
    folder = next(folders)
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.png").rename(folder / "images" / f"{name}.png")
        (folder / "labels" / f"{name}.txt").write_text(labels, newline="")
    (folder / "list.txt").write_text("images/a.png\n")
    (folder / "data.yaml").write_text(yaml, newline="")
    expect_result_or_line(folder / "data.yaml", "yolo")
    (folder / "data.yaml").unlink()
    (folder / "out.json").unlink(missing_ok=True)
    expect_result_or_line(folder, "yolo")


@check(text=st.one_of([f(text) for f in (spoiled_text, spoiled_values) for text in (XML, POINTS)]))
def test_cvat(folders, text):
    folder = next(folders)
    (folder / "annotations.xml").write_text(text, newline="")
    expect_result_or_line(folder / "annotations.xml", "cvat")


@check(table=spoiled_text(TABLE), config=st.just(CONFIG) | spoiled_text(CONFIG))
def test_deeplabcut(folders, table, config):
    folder = next(folders)
    video = folder / "labeled-data" / "walk"
    video.mkdir(parents=True)
    for name in ("a.png", "b.png"):
        (folder / name).rename(video / name)
    (video / "CollectedData_A.csv").write_text(table, newline="")
    (folder / "config.yaml").write_text(config, newline="")
    expect_result_or_line(folder, "deeplabcut")


@pytest.mark.parametrize(
    ("name", "content"), [("labelstudio", STUDIO), ("labelstudio", RECTANGLES), ("mpii", PERSONS)]
)
def test_json(folders, name, content):
    @check(spoiled=spoiled_json(content))
    def try_one(spoiled):
        folder = next(folders)
        (folder / "source.json").write_text(json.dumps(spoiled))
        expect_result_or_line(folder / "source.json", name)

    try_one()


FACES = "picture,scale,size,x,y,points" + "," * 37 + "\na.png,0.1,19,20,20" + ",9,8.5" * 19 + "\n"
FACE_LIST = "9 8.5 " * 98 + "1 2 30 40 0 1 0 0 1 0 a.png\n"


@check(text=spoiled_text(FACES))
def test_tables_of_faces(folders, text):
    folder = next(folders)
    (folder / "faces.csv").write_text(text, newline="")
    expect_result_or_line(folder / "faces.csv", "faces")


@check(text=spoiled_text(FACE_LIST))
def test_lists_of_faces(folders, text):
    folder = next(folders)
    (folder / "list.txt").write_text(text, newline="")
    expect_result_or_line(folder / "list.txt", "faces")


@check(heads=spoiled_json([[[1], [2]], [[30], [40]]]))
def test_mpii_heads(folders, heads):
    folder = next(folders)
    (folder / "source.json").write_text(json.dumps(PERSONS[:1]))
    (folder / "heads.json").write_text(json.dumps({"headboxes_src": heads}))
    expect_result_or_line(folder / "source.json", "mpii", heads=folder / "heads.json")


FIELDS = {
    "points": [("x", "f8"), ("y", "f8"), ("visible", "?")],
    "instances": [
        *(("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4")),
        *(("point_id_start", "u8"), ("point_id_end", "u8")),
    ],
    "frames": [("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8")],
}


def write_slp(path: Path, content) -> None:
    """Write what numpy can hold of the content; tables that it cannot hold are left out."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        group = file.create_group("metadata")
        group.attrs["json"] = np.bytes_(json.dumps(content).encode())
        group.attrs["format_id"] = np.bytes_(json.dumps(content["format_id"])[:60])
        if isinstance(content["format_id"], float):
            group.attrs["format_id"] = content["format_id"]
        videos = content["videos"] if isinstance(content["videos"], list) else [content["videos"]]
        file["videos_json"] = [json.dumps(video) for video in videos] or [b""]
        for name, fields in FIELDS.items():
            try:
                file[name] = np.array([tuple(row) for row in content[name]], dtype=fields)
            except (TypeError, ValueError, OverflowError):
                continue


@check(spoiled=spoiled_json(FLY))
def test_sleap(folders, spoiled):
    folder = next(folders)
    write_slp(folder / "labels.slp", spoiled)
    expect_result_or_line(folder / "labels.slp", "sleap")
