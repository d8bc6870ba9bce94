"""The report of a detector: classes, curves, sizes, mistakes with their reasons, worst pictures."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.metrics.coco_boxes import BOX_METRICS
from hrnet.tasks.detection.dataset import DetectionDataset
from hrnet.tasks.detection.sections import METRIC_MEANING, report_sections
from hrnet.tasks.detection.task import DetectionTask

from .test_evaluation import NAMES, found, sample, spec_of

pytest.importorskip("pycocotools")

CAT, DOG = [10, 10, 40, 40], [60, 50, 30, 40]
FOUND_CAT, FOUND_DOG = [10, 10, 50, 50], [60, 50, 90, 90]


@pytest.fixture
def sections_of(tmp_path):
    """The sections of pictures (100, 100), each with a cat and a dog, by their names."""

    def make(*results, names=NAMES, samples=None, **fields) -> dict[str, str]:
        samples = samples or [sample([CAT, DOG], [0, 1]) for _ in results]
        placed = []
        for number, one in enumerate(samples):
            path = tmp_path / f"{number}.png"
            Image.fromarray(np.full((100, 100, 3), 90, np.uint8)).save(path)
            placed.append(type(one)(path, *(getattr(one, name) for name in one.__slots__[1:])))
        data = DetectionDataset(Path("boxes.json"), names, tuple(placed))
        task = DetectionTask(spec_of(names, **fields))
        pairs = list(zip(data.jobs, results, strict=True))
        return {one.name: one.content for one in report_sections(task, pairs, data)}

    return make


RIGHT = found([FOUND_CAT, FOUND_DOG], [0.9, 0.8], [0, 1])


def test_where_all_is_right_there_are_no_mistakes(sections_of):
    sections = sections_of(RIGHT)
    assert list(sections) == ["classes", "precision"]
    assert sections["classes"].count("1.000") == 4  # AP and AP50 of both
    assert "<svg" in sections["precision"]


def test_classes_stand_with_the_lowest_first_and_those_without_objects_last(sections_of):
    one = sample([CAT, DOG], [0, 1])
    result = found([FOUND_CAT], [0.9], [0], ("cat", "dog", "owl"))
    content = sections_of(result, names=("cat", "dog", "owl"), samples=[one])["classes"]
    assert content.index(">dog<") < content.index(">cat<") < content.index(">owl<")
    assert "–" in content[content.index(">owl<") :]


def test_masks_have_a_column(sections_of):
    polygon = [[10, 10, 50, 10, 50, 50, 10, 50]]
    labelled = sample([CAT], [0], masks=(polygon,))
    result = found([FOUND_CAT], [0.9], [0], mask_maps=np.ones((1, 28, 28)))
    assert "mask AP" in sections_of(result, samples=[labelled], head="mask")["classes"]
    assert "mask AP" not in sections_of(RIGHT)["classes"]


def test_precision_and_recall_stand_by_size(sections_of):
    content = sections_of(found([FOUND_CAT, [0, 80, 20, 99]], [0.9, 0.5], [0, 0]))["precision"]
    rows = {
        size: re.findall(r'<td class="number">([^<]*)</td>', content.split(f">{size}<")[1])[:5]
        for size in ("all", "small", "medium", "large")
    }
    # One of two detections is right, one of two objects found; the wrong one is small.
    assert rows["all"][0] == "2"
    assert rows["all"][3:] == ["0.500", "0.500"]
    assert rows["medium"][3:] == ["1.000", "0.500"]
    assert rows["small"] == ["0", "–", "–", "0.000", "–"]
    assert rows["large"] == ["0", *["–"] * 4]


def test_every_mistake_has_its_reason_the_surest_first(sections_of):
    boxes = [FOUND_CAT, FOUND_DOG, [12, 10, 50, 50], [65, 55, 99, 99], [0, 70, 20, 90]]
    result = found(boxes, [0.9, 0.4, 0.8, 0.7, 0.5], [0, 0, 0, 1, 1])
    content = sections_of(result)["mistakes"]
    captions = re.findall(r"<b>([^<]*)</b> ([^<]*)<br>0.png", content)
    # 25 * 35 of 30 * 40 + 34 * 44 pixels are shared by the second dog.
    assert captions == [
        ("cat 0.80", "found twice"),
        ("dog 0.70", "misplaced, IoU 0.48"),
        ("dog 0.50", "nothing labelled there"),
        ("cat 0.40", "labelled dog, IoU 1.00"),
    ]


def test_unsure_detections_are_no_mistakes_and_find_nothing(sections_of):
    sections = sections_of(found([FOUND_CAT, [0, 80, 20, 99]], [0.2, 0.1], [0, 1]))
    assert "mistakes" not in sections
    assert "0 wrong, 2 missed, 0 right" in sections["pictures"]


def test_regions_to_ignore_are_no_mistakes(sections_of):
    one = sample([CAT, DOG], [0, 1], [False, True])
    assert list(sections_of(RIGHT, samples=[one])) == ["classes", "precision"]


def test_the_worst_picture_comes_first_and_is_drawn(sections_of):
    one_missed = found([FOUND_CAT], [0.9], [0])
    wrong_too = found([FOUND_CAT, [0, 80, 20, 99]], [0.9, 0.5], [0, 0])
    content = sections_of(RIGHT, one_missed, wrong_too)["pictures"]
    assert "0.png" not in content
    assert content.index("1 wrong, 1 missed, 1 right") < content.index("0 wrong, 1 missed")
    drawn = pixels_of(content)[0]
    assert drawn.shape == (100, 100, 3)
    orange, pink, blue = drawn[98, 10], drawn[89, 75], drawn[49, 30]
    assert orange[0] > orange[2] + 80
    assert blue[2] > blue[0] + 80
    assert pink[0] > pink[1] + 50 and pink[2] > pink[1] + 20


def test_a_mistake_is_cut_out_of_its_picture(sections_of):
    wrong = found([FOUND_CAT, FOUND_DOG, [80, 80, 100, 100]], [0.9, 0.8, 0.7], [0, 1, 0])
    (crop,) = pixels_of(sections_of(wrong)["mistakes"])
    assert crop.shape == (240, 240, 3)
    assert crop[-5:, -5:].max() < 20  # beyond the corner of the picture
    assert abs(int(crop[5, 5, 0]) - 90) < 6


def test_names_are_safe_in_html(sections_of):
    names = ("<b>cat", "dog")
    results = found([[0, 0, 9, 9]], [0.9], [0], names)
    content = "".join(sections_of(results, names=names).values())
    assert "<b>cat" not in content.replace("<b>&lt;b&gt;cat", "")
    assert "&lt;b&gt;cat" in content


def test_nothing_labelled_has_no_curve(sections_of):
    sections = sections_of(found([], [], []), samples=[sample([], [])])
    assert "<svg" not in sections["precision"]


def test_every_metric_has_a_meaning():
    masks = [f"mask {name}" for name in BOX_METRICS]
    assert set(METRIC_MEANING) == {*BOX_METRICS, *masks, "precision", "recall"}


def pixels_of(content: str) -> list[np.ndarray]:
    """The pictures of a section."""
    parts = re.findall(r"data:image/jpeg;base64,([^\"]+)", content)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(part)))) for part in parts]
