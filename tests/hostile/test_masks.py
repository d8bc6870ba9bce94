"""Masks, their classes and lists, which may be anything: what the check passes is trained on."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import hrnet
from hrnet.data.masks import read_masks
from hrnet.data.source import DataSource

from . import odd
from .conftest import few, hostile

PYTHON = re.compile(
    r"\b(Overflow|Type|Value|Key|Attribute|Index|Recursion|Unicode\w*)Error\b|NoneType"
)

CLASSES = {
    "classes": [
        {"name": "road", "value": 0, "color": "#804080"},
        {"name": "sky", "value": 1, "color": "#4682b4"},
        {"name": "car", "value": 2},
    ],
    "ignore": [255, 7],
    "mirror": [["road", "sky"]],
}
BY_VALUE = {"0": None, "1": "person", "2": "person", "3": "tree", "255": "void"}
COLOURS = {
    "classes": [{"name": "a", "color": "#000000"}, {"name": "b", "color": "#ffffff"}],
    "ignore": ["#ff0000"],
}


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """A folder of three pictures with masks of the values 0, 1 and 2."""
    root = tmp_path / "data"
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number in range(3):
        values = np.arange(48 * 32).reshape(32, 48) // 100 % 3
        Image.new("RGB", (48, 32), (number * 80, 9, 9)).save(root / "images" / f"{number}.png")
        Image.fromarray(values.astype(np.uint8)).save(root / "masks" / f"{number}.png")
    return root


def agree(ask, root: Path, *arguments: object, **fields: object) -> None:
    """The check passes exactly what can be read, mask by mask."""
    code, _, err = ask("data", "check", *arguments)
    assert not PYTHON.search(err)
    try:
        data = read_masks(DataSource(root, **fields))
        labels = [one.labels() for one in data.samples]
    except hrnet.InputError as error:
        assert code == 2, f"the check passes what cannot be read: {error}"
        return
    assert all(-1 <= one.min() <= one.max() < len(data.class_names) for one in labels)
    assert len(set(data.class_names)) == len(data.class_names) >= 2
    assert code == 0, err


@hostile
@given(content=st.one_of(map(odd.spoiled_json, (CLASSES, BY_VALUE, COLOURS))))
def test_classes(ask, masks, content):
    (masks / "classes.json").write_text(odd.dumps(content))
    agree(ask, masks, masks)


@hostile
@given(text=odd.spoiled_text(json.dumps(CLASSES)))
def test_classes_that_are_no_json(ask, masks, text):
    (masks / "classes.json").write_bytes(text)
    agree(ask, masks, masks)


@hostile
@given(
    text=odd.spoiled_text(
        "image,mask\nimages/0.png,masks/0.png\nimages/1.png,masks/1.png\nimages/2.png,masks/2.png\n"
    ),
    suffix=st.sampled_from((".csv", ".lst", ".txt")),
)
def test_lists(ask, masks, text, suffix):
    (masks / "classes.json").write_text(json.dumps(CLASSES))
    file = masks / f"list{suffix}"
    file.write_bytes(text)
    _, _, err = ask("data", "check", file)
    assert not PYTHON.search(err)
    try:
        read_masks(DataSource(file))
    except hrnet.InputError:
        return


PANOPTIC = {
    "images": [{"id": 1, "file_name": "0.png"}, {"id": 2, "file_name": "1.png"}],
    "annotations": [
        {"image_id": 1, "file_name": "0.png", "segments_info": [{"id": 5, "category_id": 1}]},
        {"image_id": 2, "file_name": "1.png", "segments_info": [{"id": 9, "category_id": 3}]},
    ],
    "categories": [
        {"id": 1, "name": "person", "color": [220, 20, 60]},
        {"id": 3, "name": "car", "color": [0, 0, 142]},
    ],
}


@hostile
@given(content=odd.spoiled_json(PANOPTIC))
def test_panoptic(ask, tmp_path, content):
    root = tmp_path / "coco"
    for folder in ("val2017", "annotations/panoptic_val2017"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, value in enumerate((5, 9)):
        Image.new("RGB", (8, 4)).save(root / "val2017" / f"{number}.png")
        mask = Image.new("RGB", (8, 4), (value, 0, 0))
        mask.save(root / "annotations/panoptic_val2017" / f"{number}.png")
    file = root / "annotations/panoptic_val2017.json"
    file.write_text(odd.dumps(content))
    agree(ask, root, root, "--part", "val", split="val")


MODES = ("1", "L", "P", "LA", "RGB", "RGBA", "I;16", "I", "F", "CMYK")


@hostile
@given(
    mode=st.sampled_from(MODES),
    size=st.sampled_from(((48, 32), (48, 32), (32, 48), (1, 1), (49, 32))),
    kind=st.sampled_from(("PNG", "PNG", "TIFF", "JPEG", "BMP", "WEBP", "GIF")),
    value=st.integers(0, 255),
    cut=st.integers(0, 60),
)
def test_pictures_in_place_of_masks(ask, masks, mode, size, kind, value, cut):
    (masks / "classes.json").write_text(json.dumps(CLASSES))
    stream = io.BytesIO()
    picture = Image.new("L", size, value).convert("I") if mode == "I;16" else None
    picture = Image.new(mode, size) if picture is None else picture.convert("I;16")
    if mode in ("L", "P"):
        picture = Image.new(mode, size, value)
    try:
        picture.save(stream, format=kind)
    except (OSError, KeyError, ValueError):  # the format has no such pictures
        picture.convert("L").save(stream, format="PNG")
    data = stream.getvalue()
    (masks / "masks" / "0.png").write_bytes(data[: len(data) - cut] if cut < 20 else data)
    agree(ask, masks, masks)


@few
@given(content=odd.spoiled_json(CLASSES))
def test_parts_hold_all_pictures(ask, masks, content):
    (masks / "classes.json").write_text(odd.dumps(content))
    parts = masks.parent / "parts"
    code, out, err = ask("data", "split", masks, "--out", parts, "--val", 0.4, "--force")
    assert not PYTHON.search(err)
    if code == 0:
        counts = [int(count) for count in re.findall(r": (\d+) images", out)]
        assert sum(counts) == 3
        whole = read_masks(DataSource(masks))
        for part in ("train", "val"):
            read = read_masks(DataSource(parts / f"{part}.csv"))
            assert read.class_names == whole.class_names
            assert read.mirror_pairs == whole.mirror_pairs
