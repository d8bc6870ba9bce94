"""The six methods of classification, without a network: scores, batches, metrics."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from hrnet.data.class_dataset import ClassSample
from hrnet.errors import InputError
from hrnet.predict import Model
from hrnet.tasks import DataSource, Job
from hrnet.tasks.classification.config import (
    ClassAugmentation,
    ClassData,
    ClassificationExperiment,
    ClassificationModelConfig,
    ClassTrain,
)
from hrnet.tasks.classification.crops import centre_crop
from hrnet.tasks.classification.dataset import ClassificationDataset
from hrnet.tasks.classification.evaluation import details
from hrnet.tasks.classification.result import Labels
from hrnet.tasks.classification.task import ClassificationTask

from .conftest import NAMES, make_spec

PLAIN = ClassAugmentation(flip=0, scale=(1, 1), ratio=(1, 1))


class ColourEngine:
    """A network whose logits are the mean red, green and blue of its input."""

    device = "cpu"

    def __call__(self, images):
        return (images.mean(axis=(2, 3)),)


def experiment(augmentation: ClassAugmentation = PLAIN, **train: object):
    return ClassificationExperiment(
        name="pets",
        model=ClassificationModelConfig(variant="small_hrnet_w16", input_size=(64, 64), resize=72),
        data=ClassData(path="pets"),
        augmentation=augmentation,
        train=ClassTrain(**train),
    )


def sample(index: int) -> ClassSample:
    return ClassSample(Path("picture.png"), "picture.png", index, NAMES[index])


def rngs(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng([5, number]) for number in range(count)]


def picture(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 6, width // 6, 3))
    return np.kron(pixels, np.ones((6, 6, 1))).astype(np.uint8)


# Predicting


def test_scores_are_the_softmax_of_the_logits(spec):
    task = ClassificationTask(spec)
    page = task.preprocess(picture(0), None)
    crops = list(page.crops())
    assert not page.done
    (part,) = task.postprocess((np.array([[0.0, math.log(2), 700.0]], np.float32),), crops)
    page.add(part)
    assert page.done
    labels = page.result()
    assert labels.image_size == (90, 120)
    assert labels.name == "owl"
    (part,) = task.postprocess((np.log(np.array([[1, 2, 5]], np.float32)),), crops)
    np.testing.assert_allclose(part, [1 / 8, 2 / 8, 5 / 8], rtol=1e-6)


def test_a_model_predicts_pictures_with_and_without_flip_test(spec):
    model = Model(ColourEngine(), spec)
    image = np.zeros((80, 100, 3), np.uint8)
    image[..., 1] = 255
    found = model.predict([image, image[:, ::-1].copy()])
    assert [labels.name for labels in found] == ["dog", "dog"]
    flipped = model.predict(image, flip_test=True)
    np.testing.assert_allclose(flipped.scores, found[0].scores, rtol=1e-5)


def test_boxes_are_refused(spec):
    model = Model(ColourEngine(), spec)
    with pytest.raises(InputError, match="expected no boxes: pets takes whole pictures"):
        model.predict(picture(0), boxes=[[0, 0, 10, 10]])


@pytest.mark.parametrize("logits", [np.zeros((1, 4)), np.zeros((2, 3)), np.full((1, 3), np.nan)])
def test_outputs_that_do_not_fit_are_refused(spec, logits):
    task = ClassificationTask(spec)
    crops = list(task.preprocess(picture(0), None).crops())
    with pytest.raises(InputError, match="export it again"):
        list(task.postprocess((logits.astype(np.float32),), crops))


# Training


def test_a_batch_without_randomness_is_the_resized_pictures(spec):
    pictures = [picture(seed, 96, 96) for seed in range(3)]
    task = ClassificationTask(make_spec(resize=64), experiment())
    inputs, targets = task.batch([sample(i) for i in (2, 0, 1)], pictures, rngs(3))
    for crop, image in zip(inputs, pictures, strict=True):
        np.testing.assert_array_equal(crop, centre_crop(image, task.spec)[0])
    np.testing.assert_array_equal(targets["classes"], np.eye(3, dtype=np.float32)[[2, 0, 1]])
    assert targets["classes"].dtype == np.float32


def test_smoothed_targets_add_up_to_one(spec):
    task = ClassificationTask(spec, experiment(label_smoothing=0.3))
    _, targets = task.batch([sample(0)], [picture(0)], rngs(1))
    np.testing.assert_allclose(targets["classes"], [[0.8, 0.1, 0.1]], rtol=1e-6)


def test_flips_and_crops_follow_the_samples_generator_alone(spec):
    task = ClassificationTask(spec, experiment(ClassAugmentation(colour=0.3, grey=0.2)))
    pictures, samples = [picture(seed) for seed in range(4)], [sample(i % 3) for i in range(4)]
    together, _ = task.batch(samples, pictures, rngs(4))
    for number, image in enumerate(pictures):
        alone, _ = task.batch([samples[number]], [image], [rngs(4)[number]])
        np.testing.assert_array_equal(alone[0], together[number])
    assert len({crop.tobytes() for crop in together}) == 4


def test_a_share_of_crops_is_mirrored(spec):
    image = picture(3, 96, 96)
    task = ClassificationTask(spec, experiment(PLAIN.model_copy(update={"flip": 0.25})))
    batch, _ = task.batch([sample(0)] * 200, [image] * 200, rngs(200))
    straight, _ = ClassificationTask(spec, experiment()).batch([sample(0)], [image], rngs(1))
    mirrored = (batch == straight[0][:, ::-1]).all(axis=(1, 2, 3)).mean()
    assert 0.15 < mirrored < 0.35
    assert (batch == straight[0]).all(axis=(1, 2, 3)).mean() == 1 - mirrored


@pytest.mark.parametrize("fields", [{"erasing": 0.1}, {"randaugment": "rand-m9"}, {"mixup": 1}])
def test_a_missing_timm_is_found_before_the_training(monkeypatch, spec, fields):
    for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"pip install 'hrnet\[timm\]', or set them off"):
        ClassificationTask(spec, experiment(ClassAugmentation(**fields)))
    ClassificationTask(spec, experiment(ClassAugmentation(mixup=1, mix_probability=0)))


def test_an_unknown_policy_is_found_before_the_training(timm, spec):
    with pytest.raises(InputError, match="got 'rand-q7'"):
        ClassificationTask(spec, experiment(ClassAugmentation(randaugment="rand-q7")))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": (0.5, 0.2)}, "expected scale as"),
        ({"ratio": (2, 1)}, "expected ratio as"),
        ({"scale": (0, 1)}, "greater than 0"),
        ({"randaugment": "original"}, "pattern"),
        ({"randaugment": "rand-m9-n1000000000"}, "at most 20 operations"),
        ({"flip": 2}, "less than or equal to 1"),
    ],
)
def test_odd_augmentations_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        ClassAugmentation(**fields)


# Evaluating


def labels_of(names: list[str], spec) -> list[Labels]:
    eye = np.eye(len(spec.class_names))
    return [Labels(eye[spec.class_names.index(name)], spec.class_names, (9, 9)) for name in names]


def test_metrics_are_by_class_name_and_the_first_is_top_1(class_folder, tmp_path):
    """The model has other classes too, in another order."""
    spec = make_spec(("owl", "cow", "dog", "cat", "emu", "fox"))
    dataset = ClassificationTask.dataset(DataSource(class_folder(tmp_path / "pets", 2)))
    dataset.expect_labels_of(spec)
    found = labels_of(["cat", "dog", "dog", "dog", "cow", "owl"], spec)
    metrics = ClassificationTask(spec).evaluate(
        list(zip(dataset.jobs, found, strict=True)), dataset
    )
    assert next(iter(metrics)) == "top-1"
    assert metrics == {
        "top-1": pytest.approx(4 / 6),
        "top-5": 1.0,  # of equal scores the lower index comes first, and cat is the fourth
        "class mean": pytest.approx((0.5 + 1 + 0.5) / 3),
        "class/owl": 0.5,
        "class/dog": 1.0,
        "class/cat": 0.5,
    }


def test_a_part_of_the_pictures_is_measured_alone(class_folder, tmp_path, spec):
    dataset = ClassificationTask.dataset(DataSource(class_folder(tmp_path / "pets", 2)))
    pairs = list(zip(dataset.jobs[4:], labels_of(["owl", "cat"], spec), strict=True))
    metrics = ClassificationTask(spec).evaluate(pairs, dataset)
    assert (metrics["top-1"], metrics["class mean"]) == (0.5, 0.5)
    assert ClassificationTask(spec).evaluate([], dataset) == {"top-1": -1.0, "class mean": -1.0}
    six = ClassificationTask(make_spec((*NAMES, "cow", "emu", "fox")))
    assert six.evaluate([], dataset) == {"top-1": -1.0, "top-5": -1.0, "class mean": -1.0}


@pytest.mark.parametrize("count", [3, 5, 6])
def test_top_5_is_of_more_than_5_classes(count, class_folder, tmp_path):
    spec = make_spec((*NAMES, "cow", "emu", "fox")[:count])
    dataset = ClassificationTask.dataset(DataSource(class_folder(tmp_path / "pets", 1)))
    pairs = list(zip(dataset.jobs, labels_of(["cat", "dog", "owl"], spec), strict=True))
    assert ("top-5" in ClassificationTask(spec).evaluate(pairs, dataset)) == (count > 5)


def test_folders_of_wordnet_ids_have_the_english_names(class_folder, tmp_path):
    root = class_folder(tmp_path / "pets", 1)
    for name, wordnet_id in zip(NAMES, ("n02123045", "n02085620", "n01622779"), strict=True):
        (root / name).rename(root / wordnet_id)
    dataset = ClassificationTask.dataset(DataSource(root))
    assert dataset.class_names == ("great grey owl", "Chihuahua", "tabby")
    assert [job.index for job in dataset.jobs] == [0, 1, 2]
    assert dataset.facts()["metric"].startswith("top-1")


def test_a_model_of_other_classes_is_refused(class_folder, tmp_path):
    dataset = ClassificationTask.dataset(DataSource(class_folder(tmp_path / "pets", 1)))
    with pytest.raises(InputError, match="1 others"):
        dataset.expect_labels_of(make_spec(("cat", "dog", "cow")))
    dataset.keep(Job("x"), labels_of(["cat"], make_spec())[0])


def test_details_have_each_class_and_each_confusion(class_folder, tmp_path):
    spec = make_spec(("owl", "cow", "dog", "cat", "emu", "fox"))
    dataset = ClassificationTask.dataset(DataSource(class_folder(tmp_path / "pets", 2)))
    found = labels_of(["cat", "dog", "dog", "dog", "cow", "owl"], spec)
    pairs = list(zip(dataset.jobs, found, strict=True))
    assert details(ClassificationTask(spec), pairs, dataset) == {
        "classes": [
            {"class": "owl", "images": 2, "accuracy": 0.5},
            {"class": "dog", "images": 2, "accuracy": 1.0},
            {"class": "cat", "images": 2, "accuracy": 0.5},
        ],
        "confusions": [
            {"class": "owl", "predicted": "cow", "images": 1},
            {"class": "cat", "predicted": "dog", "images": 1},
        ],
    }


def test_many_classes_have_no_metric_each(spec):
    names = tuple(f"c{number}" for number in range(21))
    eye = np.eye(21)
    dataset = ClassificationDataset(
        path=Path("x"),
        class_names=names,
        samples=tuple(ClassSample(Path(name), name, i, name) for i, name in enumerate(names)),
    )
    pairs = [(job, Labels(row, names, (9, 9))) for job, row in zip(dataset.jobs, eye, strict=True)]
    task = ClassificationTask(make_spec(names))
    assert task.evaluate(pairs, dataset) == {"top-1": 1.0, "top-5": 1.0, "class mean": 1.0}
