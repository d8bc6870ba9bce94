"""Whatever a file holds, the check ends, and what it passes can be trained on."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hrnet.data.check.run import check_dataset
from hrnet.data.coco import read_keypoints
from hrnet.errors import InputError

CONTENT = {
    "images": [{"id": n, "file_name": f"{n}.png", "height": 40, "width": 60} for n in (1, 2)],
    "annotations": [
        {
            "id": n,
            "image_id": n,
            "category_id": 1,
            "bbox": [10, 8, 30, 25],
            "area": 400,
            "iscrowd": 0,
            "annotator": "a",
            "keypoints": [12, 10, 2, 15, 12, 1],
        }
        for n in (1, 2)
    ],
    "categories": [
        {"id": 1, "name": "pet", "keypoints": ["left", "right"], "skeleton": [[1, 2]]}
        | {"flip_pairs": [["left", "right"]], "sigmas": [0.1, 0.2]}
    ],
}

odd_lists = [[], [1], [[1, 2]], [1, 2, 3, 4], ["a", "a"], ["a", "b"], [1, 2, 2, 3, 4, 2], [None]]
values = st.sampled_from(
    [None, 0, 1, -1, 2.5, 1e300, float("nan"), True, "", "1", "one", {}, {"a": 1}, *odd_lists]
)


@st.composite
def spoiled(draw):
    """The content with up to three entries, or whole parts, replaced by something else."""
    content = deepcopy(CONTENT)
    for _ in range(draw(st.integers(1, 3))):
        part = draw(st.sampled_from(sorted(content)))
        entry = draw(st.sampled_from(content[part])) if content[part] else None
        if isinstance(entry, dict) and draw(st.integers(0, 9)):
            key = draw(st.sampled_from([*entry, "other"]))
            if draw(st.booleans()):
                entry[key] = draw(values)
            else:
                entry.pop(key, None)
        else:
            content[part] = [*content[part], draw(values)]
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    images = tmp_path_factory.mktemp("images")
    for image in CONTENT["images"]:
        Image.new("RGB", (60, 40)).save(images / image["file_name"])
    return images


@settings(max_examples=150)
@given(content=spoiled())
def test_the_check_ends_and_keeps_its_word(folder, content):
    file = folder / "pets.json"
    file.write_text(json.dumps(content))
    result = check_dataset(file, folder)
    assert json.loads(result.to_json())["counts"]
    if result.errors:
        return
    dataset = read_keypoints(file, folder)
    assert len(dataset.samples) == result.counts.samples
    assert dataset.skeleton == result.skeleton


@given(content=st.sampled_from([None, 1, "x", [], {}, {"images": [], "annotations": []}]))
def test_other_content_is_one_line(folder, content):
    file = folder / "other.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"other\.json: expected a COCO keypoint file"):
        check_dataset(file, folder)
