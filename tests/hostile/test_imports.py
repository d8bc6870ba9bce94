"""Spoiled files of other tools: their good part is imported, or there is one reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import hrnet
from hrnet.data.coco_boxes import read_coco_boxes

from . import odd
from .conftest import hostile

SIZE = (200, 100)


@pytest.fixture
def bring(ask, tmp_path):
    """Import a source; what is written can be read for training."""
    out = tmp_path / "out.json"

    def command(source, name, *options):
        out.unlink(missing_ok=True)
        code, _, err = ask("data", "import", source, "--format", name, "--out", out, *options)
        assert out.exists() == (code == 0), err
        if code == 0:
            entries = json.loads(out.read_text())["categories"]
            read = hrnet.read_keypoints if "keypoints" in entries[0] else read_coco_boxes
            read(out, tmp_path)

    return command


@pytest.fixture
def pictures(tmp_path):
    """A folder whose pictures all formats name."""
    for name in ("images/train/a.png", "labeled-data/walk/a.png", "a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE).save(tmp_path / name)
    return tmp_path


YAML = "path: .\ntrain: images/train\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\nnames:\n  0: pet\n"
LABELS = "0 0.5 0.5 0.4 0.6 0.5 0.3 2 0.4 0.4 1\n0 0.2 0.2 0.1 0.1 0.2 0.2 2 0 0 0\n"


@hostile
@given(settings=odd.spoiled_text(YAML), labels=odd.spoiled_text(LABELS), both=st.booleans())
def test_yolo(bring, pictures, settings, labels, both):
    (pictures / "labels" / "train").mkdir(parents=True, exist_ok=True)
    (pictures / "data.yaml").write_bytes(settings)
    (pictures / "labels/train/a.txt").write_bytes(labels if both else LABELS.encode())
    bring(pictures / "data.yaml", "yolo")
    (pictures / "data.yaml").write_text(YAML)
    (pictures / "labels/train/a.txt").write_bytes(labels)
    bring(pictures / "data.yaml", "yolo")


BOX_YAML = "train: images/train\nnames: [pet, cow]\n"
BOX_LABELS = "0 0.5 0.5 0.4 0.6\n1 0.1 0.2 0.5 0.2 0.1 0.8\n"


@hostile
@given(settings=odd.spoiled_text(BOX_YAML), labels=odd.spoiled_text(BOX_LABELS))
def test_yolo_boxes(bring, pictures, settings, labels):
    (pictures / "labels" / "train").mkdir(parents=True, exist_ok=True)
    for one, other in ((BOX_YAML.encode(), labels), (settings, BOX_LABELS.encode())):
        (pictures / "data.yaml").write_bytes(one)
        (pictures / "labels/train/a.txt").write_bytes(other)
        bring(pictures / "data.yaml", "yolo")


VOC = """<annotation><filename>a.png</filename><size><width>200</width><height>100</height></size>
<object><name>pet</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin>
<xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"""


@hostile
@given(xml=odd.spoiled_text(VOC), name=odd.file_names)
def test_voc(bring, pictures, xml, name):
    folder = pictures / "Annotations"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    (folder / "a.xml").write_bytes(xml)
    bring(pictures, "voc")
    (folder / f"{name}.xml").write_text(VOC)
    bring(pictures, "voc")


XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels><label><name>pet</name>
<type>skeleton</type><svg>&lt;circle data-node-id="1" data-label-name="nose"&gt;</svg></label>
<label><name>nose</name><parent>pet</parent></label></labels></task></meta>
<image id="0" name="a.png" width="200" height="100"><skeleton label="pet" group_id="4">
<points label="nose" outside="0" occluded="1" points="30.5,20.25"></points>
<points label="tail" outside="0" occluded="0" points="90,80"></points></skeleton>
<box label="body" xtl="5" ytl="6" xbr="95" ybr="86" group_id="4"></box></image></annotations>"""


@hostile
@given(xml=odd.spoiled_text(XML))
def test_cvat(bring, pictures, xml):
    (pictures / "c.xml").write_bytes(xml)
    bring(pictures / "c.xml", "cvat", "--images", pictures)


BOX_XML = """<annotations><image name="a.png" width="200" height="100">
<box label="pet" occluded="1" xtl="5" ytl="6" xbr="95" ybr="86" rotation="30"></box>
<box label="cow" xtl="5" ytl="6" xbr="95" ybr="86"></box></image></annotations>"""


@hostile
@given(xml=odd.spoiled_text(BOX_XML))
def test_cvat_boxes(bring, pictures, xml):
    (pictures / "c.xml").write_bytes(xml)
    bring(pictures / "c.xml", "cvat", "--images", pictures)


def region(label, x, y):
    value = {"x": x, "y": y, "width": 0.4, "keypointlabels": [label]}
    return {"id": label, "type": "keypointlabels", "image_rotation": 0, "value": value} | {
        "original_width": 200,
        "original_height": 100,
        "parentID": "r",
    }


BOX = {"x": 1, "y": 1, "width": 90, "height": 90, "rotation": 0, "rectanglelabels": ["pet"]}
TASKS = [
    {
        "id": n,
        "data": {"image": "/data/upload/3/1a2b3c4d-a.png"},
        "annotations": [
            {
                "id": n,
                "completed_by": {"id": 1},
                "was_cancelled": False,
                "result": [
                    region("nose", 10.0, 20.0),
                    region("tail", 60, 70),
                    {"id": "r", "type": "rectanglelabels", "value": BOX},
                    {"type": "relation", "from_id": "nose", "to_id": "r"},
                ],
            }
        ],
    }
    for n in (1, 2)
]


@hostile
@given(tasks=odd.spoiled_json(TASKS))
def test_label_studio(bring, pictures, tasks):
    (pictures / "t.json").write_text(odd.dumps(tasks))
    bring(pictures / "t.json", "labelstudio")


def rectangle(label):
    return {"id": label, "type": "rectanglelabels", "value": BOX | {"rectanglelabels": [label]}}


RECTANGLES = [
    {
        "id": n,
        "data": {"image": "/data/upload/3/1a2b3c4d-a.png"},
        "annotations": [{"id": n, "result": [rectangle("pet"), rectangle("cow")]}] * 2,
    }
    for n in (1, 2)
]


@hostile
@given(tasks=odd.spoiled_json(RECTANGLES))
def test_label_studio_boxes(bring, pictures, tasks):
    (pictures / "t.json").write_text(odd.dumps(tasks))
    bring(pictures / "t.json", "labelstudio")


PERSONS = [
    {
        "image": "a.png",
        "joints": [[100.0 + k, 50.0 + k] for k in range(16)],
        "joints_vis": [1] * 16,
        "center": [120.0, 80.0],
        "scale": 0.5,
    }
    for _ in range(2)
]
HEADS = {"headboxes_src": [[[1.0, 2.0], [3.0, 4.0]], [[21.0, 22.0], [23.0, 24.0]]]}


@hostile
@given(persons=odd.spoiled_json(PERSONS), heads=odd.spoiled_json(HEADS))
def test_mpii(bring, pictures, persons, heads):
    for content, others in ((persons, HEADS), (PERSONS, heads)):
        (pictures / "m.json").write_text(odd.dumps(content))
        (pictures / "h.json").write_text(odd.dumps(others))
        bring(pictures / "m.json", "mpii", "--heads", pictures / "h.json")


CSV = """scorer,Ann,Ann,Ann,Ann
individuals,m1,m1,single,single
bodyparts,nose,nose,corner,corner
coords,x,y,x,y
labeled-data/walk/a.png,10.5,50,20,40
"""
CONFIG = "Task: walks\ndate: 2024-01-02\nskeleton:\n- [nose, tail]\n- [tail, nose]\n"


@hostile
@given(table=odd.spoiled_text(CSV), config=odd.spoiled_text(CONFIG))
def test_deeplabcut(bring, pictures, table, config):
    for content, settings in ((table, CONFIG.encode()), (CSV.encode(), config)):
        (pictures / "labeled-data/walk/CollectedData_Ann.csv").write_bytes(content)
        (pictures / "config.yaml").write_bytes(settings)
        bring(pictures, "deeplabcut")


POINT = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
INSTANCE = [
    ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"), ("score", "f4"),
    ("point_id_start", "u8"), ("point_id_end", "u8"),
]  # fmt: skip
FRAME = [("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8")]
LINK = {"source": 0, "target": 1, "type": {"py/reduce": [{}, {"py/tuple": [1]}]}}
GRAPH = {"graph": {"name": "fly"}, "nodes": [{"id": 0}, {"id": 1}], "links": [LINK]}
METADATA = {"skeletons": [GRAPH], "nodes": [{"name": "nose"}, {"name": "tail"}]}
VIDEO = {"backend": {"filename": "a.png", "filenames": ["a.png", "a.png"]}}
numbers = st.sampled_from((0, 1, 2, 3, 99, 2**31, 2**32 - 1, 2**63))


@hostile
@given(
    metadata=odd.spoiled_json(METADATA),
    video=odd.spoiled_json(VIDEO),
    which=st.integers(0, 2),
    instance=st.tuples(*[numbers] * 3),
    x=st.floats(),
    chosen=st.integers(0, 2),
)
def test_sleap(bring, pictures, metadata, video, which, instance, x, chosen):
    h5py = pytest.importorskip("h5py")
    numpy = pytest.importorskip("numpy")
    kept = [METADATA, VIDEO, (0, 2, 0)]
    kept[which] = (metadata, video, instance)[which]
    (start, end, frame) = kept[2]
    with h5py.File(pictures / "l.slp", "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = 1.2
        group.attrs["json"] = numpy.bytes_(odd.dumps(kept[0]))
        file["videos_json"] = numpy.array([numpy.bytes_(odd.dumps(kept[1]))])
        file["points"] = numpy.array([(x, 50, True, True), (20, 40, True, True)], POINT)
        file["instances"] = numpy.array([(0, 0, 0, 0, start, end)], INSTANCE)
        file["frames"] = numpy.array([(0, chosen if which == 2 else 0, frame)], FRAME)
    bring(pictures / "l.slp", "sleap")


def test_the_sources_are_good_before_they_are_spoiled(ask, pictures):
    (pictures / "labels/train").mkdir(parents=True)
    (pictures / "Annotations").mkdir()
    for name, text in (
        ("data.yaml", YAML),
        ("labels/train/a.txt", LABELS),
        ("c.xml", XML),
        ("boxes.xml", BOX_XML),
        ("Annotations/a.xml", VOC),
        ("t.json", json.dumps(TASKS)),
        ("boxes.json", json.dumps(RECTANGLES)),
        ("m.json", json.dumps(PERSONS)),
        ("labeled-data/walk/CollectedData_Ann.csv", CSV),
        ("config.yaml", CONFIG),
    ):
        (pictures / name).write_text(text)
    for source, name in (
        ("data.yaml", "yolo"),
        (".", "voc"),
        ("c.xml", "cvat"),
        ("boxes.xml", "cvat"),
        ("t.json", "labelstudio"),
        ("boxes.json", "labelstudio"),
        ("m.json", "mpii"),
        (".", "deeplabcut"),
    ):
        where = ("--images", pictures) if name == "cvat" else ()
        out = pictures / f"{name}_{source}.out.json"
        command = ("data", "import", pictures / source, "--format", name, "--out", out, *where)
        assert ask(*command)[0] == 0, name
