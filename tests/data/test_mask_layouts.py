"""Known data sets: their folders, values and classes; recorded tables of the official code."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.mask_dataset import IGNORED
from hrnet.data.mask_known import KNOWN, class_values, known_classes
from hrnet.data.mask_layouts import LAYOUTS, find_layout
from hrnet.data.mask_tables import class_table, class_tables, voc_colors
from hrnet.data.masks import read_masks
from hrnet.data.source import DataSource
from hrnet.errors import InputError

BESIDE = Path(__file__).parents[3] / "shared" / "reference" / "golden_tasks"
FOLDER = Path(os.environ.get("HRNET_GOLDEN_TASKS") or BESIDE)

FILES = {
    "Cityscapes": (
        "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png",
        "gtFine/val/ulm/ulm_0_gtFine_labelIds.png",
    ),
    "LIP": (
        "TrainVal_images/val_images/1.jpg",
        "TrainVal_parsing_annotations/val_segmentations/1.png",
    ),
    "COCO-Stuff 164k": ("val2017/1.jpg", "stuffthingmaps/val2017/1.png"),
    "COCO panoptic": ("images/val2017/1.jpg", "annotations/panoptic_val2017/1.png"),
    "PASCAL-Context": ("JPEGImages/1.jpg", "SegmentationClassContext/1.png"),
    "PASCAL VOC": ("JPEGImages/1.jpg", "SegmentationClass/1.png"),
    "ADE20K": ("images/validation/1.jpg", "annotations/validation/1.png"),
}
"""Layout -> a picture and its mask."""

MORE = {
    "PASCAL-Context": {"ImageSets/SegmentationContext/val.txt": "1\n"},
    "PASCAL VOC": {"ImageSets/Segmentation/val.txt": "1\n"},
    "ADE20K": {
        "objectInfo150.txt": "",
        "images/training/2.txt": "",
        "annotations/training/2.txt": "",
    },
    "COCO panoptic": {
        "annotations/panoptic_val2017.json": json.dumps(
            {
                "images": [{"id": 1, "file_name": "1.jpg"}],
                "annotations": [
                    {
                        "image_id": 1,
                        "file_name": "1.png",
                        "segments_info": [
                            {"id": 3 + 256 * 2 + 65536, "category_id": 92},
                            {"id": 5, "category_id": 1},
                        ],
                    }
                ],
                "categories": [{"id": 92, "name": "banner"}, {"id": 1, "name": "person"}],
            }
        )
    },
}
"""Layout -> further files."""

VALUES = {
    "Cityscapes": ([7, 33, 0, 255], [0, 18, IGNORED, IGNORED]),
    "LIP": ([0, 19, 255], [0, 19, IGNORED]),
    "COCO-Stuff 164k": ([0, 181, 12, 255], [0, 170, 11, IGNORED]),
    "PASCAL-Context": ([0, 59], [0, 59]),
    "PASCAL VOC": ([0, 20, 255], [0, 20, IGNORED]),
    "ADE20K": ([0, 1, 150], [IGNORED, 0, 149]),
}
"""Layout -> values of a mask, and the classes that they are."""


def write(root: Path, layout: str) -> Path:
    picture, mask = FILES[layout]
    for name, text in MORE.get(layout, {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in (picture, mask):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    values = VALUES[layout][0] if layout in VALUES else [0, 0, 0, 0]
    pixels = np.array([values], np.uint8)
    if layout == "COCO panoptic":
        pixels = np.array([[(3, 2, 1), (5, 0, 0), (0, 0, 0)]], np.uint8)
    Image.new("RGB", pixels.shape[1::-1]).save(root / picture)
    Image.fromarray(pixels).save(root / mask)
    return root


@pytest.mark.parametrize("layout", FILES)
def test_layouts_are_found_and_read(tmp_path, layout):
    root = write(tmp_path, layout)
    found = find_layout(root)
    assert found is not None and found.name == layout
    (sample,) = read_masks(DataSource(root, split="val")).samples
    if layout in VALUES:
        np.testing.assert_array_equal(sample.labels(), [VALUES[layout][1]])


def test_the_59_classes_of_pascal_context_are_named(tmp_path):
    root = write(tmp_path, "PASCAL-Context")
    (root / "classes.json").write_text('{"dataset": "pascal_context59"}')
    data = read_masks(DataSource(root, split="val"))
    assert data.class_names == class_table("pascal_context59").names
    np.testing.assert_array_equal(data.samples[0].labels(), [[IGNORED, 58]])


def test_every_layout_is_tried():
    assert {one.name for one in LAYOUTS} == FILES.keys()


def test_panoptic_classes_are_those_of_the_segments(tmp_path):
    data = read_masks(DataSource(write(tmp_path, "COCO panoptic"), split="val"))
    assert data.class_names == ("person", "banner")  # by their ids
    np.testing.assert_array_equal(data.samples[0].labels(), [[1, 0, IGNORED]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"categories": 5}, "expected a list of objects as categories"),
        ({"categories": [{"id": 1, "name": "a"}]}, "two categories or more"),
        ({"categories": [{"id": "x"}]}, "expected id and name"),
        ({"annotations": [{"image_id": 2, "file_name": "1.png"}]}, "without a picture"),
        (
            {"annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": [{"id": -1}]}]},
            "broken segments",
        ),
        (
            {"annotations": [{"image_id": 1, "file_name": "9.png", "segments_info": []}]},
            "files that are missing",
        ),
    ],
)
def test_a_wrong_panoptic_file_is_one_line(tmp_path, change, words):
    root = write(tmp_path, "COCO panoptic")
    file = root / "annotations/panoptic_val2017.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=words):
        read_masks(DataSource(root, split="val"))


@pytest.mark.parametrize("layout", FILES)
def test_a_missing_mask_and_a_missing_part_are_one_line(tmp_path, layout):
    root = write(tmp_path, layout)
    for part in (None, "all"):
        with pytest.raises(InputError, match="expected a part of train, val, test"):
            read_masks(DataSource(root, split=part))
    (root / FILES[layout][1]).unlink()
    with pytest.raises(InputError, match="files that are missing: 1"):
        read_masks(DataSource(root, split="val"))


def test_ids_of_no_class_of_cityscapes_are_refused(tmp_path):
    root = write(tmp_path, "Cityscapes")
    Image.fromarray(np.array([[7, 40, 0, 0]], np.uint8)).save(root / FILES["Cityscapes"][1])
    (sample,) = read_masks(DataSource(root, split="val")).samples
    with pytest.raises(InputError, match=r"values of no class \(40\)"):
        sample.labels()


def test_a_classes_json_names_a_known_data_set(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (2, 1)).save(tmp_path / "images/1.jpg")
    Image.fromarray(np.array([[0, 150]], np.uint8)).save(tmp_path / "masks/1.png")
    (tmp_path / "classes.json").write_text('{"dataset": "ade20k"}')
    data = read_masks(DataSource(tmp_path))
    assert data.class_names == class_table("ade20k").names
    np.testing.assert_array_equal(data.samples[0].labels(), [[IGNORED, 149]])


def test_the_tables_have_each_name_once():
    counts = {name: len(table.names) for name, table in class_tables().items()}
    assert counts == {
        "cityscapes": 19,
        "lip": 20,
        "voc": 21,
        "pascal_context59": 59,
        "pascal_context60": 60,
        "ade20k": 150,
        "cocostuff": 171,
    }
    for name, table in class_tables().items():
        assert len(set(table.names)) == counts[name]
        assert table.colors is None or len(table.colors) == counts[name]
    assert set(KNOWN) >= {"cityscapes", "ade20k", "cocostuff10k", "cocostuff164k"}
    with pytest.raises(InputError, match="expected the classes of"):
        class_table("mine")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("cityscapes", "cityscapes_id_to_train"),
        ("ade20k", "ade20k_reduce_zero"),
        ("cocostuff10k", "cocostuff_encode_then_reduce"),
    ],
)
def test_values_are_those_of_the_official_code(name, key):
    files = sorted(FOLDER.glob("seg_protocol*.npz"))
    if not files:
        pytest.skip(f"{FOLDER} has no seg_protocol*.npz")
    for path in files:
        with np.load(path) as arrays:
            recorded = arrays[key].astype(int)
        classes = known_classes(name)
        for value, index in enumerate(recorded.tolist()):
            ours = classes.codes.classes.get(value)
            if index < len(classes.names) and not (name == "cityscapes" and value > 33):
                assert ours == index
            else:  # ignored there, or a number beyond the classes: ignored or refused here
                assert ours in (None, IGNORED)


def test_values_for_a_server_and_voc_colours_are_those_of_the_official_code():
    assert class_values("cityscapes")[:3] == (7, 8, 11)
    assert class_table("voc").colors[:3] == ((0, 0, 0), (128, 0, 0), (0, 128, 0))
    for path in sorted(FOLDER.glob("seg_protocol*.npz")):
        with np.load(path) as arrays:
            np.testing.assert_array_equal(
                class_values("cityscapes"), arrays["cityscapes_train_to_id"]
            )
            np.testing.assert_array_equal(
                voc_colors(256), arrays["cityscapes_palette256"].reshape(256, 3)
            )


def test_the_weights_of_cityscapes_classes_and_its_train_ids():
    assert known_classes("cityscapes").codes.classes[26] == 13
    assert known_classes("cityscapes_train_ids").codes.classes[13] == 13
    assert class_table("cityscapes").names[13] == "car"
    assert class_table("cityscapes").colors[13] == (0, 0, 142)
    assert class_table("lip").mirror_pairs == ((14, 15), (16, 17), (18, 19))
