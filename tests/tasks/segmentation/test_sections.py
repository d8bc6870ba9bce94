"""Segmentation's part of the report, over pictures of bright and dark squares."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from hrnet.data.source import DataSource
from hrnet.evaluation import predict_dataset
from hrnet.tasks.segmentation.dataset import read_dataset
from hrnet.tasks.segmentation.evaluation import compare, details, metrics_of
from hrnet.tasks.segmentation.sections import METRIC_MEANING, report_sections

from .stubs import blocks, model_of, spec_of

NAMES = ("dark", "bright", "left", "right")


@pytest.fixture
def data(tmp_path):
    """Four pictures; in one all squares are labelled the other way round, in one nothing is."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for number in range(4):
        picture = blocks(96, 128, seed=number)
        Image.fromarray(picture).save(tmp_path / "images" / f"{number}.png")
        mask = (picture[..., 0] > 127).astype(np.uint8)
        mask = 1 - mask if number == 1 else np.full_like(mask, 255) if number == 2 else mask
        Image.fromarray(mask).save(tmp_path / "masks" / f"{number}.png")
    (tmp_path / "classes.json").write_text(json.dumps({"classes": ["dark", "bright"]}))
    return read_dataset(DataSource(tmp_path))


@pytest.fixture
def found(data):
    model = model_of(spec_of())
    return model.task, predict_dataset(model, data), data


def words(section) -> str:
    return re.sub(r"<[^>]+>", " ", str(section.content))


def test_sections(found):
    sections = {one.name: one for one in report_sections(*found)}
    assert list(sections) == ["classes", "confusions", "worst"]
    task, pairs, _ = found
    comparison = compare(task.spec, pairs)
    table = words(sections["classes"])
    # Only the classes that occur, each with the one that it is taken for.
    assert "dark" in table and "bright" in table and "left" not in table
    shares = comparison.confusion / comparison.confusion.sum(axis=1, keepdims=True).clip(1)
    assert f"bright ({shares[0, 1]:.1%})" in table
    matrix = words(sections["confusions"])
    assert str(round(100 * shares[0, 0])) in matrix
    # The worst picture comes first; the one without labels has no score.
    worst = words(sections["worst"])
    assert worst.index("1.png") < worst.index("0.png")
    assert "2.png" not in worst
    assert str(sections["worst"].content).count("data:image/jpeg") == 3


def test_the_metrics_have_a_meaning(found):
    task, pairs, data = found
    metrics = metrics_of(compare(task.spec, pairs))
    assert list(metrics)[:3] == list(METRIC_MEANING)
    assert set(metrics) == {*METRIC_MEANING, "IoU/dark", "IoU/bright"}
    assert 0.5 < metrics["pixel accuracy"] < 0.75  # one picture in three is wrong
    more = details(task, pairs, data)
    assert [one["class"] for one in more["classes"]] == list(NAMES)
    assert more["classes"][2]["iou"] is None
    assert np.array(more["confusion"]).sum() == 3 * 96 * 128


def test_many_classes_have_a_list_in_place_of_a_matrix(data):
    names = tuple(f"class {number}" for number in range(40))
    spec = spec_of(names)
    labels = np.arange(96 * 128).reshape(96, 128) // 300 % 40
    for sample in data.samples:
        Image.fromarray(labels.astype(np.uint8)).save(sample.mask_path)
    (data.path / "classes.json").write_text(json.dumps({"classes": list(names)}))
    model, read = model_of(spec), read_dataset(DataSource(data.path))
    sections = report_sections(model.task, predict_dataset(model, read), read)
    assert sections[1].title == "Most frequent confusions"
    assert "of its class" in words(sections[1])


def test_nothing_labelled_gives_no_sections(data):
    for sample in data.samples:
        mask = np.full((96, 128), 255, np.uint8)
        Image.fromarray(mask).save(sample.mask_path)
    model = model_of(spec_of())
    pairs = predict_dataset(model, data)
    assert report_sections(model.task, pairs, data) == []
    assert metrics_of(compare(model.spec, pairs))["mIoU"] == -1


def test_a_mask_of_another_size_is_refused_in_evaluation(data):
    Image.fromarray(np.zeros((95, 128), np.uint8)).save(data.samples[0].mask_path)
    with pytest.raises(ValueError, match="128x95"):
        predict_dataset(model_of(spec_of()), data)


def test_a_model_of_other_classes_is_refused(data):
    with pytest.raises(ValueError, match="expected classes among the model's 2"):
        predict_dataset(model_of(spec_of(("dark", "light"))), data)
