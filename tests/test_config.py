"""Experiments: what is written is read back, and every unusable setting is one clear line."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from hrnet.config import override, settings_of
from hrnet.errors import InputError
from hrnet.recipes import get_recipe
from hrnet.tasks import experiment_from_json, read_experiment
from hrnet.tasks.pose.config import (
    KeypointData,
    PoseAugmentation,
    PoseExperiment,
    PoseModelConfig,
    PoseTrain,
)

RECIPE = "pose/hrnet_w32_coco_256x192"


@pytest.fixture
def experiment() -> PoseExperiment:
    return PoseExperiment(
        name="hands",
        model=PoseModelConfig(variant="hrnet_w32", input_size=(256, 256), codec="dark", sigma=1.5),
        data=KeypointData(
            annotations=Path("a.json"), images=Path("pictures"), val_images=Path("v")
        ),
        augmentation=PoseAugmentation(flip=0.25, rotation_deg=10),
        train=PoseTrain(epochs=3, milestones=(1, 2), init="start.safetensors", seed=7),
    )


def test_json_round_trip(experiment, tmp_path):
    assert experiment_from_json(experiment.to_json()) == experiment
    file = tmp_path / "experiment.json"
    file.write_text(experiment.to_json())
    assert read_experiment(file) == experiment


def test_an_experiment_cannot_be_changed(experiment):
    with pytest.raises(ValidationError):
        experiment.train.lr = 1.0
    with pytest.raises(AttributeError):
        experiment.augmentation.flip = 1.0


@pytest.mark.parametrize(
    ("setting", "part", "field", "value"),
    [
        ("name=feet", None, "name", "feet"),
        ("name=12", None, "name", "12"),
        ("model.variant=hrnet_w48", "model", "variant", "hrnet_w48"),
        ("model.input_size=[384,288]", "model", "input_size", (384, 288)),
        ("model.sigma=3", "model", "sigma", 3.0),
        ("data.images=/somewhere/else", "data", "images", Path("/somewhere/else")),
        ("data.images=2017", "data", "images", Path("2017")),
        ("data.val_annotations=b.json", "data", "val_annotations", Path("b.json")),
        ("data.val_images=null", "data", "val_images", None),
        ("augmentation.scale=0.1", "augmentation", "scale", 0.1),
        ("train.lr=1e-2", "train", "lr", 0.01),
        ("train.milestones=[]", "train", "milestones", ()),
        ("train.milestones=[5, 6, 7]", "train", "milestones", (5, 6, 7)),
        ("train.init=null", "train", "init", None),
        ("train.init=a=b.safetensors", "train", "init", "a=b.safetensors"),
        ("run.cache_images=false", "run", "cache_images", False),
        ("train.optimizer=adamw", "train", "optimizer", "adamw"),
    ],
)
def test_override(experiment, setting, part, field, value):
    before = experiment.to_json()
    changed = override(experiment, [setting])
    assert getattr(getattr(changed, part) if part else changed, field) == value
    assert experiment.to_json() == before

    def without(one):
        tree = json.loads(one.to_json())
        (tree[part] if part else tree).pop(field)
        return tree

    assert without(changed) == without(experiment)


def test_overrides_follow_each_other(experiment):
    changed = override(experiment, ["train.lr=1", "train.lr=2", "train.epochs=9"])
    assert (changed.train.lr, changed.train.epochs) == (2.0, 9)
    assert override(experiment, []) == experiment


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.lrr=1", ["unknown setting train.lrr", "train.lr or"]),
        ("trian.lr=1", ["unknown setting trian.lr", "train.lr"]),
        ("lr=1", ["unknown setting lr", "train.lr"]),
        ("train.lr.x=1", ["unknown setting train.lr.x", "train.lr"]),
        ("augmentation.flipp=1", ["augmentation.flip or"]),
        ('augmentation={"flop":1}', ["unknown setting augmentation.flop", "augmentation.flip"]),
        ("=1", ["unknown setting"]),
        ("train.lr", ["NAME=VALUE", "'train.lr'"]),
        ("train.lr=fast", ["train.lr", "number", "'fast'"]),
        ("train.lr=-1", ["train.lr", "greater than 0", "-1"]),
        ("train.lr=NaN", ["train.lr", "nan"]),
        ("train.epochs=1.5", ["train.epochs", "integer", "1.5"]),
        ("train.epochs=0", ["train.epochs", "1", "0"]),
        ("train.seed=-1", ["train.seed", "0", "-1"]),
        ("train.ema=1", ["train.ema", "less than 1"]),
        ("train.loss=l1", ["train.loss", "'mse'", "'cross_entropy'", "'l1'"]),
        ("train=1", ["setting train", "object", "1"]),
        ("model.codec=udpp", ["model.codec", "'udp'", "'udpp'"]),
        ("model.options.drop_path=1", ["model.options.drop_path", "from 0 to below 1", "1.0"]),
        ("model.input_size=256", ["model.input_size", "256"]),
        ("model.input_size=[256]", ["model.input_size"]),
        ("model.input_size=[102,64]", ["model.input_size", "multiples of 4", "(102, 64)"]),
        ("model.input_size=[0,0]", ["model.input_size", "multiples of 4"]),
        ("augmentation.flip=2", ["augmentation", "flip within 0..1", "2"]),
        ("augmentation.scale=1.5", ["augmentation", "scale within", "1.5"]),
        ("augmentation.rotation_deg=-3", ["rotation_deg within 0..180", "-3"]),
    ],
)
def test_unusable_settings_are_one_line(experiment, setting, words):
    with pytest.raises(InputError) as caught:
        override(experiment, [setting])
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["Invalid JSON"]),
        (b"{", ["Invalid JSON"]),
        (b"[]", ["object"]),
        (b"\xff\xfe\x00", ["expected text (UTF-8)"]),
        (b'{"name": "x"}', ["model", "required"]),
        (b'{"name": "x", "modle": {}}', ["model"]),
    ],
)
def test_unusable_files_are_one_line_that_names_the_file(tmp_path, content, words):
    file = tmp_path / "experiment.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_experiment(file)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    for word in [*words, str(file)]:
        assert word in message


def test_a_file_without_a_task_is_of_pose(experiment):
    """Files were written without it while there was one task."""
    tree = json.loads(experiment.to_json())
    assert tree.pop("task") == "pose"
    assert experiment_from_json(json.dumps(tree)) == experiment


@pytest.mark.parametrize("task", ["cooking", "", 1, None, ["pose"]])
def test_an_unknown_task_is_one_line(experiment, task):
    tree = json.loads(experiment.to_json()) | {"task": task}
    with pytest.raises(InputError, match="setting task: expected pose") as caught:
        experiment_from_json(json.dumps(tree))
    assert len(str(caught.value).splitlines()) == 1


def test_the_task_cannot_be_changed(experiment):
    with pytest.raises(InputError, match="setting task"):
        override(experiment, ["task=segmentation"])


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nothing.json", "cannot read the experiment"),
        (".", "expected the experiment in a file"),
        ("n" * 300, "cannot read the experiment"),
        ("\0", "cannot read the experiment"),
    ],
)
def test_missing_files_are_one_line(tmp_path, place, words):
    with pytest.raises(InputError, match=words):
        read_experiment(tmp_path / place)


ODD = ["1" + "0" * 5000, "-1" + "0" * 400, "1e400", "NaN", "-Infinity", "[" * 9999, '{"a":' * 9999]
ODD += ['"\\ud800"', '"\\u001b[2J"', "a" * 99999, "\0", "\udcff", "[[1]]", "{}", "null", "9" * 26]


@pytest.mark.parametrize("name", [one.name for one in settings_of(get_recipe(RECIPE))])
def test_no_value_of_a_setting_leaks_an_error_of_python(experiment, name):
    """Each is a result that can be written and read again, or one line."""
    for value in ODD:
        try:
            changed = override(experiment, [f"{name}={value}"])
        except InputError as error:
            assert len(str(error).splitlines()) == 1
            assert len(str(error)) < 700
        else:
            assert experiment_from_json(changed.to_json()) == changed


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("train.seed=" + "9" * 26, "train.seed"),
        ("train.lr=1" + "0" * 5000, "train.lr"),
        ('train.groups=[{"pattern":"*","lr_scale":1e300}]', "train.groups.0.lr_scale"),
        ("train.lr=1e300", "less than or equal to"),
        ("train.lr=true", "train.lr"),
        ("train.milestones=[-1]", "train.milestones.0"),
        ("model.sigma=1e-300", "model.sigma"),
        ("model.input_size=[32,3200000000]", "from 32 to 4096"),
        ("model.options.window=1000", "model.options.window"),
        ("run.workers=100000", "run.workers"),
        ("run.checkpoint_minutes=Infinity", "run.checkpoint_minutes"),
    ],
)
def test_values_beyond_all_use_are_refused(experiment, setting, words):
    with pytest.raises(InputError, match="setting") as caught:
        override(experiment, [setting])
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_every_setting_has_a_meaning_and_a_value_that_can_be_set(experiment):
    found = list(settings_of(experiment))
    assert len(found) > 50
    assert all(one.meaning.endswith(".") for one in found)
    assert override(experiment, [f"{one.name}={one.value}" for one in found]) == experiment


def test_an_unknown_key_in_a_file_lists_near_names(experiment):
    tree = json.loads(experiment.to_json())
    tree["train"]["batchsize"] = 4
    with pytest.raises(InputError, match=r"unknown setting train\.batchsize.*train\.batch_size"):
        experiment_from_json(json.dumps(tree))
