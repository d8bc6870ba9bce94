"""The report of a classification model: classes, confusions and mistakes, safe in HTML."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hrnet.data.class_dataset import ClassSample
from hrnet.tasks.classification.dataset import ClassificationDataset
from hrnet.tasks.classification.result import Labels
from hrnet.tasks.classification.sections import MAX_MATRIX, METRIC_MEANING, report_sections
from hrnet.tasks.classification.task import ClassificationTask

from .conftest import make_spec


@pytest.fixture
def sections_of(tmp_path):
    """Sections of data with one picture a class, each predicted as the class given."""

    def make(names: tuple[str, ...], predicted: list[int], scores: list[float]) -> dict[str, str]:
        samples = []
        for index in range(len(predicted)):
            path = tmp_path / f"{index}.png"
            Image.fromarray(np.full((70, 80, 3), index, np.uint8)).save(path)
            samples.append(ClassSample(path, path.name, index, names[index]))
        dataset = ClassificationDataset(Path("x"), names, tuple(samples))
        rows = []
        for index, score in zip(predicted, scores, strict=True):
            row = np.full(len(names), (1 - score) / (len(names) - 1))
            row[index] = score
            rows.append(Labels(row, names, (70, 80)))
        task = ClassificationTask(make_spec(names))
        pairs = list(zip(dataset.jobs, rows, strict=True))
        return {one.name: one.content for one in report_sections(task, pairs, dataset)}

    return make


def test_classes_stand_with_the_worst_first(sections_of):
    content = sections_of(("cat", "dog", "owl"), [0, 0, 2], [0.9, 0.8, 0.7])["classes"]
    assert content.index(">dog<") < content.index(">cat<") < content.index(">owl<")
    assert "cat (1)" in content


def test_the_matrix_has_only_classes_that_occur(sections_of):
    names = ("cat", "dog", "owl", *(f"c{number}" for number in range(100)))
    content = sections_of(names, [0, 0, 2], [0.9, 0.8, 0.7])["confusions"]
    assert "c99" not in content
    assert content.count('<th scope="row">') == 2 + 1  # nothing is taken for a dog


def test_of_many_classes_the_most_frequent_confusions_are_listed(sections_of):
    count = MAX_MATRIX + 1
    names = tuple(f"c{number}" for number in range(count))
    content = sections_of(names, [1, *range(1, count)], [0.9] * count)["confusions"]
    assert content.count("<tr>") == 2
    assert "100.0%" in content


def test_the_surest_mistake_comes_first_and_names_are_safe(sections_of):
    names = ("<b>cat", "dog", "owl")
    found = sections_of(names, [1, 0, 2], [0.6, 0.8, 0.7])
    content = found["mistakes"]
    assert content.index("1.png") < content.index("0.png")
    assert "2.png" not in content
    assert "<b>cat" not in "".join(found.values()).replace("<b>&lt;b&gt;cat", "")
    assert "data:image/jpeg" in content


def test_without_mistakes_there_is_no_section_of_them(sections_of):
    assert list(sections_of(("cat", "dog"), [0, 1], [0.9, 0.9])) == ["classes", "confusions"]


def test_every_metric_has_a_meaning(sections_of):
    assert list(METRIC_MEANING) == ["top-1", "top-5", "class mean"]
