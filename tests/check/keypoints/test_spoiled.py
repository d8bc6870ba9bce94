"""Whatever a file holds, no reader fails in its own way, and all give it the same meaning."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hrnet.check.keypoints import check_keypoints
from hrnet.check.run import to_json, write_report
from hrnet.data.boxes import read_boxes
from hrnet.data.coco import read_keypoints
from hrnet.data.coco_evaluation import annotated_boxes
from hrnet.data.split import split_dataset
from hrnet.errors import InputError

CONTENT = {
    "images": [{"id": n, "file_name": f"{n}.png", "height": 40, "width": 60} for n in (1, 2)],
    "annotations": [
        {
            "id": n,
            "image_id": n,
            "category_id": n,
            "bbox": [10, 8, 30, 25],
            "area": 400,
            "iscrowd": 0,
            "annotator": "a",
            "keypoints": [12, 10, 2, 15, 12, 1],
        }
        for n in (1, 2)
    ],
    "categories": [
        {"id": n, "name": "pet", "keypoints": ["left", "right"], "skeleton": [[1, 2]]}
        | {"flip_pairs": [["left", "right"]], "sigmas": [0.1, 0.2]}
        for n in (1, 2)
    ],
}

OF_PICTURES = ("images that are not in", "images that cannot be decoded", "images of another size")
"""Errors of the check that a reader of annotations cannot find."""

HUGE = 10**400
numbers = [0, 1, -1, 2.5, 0.9, 1e300, 2**60, HUGE, float("nan"), float("inf"), -float("inf")]
texts = ["", "1", "1.0", "one", "[/x]", ":x:", "\x1b[2J", "\ud800", "a\0b", "x" * 5000, "..\\1.png"]
lists = [[], [1], [[1, 2]], [1, 2, 3, 4], ["a", "a"], ["a", "b"], [1, 2, 2, 3, 4, 2], [None]]
lists += [[5, 5, 0, 0], [1, 2, HUGE, 4], [[1, 2, 3]], [["left", "right"]], [1, 2, 0.9, 3, 4, 2]]
odd = st.sampled_from([None, True, False, *numbers, *texts, {}, {"a": 1}, *lists])
values = odd | st.recursive(
    odd, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner)
)


@st.composite
def spoiled(draw):
    """The content with up to three entries, or whole parts, replaced by something else."""
    content = deepcopy(CONTENT)
    for _ in range(draw(st.integers(1, 3))):
        part = draw(st.sampled_from(sorted(content)))
        entry = draw(st.sampled_from(content[part])) if content[part] else None
        if isinstance(entry, dict) and draw(st.integers(0, 9)):
            key = draw(st.sampled_from([*entry, "crop_box", "head_size", "face_kpts", "other"]))
            if draw(st.booleans()) or key not in entry:
                entry[key] = draw(values)
            else:
                entry.pop(key)
        else:
            content[part] = [*content[part], draw(values)]
    return content


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    images = tmp_path_factory.mktemp("images")
    for image in CONTENT["images"]:
        Image.new("RGB", (60, 40)).save(images / image["file_name"])
    return images


def read(folder: Path, content: object) -> Path:
    file = folder / "pets.json"
    file.write_text(json.dumps(content))
    return file


@settings(max_examples=100)
@given(content=spoiled())
def test_the_check_ends_and_training_takes_the_file_as_it_said(folder, content):
    file = read(folder, content)
    result = check_keypoints(file, folder)
    assert json.loads(to_json(result))["counts"]
    stopping = [one for one in result.errors if not one.what.startswith(OF_PICTURES)]
    if stopping:  # training says the first of them
        with pytest.raises(InputError) as caught:
            read_keypoints(file, folder)
        assert str(caught.value) == f"{file}: {stopping[0].line}"
        return
    dataset = read_keypoints(file, folder)
    assert len(dataset.samples) == result.counts.samples
    assert dataset.skeleton == result.dataset.skeleton
    assert sum(one.counts for one in dataset.subjects) == result.counts.subjects
    assert sum(len(page.scores) for page in annotated_boxes(dataset)) == result.counts.samples
    assert set(dataset.notes) <= {finding.line for finding in result.warnings}
    if result.counts.other_categories:  # a split deals them out too, and needs their images
        return
    parts = split_dataset(file, folder / "parts", val=0, force=True)
    assert len(read_keypoints(parts[0].file, folder).samples) == result.counts.samples
    write_report(result, folder / "report")


@settings(max_examples=100)
@given(content=spoiled() | values)
def test_a_file_of_boxes_is_read_or_refused_in_one_line(folder, content):
    try:
        found = read_boxes(read(folder, content))
        found.find_all([folder / "1.png", folder / "000000000001.png", folder / "b" / "1.png"])
    except InputError as error:
        assert str(error)


@given(content=st.sampled_from([None, 1, "x", [], {}, {"images": [], "annotations": []}]))
def test_other_content_is_one_line(folder, content):
    file = folder / "other.json"
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"other\.json: expected a COCO file"):
        check_keypoints(file, folder)
